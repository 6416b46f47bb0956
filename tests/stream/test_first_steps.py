"""The three ways to get events, from a running market."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import eventually
from upbit_stream import (
    Candle,
    ConnectionState,
    Orderbook,
    StreamClosedError,
    StreamConfig,
    SubscriptionError,
    Ticker,
    Trade,
    UpbitStream,
)
from upbit_stream.connection.pool import Lease
from upbit_stream.leases import Carrier, Leases
from upbit_stream.simulator import Simulator


@pytest.fixture
def live() -> Iterator[StreamConfig]:
    with Simulator(rate=500) as simulator:
        yield StreamConfig(url=simulator.url)


def test_a_decorated_function_is_called_with_every_event(live: StreamConfig) -> None:
    with UpbitStream(config=live) as stream:
        trades: list[Trade] = []

        @stream.trade(["KRW-BTC", "KRW-ETH"])
        def on_trade(trade: Trade) -> None:
            trades.append(trade)

        assert callable(on_trade)
        eventually(lambda: {trade.code for trade in trades} == {"KRW-BTC", "KRW-ETH"})
        eventually(lambda: len(trades) > 20)
        first = {code: next(t for t in trades if t.code == code) for code in ("KRW-BTC", "KRW-ETH")}
        assert [trade.stream_type for trade in first.values()] == ["SNAPSHOT", "SNAPSHOT"]
        assert all(type(trade) is Trade for trade in trades)


def test_a_callback_argument_is_called_with_every_event(live: StreamConfig) -> None:
    with UpbitStream(config=live) as stream:
        tickers: list[Ticker] = []
        stream.ticker("KRW-XRP", callback=tickers.append)
        eventually(lambda: len(tickers) > 5)
        assert {ticker.code for ticker in tickers} == {"KRW-XRP"}


def test_a_subscription_is_an_iterator(live: StreamConfig) -> None:
    with UpbitStream(config=live) as stream:
        book = stream.orderbook("KRW-BTC", depth=5)
        for number, event in enumerate(book):
            assert isinstance(event, Orderbook)
            assert len(event.orderbook_units) == 5
            assert event.best_ask is not None
            assert event.best_bid is not None
            assert event.spread == event.best_ask - event.best_bid
            if number == 3:
                break
        assert book.latest["KRW-BTC"].code == "KRW-BTC"


def test_candles(live: StreamConfig) -> None:
    with UpbitStream(config=live) as stream:
        candle = stream.candle("KRW-BTC", unit="1m").get(timeout=10)
        assert isinstance(candle, Candle)
        assert candle.unit == "1m"
        assert candle.type == "candle.1m"


def test_a_stream_starts_with_the_first_wait_for_data(live: StreamConfig) -> None:
    stream = UpbitStream(config=live)
    assert stream.state is ConnectionState.DISCONNECTED
    assert stream.trade("KRW-BTC").get(timeout=10).code == "KRW-BTC"
    assert stream.close()


def test_a_subscription_keeps_its_stream_alive(live: StreamConfig) -> None:
    for event in UpbitStream(config=live).trade("KRW-BTC"):
        assert event.code == "KRW-BTC"
        break


def test_get_tells_that_nothing_came(config: StreamConfig) -> None:
    with UpbitStream(config=config) as stream:
        silent = stream.trade("KRW-NOPE")
        with pytest.raises(TimeoutError, match="no trade event within"):
            silent.get(timeout=0.05)


def test_closing_ends_iteration_and_get(config: StreamConfig) -> None:
    with UpbitStream(config=config) as stream:
        subscription = stream.trade("KRW-BTC")
        assert subscription.get(timeout=10).stream_type == "SNAPSHOT"
        subscription.close()
        assert list(subscription) == []
        with pytest.raises(StreamClosedError):
            subscription.get(timeout=1)
        with pytest.raises(StreamClosedError):
            subscription.add("KRW-ETH")
    with pytest.raises(StreamClosedError, match="make a new UpbitStream"):
        stream.trade("KRW-BTC")


def test_a_subscription_with_callbacks_cannot_be_iterated(config: StreamConfig) -> None:
    with UpbitStream(config=config) as stream:
        subscription = stream.trade("KRW-BTC", callback=lambda trade: None)
        with pytest.raises(SubscriptionError, match="second subscription"):
            iter(subscription)
        with pytest.raises(SubscriptionError, match="second subscription"):
            subscription.get(timeout=1)


def test_an_iterated_subscription_takes_no_callback(config: StreamConfig) -> None:
    with UpbitStream(config=config) as stream:
        subscription = stream.trade("KRW-BTC")
        iter(subscription)
        with pytest.raises(SubscriptionError, match="second subscription"):
            subscription(print)


def test_states_are_told_in_order(config: StreamConfig) -> None:
    states: list[ConnectionState] = []
    with UpbitStream(config=config) as stream:
        stream.on_state(states.append)
        stream.ticker("KRW-BTC")
        assert stream.wait_connected(10)
        assert stream.state is ConnectionState.CONNECTED
    assert [state.value for state in states] == [
        "connecting",
        "connected",
        "disconnecting",
        "disconnected",
    ]


def test_a_connection_that_stands_at_once_was_connecting_all_the_same(
    config: StreamConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = Leases.take

    def take_long(*arguments: Any) -> Carrier:
        lease = take(*arguments)
        assert isinstance(lease, Lease)
        eventually(lambda: lease.connection.state is ConnectionState.CONNECTED)
        return lease

    monkeypatch.setattr(Leases, "take", take_long)
    states: list[ConnectionState] = []
    with UpbitStream(config=config) as stream:
        stream.on_state(states.append)
        assert stream.trade("KRW-BTC").get(timeout=10)
        eventually(lambda: len(states) > 1)
    assert [state.value for state in states[:2]] == ["connecting", "connected"]


def test_wait_connected_without_a_subscription_opens_the_public_endpoint(
    config: StreamConfig,
) -> None:
    with UpbitStream(config=config) as stream:
        assert stream.wait_connected(10)
        (connection,) = stream.connections
        assert connection.url == config.url
        eventually(lambda: stream.connections[0].ping_latency is not None)


def test_run_ends_after_its_seconds_and_can_be_repeated(config: StreamConfig) -> None:
    with UpbitStream(config=config) as stream:
        stream.run(0.05)
        stream.run(0.05)
        assert stream.wait_connected(10)


def test_a_callback_for_a_closed_subscription_is_refused(config: StreamConfig) -> None:
    with UpbitStream(config=config) as stream:
        subscription = stream.trade("KRW-BTC")
        subscription.close()
        with pytest.raises(StreamClosedError):
            subscription(print)


def test_of_frames_only_the_sizes_are_logged(
    config: StreamConfig, sim: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "upbit_stream"), UpbitStream(config=config) as stream:
        trade = stream.trade("KRW-BTC").get(timeout=10)
    told = [one.getMessage() for one in caplog.records if one.levelno == logging.DEBUG]
    assert any(re.fullmatch(r"public: 1 frames with \[\d+\] bytes", one) for one in told)
    assert not [one for one in told if str(trade.sequential_id) in one]
