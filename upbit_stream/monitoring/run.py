"""A test's streams: what is asked of them, and what is seen meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

from upbit_stream.errors import UpbitStreamError
from upbit_stream.monitoring.lines import Line, time_snapshots
from upbit_stream.monitoring.measures import (
    MemoryGauge,
    Silence,
    describe_latency,
)
from upbit_stream.monitoring.report import (
    Latency,
    Rate,
    Snapshots,
    SnapshotTime,
    Stability,
    Throughput,
)

__all__ = ["TICK", "Progress", "Run"]

#: Told what is being done, and how much of the whole is done, from 0 to 1.
Progress: TypeAlias = Callable[[str, float], object]

#: Codes, and where they are from.
CodeList: TypeAlias = tuple[list[str], Literal["market list", "test codes"]]

_SNAPSHOT_SIZES = (1, 10, 100)

#: Seconds between looks; less than between pings, so that none is missed.
TICK = 0.05
# Seconds between looks at the memory.
_MEMORY_TICK = 0.25

# Seconds after a request for which the SDK takes its time with the next one, to gather wishes.
# Snapshots are asked for when it does not.
_REQUEST_REST = 1.1
# Seconds for what the requests for snapshots leave behind: the lists as they were are asked for
# again.
_AFTERMATH = 0.4

# Where the parts begin on the scale of progress: connecting, snapshots, the run.
_SNAPSHOTS_AT, _RUN_AT = 0.1, 0.3


class Run:
    """The part of a test that has streams."""

    def __init__(self, pause: Callable[[float], None], progress: Progress, seconds: float) -> None:
        self.lines: tuple[Line, ...] = ()
        self.silence = Silence()
        self._pause = pause
        self._progress = progress
        self._seconds = seconds
        self._memory = MemoryGauge()
        self._snapshots = Snapshots()
        # Of the run: None until it is over.
        self._throughput: Throughput | None = None
        self._longest: float | None = None
        self._silences: dict[str, float] = {}

    def measure(self, find_codes: Callable[[], CodeList]) -> None:
        """Time snapshots, then look at the streams for so long."""
        connected_at = time.monotonic()
        if self._wait_connected():
            self._progress("snapshots", _SNAPSHOTS_AT)
            codes, source = find_codes()
            self._pause(connected_at + _REQUEST_REST - time.monotonic())
            self._snapshots = Snapshots(self._time_snapshots(codes), source)
            self._pause(_AFTERMATH)
        self._observe()

    def _wait_connected(self) -> bool:
        """Whether every line stands, within the time that each has for connecting."""
        deadline = time.monotonic() + self.lines[0].stream.config.connect_timeout
        try:
            for line in self.lines:
                while not line.stream.wait_connected(TICK):
                    self._pause(0.0)
                    self._progress("starting the streams", _SNAPSHOTS_AT)
                    if time.monotonic() >= deadline:
                        return False
        except UpbitStreamError:
            self._pause(0.0)
            return False  # it has ended, and is told in the report
        return True

    def _time_snapshots(self, codes: Sequence[str]) -> tuple[SnapshotTime, ...]:
        sizes = sorted({min(size, len(codes)) for size in _SNAPSHOT_SIZES})
        times: list[SnapshotTime] = []
        # Each on another connection, whose last request is long enough ago. The single ticker on
        # the one that streams it: many would make that one stream them all for a moment.
        for size, line in zip(sizes, self.lines, strict=False):
            step = (_RUN_AT - _SNAPSHOTS_AT) * len(times) / len(sizes)
            self._progress(f"snapshots of {size} code{'s' * (size != 1)}", _SNAPSHOTS_AT + step)
            try:
                times.append(time_snapshots(line.stream, codes[:size]))
            except UpbitStreamError:
                self._pause(0.0)
                times.append(SnapshotTime(codes=size, answered=0))
        return tuple(times)

    def _observe(self) -> None:
        began = time.monotonic()
        self.silence.begin(time.time_ns())
        for line in self.lines:
            line.begin()
        memory_at = began
        while (passed := time.monotonic() - began) < self._seconds:
            self._progress("observing", _RUN_AT + (1 - _RUN_AT) * passed / self._seconds)
            if began + passed >= memory_at:
                self._memory.sample(passed)
                memory_at += _MEMORY_TICK
            if all(line.closed for line in self.lines):
                break
            self._pause(min(TICK, self._seconds - passed))
            for line in self.lines:
                line.sample()
        passed = time.monotonic() - began
        self._memory.sample(passed)
        now = time.time_ns()
        self._longest = self.silence.longest(now)
        self._silences = {line.type: line.silence.longest(now) for line in self.lines}
        rates = {line.type: line.rate(passed) for line in self.lines}
        total = Rate(
            sum(rate.messages for rate in rates.values()),
            sum(rate.bytes for rate in rates.values()),
        )
        self._throughput = Throughput(passed, total, rates)
        self._progress("done", 1.0)

    def parts(self) -> tuple[Latency, Throughput, Stability, Snapshots]:
        """What was found, as far as the test came."""
        latency = describe_latency(trip for line in self.lines for trip in line.round_trips)
        throughput = self._throughput or Throughput()
        return latency, throughput, self._stability(), self._snapshots

    def _stability(self) -> Stability:
        stats = [line.stats for line in self.lines]
        gaps = [gap for line in self.lines for gap in line.gaps.copy()]
        return Stability(
            reconnects=sum(one.reconnects for one in stats),
            causes=tuple(cause for line in self.lines for cause in line.causes),
            gaps=tuple(map(str, gaps)),
            unrepaired=sum(gap.type == "trade" and not gap.recovered for gap in gaps),
            longest_silence=self._longest,
            silence_by_type=self._silences,
            dropped=sum(one.dropped for one in stats),
            undecodable=sum(one.undecodable for one in stats),
            silent_types=tuple(line.type for line in self.lines if not line.heard),
            ended=tuple(
                " ".join(f"{line.type}: {line.error}".split())
                for line in self.lines
                if line.error is not None
            ),
            memory=self._memory.describe(),
        )
