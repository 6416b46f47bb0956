"""What reaches the exchange: few requests, within the limits, and each one's own snapshots."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from tests.conftest import eventually
from upbit_stream import (
    Orderbook,
    StreamConfig,
    Subscription,
    SubscriptionError,
    Ticker,
    Trade,
    UpbitStream,
)
from upbit_stream.simulator import Simulator

CODES = [f"KRW-A{number:03}" for number in range(100)]


def test_a_hundred_calls_make_at_most_two_requests() -> None:
    with Simulator(rate=0, codes=CODES) as sim:
        seen: set[str] = set()
        with UpbitStream(config=StreamConfig(url=sim.url)) as stream:
            for code in CODES:
                stream.trade(code, callback=lambda trade: seen.add(trade.code))
            eventually(lambda: len(seen) == 100)
            assert len(sim.requests) <= 2
            assert sim.errors == []
            assert len(sim.handshakes) == 1


def test_a_hundred_calls_on_a_running_stream_make_at_most_two_requests() -> None:
    with Simulator(rate=1000, codes=CODES) as sim:
        seen: set[str] = set()
        with UpbitStream(config=StreamConfig(url=sim.url)) as stream:
            stream.ticker(CODES, callback=lambda ticker: None)
            assert stream.wait_connected(10)
            eventually(lambda: sim.requests)
            before = len(sim.requests)
            subscription = stream.trade(CODES[0], callback=lambda trade: seen.add(trade.code))
            for code in CODES[1:]:
                subscription.add(code)
            eventually(lambda: len(seen) == 100)
            assert len(sim.requests) - before <= 2
            assert sim.errors == []


@pytest.mark.parametrize("backfill", [True, False])
def test_one_union_request_covers_everything(
    config: StreamConfig, sim: Simulator, backfill: bool
) -> None:
    # With backfill snapshots are asked for, too: they tell whether something was missed.
    only_realtime = {} if backfill else {"is_only_realtime": True}
    with UpbitStream(config=dataclasses.replace(config, backfill=backfill)) as stream:
        stream.trade(["KRW-BTC", "KRW-ETH"])
        stream.trade(["KRW-ETH", "KRW-XRP"])
        stream.orderbook("KRW-BTC", depth=5)
        stream.orderbook("KRW-BTC", depth=15)
        stream.orderbook("KRW-BTC", level=10000)
        stream.ticker("KRW-BTC", realtime=False)
        stream.candle("KRW-BTC", unit="3m", snapshot=False)
        eventually(lambda: sim.requests)
        ticket, *types, last = sim.requests[0].parsed
        assert set(ticket) == {"ticket"}
        assert last == {"format": "SIMPLE"}
        assert types == [
            {"type": "trade", "codes": ["KRW-BTC", "KRW-ETH", "KRW-XRP"]},
            {"type": "orderbook", "codes": ["KRW-BTC.15"]},
            {"type": "orderbook", "codes": ["KRW-BTC"], "level": 10000},
            {"type": "ticker", "codes": ["KRW-BTC"], "is_only_snapshot": True},
            {"type": "candle.3m", "codes": ["KRW-BTC"], **only_realtime},
        ]


def test_no_handshake_carries_an_origin(config: StreamConfig, sim: Simulator) -> None:
    with UpbitStream(config=config) as stream:
        assert stream.wait_connected(10)
    (handshake,) = sim.handshakes
    assert not {name for name in handshake.headers if name.lower() == "origin"}


def test_a_later_subscription_brings_nobody_else_a_second_snapshot(
    config: StreamConfig, sim: Simulator
) -> None:
    first: list[Trade] = []
    second: list[Trade] = []
    with UpbitStream(config=config) as stream:
        stream.trade(["KRW-BTC", "KRW-ETH"], callback=first.append)
        eventually(lambda: len(first) == 2)
        # The same code again: it streams already, and the newcomer gets its own snapshot.
        stream.trade(["KRW-BTC", "KRW-XRP"], callback=second.append)
        eventually(lambda: len(second) == 2)
        assert {trade.stream_type for trade in second} == {"SNAPSHOT"}
        sim.burst(10, codes=["KRW-BTC"])
        eventually(lambda: len(second) == 12)
        eventually(lambda: len(first) == 12)
        assert [trade.stream_type for trade in first].count("SNAPSHOT") == 2
        assert len(sim.requests) == 2


def test_nothing_is_held_back_from_the_first_subscriber(
    config: StreamConfig, sim: Simulator
) -> None:
    """Whatever the wire carried for a new code is delivered, snapshot or not."""
    with UpbitStream(config=config) as stream:
        trades = stream.trade("KRW-NOPE")
        eventually(lambda: sim.requests)
        sim.send_raw(trade_frame(2, "REALTIME"))
        assert trades.get(timeout=10).sequential_id == 2
        # Older than what is known, or known already: no news.
        sim.send_raw(trade_frame(1, "SNAPSHOT"))
        sim.send_raw(trade_frame(3, "REALTIME"))
        assert trades.get(timeout=10).sequential_id == 3


def trade_frame(number: int, kind: str) -> bytes:
    """A trade of a code that the exchange does not know."""
    frame = '{{"ty":"trade","cd":"KRW-NOPE","sid":{0},"ttms":{0},"tms":{0},"st":"{1}"}}'
    return frame.format(number, kind).encode()


def one_and_a_newcomer(
    stream: UpbitStream, sim: Simulator
) -> tuple[Subscription[Trade], Subscription[Trade]]:
    """Two subscriptions of that code, of which the second makes a request of its own."""
    first = stream.trade("KRW-NOPE")
    eventually(lambda: sim.requests)
    second = stream.trade("KRW-NOPE")
    eventually(lambda: len(sim.requests) == 2)
    return first, second


def test_a_newcomer_begins_with_its_snapshot(sim: Simulator, config: StreamConfig) -> None:
    with UpbitStream(config=config) as stream:
        first, second = one_and_a_newcomer(stream, sim)
        for number, kind in ((1, "REALTIME"), (2, "SNAPSHOT"), (3, "REALTIME")):
            sim.send_raw(trade_frame(number, kind))
        assert [second.get(timeout=10).sequential_id for _ in range(2)] == [2, 3]
        assert [first.get(timeout=10).sequential_id for _ in range(3)] == [1, 2, 3]


def test_a_newcomer_whose_snapshot_does_not_come_gets_realtime_all_the_same(
    sim: Simulator, config: StreamConfig
) -> None:
    with UpbitStream(config=config) as stream:
        _, second = one_and_a_newcomer(stream, sim)

        def reaches_the_newcomer() -> bool:
            sim.send_raw(b'{"ty":"trade","cd":"KRW-NOPE","st":"REALTIME"}')
            return second.stats.received > 0

        eventually(reaches_the_newcomer)


def test_two_depths_of_one_code_get_what_they_asked_for(
    config: StreamConfig, sim: Simulator
) -> None:
    small: list[Orderbook] = []
    large: list[Orderbook] = []
    with UpbitStream(config=config) as stream:
        stream.orderbook("KRW-BTC", depth=1, callback=small.append)
        stream.orderbook("KRW-BTC", depth=15, callback=large.append)
        eventually(lambda: small and large)
        assert {len(book.orderbook_units) for book in small} == {1}
        assert {len(book.orderbook_units) for book in large} == {15}
        assert small[0].orderbook_units == large[0].orderbook_units[:1]


def test_two_levels_of_one_code_get_what_they_asked_for(
    config: StreamConfig, sim: Simulator
) -> None:
    plain: list[Orderbook] = []
    grouped: list[Orderbook] = []
    with UpbitStream(config=config) as stream:
        stream.orderbook("KRW-BTC", callback=plain.append)
        stream.orderbook("KRW-BTC", level=100000, callback=grouped.append)
        eventually(lambda: plain and grouped)
        assert {book.level for book in plain} == {0}
        assert {book.level for book in grouped} == {100000}


@pytest.mark.parametrize("numbers", ["float", "decimal"])
def test_a_level_that_is_a_fraction(sim: Simulator, numbers: Any) -> None:
    config = StreamConfig(url=sim.url, numbers=numbers)
    with UpbitStream(config=config) as stream:
        book = stream.orderbook("KRW-XRP", level=0.1, snapshot=False)
        eventually(lambda: sim.requests)
        assert sim.requests[0].parsed[1]["level"] == 0.1
        sim.send_raw(b'{"ty":"orderbook","cd":"KRW-XRP","lv":0.10,"st":"REALTIME"}')
        assert float(book.get(timeout=10).level) == 0.1


def test_a_late_snapshot_still_reaches_those_who_want_nothing_else(
    sim: Simulator, config: StreamConfig
) -> None:
    with UpbitStream(config=config) as stream:
        first = stream.trade("KRW-NOPE", snapshot=False)
        eventually(lambda: sim.requests)
        second = stream.trade("KRW-NOPE", realtime=False)
        eventually(lambda: len(sim.requests) == 2)
        stream.run(4.5)  # longer than a newcomer's snapshot is waited for
        sim.send_raw(b'{"ty":"trade","cd":"KRW-NOPE","sid":1,"st":"SNAPSHOT"}')
        assert second.get(timeout=10).sequential_id == 1
        assert first.stats.received == 0


def test_a_newcomer_loses_nothing_to_a_snapshot_that_was_overtaken(
    sim: Simulator, config: StreamConfig
) -> None:
    with UpbitStream(config=config) as stream:
        _, second = one_and_a_newcomer(stream, sim)
        for number, kind in ((1, "REALTIME"), (3, "REALTIME"), (2, "SNAPSHOT"), (4, "REALTIME")):
            sim.send_raw(trade_frame(number, kind))
        assert [second.get(timeout=10).sequential_id for _ in range(3)] == [2, 3, 4]


def test_a_newcomer_with_more_rows_does_not_take_a_smaller_snapshot(
    sim: Simulator, config: StreamConfig
) -> None:
    row = '{"ap":2,"bp":1,"as":1,"bs":1}'
    frame = '{{"ty":"orderbook","cd":"KRW-NOPE","obu":[{0}],"lv":0,"tms":{1},"st":"SNAPSHOT"}}'
    with UpbitStream(config=config) as stream:
        stream.orderbook("KRW-NOPE", depth=5)
        eventually(lambda: sim.requests)
        large = stream.orderbook("KRW-NOPE", depth=15)
        eventually(lambda: len(sim.requests) == 2)
        for rows, stamp in ((5, 1), (15, 2)):
            sim.send_raw(frame.format(",".join([row] * rows), stamp).encode())
        book = large.get(timeout=10)
        assert (len(book.orderbook_units), book.timestamp) == (15, 2)


def test_snapshot_only_and_realtime_only(config: StreamConfig, sim: Simulator) -> None:
    snapshots: list[Ticker] = []
    live: list[Ticker] = []
    both: list[Ticker] = []
    with UpbitStream(config=config) as stream:
        stream.ticker("KRW-BTC", realtime=False, callback=snapshots.append)
        stream.ticker("KRW-BTC", snapshot=False, callback=live.append)
        stream.ticker("KRW-BTC", callback=both.append)
        eventually(lambda: snapshots and both)
        sim.trade("KRW-BTC")
        eventually(lambda: live and len(both) == 2)
        assert [ticker.stream_type for ticker in snapshots] == ["SNAPSHOT"]
        assert [ticker.stream_type for ticker in live] == ["REALTIME"]
        assert [ticker.stream_type for ticker in both] == ["SNAPSHOT", "REALTIME"]


def test_add_and_remove_change_what_comes(config: StreamConfig, sim: Simulator) -> None:
    seen: list[Trade] = []
    with UpbitStream(config=config) as stream:
        subscription = stream.trade("KRW-BTC", callback=seen.append)
        eventually(lambda: len(seen) == 1)
        subscription.add(["KRW-ETH", "KRW-BTC"])
        assert list(subscription.codes) == ["KRW-BTC", "KRW-ETH"]
        eventually(lambda: len(seen) == 2)
        subscription.remove("KRW-BTC")
        assert list(subscription.codes) == ["KRW-ETH"]
        eventually(lambda: len(sim.requests) == 3)
        sim.trade("KRW-BTC")
        last = sim.trade("KRW-ETH")
        eventually(lambda: seen[-1].sequential_id == last)
        assert [trade.code for trade in seen] == ["KRW-BTC", "KRW-ETH", "KRW-ETH"]
        with pytest.raises(SubscriptionError, match="close"):
            subscription.remove("KRW-ETH")


def test_an_unused_connection_is_closed_and_a_new_one_made_on_demand(
    config: StreamConfig, sim: Simulator
) -> None:
    with UpbitStream(config=config) as stream:
        with stream.trade("KRW-BTC") as subscription:
            subscription.get(timeout=10)
        eventually(lambda: not sim.connections)
        assert stream.subscriptions == ()
        assert stream.trade("KRW-ETH").get(timeout=10).code == "KRW-ETH"
        assert len(stream.subscriptions) == 1


def test_an_unknown_code_is_silence_and_the_others_are_served(
    config: StreamConfig, sim: Simulator
) -> None:
    with UpbitStream(config=config) as stream:
        subscription = stream.trade(["KRW-NOPE", "KRW-BTC"])
        assert subscription.get(timeout=10).code == "KRW-BTC"
        assert "KRW-NOPE" not in subscription.latest
