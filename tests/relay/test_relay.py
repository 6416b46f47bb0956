"""A relay: what it sends to the broker, also when that is away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest

from tests.conftest import eventually
from tests.relay.looking import is_whole, published
from tests.relay.servers import Broker, RedisServer, needs_redis
from upbit_stream import Drop, Gap, StreamConfig, SubscriptionError, UpbitStream
from upbit_stream.relay import relay as relay_module
from upbit_stream.relay.brokers import BrokerRefused, Sink, open_sink
from upbit_stream.relay.entries import Entry
from upbit_stream.relay.lanes import Lane
from upbit_stream.relay.relay import Relay
from upbit_stream.simulator import Simulator


def test_every_event_is_published_in_its_order(
    sim: Simulator, stream: UpbitStream, broker: Broker
) -> None:
    with Relay(stream, broker.url) as relay:
        relay.publish(stream.trade(["KRW-BTC", "KRW-ETH"]), stream.ticker("KRW-BTC"))
        relay.publish(stream.orderbook("KRW-BTC"))
        eventually(lambda: relay.stats.published >= 4)  # the snapshots
        sim.burst(200, ["KRW-BTC", "KRW-ETH"])
        sim.trade("KRW-BTC")
        for code in ("KRW-BTC", "KRW-ETH"):
            eventually(lambda code=code: is_whole(sim, broker, code))  # type: ignore[misc]
        eventually(lambda: relay.stats.buffered == 0)
    tickers = published(broker, Lane("ticker", "KRW-BTC"))
    assert tickers[-1].trade_price == published(broker)[-1].trade_price
    assert {event.stream_type for event in tickers} == {"REALTIME"}
    assert published(broker, Lane("orderbook", "KRW-BTC"))
    stats = relay.stats
    assert (stats.dropped, stats.duplicates, stats.reconnects) == (0, 0, 0)


def test_two_relays_are_one_truth(
    sim: Simulator, config: StreamConfig, stream: UpbitStream, broker: Broker
) -> None:
    with (
        UpbitStream(config=config) as other_stream,
        Relay(stream, broker.url) as one,
        Relay(other_stream, broker.url) as other,
    ):
        for relay, its in ((one, stream), (other, other_stream)):
            relay.publish(its.trade("KRW-BTC"), its.orderbook("KRW-BTC"))
        eventually(lambda: one.stats.published + one.stats.duplicates >= 2)
        eventually(lambda: other.stats.published + other.stats.duplicates >= 2)
        sim.burst(300, ["KRW-BTC"])
        eventually(lambda: is_whole(sim, broker))
        eventually(lambda: one.stats.duplicates + other.stats.duplicates >= 300)
    books = [event.timestamp for event in published(broker, Lane("orderbook", "KRW-BTC"))]
    assert books == sorted(books)
    total = one.stats.published + other.stats.published
    assert total == 301 + len(books)


def test_a_relay_goes_on_where_the_one_before_it_ended(
    sim: Simulator, config: StreamConfig, broker: Broker
) -> None:
    gaps: list[Gap] = []
    for _ in range(3):
        with UpbitStream(config=config) as stream, Relay(stream, broker.url) as relay:
            relay.on_gap(gaps.append)
            relay.publish(stream.trade("KRW-BTC"))
            eventually(lambda: relay.stats.published > 0)
            sim.burst(50, ["KRW-BTC"])
            eventually(lambda: is_whole(sim, broker))
        # While there is none.
        sim.burst(700, ["KRW-BTC"])
    # Of 700 each the last one came as a snapshot, or was fetched with the others.
    assert [gap.recovered for gap in gaps] == [True, True]
    assert all(699 <= gap.count <= 700 for gap in gaps)


def test_while_the_broker_hangs_everything_waits(
    sim: Simulator, stream: UpbitStream, broker: Broker
) -> None:
    with Relay(stream, broker.url) as relay:
        relay.publish(stream.trade("KRW-BTC"))
        eventually(lambda: relay.stats.published)
        broker.pause()
        sim.burst(500, ["KRW-BTC"])
        eventually(lambda: not relay.stats.connected)
        sim.burst(500, ["KRW-BTC"])
        eventually(lambda: stream.stats.queued == 0)  # the stream does not notice
        broker.resume()
        eventually(lambda: is_whole(sim, broker))
    assert relay.stats.dropped == 0


@needs_redis
def test_what_the_buffer_dropped_is_fetched_or_told(
    sim: Simulator, stream: UpbitStream, redis_server: RedisServer
) -> None:
    drops: list[Drop] = []
    gaps: list[Gap] = []
    with Relay(stream, redis_server.url, buffer=100) as relay:
        relay.on_drop(drops.append)
        relay.on_gap(gaps.append)
        relay.publish(stream.trade(["KRW-BTC", "KRW-ETH"]), stream.orderbook("KRW-BTC"))
        eventually(lambda: relay.stats.published >= 3)
        redis_server.kill()
        sim.burst(40, ["KRW-ETH"])
        eventually(lambda: not relay.stats.connected)
        sim.burst(900, ["KRW-BTC"])
        eventually(lambda: relay.stats.dropped >= 800)
        assert relay.stats.buffered <= 100 + 100 + 1000  # what was taken out waits to be sent
        redis_server.start()
        eventually(lambda: is_whole(sim, redis_server))
        eventually(lambda: is_whole(sim, redis_server, "KRW-ETH"))
        sim.trade("KRW-BTC")
        eventually(lambda: is_whole(sim, redis_server))
    assert sum(drop.count for drop in drops) == relay.stats.dropped
    assert {gap.type for gap in gaps if gap.recovered} == {"trade"}
    with redis_server.client() as client:
        notices = [fields[b"n"] for _, fields in client.xrange("upbit:notices")]
    if any(drop.type == "orderbook" for drop in drops):
        assert any(b'"orderbook"' in notice for notice in notices)


def test_a_broker_that_forgot_is_given_the_last_minute_again(
    sim: Simulator, stream: UpbitStream, broker: Broker
) -> None:
    with Relay(stream, broker.url) as relay:
        relay.publish(stream.trade("KRW-BTC"), stream.ticker("KRW-BTC"))
        eventually(lambda: relay.stats.published >= 2)
        sim.burst(600, ["KRW-BTC"])
        eventually(lambda: is_whole(sim, broker))
        broker.kill()
        broker.start()  # empty
        sim.trade("KRW-BTC")
        eventually(lambda: is_whole(sim, broker))
        eventually(lambda: published(broker, Lane("ticker", "KRW-BTC")))


@needs_redis
def test_what_cannot_be_fetched_is_told(
    sim: Simulator, config: StreamConfig, redis_server: RedisServer
) -> None:
    gaps: list[Gap] = []
    for _ in range(2):
        with UpbitStream(config=config) as stream, Relay(stream, redis_server.url) as relay:
            relay.on_gap(gaps.append)
            relay.publish(stream.trade("KRW-BTC"))
            eventually(lambda: relay.stats.published > 0)
        sim.burst(10, ["KRW-BTC"])
        sim.fail_rest(404)
    assert [gap.recovered for gap in gaps] == [False]
    with redis_server.client() as client:
        notices = [fields[b"n"] for _, fields in client.xrange("upbit:notices")]
    assert any(b'"gap"' in notice and b'"KRW-BTC"' in notice for notice in notices)


def test_accounts_and_grouped_books_are_not_published(stream: UpbitStream, broker: Broker) -> None:
    with (
        Relay(stream, broker.url) as relay,
        pytest.raises(SubscriptionError, match="not grouped"),
    ):
        relay.publish(stream.orderbook("KRW-BTC", level=1000))


@needs_redis
def test_a_wrong_password_ends_it(stream: UpbitStream) -> None:
    with RedisServer("--requirepass", "secret") as server:
        wrong = server.url.replace("//", "//:hunter2@")
        with Relay(stream, wrong) as relay:
            eventually(lambda: relay.error)
            assert isinstance(relay.error, BrokerRefused)
            assert "in the URL, as in redis://:password@host:6379" in str(relay.error)
            assert "hunter2" not in str(relay.error)
            assert "hunter2" not in repr(relay)
        right = server.url.replace("//", "//:secret@")
        with Relay(stream, right) as relay:
            eventually(lambda: relay.stats.connected)


def test_a_broker_that_is_not_there_holds_up_nobody(sim: Simulator, stream: UpbitStream) -> None:
    seen: list[Any] = []
    with Relay(stream, "redis://127.0.0.1:1") as relay:
        trades = stream.trade("KRW-BTC", callback=seen.append)
        relay.publish(trades)
        eventually(lambda: seen)
        sim.burst(100, ["KRW-BTC"])
        eventually(lambda: len(seen) >= 101)
        assert not relay.close(0.1)
    assert relay.stats.dropped + relay.stats.buffered >= 101


@pytest.mark.parametrize("url", ["", "http://host", "redis://", "redis://host:99999", "host:6379"])
def test_what_is_no_broker_is_refused(stream: UpbitStream, url: str) -> None:
    with pytest.raises(ValueError, match="broker"):
        Relay(stream, url)


class _Counted:
    """A sink that notes how much it is given at once; all else is another one's."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.sizes: list[int] = []

    def send(self, entries: Sequence[Entry]) -> int:
        self.sizes.append(len(entries))
        return self._sink.send(entries)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sink, name)


def test_what_has_waited_is_sent_in_parts(
    sim: Simulator, stream: UpbitStream, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "_AT_ONCE", 50, raising=False)
    trades = stream.trade("KRW-BTC")
    with Relay(stream, broker.url) as first:
        first.publish(trades)
        eventually(lambda: first.stats.published)  # the snapshot
        sim.burst(5, ["KRW-BTC"])
        eventually(lambda: first.stats.published >= 6)
    sim.burst(5, ["KRW-BTC"])  # nobody publishes these
    counted = _Counted(open_sink(broker.url))
    sim.slow_rest(1.0)
    with Relay(stream, cast(Sink, counted)) as second:
        second.publish(trades)
        sim.burst(5, ["KRW-BTC"])
        eventually(lambda: second.stats.buffered)
        for _ in range(20):
            sim.burst(20, ["KRW-BTC"])
        eventually(lambda: second.stats.published >= 410 and not second.stats.buffered)
    assert sum(counted.sizes) >= 410
    assert max(counted.sizes) <= 50
