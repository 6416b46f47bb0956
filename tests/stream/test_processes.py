"""The exchange as another process: a million trades, and a crash."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import psutil
import pytest

from tests.conftest import eventually
from tests.process import SimulatorProcess
from upbit_stream import ConnectionState, StreamConfig, Ticker, Trade, UpbitStream

TOTAL = 1_000_000


class Bookkeeper:
    """Counts what a callback got, code by code; ids that do not grow are out of order or twice."""

    def __init__(self) -> None:
        self.count = 0
        self.counts: dict[str, int] = defaultdict(int)
        self.sums: dict[str, int] = defaultdict(int)
        self.last: dict[str, int] = defaultdict(int)
        self.disordered = 0

    def __call__(self, trade: Trade) -> None:
        code, number = trade.code, trade.sequential_id
        if number <= self.last[code]:
            self.disordered += 1
        self.last[code] = number
        if trade.stream_type == "REALTIME":
            self.count += 1
            self.counts[code] += 1
            self.sums[code] += number

    def matches(self, totals: dict[str, Any], codes: list[str]) -> bool:
        return all(
            (self.counts[code], self.sums[code]) == (totals[code]["count"], totals[code]["sum"])
            for code in codes
        )


@pytest.mark.alone  # it takes all that the machine has
def test_a_million_trades_of_200_codes_each_once_and_in_order() -> None:
    with SimulatorProcess("--rate", "0", "--codes", "200", "--ledger-size", "100000") as sim:
        codes: list[str] = sim.do("codes")
        wanted = [codes, codes[::2], codes[:20]]
        keepers = [Bookkeeper() for _ in wanted]
        with UpbitStream(config=StreamConfig(url=sim.url)) as stream:
            subscriptions = [
                stream.trade(some, callback=keeper)
                for some, keeper in zip(wanted, keepers, strict=True)
            ]
            eventually(lambda: subscriptions[0].stats.received == len(codes))
            rss = psutil.Process().memory_info().rss
            most_queued = sent = 0
            while sent < TOTAL:
                # As fast as the slowest callback: the simulator is told in portions.
                sim.do("burst", count=50_000)
                sent += 50_000
                most_queued = max(most_queued, *(one.stats.queued for one in subscriptions))
                eventually(lambda: keepers[0].count >= sent - 50_000, 60)  # noqa: B023
            totals = sim.do("totals")
            assert sum(total["count"] for total in totals.values()) == TOTAL
            assert all(total["forgotten"] == 0 for total in totals.values())
            eventually(
                lambda: all(
                    k.matches(totals, some) for k, some in zip(keepers, wanted, strict=True)
                ),
                60,
            )
            assert [keeper.disordered for keeper in keepers] == [0, 0, 0]
            assert keepers[0].count == TOTAL
            assert [one.stats.dropped for one in subscriptions] == [0, 0, 0]
            assert most_queued <= 100_000
            grown = psutil.Process().memory_info().rss - rss
            assert grown < 300 * 2**20, f"{grown / 2**20:.0f} MiB more than before"
        assert sim.do("errors") == []
        assert len(sim.do("requests")) == 1


def test_a_killed_and_restarted_exchange() -> None:
    states: list[ConnectionState] = []
    tickers: list[Ticker] = []
    trades: list[Trade] = []
    first = SimulatorProcess("--rate", "200", "--no-limits")
    config = StreamConfig(url=first.url)
    with UpbitStream(config=config) as stream:
        stream.on_state(states.append)
        stream.ticker(["KRW-BTC", "KRW-ETH"], callback=tickers.append)
        stream.trade("KRW-BTC", callback=trades.append)
        eventually(lambda: len(tickers) > 20 and trades)
        (before,) = first.do("requests")
        first.kill()
        eventually(lambda: ConnectionState.RECONNECTING in states)
        seen = len(tickers)
        with SimulatorProcess("--rate", "200", "--port", str(first.port)) as second:
            eventually(lambda: states[-1] is ConnectionState.CONNECTED)
            eventually(lambda: len(tickers) > seen + 20)
            (after,) = second.do("requests")
            assert after["parsed"][1:] == before["parsed"][1:]
            stream.close()
    assert [state.value for state in states] == [
        "connecting",
        "connected",
        "reconnecting",
        "connected",
        "disconnecting",
        "disconnected",
    ]
