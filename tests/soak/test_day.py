"""Eight hours of a market, in minutes: nothing happens without a cause, and every cause is healed.

The default suite has a short day. ``pytest -m soak tests/soak`` has the long one, and with ``-s``
it shows the report.
"""

from __future__ import annotations

import gc
import itertools
import logging
import statistics
import threading
import time
from typing import Any, NamedTuple

import psutil
import pytest

from tests.conftest import descriptors, eventually, our_threads
from tests.process import SimulatorProcess
from upbit_stream import ConnectionState, ReconnectPolicy, StreamConfig, Trade, UpbitStream
from upbit_stream.monitoring.measures import slope

# What the day stands for.
HOURS = 8
FAULTS_AN_HOUR = 6

LONG = pytest.param(240.0, marks=[pytest.mark.soak, pytest.mark.timeout(600)])

# What the simulator, which is a process of its own, is told to do.
FAULTS: dict[str, list[dict[str, Any]]] = {
    **{f"close {code}": [{"name": "close", "code": code}] for code in (1000, 1001, 1011, 1012)},
    "reset": [{"name": "reset"}],
    "end without a close frame": [{"name": "eof"}],
    "restart": [{"name": "restart"}],
    "503 twice": [{"name": "fail_handshakes", "status": 503, "count": 2}, {"name": "reset"}],
    "half-open": [{"name": "stall"}],
    "garbage": [{"name": "send_garbage", "kind": "rsv"}],
}


class Profile(NamedTuple):
    """A kind of day."""

    #: Trades a second.
    rate: float
    codes: int


QUIET_NIGHT = Profile(rate=0.5, codes=5)
BUSY_DAY = Profile(rate=1500.0, codes=20)


class Day:
    """A stream through a day, and what is reported of it."""

    def __init__(self, sim: SimulatorProcess, stream: UpbitStream) -> None:
        self.sim = sim
        self.stream = stream
        self.trades = 0
        self.down = 0.0
        self._lost_at: float | None = None
        self.memory: list[tuple[float, float]] = []
        stream.on_state(self._changed)

    def count(self, trade: Trade) -> None:
        self.trades += 1

    def _changed(self, state: ConnectionState) -> None:
        now = time.monotonic()
        if state is ConnectionState.RECONNECTING:
            self._lost_at = self._lost_at or now
        elif state is ConnectionState.CONNECTED and (lost_at := self._lost_at) is not None:
            self.down += now - lost_at
            self._lost_at = None

    def sample(self) -> None:
        rss = psutil.Process().memory_info().rss
        self.memory.append((time.monotonic(), float(rss)))

    def report(self, faults: int) -> dict[str, float]:
        """The plan's success criteria."""
        health = self.stream.health()
        # The hours that so many faults stand for; without any, the whole day.
        hours = faults / FAULTS_AN_HOUR or HOURS
        # The start is another matter: buffers and caches fill.
        settled = self.memory[len(self.memory) // 4 :]
        grown = (
            (slope(settled) or 0.0) * (settled[-1][0] - settled[0][0]) if len(settled) > 2 else 0.0
        )
        first = statistics.median(rss for _, rss in settled)
        figures = {
            "reconnects an hour": health.reconnects / hours,
            "reconnects without a cause": float(health.reconnects - faults),
            "connected, of the hours, %": 100 * (1 - self.down / (hours * 3600)),
            "messages that did what they should, %": 100 * health.message_success_rate,
            "standard deviation of round trips, ms": health.latency_stdev or 0.0,
            "memory grown over the run, %": 100 * grown / first,
        }
        print(f"\n{self.trades:,} trades, {faults} faults, {self.down:.2f} s without a connection")
        for name, figure in figures.items():
            print(f"  {name}: {figure:.3f}")
        return figures


def live_through(day: Day, seconds: float, faults: int, codes: list[str]) -> dict[str, float]:
    day.stream.trade(codes, day.count)
    day.stream.orderbook(codes, lambda book: None, overflow="latest")
    assert day.stream.wait_connected(20)
    # The first pass of everything allocates what stays.
    day.stream.run(1.0)
    ends = time.monotonic() + seconds
    done = 0
    pause = threading.Event()
    for name in itertools.cycle(FAULTS):
        if done < faults:
            for command in FAULTS[name]:
                day.sim.do(**command)
            done += 1
            eventually(lambda: day.stream.health().reconnects == done)  # noqa: B023
            eventually(lambda: day.stream.state is ConnectionState.CONNECTED)
            before = day.trades
            eventually(lambda: day.trades > before)  # noqa: B023
        rest = ends - time.monotonic()
        day.sample()
        if rest <= 0 and done == faults:
            break
        # Evenly over what is left of the day, but looked at once a second.
        pause.wait(max(0.02, min(1.0, rest) if done == faults else rest / (faults - done + 1)))
    return day.report(faults)


@pytest.mark.alone
@pytest.mark.parametrize("seconds", [3.0, LONG])
@pytest.mark.parametrize("profile", [QUIET_NIGHT, BUSY_DAY], ids=["quiet night", "busy day"])
@pytest.mark.parametrize("faults", [0, HOURS * FAULTS_AN_HOUR], ids=["no fault", "faults"])
def test_a_day(
    profile: Profile, seconds: float, faults: int, caplog: pytest.LogCaptureFixture
) -> None:
    if profile is QUIET_NIGHT and faults:
        profile = profile._replace(rate=20)  # each time, data must be seen to flow again
    if seconds < 60:
        faults = min(faults, len(FAULTS))
    gc.collect()
    before = descriptors()
    # A process of its own, for what it remembers is not to be measured.
    with SimulatorProcess("--rate", str(profile.rate), "--codes", str(profile.codes)) as sim:
        config = StreamConfig(
            url=sim.url,
            ping_interval=0.25,
            ping_timeout=0.5,
            stale_after=2.0,
            reconnect=ReconnectPolicy(min_interval=0.1),  # fifty faults in minutes, not in hours
        )
        with UpbitStream(config=config) as stream, caplog.at_level(logging.INFO, "upbit_stream"):
            figures = live_through(Day(sim, stream), seconds, faults, sim.do("codes"))
            warnings = [one for one in caplog.records if one.levelno >= logging.WARNING]
        assert figures["reconnects without a cause"] == 0
        assert figures["connected, of the hours, %"] >= 99.5
        assert figures["messages that did what they should, %"] >= 99.5
        assert figures["standard deviation of round trips, ms"] < 50
        if not faults:
            assert warnings == []
            assert figures["reconnects an hour"] == 0
            assert len(sim.do("handshakes")) == 1
        if seconds > 60:
            assert figures["memory grown over the run, %"] < 5
        assert our_threads() == []
    gc.collect()
    eventually(lambda: descriptors() <= before)
