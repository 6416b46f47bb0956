"""A broker that came back empty, and who of several publishers is the first there."""

from __future__ import annotations

import dataclasses
import time
from contextlib import closing

import pytest

from tests.conftest import eventually
from tests.relay.cable import Cable
from tests.relay.desk import Press, ids
from tests.relay.looking import ids as published
from tests.relay.looking import is_whole
from tests.relay.servers import Broker, NatsServer, RedisServer, needs_nats, needs_redis
from upbit_stream import (
    ConnectionPool,
    ConnectionState,
    Gap,
    ReconnectPolicy,
    StreamConfig,
    Trade,
    UpbitStream,
)
from upbit_stream.relay import Relay, nats_sink, reporting
from upbit_stream.relay.nats_common import STREAM, NatsLink
from upbit_stream.simulator import Simulator


@pytest.mark.parametrize("known", [60.0, 0.0])
def test_what_a_newcomer_at_an_empty_broker_does_not_know_is_not_lost(
    sim: Simulator,
    config: StreamConfig,
    broker: Broker,
    monkeypatch: pytest.MonkeyPatch,
    known: float,
) -> None:
    # NATS may have forgotten the ids of what is older; so it is after a long cut.
    monkeypatch.setattr(nats_sink, "_KNOWN", known)
    config = dataclasses.replace(config, reconnect=ReconnectPolicy(cap=0.2, min_interval=0))
    trades: list[Trade] = []
    gaps: list[Gap] = []
    with (
        Cable(broker.url) as cable,
        UpbitStream(config=config, pool=ConnectionPool()) as old_stream,
        UpbitStream(config=config, pool=ConnectionPool()) as new_stream,
        UpbitStream(config=config, source=broker.url, pool=ConnectionPool()) as reader,
        Relay(old_stream, cable.url) as old,
    ):
        reader.on_gap(gaps.append)
        reader.trade("KRW-BTC", callback=trades.append)
        old.publish(old_stream.trade("KRW-BTC"))
        eventually(lambda: old.stats.published)
        sim.burst(50, ["KRW-BTC"])
        eventually(lambda: sim.ledger("KRW-BTC")[-1] in ids(trades[-1:]))
        cable.cut()
        broker.kill()
        eventually(lambda: not old.stats.connected)
        eventually(lambda: reader.state is ConnectionState.RECONNECTING)
        # Only the old one has these.
        sim.burst(50, ["KRW-BTC"])
        eventually(lambda: old.stats.buffered == 50)
        with Relay(new_stream, broker.url) as new:
            new.publish(new_stream.trade("KRW-BTC"))
            eventually(lambda: new.stats.buffered)
            broker.start()
            eventually(lambda: new.stats.published)
            sim.burst(50, ["KRW-BTC"])
            eventually(lambda: sim.ledger("KRW-BTC")[-1] in ids(trades[-1:]))
            cable.mend()
            due = set(sim.ledger("KRW-BTC"))
            eventually(lambda: due <= set(ids(trades)))
    assert len(set(ids(trades))) == len(trades)
    assert gaps == []


@needs_nats
def test_a_stream_that_is_made_anew_beneath_a_connection_is_noticed() -> None:
    trades: list[Trade] = []
    config = StreamConfig(reconnect=ReconnectPolicy(cap=0.2, min_interval=0))
    with (
        NatsServer() as server,
        Press(server) as press,
        UpbitStream(config=config, source=server.url, pool=ConnectionPool()) as reader,
    ):
        first = press.print(1)
        reader.trade("KRW-BTC", callback=trades.append)
        eventually(lambda: first[-1] in ids(trades))
        with closing(NatsLink(server.url)) as link:
            link.open()
            link.call(link.jetstream.delete_stream(STREAM))
        press.reopen()
        made = press.print(10)
        eventually(lambda: made[-1] in ids(trades))
    assert ids(trades) == first + made


@needs_nats
def test_a_stream_that_is_made_anew_beneath_a_publisher_gets_the_last_minute_again(
    sim: Simulator, stream: UpbitStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporting, "_REPORT_EVERY", 0.2)
    with NatsServer() as server, Relay(stream, server.url) as relay:
        relay.publish(stream.trade("KRW-BTC"))
        eventually(lambda: relay.stats.published)
        sim.burst(50, ["KRW-BTC"])
        eventually(lambda: is_whole(sim, server))
        with closing(NatsLink(server.url)) as link:
            link.open()
            link.call(link.jetstream.delete_stream(STREAM))
            link.call(link.jetstream.add_stream(name=STREAM, subjects=["upbit.>"]))
        # The connection stands, and the new stream takes what comes.
        sim.burst(50, ["KRW-BTC"])
        eventually(lambda: set(sim.ledger("KRW-BTC")) <= set(published(server)))
        assert relay.stats.reconnects == 1


@needs_redis
def test_a_redis_that_came_back_empty_with_its_clock_set_back_is_read_on(
    redis_server: RedisServer,
) -> None:
    trades: list[Trade] = []
    gaps: list[Gap] = []
    config = StreamConfig(reconnect=ReconnectPolicy(cap=0.2, min_interval=0))
    with (
        Press(redis_server) as press,
        UpbitStream(config=config, source=redis_server.url, pool=ConnectionPool()) as reader,
    ):
        reader.on_gap(gaps.append)
        made = press.print(1)
        press.tell("one")
        with redis_server.client() as client:
            # From here on its ids are those of tomorrow.
            tomorrow = f"{int((time.time() + 86_400) * 1000)}-0"
            for key in ("trade:KRW-BTC", "notices"):
                client.execute_command("XSETID", f"upbit:{key}", tomorrow)
        reader.trade("KRW-BTC", callback=trades.append)
        eventually(lambda: made == ids(trades))
        made += press.print(10)
        press.tell("two")
        eventually(lambda: made == ids(trades))
        eventually(lambda: [gap.why for gap in gaps] == ["two"])
        redis_server.kill()
        redis_server.start()
        press.reopen()
        made += press.print(10)
        press.tell("three")
        eventually(lambda: made == ids(trades))
        eventually(lambda: [gap.why for gap in gaps] == ["two", "three"])


@needs_redis
def test_a_redis_that_is_emptied_beneath_its_connections_gets_the_last_minute_again(
    sim: Simulator,
    stream: UpbitStream,
    config: StreamConfig,
    redis_server: RedisServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reporting, "_REPORT_EVERY", 0.2)
    trades: list[Trade] = []
    gaps: list[Gap] = []
    with (
        Relay(stream, redis_server.url) as relay,
        UpbitStream(config=config, source=redis_server.url, pool=ConnectionPool()) as reader,
    ):
        reader.on_gap(gaps.append)
        relay.publish(stream.trade("KRW-BTC"))
        eventually(lambda: relay.stats.published)
        reader.trade("KRW-BTC", callback=trades.append)
        eventually(lambda: trades)
        sim.burst(50, ["KRW-BTC"])
        eventually(lambda: sim.ledger("KRW-BTC")[-1] in ids(trades[-1:]))
        with redis_server.client() as client:
            client.flushall()
        sim.burst(50, ["KRW-BTC"])
        eventually(lambda: set(sim.ledger("KRW-BTC")) <= set(published(redis_server)))
        eventually(lambda: relay.stats.reconnects == reader.connections[0].reconnects == 1)
        sim.burst(50, ["KRW-BTC"])
        eventually(lambda: set(sim.ledger("KRW-BTC")) <= set(ids(trades)))
        assert len(set(ids(trades))) == len(trades)
        assert gaps == []
