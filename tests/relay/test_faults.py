"""Whatever happens to a broker, or to the way there: what comes is kept to a bound, then dropped
and told; and when it is over, the broker has every trade.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from tests.conftest import eventually
from tests.relay.looking import ids, is_whole
from tests.relay.servers import Broker, RedisServer
from tests.relay.wire import Wire
from upbit_stream import Drop, Gap, UpbitStream, UpbitStreamError
from upbit_stream.relay import kept, nats_common, redis_common, reporting
from upbit_stream.relay.brokers import BrokerUnavailable
from upbit_stream.relay.relay import Relay
from upbit_stream.simulator import Simulator

BUFFER = 100


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """On this machine an answer comes at once, or not at all."""
    monkeypatch.setattr(redis_common, "_ANSWER", 1.0)
    monkeypatch.setattr(nats_common, "_ANSWER", 1.0)


@contextmanager
def hanging(broker: Broker, wire: Wire) -> Iterator[None]:
    broker.pause()
    try:
        yield
    finally:
        broker.resume()


@contextmanager
def cut_off(broker: Broker, wire: Wire) -> Iterator[None]:
    wire.cut()
    try:
        yield
    finally:
        wire.mend()


def full(broker: Broker, wire: Wire) -> AbstractContextManager[None]:
    return redis_full(broker) if isinstance(broker, RedisServer) else nats_full(broker)


@contextmanager
def redis_full(broker: RedisServer) -> Iterator[None]:
    """Out of memory, and told to let go of nothing."""
    with broker.client() as client:
        client.config_set("maxmemory", 1)
        try:
            yield
        finally:
            client.config_set("maxmemory", 0)


@contextmanager
def nats_full(broker: Broker) -> Iterator[None]:
    """The stream has no room, and was told to let go of nothing."""
    change_stream(broker, max_bytes=1, discard="new")
    try:
        yield
    finally:
        change_stream(broker, max_bytes=-1, discard="old")


def change_stream(broker: Broker, **settings: Any) -> None:
    import nats

    async def change() -> None:
        client = await nats.connect(broker.url)
        jetstream = client.jetstream()
        config = (await jetstream.stream_info("UPBIT")).config
        await jetstream.update_stream(config, **settings)
        await client.close()

    asyncio.run(change())


Fault = Callable[[Broker, Wire], AbstractContextManager[None]]


@pytest.mark.parametrize("fault", [hanging, cut_off, full])
def test_while_the_broker_takes_nothing(
    sim: Simulator,
    stream: UpbitStream,
    broker: Broker,
    fault: Fault,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # So that what the broker does not take are the ten, and not a report before they are taken out.
    monkeypatch.setattr(reporting, "_REPORT_EVERY", 60.0)
    drops: list[Drop] = []
    gaps: list[Gap] = []
    errors: list[UpbitStreamError] = []
    with Wire(broker) as wire, Relay(stream, wire.url, buffer=BUFFER) as relay:
        relay.on_drop(drops.append)
        relay.on_gap(gaps.append)
        relay.on_error(errors.append)
        relay.publish(stream.trade("KRW-BTC"))
        eventually(lambda: relay.stats.published == 1)
        with fault(broker, wire):
            sim.burst(10, ["KRW-BTC"])
            eventually(lambda: errors)
            for _ in range(10):
                sim.burst(100, ["KRW-BTC"])
            eventually(lambda: relay.stats.dropped)
            assert relay.stats.buffered <= BUFFER + 10
            eventually(lambda: drops)  # told while it is away
            eventually(lambda: stream.stats.queued == 0)  # the stream does not notice
        eventually(lambda: is_whole(sim, broker))
        eventually(lambda: sum(drop.count for drop in drops) == relay.stats.dropped)
    assert isinstance(errors[0], BrokerUnavailable)
    assert relay.error is None
    assert relay.stats.reconnects >= 1
    assert gaps
    assert all(gap.recovered for gap in gaps)


def test_a_slow_broker_gets_everything(sim: Simulator, stream: UpbitStream, broker: Broker) -> None:
    with Wire(broker) as wire, Relay(stream, wire.url) as relay:
        relay.publish(stream.trade("KRW-BTC"))
        eventually(lambda: relay.stats.published == 1)
        wire.delay = 0.1
        for _ in range(10):
            sim.burst(100, ["KRW-BTC"])
        eventually(lambda: stream.stats.queued == 0)
        eventually(lambda: is_whole(sim, broker))
        wire.delay = 0.0
    assert (relay.stats.dropped, relay.stats.reconnects) == (0, 0)


def test_a_broker_that_is_too_slow_is_told_of_and_misses_no_trade(
    sim: Simulator, stream: UpbitStream, broker: Broker
) -> None:
    drops: list[Drop] = []
    with Wire(broker) as wire, Relay(stream, wire.url, buffer=BUFFER) as relay:
        relay.on_drop(drops.append)
        relay.publish(stream.trade("KRW-BTC"))
        eventually(lambda: relay.stats.published == 1)
        wire.delay = 0.2
        sim.burst(10, ["KRW-BTC"])
        while not relay.stats.dropped:
            sim.burst(100, ["KRW-BTC"])
            # All of it is with the relay, before it is looked whether that was too much.
            eventually(lambda: stream.stats.queued == 0)
            assert relay.stats.buffered <= BUFFER + 500 + BUFFER
        eventually(lambda: drops)
        wire.delay = 0.0
        eventually(lambda: is_whole(sim, broker))


def test_an_empty_broker_gets_what_was_sent_shortly_before_it_was_lost(
    sim: Simulator, stream: UpbitStream, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "_SECONDS", 1.5)
    with Relay(stream, broker.url) as relay:
        relay.publish(stream.trade("KRW-BTC"))
        eventually(lambda: relay.stats.published == 1)
        sim.burst(200, ["KRW-BTC"])
        eventually(lambda: relay.stats.published == 201)
        broker.kill()
        eventually(lambda: not relay.stats.connected)
        time.sleep(2.0)  # longer than anything is kept while the broker is there
        broker.start()  # empty
        eventually(lambda: is_whole(sim, broker))


def test_an_empty_broker_gets_no_more_than_the_bound(
    sim: Simulator, stream: UpbitStream, broker: Broker
) -> None:
    with Relay(stream, broker.url, buffer=BUFFER) as relay:
        relay.publish(stream.trade("KRW-BTC"))
        eventually(lambda: relay.stats.published == 1)
        for n in range(4):
            sim.burst(50, ["KRW-BTC"])
            eventually(lambda: relay.stats.published == 51 + 50 * n)  # noqa: B023
        broker.kill()
        eventually(lambda: not relay.stats.connected)
        broker.start()
        sim.burst(50, ["KRW-BTC"])
        eventually(lambda: ids(broker)[-1:] == sim.ledger("KRW-BTC")[-1:])
        # Without a hole.
        there = ids(broker)
        assert BUFFER <= len(there) <= BUFFER + 50
        assert there == sim.ledger("KRW-BTC")[-len(there) :]
