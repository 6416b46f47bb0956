"""After close() nothing of ours is left, however it was called."""

from __future__ import annotations

import gc
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.conftest import GatedCallback, descriptors, eventually, our_threads
from upbit_stream import (
    ConnectionState,
    Drop,
    StreamClosedError,
    StreamConfig,
    Trade,
    UpbitStream,
)
from upbit_stream.simulator import Simulator


@pytest.fixture(autouse=True)
def no_descriptor_stays_behind(sim: Simulator) -> object:
    before = descriptors()
    yield
    gc.collect()
    # The simulator's end of a socket lives in this process, too, and takes a moment longer.
    eventually(lambda: descriptors() <= before)


def busy_stream(config: StreamConfig, sim: Simulator, seen: list[Trade]) -> UpbitStream:
    stream = UpbitStream(config=config)
    stream.trade(sim.codes, callback=seen.append)
    stream.orderbook(sim.codes, overflow="latest", callback=lambda book: None)
    stream.on_state(lambda state: None)
    stream.start()
    eventually(lambda: len(seen) >= len(sim.codes))
    return stream


def test_close_from_outside_drains_and_leaves_nothing(config: StreamConfig, sim: Simulator) -> None:
    seen: list[Trade] = []
    stream = busy_stream(config, sim, seen)
    sim.burst(2000)
    eventually(lambda: stream.stats.received > 1000)
    began = time.monotonic()
    assert stream.close(timeout=3.0)
    assert time.monotonic() - began < 3.0
    assert our_threads() == []
    stats = stream.stats
    assert stats.delivered == stats.received - stats.dropped
    assert stats.queued == 0
    assert stream.state is ConnectionState.DISCONNECTED


def test_close_twice_and_from_three_threads_at_once(config: StreamConfig, sim: Simulator) -> None:
    stream = busy_stream(config, sim, [])
    barrier = threading.Barrier(3)

    def close() -> bool:
        barrier.wait()
        return stream.close(3.0)

    with ThreadPoolExecutor(3) as pool:
        assert [one.result() for one in [pool.submit(close) for _ in range(3)]] == [True] * 3
    assert our_threads() == []
    assert stream.close()


def test_close_from_inside_a_callback_delivers_no_more_to_it(
    config: StreamConfig, sim: Simulator
) -> None:
    seen: list[Trade] = []
    returned: list[bool] = []
    with UpbitStream(config=config) as stream:

        @stream.trade("KRW-BTC")
        def on_trade(trade: Trade) -> None:
            seen.append(trade)
            if len(seen) == 10:
                returned.append(stream.close(3.0))

        assert stream.wait_connected(10)
        eventually(lambda: len(seen) == 1)
        sim.burst(500, codes=["KRW-BTC"])
        stream.run(20)
        eventually(lambda: returned)
    assert returned == [True]
    assert len(seen) == 10
    assert our_threads() == []


def test_close_from_a_state_handler(config: StreamConfig, sim: Simulator) -> None:
    stream = UpbitStream(config=config)
    stream.trade("KRW-BTC", callback=lambda trade: None)
    returned: list[bool] = []
    states: list[ConnectionState] = []

    @stream.on_state
    def on_state(state: ConnectionState) -> None:
        states.append(state)
        if state is ConnectionState.CONNECTED:
            returned.append(stream.close(3.0))

    stream.run(20)
    eventually(lambda: returned == [True] and states[-1] is ConnectionState.DISCONNECTED)


def test_run_behind_the_with_says_where_it_belongs(config: StreamConfig) -> None:
    with UpbitStream(config=config) as stream:
        stream.trade("KRW-BTC", callback=lambda trade: None)
        stream.run(0.01)
    with pytest.raises(StreamClosedError, match="inside the `with`"):
        stream.run(1)
    never_started = UpbitStream(config=config)
    never_started.close()
    with pytest.raises(StreamClosedError, match="before close"):
        never_started.run()


def test_a_callback_that_closes_before_the_run(config: StreamConfig, sim: Simulator) -> None:
    with UpbitStream(config=config) as stream:
        stream.trade("KRW-BTC", callback=lambda trade: stream.close())
        eventually(lambda: stream.state is ConnectionState.DISCONNECTED)
        stream.run()  # which of the two is first is chance
    # The callback's thread has ended by now; the `with` was this one's.
    with pytest.raises(StreamClosedError):
        stream.run()


def stream_with_a_backlog(
    config: StreamConfig, sim: Simulator
) -> tuple[UpbitStream, GatedCallback]:
    """One event in its callback, fifty behind it."""
    stream, slow = UpbitStream(config=config), GatedCallback()
    stream.trade("KRW-BTC", callback=slow)
    stream.start()
    eventually(lambda: stream.stats.delivered == 1)
    sim.burst(50, codes=["KRW-BTC"])
    eventually(lambda: stream.stats.received == 51)
    return stream, slow


def test_two_of_our_own_threads_close_at_once(config: StreamConfig, sim: Simulator) -> None:
    stream = UpbitStream(config=config)
    both = threading.Barrier(2)
    took: list[float] = []

    def close(_: object) -> None:
        both.wait(10)
        began = time.monotonic()
        stream.close(3.0)
        took.append(time.monotonic() - began)

    stream.trade("KRW-BTC", callback=close)
    stream.ticker("KRW-BTC", callback=close)
    stream.run(20)
    assert stream.close(3.0)
    eventually(lambda: len(took) == 2)
    # Neither waited for the other, who could not have come back to it.
    assert max(took) < 2.0
    assert our_threads() == []


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="no signal to one thread here")
def test_a_close_that_was_interrupted_can_be_repeated(config: StreamConfig, sim: Simulator) -> None:
    stream, slow = stream_with_a_backlog(config, sim)
    # Ctrl-C in the middle of the wait for the callback.
    main = threading.main_thread().ident
    assert main is not None
    interrupter = threading.Timer(0.2, signal.pthread_kill, [main, signal.SIGINT])
    interrupter.start()
    with pytest.raises(KeyboardInterrupt):
        stream.close(30)
    interrupter.join(10)
    # The callback is still stuck, and nobody says otherwise.
    assert not stream.close(0.1)
    slow.release.set()
    assert stream.close(10)
    assert stream.state is ConnectionState.DISCONNECTED
    assert our_threads() == []
    # What it had not been given when the time of the second close was up, is counted.
    stats = stream.stats
    assert stats.delivered == len(slow.seen)
    assert stats.delivered + stats.dropped == 51


def test_what_was_dropped_at_the_end_was_not_in_time(config: StreamConfig, sim: Simulator) -> None:
    stream, slow = stream_with_a_backlog(config, sim)
    # Its thread ends before the time is up, because what was waiting is not waited for any more.
    stream.on_drop(lambda drop: slow.release.set())
    assert not stream.close(1.0)
    eventually(lambda: our_threads() == [])
    assert stream.stats.dropped > 0
    assert stream.close(1.0)


def test_one_stuck_callback_costs_the_others_nothing(config: StreamConfig, sim: Simulator) -> None:
    release = threading.Event()
    stream = UpbitStream(config=config)
    stream.trade("KRW-BTC", callback=lambda trade: release.wait(60))
    iterated = stream.trade("KRW-BTC")
    stream.start()
    eventually(lambda: iterated.stats.received == 1)
    sim.burst(30, codes=["KRW-BTC"])
    eventually(lambda: iterated.stats.received == 31)
    assert not stream.close(0.2)
    assert len(list(iterated)) == 31
    release.set()
    assert stream.close(5.0)


def test_a_hanging_attempt_to_connect_does_not_use_up_the_time_of_the_queues(
    config: StreamConfig, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_up, hanging, answered = socket.getaddrinfo, threading.Event(), threading.Event()

    def slow_look_up(*arguments: Any) -> Any:
        """A name server that takes its time: nothing can interrupt this."""
        hanging.set()
        answered.wait(60)
        return look_up(*arguments)

    stream, slow = stream_with_a_backlog(config, sim)
    monkeypatch.setattr(socket, "getaddrinfo", slow_look_up)
    sim.reset()
    assert hanging.wait(10)
    slow.release.set()
    assert not stream.close(1.0)  # the attempt hangs, and that is said
    assert len(slow.seen) == 51
    answered.set()
    assert stream.close(5.0)


@pytest.mark.parametrize("moment", ["not started", "connecting", "refused"])
def test_close_in_half_started_states(config: StreamConfig, sim: Simulator, moment: str) -> None:
    if moment == "refused":
        config = StreamConfig(url="ws://127.0.0.1:9/websocket/v1")
    stream = UpbitStream(config=config)
    stream.trade("KRW-BTC", callback=lambda trade: None)
    if moment != "not started":
        stream.start()
    began = time.monotonic()
    assert stream.close(3.0)
    assert time.monotonic() - began < 3.0
    assert our_threads() == []


def test_close_does_not_wait_for_a_server_that_does_not_answer(
    config: StreamConfig, sim: Simulator
) -> None:
    seen: list[Trade] = []
    stream = busy_stream(config, sim, seen)
    sim.stall()
    began = time.monotonic()
    assert stream.close(3.0)
    assert time.monotonic() - began < 3.0
    assert our_threads() == []
    sim.resume()


def test_a_stuck_callback_makes_close_return_false_in_time(
    config: StreamConfig, sim: Simulator
) -> None:
    stream = UpbitStream(config=config)
    release = threading.Event()
    entered = threading.Event()

    @stream.trade("KRW-BTC")
    def stuck(trade: Trade) -> None:
        entered.set()
        release.wait(60)

    stream.start()
    assert entered.wait(10)
    began = time.monotonic()
    assert not stream.close(0.3)
    assert time.monotonic() - began < 2.0
    release.set()
    assert stream.close(3.0)
    assert our_threads() == []


def test_dropping_the_last_reference_closes(config: StreamConfig, sim: Simulator) -> None:
    def drop(make: Callable[[], UpbitStream]) -> None:
        stream = make()
        assert stream.wait_connected(10)
        assert our_threads()
        del stream
        gc.collect()
        eventually(lambda: not our_threads())

    def with_callbacks() -> UpbitStream:
        return busy_stream(config, sim, [])

    def with_an_idle_subscription() -> UpbitStream:
        stream = UpbitStream(config=config)
        stream.ticker("KRW-BTC")
        return stream

    def with_two_connections() -> UpbitStream:
        stream = busy_stream(config, sim, [])
        stream.trade("KRW-BTC", overflow="block", callback=lambda trade: None)
        return stream

    drop(with_callbacks)
    drop(with_two_connections)
    drop(with_an_idle_subscription)
    eventually(lambda: not sim.connections)


def test_a_failed_connection_leaves_nothing(config: StreamConfig, sim: Simulator) -> None:
    stream = UpbitStream(config=StreamConfig(url=sim.url + "/nowhere"))
    stream.on_error(lambda error: None)
    with pytest.raises(Exception, match="HTTP 404"):
        stream.trade("KRW-BTC").get(timeout=10)
    assert stream.state is ConnectionState.ERROR
    assert stream.close()
    assert our_threads() == []


def test_what_could_not_be_delivered_in_time_is_counted_and_told(
    config: StreamConfig, sim: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    release = threading.Event()
    drops: list[Drop] = []
    stream = UpbitStream(config=config)
    stream.on_drop(drops.append)
    subscription = stream.trade("KRW-BTC", callback=lambda trade: release.wait(60), queue_size=1000)
    stream.start()
    eventually(lambda: subscription.stats.delivered == 1)
    # Some in the dispatch thread's hands, and some in the queue.
    sim.burst(500, codes=["KRW-BTC"])
    eventually(lambda: subscription.stats.received == 501)
    assert subscription.stats.queued == 500
    assert not stream.close(0.2)
    release.set()
    assert stream.close(5.0)
    stats = subscription.stats
    assert (stats.delivered, stats.queued) == (1, 0)
    assert stats.dropped == 500
    # (What the dispatch thread had in its hands it drops only now, when nobody is told any more.)
    assert sum(drop.count for drop in drops) >= 500 - 128
    assert "did not get through them before the end" in caplog.text


SCRIPT = """
import threading
from upbit_stream import StreamConfig, UpbitStream

with UpbitStream(config=StreamConfig(url={url!r})) as stream:
    seen = []

    @stream.trade({codes!r})
    def on_trade(trade):
        seen.append(trade)
        if len(seen) == 100:
            print("running", flush=True)

    {body}
left = [t.name for t in threading.enumerate() if t.name.startswith("upbit-")]
print("left", left, stream.stats.queued, flush=True)
"""


def start_script(sim: Simulator, body: str) -> subprocess.Popen[str]:
    script = textwrap.dedent(SCRIPT).format(url=sim.url, codes=list(sim.codes), body=body)
    return subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.skipif(os.name == "nt", reason="a console's Ctrl-C cannot be sent to one process")
def test_ctrl_c_during_a_burst_ends_clean() -> None:
    with Simulator(rate=2000) as sim:
        process = start_script(sim, "stream.run()")
        assert process.stdout is not None
        assert process.stdout.readline() == "running\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        assert (process.returncode, out, err) == (0, "left [] 0\n", "")


def test_an_exception_in_the_with_block_ends_clean() -> None:
    with Simulator(rate=2000) as sim:
        process = start_script(sim, "stream.run(0.3); raise SystemExit(3)")
        _out, err = process.communicate(timeout=20)
        assert (process.returncode, err) == (3, "")


def test_many_stuck_streams_hold_up_the_exit_no_longer_than_one() -> None:
    script = """
        import threading, time
        from upbit_stream import StreamConfig, UpbitStream

        stuck = threading.Event()
        streams = []
        for _ in range(4):
            stream = UpbitStream(config=StreamConfig(url={url!r}))
            stream.trade("KRW-BTC", callback=lambda trade: stuck.wait())
            stream.start()
            streams.append(stream)
        tick = threading.Event()
        while any(stream.stats.delivered == 0 for stream in streams):
            tick.wait(0.01)
        assert not streams[0].close(0.1)  # and not again at exit
        print(time.time(), flush=True)
    """
    with Simulator(rate=0) as sim:
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script).format(url=sim.url)],
            stdout=subprocess.PIPE,
            text=True,
            timeout=60,
            check=True,
        )
        assert time.time() - float(done.stdout) < 6.0


def test_a_script_that_just_ends_delivers_what_is_queued() -> None:
    script = """
        import threading
        from upbit_stream import StreamConfig, UpbitStream

        gate = threading.Event()

        def on_trade(trade):
            gate.wait(20)
            print(trade.code, flush=True)

        stream = UpbitStream(config=StreamConfig(url={url!r}))
        stream.trade({codes!r}, callback=on_trade)
        stream.start()
        tick = threading.Event()
        while stream.stats.received < {count}:
            tick.wait(0.01)
        gate.set()
    """
    with Simulator(rate=0) as sim:
        code = textwrap.dedent(script).format(
            url=sim.url, codes=list(sim.codes), count=len(sim.codes)
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert sorted(done.stdout.split()) == sorted(sim.codes)
        eventually(lambda: not sim.connections)
