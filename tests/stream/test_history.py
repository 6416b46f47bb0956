"""Subscriptions that keep what came."""

from __future__ import annotations

import dataclasses
import inspect
import logging

import pytest

from tests.conftest import ACCESS_KEY, SECRET_KEY, GatedCallback, eventually
from upbit_stream import (
    HealthWarning,
    ReconnectPolicy,
    StreamConfig,
    Subscription,
    SubscriptionError,
    Trade,
    UpbitStream,
)
from upbit_stream.simulator import Simulator
from upbit_stream.subscribing import Subscribing

CODES = ("KRW-BTC", "KRW-ETH")


def ids(subscription: Subscription[Trade], code: str) -> list[int]:
    return [trade.sequential_id for trade in subscription.history.get(code, ())]


def test_the_last_events_of_each_code(config: StreamConfig, sim: Simulator) -> None:
    seen: list[Trade] = []
    with UpbitStream(config=config) as stream:
        trades = stream.trade(CODES, seen.append, history=20)
        plain = stream.trade(CODES, lambda trade: None)
        eventually(lambda: len(seen) == 2)
        sim.burst(100, codes=CODES)
        eventually(lambda: len(seen) == 102)
        for code in CODES:
            assert ids(trades, code) == sim.ledger(code)[-20:]
            assert trades.history[code][-1] is trades.latest[code]
        assert plain.history == {}
        trades.remove("KRW-ETH")
        assert len(trades.history["KRW-ETH"]) == 20
    assert ids(trades, "KRW-BTC") == sim.ledger("KRW-BTC")[-20:]  # also when all is over


def test_a_callback_finds_its_own_event_in_the_history(
    config: StreamConfig, sim: Simulator
) -> None:
    found: list[bool] = []
    with UpbitStream(config=config) as stream:
        trades = stream.trade("KRW-BTC", history=10_000)
        trades(lambda trade: found.append(trade in trades.history["KRW-BTC"]))
        eventually(lambda: found)
        sim.burst(50, codes=["KRW-BTC"])
        eventually(lambda: len(found) == 51)
    assert all(found)


def test_what_was_fetched_after_a_loss_stands_where_it_belongs(
    config: StreamConfig, sim: Simulator
) -> None:
    config = dataclasses.replace(config, reconnect=ReconnectPolicy(min_interval=0.05))
    with UpbitStream(config=config) as stream:
        trades = stream.trade("KRW-BTC", history=1000)
        eventually(lambda: trades.history)
        sim.burst(10, codes=["KRW-BTC"])
        eventually(lambda: len(ids(trades, "KRW-BTC")) == 11)
        sim.refuse()
        sim.reset()
        sim.burst(30, codes=["KRW-BTC"])
        sim.accept()
        eventually(lambda: stream.stats.reconnects == 1)
        eventually(lambda: len(ids(trades, "KRW-BTC")) == 41)
        assert ids(trades, "KRW-BTC")[1:] == sim.ledger("KRW-BTC")
        kinds = [trade.stream_type for trade in trades.history["KRW-BTC"]]
        assert kinds.count("BACKFILL") > 10
        frame = trades.to_pandas()
        assert frame.index.is_monotonic_increasing
        assert frame.sequential_id.tolist()[1:] == sim.ledger("KRW-BTC")


def test_what_a_full_queue_holds_back_is_kept_once(config: StreamConfig, sim: Simulator) -> None:
    slow = GatedCallback()
    with UpbitStream(config=config) as stream:
        trades = stream.trade("KRW-BTC", slow, overflow="block", queue_size=5, history=10_000)
        eventually(lambda: trades.stats.received == 1)
        sim.burst(500, codes=["KRW-BTC"])
        eventually(lambda: trades.stats.queued == 5)
        slow.release.set()
        eventually(lambda: len(slow.seen) == 501)
        assert ids(trades, "KRW-BTC")[1:] == sim.ledger("KRW-BTC")


def test_who_only_looks_at_the_history_drops_nothing(
    config: StreamConfig, sim: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    errors: list[Exception] = []
    with caplog.at_level(logging.WARNING, "upbit_stream"), UpbitStream(config=config) as stream:
        stream.on_error(errors.append)
        trades = stream.trade("KRW-BTC", history=100, queue_size=10)
        eventually(lambda: trades.history)
        sim.burst(200, codes=["KRW-BTC"])
        eventually(lambda: trades.stats.received == 201)
        stats = trades.stats
        assert (stats.dropped, stats.queued, stats.delivered) == (0, 10, 191)
        assert stream.health().message_success_rate == 1.0
        eventually(lambda: ids(trades, "KRW-BTC") == sim.ledger("KRW-BTC")[-100:])
        # The newest ones may still be taken, and from then on it is a queue as any other.
        assert [trades.get(1).sequential_id for _ in range(10)] == sim.ledger("KRW-BTC")[-10:]
        sim.burst(50, codes=["KRW-BTC"])
        eventually(lambda: trades.stats.dropped == 40)
    assert not [error for error in errors if isinstance(error, HealthWarning)]
    assert len(caplog.records) == 1  # of the real drops


def test_candles_grow_in_their_place(config: StreamConfig, sim: Simulator) -> None:
    with UpbitStream(config=config) as stream:
        candles = stream.candle("KRW-BTC", unit="240m", history=5)
        eventually(lambda: candles.history)
        for n in range(3):
            sim.trade("KRW-BTC")
            eventually(lambda: candles.stats.received >= 2 + n)  # noqa: B023
        (only,) = candles.history["KRW-BTC"][-1:]
        assert only is candles.latest["KRW-BTC"]
        begins = [candle.candle_date_time_utc for candle in candles.history["KRW-BTC"]]
        assert len(set(begins)) == len(begins) <= 2


def test_every_method_that_subscribes_can_keep(config: StreamConfig, sim: Simulator) -> None:
    methods = {
        name: inspect.signature(method).parameters
        for name, method in inspect.getmembers(Subscribing, inspect.isfunction)
        if not name.startswith("_") and name != "snapshot"
    }
    assert len(methods) == 9
    assert all(parameters["history"].default == 0 for parameters in methods.values())
    stream = UpbitStream(config=config, access_key=ACCESS_KEY, secret_key=SECRET_KEY)
    with stream:
        orders = stream.my_order(history=2)
        sim.wait_for_subscription("myOrder")
        for n in range(3):
            sim.emit("myOrder", {"code": "KRW-BTC", "uuid": str(n)})
        eventually(lambda: orders.stats.received == 3)
        assert [order.uuid for order in orders.history["KRW-BTC"]] == ["1", "2"]
        assert orders.to_pandas().uuid.tolist() == ["1", "2"]
        assert orders.to_pandas("KRW-BTC").uuid.tolist() == ["1", "2"]
        assert len(orders.to_pandas("KRW-ETH")) == 0  # of every market, so it may come
        with pytest.raises(SubscriptionError, match=r"stream\.my_asset\(…, history=1000\)"):
            stream.my_asset().to_frame()


@pytest.mark.parametrize(
    ("history", "error"), [(-1, ValueError), (1.5, TypeError), (True, TypeError), ("9", TypeError)]
)
def test_impossible_histories_are_refused(history: object, error: type[Exception]) -> None:
    with pytest.raises(error, match="history="):
        UpbitStream().trade("KRW-BTC", history=history)  # type: ignore[arg-type]


def test_frames_of_a_subscription(config: StreamConfig, sim: Simulator) -> None:
    with UpbitStream(config=config) as stream:
        trades = stream.trade(CODES, history=50)
        empty = trades.to_frame()
        assert len(empty) == 0
        assert "trade_price" in empty.columns
        eventually(lambda: trades.stats.received == 2)
        sim.burst(40, codes=CODES)
        eventually(lambda: trades.stats.received == 42)
        frame = trades.to_frame()
        assert sorted(frame.code.unique()) == list(CODES)
        one = trades.to_frame("KRW-ETH")
        assert one.sequential_id.tolist()[1:] == sim.ledger("KRW-ETH")
        assert trades.to_polars(["KRW-ETH"]).height == len(one)
        assert len(trades.to_pandas(CODES)) == len(frame)
        with pytest.raises(SubscriptionError, match="KRW-XRP: not among the codes"):
            trades.to_frame("KRW-XRP")
        books = stream.orderbook("KRW-BTC")
        with pytest.raises(SubscriptionError, match=r"stream\.orderbook\(…, history=1000\)"):
            books.to_frame()
    assert len(trades.to_frame()) == len(frame)
