"""Streams of one process share physical connections, and the next one finds them open."""

from __future__ import annotations

import dataclasses
import gc
import os
import subprocess
import sys
import textwrap
import threading

import pytest

from tests.conftest import descriptors, eventually, our_threads
from upbit_stream import (
    ConnectionPool,
    ConnectionState,
    StreamConfig,
    SubscriptionError,
    Trade,
    UpbitStream,
    UpbitStreamError,
)
from upbit_stream.simulator import Simulator


def lingering(config: StreamConfig, seconds: float = 30.0) -> StreamConfig:
    return dataclasses.replace(config, linger=seconds)


def test_fifty_streams_at_once_share_one_connection(config: StreamConfig, sim: Simulator) -> None:
    before = descriptors()
    streams = [UpbitStream(config=config) for _ in range(50)]
    got: list[list[Trade]] = [[] for _ in streams]
    for stream, trades in zip(streams, got, strict=True):
        stream.trade("KRW-BTC", callback=trades.append)
        stream.start()
    eventually(lambda: all(trades for trades in got))
    newest = sim.trade("KRW-BTC")
    eventually(lambda: all(trades[-1].sequential_id == newest for trades in got))
    assert len(sim.handshakes) == 1
    assert {stream.connections[0].users for stream in streams} == {50}
    closed = [stream.close() for stream in streams]
    assert all(closed)
    assert our_threads() == []
    gc.collect()
    eventually(lambda: descriptors() <= before)
    # Each was given its own snapshot, and no one else's.
    assert {len(trades) for trades in got} == {2}


def test_five_hundred_opens_and_closes_make_one_connection(
    config: StreamConfig, sim: Simulator
) -> None:
    pool = ConnectionPool()
    keeper = UpbitStream(config=config, pool=pool)
    keeper.start()
    assert keeper.wait_connected(10)
    before = descriptors(), threading.active_count()
    for _ in range(500):
        with UpbitStream(config=config, pool=pool) as stream:
            stream.trade("KRW-BTC", snapshot=False, callback=lambda trade: None)
            assert stream.wait_connected(10)
    assert len(sim.handshakes) == 1
    assert keeper.connections[0].reconnects == 0
    assert descriptors() <= before[0]
    assert threading.active_count() <= before[1]
    assert keeper.close()
    assert our_threads() == []


def test_a_lingering_connection_is_found_by_the_next_stream(
    config: StreamConfig, sim: Simulator
) -> None:
    pool = ConnectionPool()
    for _ in range(5):
        with UpbitStream(config=lingering(config), pool=pool) as stream:
            assert stream.trade("KRW-BTC").get(timeout=10).stream_type == "SNAPSHOT"
        assert stream.state is ConnectionState.DISCONNECTED
        (info,) = pool.connections
        assert (info.state, info.users) == (ConnectionState.CONNECTED, 0)
    assert len(sim.handshakes) == 1
    assert len(sim.requests) == 5
    assert repr(pool) == "<ConnectionPool, 1 connections, 1 of them unused>"
    assert pool.close_idle()
    assert pool.connections == ()
    assert our_threads() == []
    eventually(lambda: [closed.reason for closed in sim.closed] == ["client"])


def test_what_lingers_ends_when_its_time_is_up(config: StreamConfig, sim: Simulator) -> None:
    pool = ConnectionPool()
    with UpbitStream(config=lingering(config, 0.2), pool=pool) as stream:
        assert stream.wait_connected(10)
    assert len(pool) == 1
    eventually(lambda: len(pool) == 0)
    eventually(lambda: our_threads() == [])
    eventually(lambda: [closed.reason for closed in sim.closed] == ["client"])


def test_what_lingers_is_not_healed(config: StreamConfig, sim: Simulator) -> None:
    pool = ConnectionPool()
    with UpbitStream(config=lingering(config), pool=pool) as stream:
        assert stream.wait_connected(10)
    sim.reset()
    eventually(lambda: our_threads() == [])
    assert len(pool) == 0
    assert len(sim.handshakes) == 1
    # The next one gets another.
    with UpbitStream(config=config, pool=pool) as stream:
        assert stream.trade("KRW-BTC").get(timeout=10)
    assert len(sim.handshakes) == 2


def test_a_connection_that_does_not_stand_does_not_linger(sim: Simulator) -> None:
    pool = ConnectionPool()
    sim.refuse()
    with UpbitStream(config=StreamConfig(url=sim.url, linger=30), pool=pool) as stream:
        assert not stream.wait_connected(0.2)
    assert len(pool) == 0
    assert our_threads() == []


def test_other_settings_other_connection(config: StreamConfig, sim: Simulator) -> None:
    others = [
        config,
        dataclasses.replace(config, numbers="decimal"),
        dataclasses.replace(config, wire_format="DEFAULT"),
        dataclasses.replace(config, ping_interval=7.0),
    ]
    same = [dataclasses.replace(config, queue_size=10), lingering(config, 0.0)]
    streams = [UpbitStream(config=one) for one in (*others, *same)]
    streams.append(UpbitStream(config=config, pool=ConnectionPool()))
    for stream in streams:
        assert stream.wait_connected(10)
    assert len(sim.handshakes) == len(others) + 1
    closed = [stream.close() for stream in streams]
    assert all(closed)


def test_other_keys_other_connection(config: StreamConfig, sim: Simulator) -> None:
    from tests.conftest import ACCESS_KEY, SECRET_KEY

    right = [
        UpbitStream(config=config, access_key=ACCESS_KEY, secret_key=SECRET_KEY) for _ in range(2)
    ]
    wrong = UpbitStream(config=config, access_key="another", secret_key="x" * 64)
    for stream in (*right, wrong):
        stream.my_asset(callback=lambda assets: None)
        stream.start()
    for stream in right:
        assert stream.wait_connected(10)
    with pytest.raises(UpbitStreamError):
        wrong.wait_connected(10)
    assert sorted(handshake.status for handshake in sim.handshakes) == [101, 401]
    closed = [stream.close() for stream in (*right, wrong)]
    assert all(closed)


def test_each_stream_is_told_of_its_own(config: StreamConfig, sim: Simulator) -> None:
    """One stream's bad subscription ends that, and nobody else hears of it."""
    sim.refuse_requests(["KRW-BAD"])
    errors: dict[str, list[UpbitStreamError]] = {"good": [], "bad": []}
    states: dict[str, list[ConnectionState]] = {"good": [], "bad": []}
    with UpbitStream(config=config) as good, UpbitStream(config=config) as bad:
        for name, stream in (("good", good), ("bad", bad)):
            stream.on_error(errors[name].append)
            stream.on_state(states[name].append)
        trades = good.trade("KRW-BTC")
        assert trades.get(timeout=10)
        refused = bad.trade("KRW-BAD")
        with pytest.raises(SubscriptionError):
            refused.get(timeout=10)
        eventually(lambda: errors["bad"])
        newest = sim.trade("KRW-BTC")
        while trades.get(timeout=10).sequential_id != newest:
            pass
        assert errors["good"] == []
        assert good.stats.reconnects == 1
        # The state of the physical connection is everyone's who uses it.
        assert ConnectionState.RECONNECTING in states["good"]


def test_closing_one_stream_leaves_the_other_its_connection(
    config: StreamConfig, sim: Simulator
) -> None:
    with UpbitStream(config=config) as stays:
        trades = stays.trade("KRW-BTC")
        assert trades.get(timeout=10)
        with UpbitStream(config=config) as goes:
            assert goes.ticker("KRW-ETH").get(timeout=10)
            assert goes.stats.messages < stays.stats.messages
        counted = goes.stats
        eventually(lambda: {kind for _, kind, _ in sim.subscriptions()} == {"trade"})
        newest = sim.trade("KRW-BTC")
        assert trades.get(timeout=10).sequential_id == newest
        assert stays.state is ConnectionState.CONNECTED
        assert goes.stats == counted
    assert len(sim.handshakes) == 1


def test_a_subscription_that_blocks_shares_with_no_stream(
    config: StreamConfig, sim: Simulator
) -> None:
    with UpbitStream(config=config) as one, UpbitStream(config=config) as other:
        for stream in (one, other):
            assert stream.trade("KRW-BTC", overflow="block").get(timeout=10)
        assert len(sim.handshakes) == 2


def test_dropping_a_stream_closes_only_its_share(config: StreamConfig, sim: Simulator) -> None:
    with UpbitStream(config=config) as stays:
        trades = stays.trade("KRW-BTC")
        assert trades.get(timeout=10)
        dropped = UpbitStream(config=config)
        dropped.trade("KRW-BTC", callback=lambda trade: None)
        dropped.start()
        assert stays.connections[0].users == 2
        del dropped
        gc.collect()
        eventually(lambda: stays.connections[0].users == 1)
        newest = sim.trade("KRW-BTC")
        assert trades.get(timeout=10).sequential_id == newest


FORKING = """
import os, sys
from upbit_stream import StreamClosedError, StreamConfig, UpbitStream

config = StreamConfig(url={url!r})
stream = UpbitStream(config=config)
trades = stream.trade("KRW-BTC")
trades.get(timeout=10)
child = os.fork()
if child == 0:
    said = 0
    for call in (
        lambda: trades.get(timeout=1), lambda: list(trades), stream.run, stream.start,
        lambda: stream.trade("KRW-BTC"), lambda: stream.wait_connected(1),
    ):
        try:
            call()
        except StreamClosedError as error:
            said += "fork" in str(error)
    closed = stream.close()
    with UpbitStream(config=config) as own:
        code = own.trade("KRW-BTC").get(timeout=10).code
    print("child", said, closed, stream.state.value, code, flush=True)
    sys.exit(0)
os.waitpid(child, 0)
print("parent", stream.stats.reconnects, trades.stats.received, flush=True)
input()
print("parent", trades.get(timeout=10).stream_type, stream.close(), flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_the_child_of_a_fork_starts_afresh(sim: Simulator) -> None:
    code = textwrap.dedent(FORKING).format(url=sim.url)
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "child 6 True disconnected KRW-BTC\n"
        assert process.stdout.readline() == "parent 0 1\n"
        sim.trade("KRW-BTC")
        out, _ = process.communicate("\n", timeout=20)
    assert out == "parent REALTIME True\n"
    assert process.returncode == 0
    # The parent's, and the child's own; the parent's was closed by the parent alone.
    assert len(sim.handshakes) == 2
