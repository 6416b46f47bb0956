"""ConnectionHealth tells the truth, and says what is wrong."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest

from tests.conftest import GatedCallback, eventually, our_threads
from upbit_stream import (
    ConnectionHealth,
    ConnectionState,
    HealthThresholds,
    Reconnect,
    StreamConfig,
    Trade,
    UpbitStream,
)
from upbit_stream.simulator import Simulator


def test_the_four_figures_and_their_limits() -> None:
    good = ConnectionHealth(
        ping_latency=99.9,
        message_success_rate=0.951,
        reconnection_frequency=0.099,
        last_error_time=None,
    )
    assert good.is_healthy()
    assert good.problems == ()
    assert not ConnectionHealth(100.0, 1.0, 0.0, None).is_healthy()
    assert not ConnectionHealth(1.0, 0.95, 0.0, None).is_healthy()
    assert not ConnectionHealth(1.0, 1.0, 0.1, None).is_healthy()
    lost = ConnectionHealth(state=ConnectionState.RECONNECTING)
    assert lost.problems == ("it is reconnecting",)
    lenient = HealthThresholds(ping_latency=500, message_success_rate=0.5, reconnection_frequency=2)
    assert ConnectionHealth(400.0, 0.6, 1.5, None, thresholds=lenient).is_healthy()


def test_printed_it_is_a_screen_with_the_verdict_and_what_is_wrong_first() -> None:
    at = datetime(2026, 5, 4, 3, 2, 1, tzinfo=timezone.utc)
    causes = tuple(Reconnect(at, f"cause {number}", 0.0) for number in range(9))
    lines = [
        ConnectionHealth(0.04, name=f"public-{number}", last_message_age=0.0, reconnects=number)
        for number in range(12)
    ]
    ill = ConnectionHealth(
        ping_latency=1234.5,
        reconnection_frequency=0.5,
        state=ConnectionState.RECONNECTING,
        last_error_time=at,
        last_message_age=3.2,
        messages_per_second=1500.0,
        reconnects=15,
        recent_reconnects=causes,
        dropped=7,
        queued=1234,
        rss=50_200_000,
        connections=tuple(lines),
        lag=2.5,
    )
    clock = f"{at.astimezone():%H:%M:%S}"
    assert str(ill).splitlines() == [
        "stream: NOT healthy",
        "  - it is reconnecting",
        "  - a ping took 1234 ms (healthy: below 100)",
        "  - 0.50 reconnects a minute (healthy: below 0.1); the last one: cause 8",
        "  state       reconnecting",
        "  ping        1,234 ms (ten minutes: median -, p99 -)",
        "  messages    1,500.0/s, the newest 3 s ago; 100.0% did what they should",
        "  lag         2.5 ms behind the publisher",
        "  reconnects  15 (0.50 a minute)",
        *(f"              {clock}  cause {number}" for number in (8, 7, 6)),
        f"  last error  {at.astimezone():%Y-%m-%d %H:%M:%S}",
        "  events      1,234 wait, 7 dropped",
        "  callbacks   0 calls raised",
        "  memory      50.2 MB",
        *(
            f"  public-{number}    connected, ping 0.0 ms, 0.0 messages/s, reconnects: {number}"
            for number in range(8)
        ),
        "              and 4 more connections",
    ]
    # Nothing is lost: repr() has every field, and JSON, too.
    assert repr(ill).startswith("ConnectionHealth(ping_latency=1234.5, message_success_rate=1.0, ")
    assert str(lines[0]).splitlines() == [
        "public-0: healthy",
        "  state       connected",
        "  ping        0.0 ms (ten minutes: median -, p99 -)",
        "  messages    0.0/s, the newest 0 s ago; 100.0% did what they should",
        "  reconnects  0 (0.00 a minute)",
    ]


def test_printed_before_anything_came_and_after_the_end(config: StreamConfig) -> None:
    stream = UpbitStream(config=config)
    head, problem, *figures = str(stream.health()).splitlines()
    assert (head, problem) == ("stream: NOT healthy", "  - it is disconnected")
    assert figures[:3] == [
        "  state       disconnected",
        "  ping        none answered yet",
        "  messages    none yet",
    ]
    stream.close()
    assert str(stream.health()).splitlines()[:2] == ["stream: closed", "  state       closed"]


def test_thresholds_that_cannot_be() -> None:
    for name, value in (
        ("ping_latency", 0),
        ("message_success_rate", 1.0),
        ("reconnection_frequency", -1),
    ):
        with pytest.raises(ValueError, match=name):
            HealthThresholds(**{name: value})
    with pytest.raises(TypeError, match="health="):
        StreamConfig(health={"ping_latency": 5})  # type: ignore[arg-type]


def test_a_stream_that_was_closed_is_nothing_but_closed(config: StreamConfig) -> None:
    stream = UpbitStream(config=config)
    assert not stream.health().closed
    stream.close()
    health = stream.health()
    assert health.closed
    assert not health.is_healthy()
    assert health.problems == ("it is closed",)


def test_a_stream_that_is_well(config: StreamConfig, sim: Simulator) -> None:
    with UpbitStream(config=config) as stream:
        assert stream.health().problems == ("it is disconnected",)
        trades = stream.trade("KRW-BTC")
        assert trades.get(timeout=10)
        eventually(lambda: stream.health().ping_latency is not None)
        sim.burst(300, codes=["KRW-BTC"])
        # The rate is that of whole seconds.
        eventually(lambda: stream.health().messages_per_second > 1)
        health = stream.health()
        assert health.is_healthy(), health.problems
        assert 0 < (health.ping_latency or 0) < 100
        assert (health.latency_p50, health.latency_p99) == (health.ping_latency,) * 2
        assert health.latency_stdev == 0.0
        assert health.message_success_rate == 1.0
        assert health.reconnection_frequency == 0.0
        assert health.last_error_time is None
        assert health.last_message_age is not None
        assert health.last_message_age < 10
        assert health.queued == trades.stats.queued
        assert health.rss is not None
        assert health.rss > 1_000_000
        (connection,) = health.connections
        assert connection.name == stream.connections[0].name
        assert connection.messages_per_second == health.messages_per_second


def test_reconnects_are_counted_with_their_causes(config: StreamConfig, sim: Simulator) -> None:
    policy = dataclasses.replace(config.reconnect, min_interval=0)
    config = dataclasses.replace(config, reconnect=policy)
    with UpbitStream(config=config) as stream:
        trades = stream.trade("KRW-BTC")
        assert trades.get(timeout=10)
        losses: list[Callable[[], object]] = [lambda: sim.close(1012), sim.reset, sim.eof]
        for count, lose in enumerate(losses, 2):
            lose()
            eventually(lambda: len(sim.requests) == count)  # noqa: B023
            if count < 4:
                assert stream.health().is_healthy()
        eventually(lambda: stream.state is ConnectionState.CONNECTED)
        health = stream.health()
        assert health.reconnects == 3
        assert health.reconnection_frequency == pytest.approx(0.1)
        causes = [one.cause for one in health.recent_reconnects]
        assert causes[0] == "the server closed the connection (1012)"
        assert all("dropped (1006" in cause for cause in causes[1:])
        assert not health.is_healthy()
        assert health.problems == (
            f"0.10 reconnects a minute (healthy: below 0.1); the last one: {causes[-1]}",
        )
        last = health.last_error_time
        assert last is not None
        assert timedelta(0) <= datetime.now(timezone.utc) - last < timedelta(seconds=30)


def test_a_slow_line_is_not_healthy(sim: Simulator) -> None:
    with UpbitStream(config=StreamConfig(url=sim.url, ping_interval=0.1)) as stream:
        assert stream.wait_connected(10)
        eventually(lambda: stream.health().ping_latency is not None)
        sim.slow_down(delay=0.15)
        eventually(lambda: (stream.health().ping_latency or 0) >= 150)
        health = stream.health()
        assert [problem.split(" took ")[0] for problem in health.problems] == ["a ping"]
        assert health.latency_stdev is not None
        assert health.latency_stdev > 0
        assert health.latency_p50 is not None
        assert health.latency_p99 is not None
        assert health.latency_p50 <= health.latency_p99


def test_a_short_ping_interval_is_kept(sim: Simulator) -> None:
    with UpbitStream(config=StreamConfig(url=sim.url, ping_interval=0.02)) as stream:
        assert stream.wait_connected(10)
        ((connection,),) = (one.lines for one in stream._engine.leased)
        began = time.monotonic()
        eventually(lambda: len(connection.traffic.latencies) >= 20)
        assert time.monotonic() - began < 10  # not one a second


def test_frames_that_cannot_be_decoded(config: StreamConfig, sim: Simulator) -> None:
    with UpbitStream(config=config) as stream:
        assert stream.trade("KRW-BTC").get(timeout=10)
        for _ in range(20):
            sim.send_raw(b"{not json")
        eventually(lambda: stream.stats.undecodable == 20)
        health = stream.health()
        assert health.message_success_rate == pytest.approx(1 - 20 / 21, abs=0.05)
        assert health.connections[0].message_success_rate < 0.2
        assert health.last_error_time is not None
        assert not health.is_healthy()


def test_callbacks_that_raise_and_events_that_are_dropped(
    config: StreamConfig, sim: Simulator
) -> None:
    def fail(trade: Trade) -> None:
        raise ValueError("on purpose")

    with UpbitStream(config=config) as stream:
        stream.trade("KRW-BTC", callback=lambda trade: None)
        failing = stream.trade("KRW-BTC", callback=fail)
        eventually(lambda: failing.stats.errors == 1)
        assert stream.health().message_success_rate == 0.5
        assert stream.health().callback_errors == 1
        assert stream.health().last_error_time is not None
        failing.close()
    gate = GatedCallback()
    with UpbitStream(config=config) as stream:
        stream.trade("KRW-BTC", queue_size=10, callback=gate)
        latest = stream.trade("KRW-BTC", overflow="latest")
        eventually(lambda: stream.stats.received == 2)
        sim.burst(500, codes=["KRW-BTC"])
        eventually(lambda: stream.stats.received == 1002)
        assert latest.stats.dropped > 400
        gate.release.set()
        health = stream.health()
        assert health.dropped > 2 * 400
        # Of the thousand only the one queue's drops count: conflation was asked for.
        assert 0.4 < health.message_success_rate < 0.6


def test_on_health_is_told_at_its_interval(config: StreamConfig, sim: Simulator) -> None:
    config = dataclasses.replace(config, health_interval=0.5)
    told: list[ConnectionHealth] = []
    threads: list[str] = []
    with UpbitStream(config=config) as stream:

        @stream.on_health
        def on_health(health: ConnectionHealth) -> None:
            threads.append(threading.current_thread().name)
            told.append(health)

        stream.trade("KRW-BTC", callback=lambda trade: None)
        assert stream.wait_connected(10)
        eventually(lambda: len(told) >= 3)
    assert told[-1].is_healthy()
    assert set(threads) <= {name for name in threads if "dispatch-notices" in name}
    assert our_threads() == []
