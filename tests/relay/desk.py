"""A market that is published, and entries that are published by hand."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import closing
from typing import Any

import msgspec

from tests.conftest import eventually
from tests.relay.servers import Broker
from upbit_stream import ConnectionPool, Gap, StreamConfig, Trade, UpbitStream
from upbit_stream.recovery.history import IDS_PER_MS
from upbit_stream.relay import Relay
from upbit_stream.relay.brokers import open_sink
from upbit_stream.relay.entries import EntryWriter
from upbit_stream.relay.lanes import Lane
from upbit_stream.relay.notices import Notice
from upbit_stream.simulator import Simulator

__all__ = ["Desk", "Press", "ids"]


class Desk:
    """A simulator's market, published; and streams that read it."""

    def __init__(self, sim: Simulator, config: StreamConfig, server: Broker) -> None:
        self.sim = sim
        self.server = server
        self.config = config
        self.stream = UpbitStream(config=config)
        self.relay = Relay(self.stream, server.url)
        self.relay.publish(
            self.stream.trade(["KRW-BTC", "KRW-ETH"]),
            self.stream.ticker(["KRW-BTC", "KRW-ETH"]),
            self.stream.orderbook("KRW-BTC"),
            self.stream.candle("KRW-BTC", unit="1m"),
        )
        self.stream.start()
        eventually(lambda: self.relay.stats.published >= 6)

    def reader(self, **settings: Any) -> UpbitStream:
        """A stream on a connection of its own."""
        settings = {"source": self.server.url, "config": self.config, **settings}
        return UpbitStream(pool=ConnectionPool(), **settings)

    def settle(self) -> None:
        """Wait until everything that was made is published."""

        lanes = {code: Lane("trade", code) for code in ("KRW-BTC", "KRW-ETH")}

        def done() -> bool:
            newest = sink.newest(list(lanes.values()))
            ledgers = {lane: self.sim.ledger(code) for code, lane in lanes.items()}
            return all(newest.get(lane, 0) >= ids[-1] for lane, ids in ledgers.items() if ids)

        with closing(open_sink(self.server.url)) as sink:
            sink.open()
            eventually(done)

    def close(self) -> None:
        self.relay.close()
        self.stream.close()


class Press:
    """Publishes trades that are made by hand, without an exchange; the broker keeps about ``keeps``
    of each code. A context manager.
    """

    def __init__(self, server: Broker, *, keeps: int = 10_000) -> None:
        self._sink = open_sink(server.url, max_length=keeps)
        self._writer = EntryWriter()
        self._last = 0
        self._sink.open()

    def print(self, count: int, codes: Iterable[str] = ("KRW-BTC",)) -> list[int]:
        """Publish so many trades of each code; their ids."""
        trades = []
        made = []
        for _ in range(count):
            self._last = max(self._last + 1, time.time_ns() // 1_000_000 * IDS_PER_MS)
            moment = self._last // IDS_PER_MS
            made.append(self._last)
            for code in codes:
                wire = {
                    "ty": "trade",
                    "cd": code,
                    "sid": self._last,
                    "tms": moment,
                    "ttms": moment,
                    "tp": 1.0,
                    "tv": 1.0,
                    "st": "REALTIME",
                    "@received_at": time.time_ns(),
                }
                trades.append(self._writer.write(msgspec.convert(wire, Trade)))
        for begin in range(0, len(trades), 500):
            self._sink.send(trades[begin : begin + 500])
        return made

    def tell(self, why: str, *, at: int = 0) -> None:
        """Tell of a gap at that time (milliseconds since the epoch)."""
        gap = Gap(
            type="trade",
            codes=("KRW-BTC",),
            recovered=False,
            by_code={},
            from_timestamp=at,
            to_timestamp=at,
            ranges={"KRW-BTC": (at, at)},
            why=why,
        )
        self._sink.tell(Notice("press", at, gap=gap).encode())

    def reopen(self) -> None:
        """Connect again: the broker was restarted."""
        self._sink.close()
        self._sink.open()

    def __enter__(self) -> Press:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._sink.close()


def ids(trades: Iterable[Trade]) -> list[int]:
    """Their ids, in the order in which they came."""
    return [trade.sequential_id for trade in trades]
