"""Queues are bounded, and what they drop is told."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.conftest import GatedCallback, eventually
from upbit_stream import (
    BackfillError,
    Drop,
    Gap,
    OverflowPolicy,
    StreamClosedError,
    StreamConfig,
    Subscription,
    SubscriptionError,
    Trade,
    UpbitStream,
)
from upbit_stream.simulator import Simulator


@pytest.mark.parametrize("policy", ["drop_oldest", "drop_newest"])
def test_a_full_queue_drops_counts_and_tells(
    config: StreamConfig, sim: Simulator, policy: str
) -> None:
    release = threading.Event()
    entered = threading.Event()
    seen: list[Trade] = []
    drops: list[Drop] = []

    def slow(trade: Trade) -> None:
        entered.set()
        release.wait(60)
        seen.append(trade)

    with UpbitStream(config=config) as stream:
        stream.on_drop(drops.append)
        subscription = stream.trade(
            "KRW-BTC", callback=slow, queue_size=50, overflow=OverflowPolicy(policy)
        )
        assert entered.wait(10)  # the snapshot is in the callback, the queue is empty
        sim.burst(200, codes=["KRW-BTC"])
        eventually(lambda: subscription.stats.received == 201)
        assert subscription.stats.queued == 50
        assert subscription.stats.dropped == 150
        release.set()
        eventually(lambda: len(seen) == 51)
        produced = sim.ledger("KRW-BTC")[-200:]
        kept = produced[-50:] if policy == "drop_oldest" else produced[:50]
        assert [trade.sequential_id for trade in seen[1:]] == kept
    assert sum(drop.count for drop in drops) == 150
    assert sum(drop.by_code["KRW-BTC"] for drop in drops) == 150
    assert {(drop.type, drop.policy.value) for drop in drops} == {("trade", policy)}
    for drop in drops:
        assert drop.first_timestamp is not None
        assert drop.last_timestamp is not None
        assert drop.first_timestamp <= drop.last_timestamp


def test_latest_keeps_the_newest_of_each_code(config: StreamConfig, sim: Simulator) -> None:
    release = threading.Event()
    entered = threading.Event()
    seen: list[Trade] = []

    def slow(trade: Trade) -> None:
        entered.set()
        release.wait(60)
        seen.append(trade)

    codes = ["KRW-BTC", "KRW-ETH"]
    with UpbitStream(config=config) as stream:
        subscription = stream.trade(codes, callback=slow, overflow="latest", queue_size=1)
        assert entered.wait(10)
        eventually(lambda: subscription.stats.received == 2)
        sim.burst(300, codes=codes)
        eventually(lambda: subscription.stats.received == 302)
        assert subscription.stats.queued <= 2
        release.set()
        newest = {sim.ledger(code)[-1] for code in codes}
        eventually(lambda: newest <= {trade.sequential_id for trade in seen})
        stats = subscription.stats
        assert stats.dropped + stats.delivered == 302


def test_latest_is_the_latest_when_it_is_delivered(config: StreamConfig, sim: Simulator) -> None:
    """Not one that was taken out early and superseded while others were delivered."""
    gate = threading.Semaphore(0)
    seen: list[Trade] = []
    codes = list(sim.codes)

    def slow(trade: Trade) -> None:
        gate.acquire(timeout=60)
        seen.append(trade)

    with UpbitStream(config=config) as stream:
        subscription = stream.trade(codes, callback=slow, overflow="latest")
        eventually(lambda: subscription.stats.received == len(codes))
        sim.burst(10 * len(codes), codes=codes)
        eventually(lambda: subscription.stats.received == 11 * len(codes))
        for _ in range(len(codes) + 1):
            gate.release()
        eventually(lambda: len(seen) >= len(codes))
        # The first was in the callback before the burst; what came after it is the newest.
        assert all(trade.sequential_id == sim.ledger(trade.code)[-1] for trade in seen[1:])
        for _ in range(len(codes)):
            gate.release()


def test_block_drops_nothing_and_holds_up_nobody_else(config: StreamConfig, sim: Simulator) -> None:
    release = threading.Event()
    slow_seen: list[Trade] = []
    good: list[Trade] = []

    def slow(trade: Trade) -> None:
        release.wait(60)
        slow_seen.append(trade)

    with UpbitStream(config=config) as stream:
        blocked = stream.trade("KRW-BTC", callback=slow, overflow="block", queue_size=10)
        stream.trade("KRW-BTC", callback=good.append)
        assert stream.wait_connected(10)
        assert len(stream.connections) == 2
        eventually(lambda: len(good) == 1 and blocked.stats.received == 1)
        sim.burst(5000, codes=["KRW-BTC"])
        eventually(lambda: len(good) == 5001)
        stats = blocked.stats
        assert stats.queued <= 10
        assert stats.dropped == 0
        release.set()
        eventually(lambda: len(slow_seen) == 5001)
        ids = [trade.sequential_id for trade in slow_seen]
        assert ids == [trade.sequential_id for trade in good]
        assert blocked.stats.dropped == 0


def held_up(stream: UpbitStream, sim: Simulator, callback: Any) -> Subscription[Trade]:
    """A "block" subscription that has read a hundred trades, and has room for few of them."""
    blocked = stream.trade("KRW-BTC", callback=callback, overflow="block", queue_size=2)
    eventually(lambda: blocked.stats.delivered == 1)
    sim.burst(100, codes=["KRW-BTC"])
    eventually(lambda: blocked.stats.queued >= 2)
    return blocked


def test_what_was_read_and_found_no_room_is_delivered_at_the_close(
    config: StreamConfig, sim: Simulator
) -> None:
    slow = GatedCallback()
    with UpbitStream(config=config) as stream:
        blocked = held_up(stream, sim, slow)
        threading.Timer(0.2, slow.release.set).start()
        assert stream.close(10.0)
        stats = blocked.stats
        assert stats.received == stats.delivered == len(slow.seen)
        assert stream.stats.messages == stats.received


def test_what_was_read_and_found_no_room_survives_the_loss_of_the_socket(
    config: StreamConfig, sim: Simulator
) -> None:
    slow = GatedCallback()
    # An overdue pong is not noticed while nothing is read: the socket is lost at the next read.
    with UpbitStream(config=config) as stream:
        held_up(stream, sim, slow)
        read = stream.stats.messages
        sim.mute(future=True)  # and the next socket brings nothing
        sim.reset()
        slow.release.set()
        eventually(lambda: stream.stats.reconnects == 1)
        eventually(lambda: len(slow.seen) >= read)
        ids = [trade.sequential_id for trade in slow.seen[1:]]
        assert ids == sim.ledger("KRW-BTC")[: len(ids)]


def test_pings_go_on_while_held_up(sim: Simulator) -> None:
    release = threading.Event()
    config = StreamConfig(url=sim.url, ping_interval=0.05, ping_timeout=0.1)
    with UpbitStream(config=config) as stream:
        held_up(stream, sim, lambda trade: release.wait(60))
        before = sim.stats.get("pings", 0)
        eventually(lambda: sim.stats.get("pings", 0) >= before + 10)
        assert stream.stats.reconnects == 0
        release.set()


def test_nothing_is_uncounted(config: StreamConfig, sim: Simulator) -> None:
    """At every moment: received = delivered + queued + dropped."""
    gate = threading.Semaphore(0)
    with UpbitStream(config=config) as stream:
        subscription = stream.trade(
            "KRW-BTC", callback=lambda trade: gate.acquire(timeout=60), queue_size=100
        )
        eventually(lambda: subscription.stats.delivered == 1)
        sim.burst(500, codes=["KRW-BTC"])
        eventually(lambda: subscription.stats.received == 501)
        for _ in range(20):
            stats = subscription.stats
            assert stats.received == stats.delivered + stats.queued + stats.dropped
            delivered = stats.delivered
            gate.release()
            eventually(lambda: subscription.stats.delivered > delivered)  # noqa: B023
        gate.release(1000)


def test_a_stream_with_a_held_up_connection_closes_in_time(
    config: StreamConfig, sim: Simulator
) -> None:
    release = threading.Event()
    with UpbitStream(config=config) as stream:
        blocked = stream.trade(
            "KRW-BTC", callback=lambda trade: release.wait(60), overflow="block", queue_size=1
        )
        eventually(lambda: blocked.stats.received == 1)
        sim.burst(1000, codes=["KRW-BTC"])
        eventually(lambda: blocked.stats.queued == 1)
        assert not stream.close(0.5)
        release.set()
        assert stream.close(5.0)


def test_what_was_dropped_can_be_fetched_again(config: StreamConfig, sim: Simulator) -> None:
    drops: list[Drop] = []
    slow = GatedCallback()
    with UpbitStream(config=config) as stream:
        stream.on_drop(drops.append)
        trades = stream.trade(["KRW-BTC", "KRW-ETH"], slow, snapshot=False, queue_size=10)
        eventually(lambda: stream.stats.messages == 2)  # the snapshots
        sim.burst(700, ["KRW-BTC", "KRW-ETH"])
        eventually(lambda: trades.stats.received == 700)
        eventually(lambda: sum(drop.count for drop in drops) == trades.stats.dropped > 0)
        slow.release.set()
        again = {trade.sequential_id: trade for drop in drops for trade in trades.replay(drop, 20)}
        eventually(lambda: trades.stats.queued == 0)
        seen = {trade.sequential_id for trade in slow.seen}
        ledger = {*sim.ledger("KRW-BTC"), *sim.ledger("KRW-ETH")}
        assert again.keys() | seen == ledger
        for drop in drops:
            fetched = trades.replay(drop, 20)
            for code, (first, last) in drop.ranges.items():
                times = [one.trade_timestamp for one in fetched if one.code == code]
                assert (times[0], times[-1]) == (first, last)
                assert times == sorted(times)
                assert len(times) >= drop.by_code[code]
        sim.fail_rest(404, 10)
        with pytest.raises(BackfillError, match="HTTP 404"):
            trades.replay(drops[0])
        books = stream.orderbook("KRW-BTC")
        with pytest.raises(SubscriptionError, match="only trades"):
            books.replay(
                Gap(
                    type="orderbook",
                    codes=("KRW-BTC",),
                    recovered=False,
                    by_code={},
                    ranges={},
                    from_timestamp=0,
                    to_timestamp=0,
                )
            )
    with pytest.raises(StreamClosedError):
        trades.replay(drops[0])
