"""The watchdog: dead threads live again, and a person is told what stands or grows."""

from __future__ import annotations

import ctypes
import logging
import threading
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import GatedCallback, eventually, our_threads
from upbit_stream import (
    ConnectionState,
    Drop,
    HealthWarning,
    StreamConfig,
    Trade,
    UpbitStream,
    UpbitStreamError,
)
from upbit_stream.monitoring import lookout, watchdog
from upbit_stream.monitoring.resources import Resources, ResourceTrend, measure
from upbit_stream.simulator import Simulator


def find(prefix: str) -> threading.Thread:
    (found,) = [one for one in threading.enumerate() if one.name.startswith(prefix)]
    return found


def shoot(victim: threading.Thread) -> None:
    """Raise SystemExit in the thread, as soon as it does something."""
    ident = ctypes.c_ulong(victim.ident or 0)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, ctypes.py_object(SystemExit))


# A shot may strike where the source lines of a traceback are read, between the opening of a file
# and its closing; nothing but a shot does.
struck = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <_io.FileIO:pytest.PytestUnraisableExceptionWarning"
)


def kill_io(stream: UpbitStream, sim: Simulator) -> None:
    """End the I/O thread: once it stumbles and gets up, so it is hit again while it does."""
    victim = find("upbit-io-")
    shoot(victim)
    sim.trade("KRW-BTC")
    eventually(lambda: stream.health().reconnects == 1)
    shoot(victim)
    stream.ticker("KRW-BTC")  # wakes it
    eventually(lambda: not victim.is_alive())


def test_there_is_one_for_all_streams_and_it_ends_with_the_last(
    config: StreamConfig, sim: Simulator
) -> None:
    first, second = UpbitStream(config=config), UpbitStream(config=config)
    assert our_threads() == []
    first.start()
    second.start()
    assert our_threads() == ["upbit-watchdog"]
    assert first.close()
    assert our_threads() == ["upbit-watchdog"]
    assert second.close()
    assert our_threads() == []
    # And again.
    with UpbitStream(config=config) as third:
        assert our_threads() == ["upbit-watchdog"]
        assert third.trade("KRW-BTC").get(timeout=10)
    assert our_threads() == []


@struck
def test_a_dead_io_thread_lives_again(config: StreamConfig, sim: Simulator) -> None:
    states: list[ConnectionState] = []
    with UpbitStream(config=config) as stream:
        stream.on_state(states.append)
        trades = stream.trade("KRW-BTC")
        assert trades.get(timeout=10)
        eventually(lambda: stream.state is ConnectionState.CONNECTED)
        kill_io(stream, sim)
        eventually(lambda: len(sim.requests) >= 2)
        eventually(lambda: stream.state is ConnectionState.CONNECTED)
        eventually(lambda: sim.connections)
        newest = sim.trade("KRW-BTC")
        while trades.get(timeout=10).sequential_id != newest:
            pass
        assert "stumbled: SystemExit" in stream.health().recent_reconnects[-1].cause
        eventually(lambda: len(sim.connections) == 1)
        assert stream.close()
    assert ConnectionState.RECONNECTING in states
    assert our_threads() == []


@struck
def test_a_dead_io_thread_does_not_keep_a_stream_from_closing(
    config: StreamConfig, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchdog, "_LOOK_EVERY", 60.0)
    stream = UpbitStream(config=config)
    assert stream.trade("KRW-BTC").get(timeout=10)
    kill_io(stream, sim)
    assert stream.close()
    assert our_threads() == []
    eventually(lambda: not sim.connections)


def test_a_dead_dispatch_thread_lives_again_and_loses_nothing(
    config: StreamConfig, sim: Simulator
) -> None:
    errors: list[UpbitStreamError] = []
    seen: list[int] = []
    with UpbitStream(config=config) as stream:
        stream.on_error(errors.append)
        stream.trade("KRW-BTC", callback=lambda trade: seen.append(trade.sequential_id or 0))
        eventually(lambda: seen)
        victim = find("upbit-dispatch-trade")
        shoot(victim)
        eventually(lambda: not victim.is_alive())
        sim.burst(100, codes=["KRW-BTC"])
        eventually(lambda: len(seen) == 101)
        assert seen == sorted(set(seen))
        eventually(lambda: errors)
        (warning,) = errors
        assert isinstance(warning, HealthWarning)
        assert warning.kind == "thread"
        assert "the subscription to trade KRW-BTC had died" in str(warning)


class Grumbling(logging.Handler):
    """Other people's logging, which fails."""

    def emit(self, record: logging.LogRecord) -> None:
        raise OSError("no space left on device")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_one_that_dies_in_the_middle_of_a_batch_leaves_the_rest_to_the_next(
    config: StreamConfig, sim: Simulator
) -> None:
    gate, seen = threading.Event(), []

    def callback(trade: Trade) -> None:
        gate.wait(20)
        seen.append(trade.sequential_id)
        if len(seen) == 10:
            raise ValueError("on purpose")

    logger, handler = logging.getLogger("upbit_stream"), Grumbling()
    with UpbitStream(config=config) as stream:
        stream.trade("KRW-BTC", callback=callback)
        eventually(lambda: stream.stats.received == 1)
        sim.burst(100, codes=["KRW-BTC"])
        eventually(lambda: stream.stats.received == 101)
        victim = find("upbit-dispatch-trade")
        logger.addHandler(handler)
        try:
            gate.set()
            eventually(lambda: not victim.is_alive())
        finally:
            logger.removeHandler(handler)
        eventually(lambda: len(seen) == 101)
        assert seen == sorted(set(seen))


def test_a_dead_notice_thread_lives_again(config: StreamConfig, sim: Simulator) -> None:
    states: list[ConnectionState] = []
    with UpbitStream(config=config) as stream:
        stream.on_state(states.append)
        assert stream.trade("KRW-BTC").get(timeout=10)
        eventually(lambda: states)
        victim = find("upbit-dispatch-notices")
        shoot(victim)
        sim.reset()  # it waits for a notice without an end
        eventually(lambda: not victim.is_alive())
        sim.reset()
        eventually(lambda: ConnectionState.CONNECTED in states[2:])


def test_a_callback_that_does_not_return_is_named_once_with_its_stack(
    config: StreamConfig, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookout, "_STUCK_AFTER", 0.5)
    errors: list[UpbitStreamError] = []
    stuck = GatedCallback()
    others: list[Trade] = []

    def wait_for_godot(trade: Trade) -> None:
        stuck(trade)

    with UpbitStream(config=config) as stream:
        stream.on_error(errors.append)
        stream.trade("KRW-BTC", callback=wait_for_godot)
        stream.trade("KRW-BTC", callback=others.append)
        eventually(lambda: errors)
        (warning,) = errors
        assert isinstance(warning, HealthWarning)
        assert warning.kind == "callback"
        assert "wait_for_godot" in str(warning)
        assert "self.release.wait(60)" in str(warning)  # the line at which it is
        sim.trade("KRW-BTC")
        eventually(lambda: len(others) == 2)
        stream.run(2.5)
        assert len(errors) == 1
        stuck.release.set()
        eventually(lambda: len(stuck.seen) == 2)
        # The next time it is another one.
        stuck.release.clear()
        sim.trade("KRW-BTC")
        eventually(lambda: len(errors) == 2)
        stuck.release.set()


def test_a_callback_that_waits_for_events_is_not_stuck(
    config: StreamConfig, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookout, "_STUCK_AFTER", 0.1)
    errors: list[UpbitStreamError] = []
    seen: list[Trade] = []
    with UpbitStream(config=config) as stream:
        stream.on_error(errors.append)
        stream.trade("KRW-BTC", callback=seen.append)
        eventually(lambda: seen)
        stream.run(2.5)
    assert errors == []


def test_a_queue_that_fills_is_told_before_it_is_full(config: StreamConfig, sim: Simulator) -> None:
    errors: list[UpbitStreamError] = []
    drops: list[Drop] = []
    slow = GatedCallback()
    with UpbitStream(config=config) as stream:
        stream.on_error(errors.append)
        stream.on_drop(drops.append)
        stream.trade("KRW-BTC", callback=slow, queue_size=1000)
        eventually(lambda: stream.stats.received == 1)
        sim.burst(600, codes=["KRW-BTC"])
        eventually(lambda: errors)
        (warning,) = errors
        assert isinstance(warning, HealthWarning)
        assert warning.kind == "queue"
        assert "% full" in str(warning)
        assert "GatedCallback" in str(warning)
        assert drops == []
        slow.release.set()


def test_a_code_that_went_silent_while_others_flow_is_told(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchdog, "_LOOK_EVERY", 0.05)
    monkeypatch.setattr(lookout, "_CODES_EVERY", 0.05)
    errors: list[UpbitStreamError] = []
    with UpbitStream(config=StreamConfig(url=sim.url, stale_after=1.0)) as stream:
        stream.on_error(errors.append)
        trades = stream.trade(["KRW-BTC", "KRW-ETH", "KRW-XRP"])
        assert trades.get(timeout=10)
        tick = threading.Event()
        while not errors:
            # XRP had nothing but its snapshot: that it is quiet is nothing new.
            sim.trade("KRW-BTC")
            if trades.stats.received < 240:  # so that its rhythm is known, even if looks are rare
                sim.trade("KRW-ETH")
            tick.wait(0.02)
            assert trades.stats.received < 5000
        (warning,) = errors
        assert isinstance(warning, HealthWarning)
        assert warning.kind == "silence"
        assert "trade KRW-ETH for longer than is usual" in str(warning)
        for _ in range(50):
            sim.trade("KRW-BTC")
            tick.wait(0.02)
        assert len(errors) == 1


MEBIBYTE = 1024 * 1024


def growths(values: list[int], what: str = "rss") -> list[str]:
    trend = ResourceTrend()
    steady = Resources(100 * MEBIBYTE, 20, 10)
    found = []
    for number, value in enumerate(values):
        found += trend.add(10.0 * number, steady._replace(**{what: value}))
    return [growth.what for growth in found]


def test_a_leak_is_told_and_told_again_only_when_it_has_doubled() -> None:
    leak = [(100 + number) * MEBIBYTE for number in range(600)]
    assert 2 <= len(growths(leak)) <= 4
    assert set(growths(leak)) == {"rss"}
    for what in ("descriptors", "threads"):
        assert 1 <= len(growths([20 + number for number in range(200)], what)) <= 3


@given(st.lists(st.integers(100, 160), min_size=60, max_size=400))
def test_what_only_wavers_is_no_leak(values: list[int]) -> None:
    assert growths([value * MEBIBYTE for value in values]) == []


def test_growing_once_is_no_leak() -> None:
    """A cache that fills, a model that is loaded."""
    assert growths([100 * MEBIBYTE] * 100 + [500 * MEBIBYTE] * 500) == []


def test_what_the_process_uses_is_measured() -> None:
    used = measure()
    assert used.rss > MEBIBYTE
    assert used.threads >= threading.active_count()
    assert used.descriptors >= 3


def test_growth_is_told_to_every_stream(
    config: StreamConfig, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchdog, "_LOOK_EVERY", 0.005)
    monkeypatch.setattr(watchdog, "_MEASURE_EVERY", 0.005)
    errors: list[list[UpbitStreamError]] = [[], []]
    files: list[BinaryIO] = []
    with UpbitStream(config=config) as one, UpbitStream(config=config) as other:
        one.on_error(errors[0].append)
        other.on_error(errors[1].append)
        while not (errors[0] and errors[1]) and len(files) < 3000:
            files.append(open(__file__, "rb"))  # noqa: SIM115  # a leak, on purpose
            threading.Event().wait(0.004)
    for leaked in files:
        leaked.close()
    assert all(errors)
    for warning, *_ in errors:
        assert isinstance(warning, HealthWarning)
        assert warning.kind == "descriptors"
        assert "open descriptors have become" in str(warning)
