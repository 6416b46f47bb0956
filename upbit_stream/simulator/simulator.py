"""The face of the simulator: start, stop, trade, look, disturb."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any

from upbit_stream.simulator.digits import to_units
from upbit_stream.simulator.history import TapeRow
from upbit_stream.simulator.journal import (
    ErrorSent,
    Handshake,
    Journal,
    RequestSeen,
)
from upbit_stream.simulator.listing import DEFAULT_CODES
from upbit_stream.simulator.market import Exchange
from upbit_stream.simulator.server import Server
from upbit_stream.simulator.session import Session
from upbit_stream.simulator.settings import Limits, Timing

__all__ = ["Simulator"]


class Simulator:
    """A local Upbit."""

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        codes: Iterable[str] = DEFAULT_CODES,
        rate: float = 100.0,
        seed: int = 1,
        ssl_context: ssl.SSLContext | None = None,
        timing: Timing | None = None,
        limits: Limits | None = None,
        history: int = 60,
        ledger_size: int = 100_000,
        clock: Callable[[], float] = time.time,
    ) -> None:
        timing = timing or Timing()
        self._exchange = Exchange(
            codes, seed=seed, clock=clock, trade_lag=timing.trade_lag, past=history,
            kept=ledger_size,
        )
        self._journal = Journal()
        self._server = Server(
            host=host, port=port, exchange=self._exchange, journal=self._journal, rate=rate,
            seed=seed, timing=timing, limits=limits or Limits(), ssl_context=ssl_context,
        )  # fmt: skip
        self._tls = ssl_context is not None

    def start(self) -> Simulator:
        self._server.start()
        return self

    def stop(self) -> None:
        self._server.stop()

    def __enter__(self) -> Simulator:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def port(self) -> int:
        return self._server.port

    @property
    def url(self) -> str:
        return f"{'wss' if self._tls else 'ws'}://{self._server.host}:{self.port}/websocket/v1"

    @property
    def rest_url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{self._server.host}:{self.port}/v1"

    @property
    def codes(self) -> tuple[str, ...]:
        return self._exchange.codes

    def trade(
        self,
        code: str,
        *,
        price: float | str | None = None,
        volume: float | str = "0.01",
        ask_bid: str | None = None,
    ) -> int:
        units = None if price is None else to_units(price)

        def work() -> int:
            fill = self._exchange.force(code, units, to_units(volume), ask_bid)
            self._server.publish([fill])
            return fill.sequential_id

        return self._server.call(work)

    def burst(self, count: int, codes: Sequence[str] | None = None) -> None:
        self._server.call(self._server.produce, count, codes)

    def ledger(self, code: str) -> list[int]:
        return [row.sequential_id for row in self.trades(code)]

    def trades(self, code: str) -> list[TapeRow]:
        return self._server.call(lambda: self._exchange.market(code).live_rows())

    @property
    def handshakes(self) -> list[Handshake]:
        return self._journal.of(Handshake)

    @property
    def requests(self) -> list[RequestSeen]:
        return self._journal.of(RequestSeen)

    @property
    def errors(self) -> list[ErrorSent]:
        return self._journal.of(ErrorSent)

    @property
    def stats(self) -> dict[str, int]:
        return self._journal.counters()

    @property
    def connections(self) -> list[int]:
        return self._server.call(lambda: sorted(self._server.sessions))

    def wait_for(self, predicate: Callable[[], Any], timeout: float = 5.0) -> bool:
        return self._journal.wait_for(predicate, timeout)

    def _sessions(self, connection: int | None) -> list[Session]:
        sessions = self._server.sessions
        return [
            session
            for number, session in list(sessions.items())
            if connection is None or number == connection
        ]

    def close(self, code: int = 1000, reason: str = "", connection: int | None = None) -> None:
        self._server.call(
            lambda: [one.close(code, reason) for one in self._sessions(connection)]
        )

    def reset(self, connection: int | None = None) -> None:
        self._server.call(lambda: [one.drop("reset") for one in self._sessions(connection)])

    def eof(self, connection: int | None = None) -> None:
        self._server.call(lambda: [one.drop("eof") for one in self._sessions(connection)])

    def restart(self) -> None:
        async def work() -> None:
            self._server.stop_listening()
            for session in self._sessions(None):
                session.drop("reset")
            await self._server.listen()

        self._server.call_async(work)
