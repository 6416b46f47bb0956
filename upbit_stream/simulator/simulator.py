"""The face of the simulator: start and stop it, make it trade, look at what the clients did."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any

from upbit_stream.simulator.digits import to_units
from upbit_stream.simulator.faults import Faults
from upbit_stream.simulator.handshake import AuthRefusal, BanNotice
from upbit_stream.simulator.history import Bar, TapeRow
from upbit_stream.simulator.journal import (
    Closed,
    ErrorSent,
    Handshake,
    Journal,
    RequestSeen,
    RestCall,
)
from upbit_stream.simulator.listing import DEFAULT_CODES
from upbit_stream.simulator.market import Exchange
from upbit_stream.simulator.replay import Replay, ReplaySource
from upbit_stream.simulator.server import Server, Setup
from upbit_stream.simulator.settings import Limits, Timing

__all__ = ["DEFAULT_KEYS", "Simulator"]

#: Access key → secret key of the account that every simulator knows.
DEFAULT_KEYS = {
    "simulator-access-key": "simulator-secret-key-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGH"
}

# Long enough for a million trades on a slow machine.
_BURST_TIMEOUT = 600.0


class Simulator(Faults):
    """A local Upbit: WebSocket and REST on one port, run by one background thread.

    A context manager; or call :meth:`start` and :meth:`stop`. Every method may be called from any
    thread. Its faults are methods, too, from :meth:`close` to :meth:`duplicate_trades`.

    ``rate``: trades a second, over all markets; with 0 nothing moves by itself and
    :meth:`trade` and :meth:`burst` make exactly what a test needs.
    ``codes``: the markets, the busiest first. ``seed``: the same seed and codes give the same
    trades. ``history``: past trades of each market, over the last week; with a ``rate`` each stands
    for all that would have been traded since the one before. ``ledger_size``: trades that are
    remembered for each market.
    ``keys``: access key → secret key. ``auth_refusal``: a bad token gets an HTTP 401
    (``"http"``) or an ``INVALID_AUTH`` frame (``"frame"``). ``ban_notice``: a 418 states its time
    in the ``"header"`` or in the ``"body"``.
    ``replay``: recorded frames (a file or lines), sent to whoever subscribes to what they are
    about; ``replay_speed``: 1.0 as recorded, 10.0 ten times faster, None all at once.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        codes: Iterable[str] = DEFAULT_CODES,
        rate: float = 100.0,
        seed: int = 1,
        keys: Mapping[str, str] = DEFAULT_KEYS,
        ssl_context: ssl.SSLContext | None = None,
        timing: Timing | None = None,
        limits: Limits | None = None,
        auth_refusal: AuthRefusal = "http",
        ban_notice: BanNotice = "header",
        history: int = 60,
        ledger_size: int = 100_000,
        replay: ReplaySource | None = None,
        replay_speed: float | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if rate < 0:
            raise ValueError(f"rate={rate!r}: trades a second, 0 for none")
        timing = timing or Timing()
        self._exchange = Exchange(
            codes, seed=seed, clock=clock, trade_lag=timing.trade_lag, past=history,
            kept=ledger_size, rate=rate,
        )  # fmt: skip
        self._journal = Journal()
        setup = Setup(
            host=host,
            port=port,
            rate=rate,
            seed=seed,
            keys=dict(keys),
            timing=timing,
            limits=limits or Limits(),
            auth_refusal=auth_refusal,
            ban_notice=ban_notice,
            replay=None if replay is None else Replay(replay, replay_speed),
            ssl_context=ssl_context,
        )
        self._server = Server(setup, self._exchange, self._journal)

    # Life.

    def start(self) -> Simulator:
        """Begin to listen; returns itself."""
        self._server.start()
        return self

    def stop(self) -> None:
        """Drop everybody and join the thread. Nothing is left behind."""
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
        """The port; the same after a restart."""
        return self._server.port

    @property
    def url(self) -> str:
        """Base of the public endpoint; ``/private`` and ``/info`` are below it."""
        return f"ws{self._secure}://{self._netloc}/websocket/v1"

    @property
    def rest_url(self) -> str:
        """Base of REST."""
        return f"http{self._secure}://{self._netloc}/v1"

    @property
    def _secure(self) -> str:
        return "" if self._server.setup.ssl_context is None else "s"

    @property
    def _netloc(self) -> str:
        host = self._server.setup.host
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    # The market.

    @property
    def codes(self) -> tuple[str, ...]:
        """The markets, the busiest first."""
        return self._exchange.codes

    @property
    def rate(self) -> float:
        """Trades a second; may be set while it runs."""
        return self._server.clockwork.rate

    @rate.setter
    def rate(self, rate: float) -> None:
        self._server.call(setattr, self._server.clockwork, "rate", rate)

    def trade(
        self,
        code: str,
        *,
        price: float | str | None = None,
        volume: float | str = "0.01",
        ask_bid: str | None = None,
    ) -> int:
        """Make one trade now; returns its ``sequential_id``. The book follows the price."""
        if ask_bid not in (None, "ASK", "BID"):
            raise ValueError(f'ask_bid={ask_bid!r}: "ASK", "BID" or None')
        units = None if price is None else to_units(price)
        size = to_units(volume)

        def work() -> int:
            fill = self._exchange.force(code, units, size, ask_bid)
            self._server.clockwork.publish([fill])
            return fill.sequential_id

        return self._server.call(work)

    def burst(
        self, count: int, codes: Sequence[str] | None = None, *, timeout: float = _BURST_TIMEOUT
    ) -> None:
        """Make exactly ``count`` trades, as fast as the slowest reader takes them.

        ``codes``: of these markets only, in turn; otherwise as busy as they are.
        """
        self._server.call_async(self._server.clockwork.burst, count, codes, timeout=timeout)

    def ledger(self, code: str) -> list[int]:
        """The ``sequential_id`` of every trade made since the start, oldest first."""
        market = self._exchange.market
        return self._server.call(
            lambda: market(code).tape.ids_from(market(code).first_live_id).tolist()
        )

    def totals(self) -> dict[str, dict[str, int]]:
        """For each market that was traded since the start: how many trades, the sum of their ids.

        ``forgotten`` is how many trades the ledger dropped because it was full.
        """

        def work() -> dict[str, dict[str, int]]:
            totals = {}
            for market in self._exchange.opened:
                ids = market.tape.ids_from(market.first_live_id)
                if ids:
                    totals[market.code] = {
                        "count": len(ids), "sum": sum(ids), "forgotten": market.tape.dropped,
                    }  # fmt: skip
            return totals

        return self._server.call(work)

    def trades(self, code: str, *, history: bool = False) -> list[TapeRow]:
        """Every trade made since the start (``history``: and those made up for the time before).

        Price and volume are whole numbers, in units of 1E-8.
        """

        def work() -> list[TapeRow]:
            market = self._exchange.market(code)
            return market.tape.rows_from(0 if history else market.first_live_id)

        return self._server.call(work)

    def candles(self, code: str, unit: str, count: int = 200) -> list[Bar]:
        """The newest candles, newest first."""
        return self._server.call(lambda: self._exchange.market(code).bars.newest(unit, None, count))

    # The private and the info endpoint.

    def emit(self, type: str, message: Mapping[str, Any] | None = None) -> int:
        """Send a message with the names of the DEFAULT format to everyone who asked for its type.

        ``timestamp`` and ``stream_type`` are filled in. A ``Decimal`` keeps every digit. Returns
        how many sockets got it.
        """
        return self._server.call(self._server.private.emit, type, message or {})

    def close_candle(self, timeframe: str = "5m") -> int:
        """Let a candle close: send the indicators (and signals) of this timeframe now."""
        return self._server.call(self._server.private.close_candle, timeframe)

    # What the clients did.

    @property
    def connections(self) -> list[int]:
        """The numbers of the open sockets."""
        return self._server.call(lambda: sorted(self._server.sessions))

    @property
    def handshakes(self) -> list[Handshake]:
        """Every upgrade that was asked for, refused ones too."""
        return self._journal.of(Handshake)

    @property
    def requests(self) -> list[RequestSeen]:
        """Every request, as parsed JSON."""
        return self._journal.of(RequestSeen)

    @property
    def errors(self) -> list[ErrorSent]:
        """Every error frame."""
        return self._journal.of(ErrorSent)

    @property
    def closed(self) -> list[Closed]:
        """Every socket that ended, and why."""
        return self._journal.of(Closed)

    @property
    def rest_calls(self) -> list[RestCall]:
        """Every REST call."""
        return self._journal.of(RestCall)

    @property
    def stats(self) -> dict[str, int]:
        """Counters: trades, connections, sessions, frames, errors by name …"""
        counters = self._journal.counters()
        counters["trades"] = self._server.call(lambda: self._exchange.produced)
        for error in self.errors:
            counters[f"error {error.name}"] = counters.get(f"error {error.name}", 0) + 1
        for handshake in self.handshakes:
            name = f"handshake {handshake.status}"
            counters[name] = counters.get(name, 0) + 1
        return counters

    def subscriptions(self) -> list[tuple[int, str, str]]:
        """(connection, type, code) of every open socket's list; a code may be empty."""

        def work() -> list[tuple[int, str, str]]:
            return [
                (session.number, item.type, code)
                for session in self._server.sessions.values()
                for item in session.items
                for code in ([code for code, _ in item.targets()] or [""])
            ]

        return self._server.call(work)

    def forget(self) -> None:
        """Clear what was noted about the clients."""
        self._journal.clear()

    def wait_for(self, predicate: Callable[[], object], timeout: float = 5.0) -> bool:
        """Wait until ``predicate()`` is true; False when ``timeout`` seconds did not do."""
        return self._journal.wait_for(predicate, timeout)

    def wait_for_subscription(
        self, type: str, code: str | None = None, *, count: int = 1, timeout: float = 5.0
    ) -> bool:
        """Wait until ``count`` open sockets have this type (and code) on their list."""

        def there() -> bool:
            sockets = {
                number
                for number, kind, listed in self.subscriptions()
                if kind == type and code in (None, listed)
            }
            return len(sockets) >= count

        return self.wait_for(there, timeout)
