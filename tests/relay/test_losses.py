"""What does not reach the broker is fetched, or told; a relay that has ended keeps nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
from typing import Any

import pytest

from tests.conftest import GatedCallback, eventually
from tests.relay.looking import Listener, ids, is_whole
from tests.relay.servers import Broker, RedisServer, needs_redis
from upbit_stream import (
    Drop,
    Gap,
    StreamClosedError,
    StreamConfig,
    SubscriptionError,
    Trade,
    UpbitStream,
    UpbitStreamError,
)
from upbit_stream.relay import nats_common, redis_common
from upbit_stream.relay.brokers import BrokerRefused
from upbit_stream.relay.buffer import Buffer
from upbit_stream.relay.relay import Relay
from upbit_stream.simulator import Simulator

NOWHERE = "redis://127.0.0.1:1"


@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest"])
def test_trades_that_a_queue_dropped_before_the_relay_are_fetched(
    sim: Simulator, stream: UpbitStream, broker: Broker, overflow: Any
) -> None:
    slow = GatedCallback()
    drops: list[Drop] = []
    gaps: list[Gap] = []
    with Relay(stream, broker.url) as relay:
        relay.on_drop(drops.append)
        relay.on_gap(gaps.append)
        trades = stream.trade(
            ["KRW-BTC", "KRW-ETH"], queue_size=20, overflow=overflow, callback=slow
        )
        slow.release.set()
        relay.publish(trades)
        eventually(lambda: relay.stats.published == 2)  # the snapshots
        slow.release.clear()
        sim.burst(5, ["KRW-BTC"])
        for _ in range(20):
            sim.burst(20, ["KRW-BTC"])
            sim.trade("KRW-ETH")
        eventually(lambda: trades.stats.received == 2 + 5 + 20 * 21)
        assert trades.stats.dropped > 300
        slow.release.set()
        sim.burst(5, ["KRW-BTC"])
        eventually(lambda: is_whole(sim, broker))  # each once, and in order
        eventually(lambda: is_whole(sim, broker, "KRW-ETH"))
    assert sum(drop.count for drop in drops) == trades.stats.dropped == relay.stats.dropped
    assert gaps
    assert all(gap.recovered for gap in gaps)


@needs_redis
def test_states_that_a_queue_dropped_before_the_relay_are_told(
    sim: Simulator, stream: UpbitStream, redis_server: RedisServer
) -> None:
    release = threading.Event()
    with Relay(stream, redis_server.url) as relay, Listener(redis_server) as listener:
        tickers = stream.ticker("KRW-BTC", queue_size=2, callback=lambda _: release.wait(60))
        relay.publish(tickers)
        sim.wait_for_subscription("ticker", "KRW-BTC")
        while not tickers.stats.dropped:
            sim.trade("KRW-BTC")
        eventually(lambda: listener.gaps("ticker"))
        gap = listener.gaps("ticker")[0]
        assert gap.codes == ("KRW-BTC",)
        assert "queue was full" in gap.why
        release.set()


@needs_redis
def test_of_states_the_latest_may_be_all_that_is_wanted(
    sim: Simulator, stream: UpbitStream, redis_server: RedisServer
) -> None:
    release = threading.Event()
    with Relay(stream, redis_server.url) as relay:
        tickers = stream.ticker("KRW-BTC", overflow="latest", callback=lambda _: release.wait(60))
        relay.publish(tickers)
        sim.wait_for_subscription("ticker", "KRW-BTC")
        while not tickers.stats.dropped:
            sim.trade("KRW-BTC")
        release.set()
        eventually(lambda: relay.stats.published)
        before = relay.stats.published
        sim.trade("KRW-BTC")
        eventually(lambda: relay.stats.published > before)
        assert relay.stats.dropped == 0
        with pytest.raises(SubscriptionError, match="another overflow"):
            relay.publish(stream.trade("KRW-BTC", overflow="latest"))


@needs_redis
def test_a_subscription_is_published_once_to_each_broker(
    sim: Simulator, stream: UpbitStream, redis_server: RedisServer
) -> None:
    with RedisServer() as second, Relay(stream, redis_server.url) as one:
        trades = stream.trade("KRW-BTC")
        with Relay(stream, second.url) as other:
            one.publish(trades)
            one.publish(trades, trades)
            other.publish(trades)
            eventually(lambda: one.stats.published == other.stats.published == 1)
            sim.burst(50, ["KRW-BTC"])
            eventually(lambda: is_whole(sim, redis_server) and is_whole(sim, second))
            assert one.stats.duplicates == other.stats.duplicates == 0
            assert len(trades._channel.callbacks) == 2
        # The one that is closed is called no more; the other one goes on.
        assert len(trades._channel.callbacks) == 1
        sim.burst(50, ["KRW-BTC"])
        eventually(lambda: is_whole(sim, redis_server))
        assert len(ids(second)) == 51


def test_what_is_not_sent_at_the_end_is_dropped_counted_and_told(
    sim: Simulator, stream: UpbitStream
) -> None:
    drops: list[Drop] = []
    relay = Relay(stream, NOWHERE)
    relay.on_drop(drops.append)
    trades = stream.trade("KRW-BTC")
    relay.publish(trades)
    eventually(lambda: relay.stats.buffered == 1)
    sim.burst(100, ["KRW-BTC"])
    eventually(lambda: relay.stats.buffered == 101)
    assert not relay.close(0.1)
    eventually(lambda: sum(drop.count for drop in drops) == 101)
    assert relay.stats.dropped == 101
    assert relay.stats.buffered == 0
    # It keeps nothing of what comes now.
    sim.burst(100, ["KRW-BTC"])
    eventually(lambda: trades.stats.delivered == 201)
    assert relay.stats.buffered == 0
    assert relay.stats.dropped == 101
    assert trades._channel.callbacks == ()


def test_a_relay_that_is_closing_takes_in_nothing(sim: Simulator, stream: UpbitStream) -> None:
    seen: list[Trade] = []
    relay = Relay(stream, NOWHERE)
    trades = stream.trade("KRW-BTC", callback=seen.append)
    relay.publish(trades)
    eventually(lambda: relay.stats.buffered == 1)
    closing = threading.Thread(target=relay.close, args=(1.5,))
    closing.start()
    eventually(lambda: trades._channel.callbacks == (seen.append,))
    sim.burst(100, ["KRW-BTC"])
    eventually(lambda: len(seen) == 101)
    assert closing.is_alive()
    assert relay.stats.buffered == 1
    closing.join(20)
    eventually(lambda: relay.stats.dropped == 1)


def test_what_was_taken_out_and_not_sent_is_told_too(
    sim: Simulator, stream: UpbitStream, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_common, "_ANSWER", 1.0)
    monkeypatch.setattr(nats_common, "_ANSWER", 1.0)
    drops: list[Drop] = []
    with Relay(stream, broker.url) as relay:
        relay.on_drop(drops.append)
        relay.publish(stream.trade("KRW-BTC"))
        eventually(lambda: relay.stats.published == 1)
        broker.pause()  # it is on its way there
        sim.burst(700, ["KRW-BTC"])
        eventually(lambda: not relay.stats.connected and relay.stats.buffered == 700)
        broker.kill()
        assert not relay.close(0.1)
    eventually(lambda: sum(drop.count for drop in drops) == 700)
    stats = relay.stats
    assert (stats.published, stats.dropped, stats.buffered) == (1, 700, 0)


@needs_redis
def test_a_relay_that_was_refused_says_so_and_keeps_nothing(
    sim: Simulator, stream: UpbitStream
) -> None:
    with RedisServer("--requirepass", "secret") as server:
        errors: list[UpbitStreamError] = []
        seen: list[Trade] = []
        trades = stream.trade("KRW-BTC", callback=seen.append)
        server.pause()  # it is not refused before all is set
        with Relay(stream, server.url) as relay:
            relay.on_error(errors.append)
            relay.publish(trades)
            server.resume()
            eventually(lambda: relay.error)
            eventually(lambda: errors)
            eventually(lambda: trades._channel.callbacks == (seen.append,))
            eventually(lambda: seen)
            sim.burst(100, ["KRW-BTC"])
            eventually(lambda: len(seen) == 101)
            assert relay.stats.buffered == 0
            with pytest.raises(StreamClosedError, match=r"has ended.*make a new Relay") as caught:
                relay.publish(trades)
            assert caught.value.__cause__ is relay.error
    with pytest.raises(StreamClosedError, match="has ended"):  # not "is closed": that is not why
        relay.publish(trades)


@needs_redis
def test_a_key_that_is_something_else_ends_it(
    sim: Simulator, stream: UpbitStream, redis_server: RedisServer
) -> None:
    with redis_server.client() as client:
        client.set("upbit:trade:KRW-BTC", "mine")
        with Relay(stream, redis_server.url) as relay:
            relay.publish(stream.trade(["KRW-BTC", "KRW-ETH"]))
            eventually(lambda: relay.error)
            assert isinstance(relay.error, BrokerRefused)
        assert client.get("upbit:trade:KRW-BTC") == b"mine"


def test_counters_may_be_read_at_any_time(
    sim: Simulator, stream: UpbitStream, broker: Broker
) -> None:
    codes = sim.codes
    failures: list[BaseException] = []
    ending = threading.Event()

    def look() -> None:
        try:
            while not ending.is_set():
                _ = relay.stats, repr(relay)
        except BaseException as error:
            failures.append(error)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with Relay(stream, broker.url) as relay:
            thread = threading.Thread(target=look)
            thread.start()
            for code in codes:  # each begins a lane, which waits for a moment
                relay.publish(stream.trade(code))
            eventually(lambda: relay.stats.published >= len(codes))
            sim.burst(300, codes)
            eventually(lambda: relay.stats.published >= 300 + len(codes))
            ending.set()
            thread.join(20)
    finally:
        ending.set()
        sys.setswitchinterval(before)
    assert failures == []


def trade(id_: int) -> Trade:
    return Trade(type="trade", code="KRW-BTC", sequential_id=id_, trade_timestamp=id_, timestamp=1)


def test_the_oldest_one_that_waits_is_found_behind_younger_ones() -> None:
    buffer = Buffer(10)
    for moment in (3, 1, 2):
        buffer.put(Trade(type="trade", code="KRW-BTC", received_at=moment))
    assert buffer.oldest == 1


def test_a_buffer_after_a_fork_is_free() -> None:
    buffer = Buffer(10)
    buffer.put(trade(1))
    with buffer._lock:  # as another thread may hold it in the moment of the fork
        buffer.disown()
        assert len(buffer) == 0
        buffer.put(trade(2))
        buffer.wake()
        assert buffer.take(10, 0.0).events == []


FORKING = """
import os, sys, time
from upbit_stream import StreamClosedError, StreamConfig, UpbitStream
from upbit_stream.relay import Relay

stream = UpbitStream(config=StreamConfig(url={url!r}))
relay = Relay(stream, {broker!r})
trades = stream.trade("KRW-BTC")
relay.publish(trades)
stream.start()
while not relay.stats.published:
    time.sleep(0.01)
# As other threads may hold them in the moment of the fork.
relay._buffer._lock.acquire()
relay._reporter._lock.acquire()
relay._taps._lock.acquire()
child = os.fork()
if child == 0:
    try:
        relay.publish(trades)
    except StreamClosedError:
        assert relay.stats.buffered == 0
        assert relay.close(5)
        os._exit(0)
    os._exit(1)
for lock in (relay._buffer._lock, relay._reporter._lock, relay._taps._lock):
    lock.release()
assert os.waitpid(child, 0)[1] == 0
assert relay.stats.connected
relay.close()
stream.close()
"""


@needs_redis
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_the_child_of_a_fork_has_a_closed_relay(sim: Simulator, redis_server: RedisServer) -> None:
    code = textwrap.dedent(FORKING).format(url=sim.url, broker=redis_server.url)
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, timeout=30)


def test_what_a_stream_drops_at_its_end_is_fetched(
    sim: Simulator, config: StreamConfig, broker: Broker
) -> None:
    slow = GatedCallback()
    with UpbitStream(config=config) as stream, Relay(stream, broker.url) as relay:
        trades = stream.trade("KRW-BTC", callback=slow)
        relay.publish(trades)
        eventually(lambda: trades.stats.received)  # and the callback is stuck
        sim.burst(50, ["KRW-BTC"])
        eventually(lambda: trades.stats.received == 51)
        assert not stream.close(0.1)
        slow.release.set()
        eventually(lambda: is_whole(sim, broker))
        assert relay.stats.dropped == 50
