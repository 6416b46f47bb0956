"""A stream that reads from a broker behaves as one that reads from the exchange."""

from __future__ import annotations

import threading
from datetime import datetime, timezone
from typing import Any

import pytest

from tests.conftest import GatedCallback, eventually
from tests.relay.desk import Desk, ids
from tests.relay.servers import Broker, RedisServer, needs_redis
from upbit_stream import (
    AuthenticationError,
    ConnectionFailedError,
    ConnectionPool,
    ConnectionState,
    Drop,
    Gap,
    HealthWarning,
    Orderbook,
    ReconnectPolicy,
    StreamConfig,
    SubscriptionError,
    Ticker,
    Trade,
    UpbitStream,
)
from upbit_stream.relay import RelaySource, following


def test_callbacks_get_what_is_published(desk: Desk) -> None:
    trades: list[Trade] = []
    tickers: list[Ticker] = []
    with desk.reader() as stream:
        stream.trade("KRW-BTC", callback=trades.append)
        stream.ticker("KRW-BTC", callback=tickers.append)
        assert stream.wait_connected(10)
        eventually(lambda: trades and tickers)
        assert trades[0].stream_type == tickers[0].stream_type == "SNAPSHOT"
        desk.sim.burst(300, ["KRW-BTC", "KRW-ETH"])
        eventually(lambda: len(trades) >= 151)
        eventually(lambda: tickers[-1].trade_price == trades[-1].trade_price)
    assert ids(trades)[1:] == desk.sim.ledger("KRW-BTC")
    assert {trade.stream_type for trade in trades[1:]} == {"REALTIME"}
    assert stream.stats.messages >= 150


def test_iterating_and_snapshots(desk: Desk) -> None:
    with desk.reader() as stream:
        book = stream.orderbook("KRW-BTC", depth=5)
        first = book.get(10)
        assert isinstance(first, Orderbook)
        assert len(first.orderbook_units) == 5
        answers = stream.snapshot("ticker", ["KRW-BTC", "KRW-ETH"])
        assert set(answers) == {"KRW-BTC", "KRW-ETH"}
        # One that streams already has a snapshot for the next one who comes.
        again = stream.orderbook("KRW-BTC")
        assert len(again.get(10).orderbook_units) == 30
        assert stream.list_subscriptions() == {
            "public": [{"type": "orderbook", "codes": ["KRW-BTC"]}]
        }


def test_codes_come_and_go(desk: Desk) -> None:
    trades: list[Trade] = []
    with desk.reader() as stream:
        subscription = stream.trade("KRW-BTC", callback=trades.append)
        eventually(lambda: trades)
        subscription.add("KRW-ETH")
        eventually(lambda: trades[-1].code == "KRW-ETH")
        desk.sim.burst(100, ["KRW-BTC", "KRW-ETH"])
        eventually(lambda: len(trades) >= 102)
        subscription.remove("KRW-BTC")
        eventually(lambda: stream.list_subscriptions()["public"][0]["codes"] == ["KRW-ETH"])
        desk.sim.burst(100, ["KRW-BTC", "KRW-ETH"])
        eventually(lambda: len(trades) >= 152)
    assert [one for one in ids(trades) if one in desk.sim.ledger("KRW-ETH")] == desk.sim.ledger(
        "KRW-ETH"
    )


def test_overflow_is_told_as_ever(desk: Desk) -> None:
    gated = GatedCallback()
    drops: list[Drop] = []
    with desk.reader() as stream:
        stream.on_drop(drops.append)
        slow = stream.trade("KRW-BTC", callback=gated, queue_size=10)
        quick = stream.trade("KRW-BTC", callback=lambda trade: None)
        eventually(lambda: quick.stats.delivered)
        desk.sim.burst(700, ["KRW-BTC"])
        eventually(lambda: quick.stats.delivered >= 701)
        eventually(lambda: slow.stats.dropped)
        gated.release.set()
        eventually(lambda: slow.stats.queued == 0)
    assert sum(drop.count for drop in drops) == slow.stats.dropped


def test_a_subscription_that_blocks_loses_nothing(desk: Desk) -> None:
    gated = GatedCallback()
    with desk.reader() as stream:
        slow = stream.trade("KRW-BTC", callback=gated, queue_size=10, overflow="block")
        eventually(lambda: slow.stats.received)
        desk.sim.burst(2000, ["KRW-BTC"])
        gated.release.set()
        eventually(lambda: len(gated.seen) >= 2001)
    assert ids(gated.seen)[1:] == desk.sim.ledger("KRW-BTC")


@needs_redis
def test_from_a_time(redis_desk: Desk, redis_server: RedisServer) -> None:
    redis_desk.sim.burst(100, ["KRW-BTC"])
    redis_desk.settle()
    with redis_server.client() as client:
        rows: list[Any] = client.xrange("upbit:trade:KRW-BTC")
    moments = [int(row[0].partition(b"-")[0]) for row in rows]
    # All that came in the millisecond of the last one, by the broker's clock.
    since = datetime.fromtimestamp(moments[-1] / 1000, timezone.utc)
    for source, count in (
        (RelaySource(url=redis_desk.server.url, since=since), moments.count(moments[-1])),
        (f"{redis_desk.server.url}?since=2020-01-01T00:00:00Z", 101),
    ):
        trades: list[Trade] = []
        with redis_desk.reader(source=source) as stream:
            stream.trade("KRW-BTC", callback=trades.append)
            eventually(lambda: len(trades) >= count)  # noqa: B023
        assert len(trades) == count
        assert ids(trades)[-100:] == redis_desk.sim.ledger("KRW-BTC")[-count:]


def test_a_broker_that_hangs_or_restarts_costs_nothing(desk: Desk) -> None:
    trades: list[Trade] = []
    states: list[ConnectionState] = []
    gaps: list[Gap] = []
    # From before its beginning: it is not to be given them when the broker is sent them again.
    desk.sim.burst(300, ["KRW-BTC"])
    desk.settle()
    with desk.reader() as stream:
        stream.on_state(states.append)
        stream.on_gap(gaps.append)
        stream.trade("KRW-BTC", callback=trades.append)
        eventually(lambda: trades)
        desk.sim.burst(600, ["KRW-BTC"])
        desk.server.kill()
        eventually(lambda: stream.state is ConnectionState.RECONNECTING)
        desk.sim.burst(100, ["KRW-BTC"])
        desk.server.start()  # empty
        desk.sim.burst(100, ["KRW-BTC"])
        eventually(lambda: len(trades) >= 801)
        desk.sim.trade("KRW-BTC")
        eventually(lambda: len(trades) >= 802)
        assert stream.stats.reconnects_by_kind["lost"] == stream.stats.reconnects >= 1
        assert stream.health().recent_reconnects
    assert ids(trades) == desk.sim.ledger("KRW-BTC")[299:]
    assert gaps == []
    connected, *_ = [one for one in states if one is not ConnectionState.CONNECTING]
    assert connected is ConnectionState.CONNECTED
    assert ConnectionState.RECONNECTING in states


def test_gaps_of_the_publisher_are_told(desk: Desk, config: StreamConfig) -> None:
    gaps: list[Gap] = []
    trades: list[Trade] = []
    with desk.reader() as stream:
        stream.on_gap(gaps.append)
        stream.trade("KRW-BTC", callback=trades.append)
        stream.trade("KRW-ETH")
        eventually(lambda: trades)
        desk.sim.fail_rest(404, 10)
        desk.sim.refuse()
        desk.sim.reset()
        desk.sim.burst(20, ["KRW-BTC"])
        desk.sim.accept()
        eventually(lambda: [gap for gap in gaps if gap.type == "trade"])
    (gap,) = [gap for gap in gaps if gap.type == "trade"]
    assert (gap.recovered, gap.codes) == (False, ("KRW-BTC",))


@needs_redis
def test_what_was_trimmed_before_it_was_read_is_told(
    redis_desk: Desk, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    gated = GatedCallback()
    gaps: list[Gap] = []
    with redis_desk.reader() as stream:
        stream.on_gap(gaps.append)
        slow = stream.trade("KRW-BTC", callback=gated, queue_size=10, overflow="block")
        eventually(lambda: slow.stats.received)
        redis_desk.sim.burst(3000, ["KRW-BTC"])
        redis_desk.settle()
        with redis_server.client() as client:
            eventually(lambda: slow.stats.queued >= 10)
            threading.Event().wait(1.5)  # until it has been held up for a look
            client.xtrim("upbit:trade:KRW-BTC", maxlen=10, approximate=False)
        gated.release.set()
        eventually(lambda: gaps)
    assert not gaps[0].recovered
    assert gaps[0].codes == ("KRW-BTC",)


def test_that_nobody_publishes_is_told(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "_ABANDONED", 0.2)
    errors: list[Exception] = []
    with UpbitStream(source=broker.url, pool=ConnectionPool()) as stream:
        stream.on_error(errors.append)
        stream.trade("KRW-BTC")
        eventually(lambda: errors)
    assert isinstance(errors[0], HealthWarning)
    assert "nobody publishes" in str(errors[0])


def test_lag_is_told(desk: Desk) -> None:
    with desk.reader() as stream:
        trades = stream.trade("KRW-BTC")
        trades.get(10)
        desk.sim.trade("KRW-BTC")
        trades.get(10)
        lag = stream.health().lag
        assert lag is not None
        assert 0 <= lag < 10_000
        eventually(lambda: stream.health().ping_latency is not None)
    assert desk.stream.health().lag is None


def test_what_a_broker_does_not_carry_is_refused(broker: Broker) -> None:
    with UpbitStream(source=broker.url, pool=ConnectionPool()) as stream:
        with pytest.raises(SubscriptionError, match="does not go over a broker"):
            stream.my_asset()
        with pytest.raises(SubscriptionError, match="not grouped"):
            stream.orderbook("KRW-BTC", level=1000)


@needs_redis
def test_a_broker_that_will_not_have_us_ends_the_stream() -> None:
    with RedisServer("--requirepass", "secret") as server:
        source = server.url.replace("//", "//:hunter2@")
        with UpbitStream(source=source, pool=ConnectionPool()) as stream:
            trades = stream.trade("KRW-BTC")
            with pytest.raises(ConnectionFailedError, match="password") as caught:
                stream.wait_connected(10)
            with pytest.raises(ConnectionFailedError):
                trades.get(10)
            assert not isinstance(caught.value, AuthenticationError)
            assert "hunter2" not in str(caught.value) + repr(stream.connections)
            assert "hunter2" not in repr(RelaySource(url=source))


def test_attempts_are_limited_as_for_the_exchange() -> None:
    config = StreamConfig(reconnect=ReconnectPolicy(base=0.01, max_attempts=3))
    stream = UpbitStream(source="redis://127.0.0.1:1", config=config, pool=ConnectionPool())
    with stream:
        stream.trade("KRW-BTC")
        with pytest.raises(ConnectionFailedError, match="gave up after 3 attempts"):
            stream.run(20)


@pytest.mark.parametrize(
    "source",
    ["nonsense", "redis://h?name=", "redis://h?color=red", "redis://h?since=yesterday", "http://h"],
)
def test_what_is_no_source_is_refused(source: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        UpbitStream(source=source)


def test_a_source_needs_a_time_zone() -> None:
    with pytest.raises(ValueError, match="time zone"):
        RelaySource(url="redis://h", since=datetime(2026, 1, 1))
