"""What is counted and reckoned while a test runs: round trips, silences, memory."""

from __future__ import annotations

import math
import statistics
import threading
from collections.abc import Iterable, Sequence

from upbit_stream.monitoring.report import Latency, Memory

__all__ = ["MemoryGauge", "Silence", "describe_latency", "percentile", "slope"]


def percentile(ordered: Sequence[float], part: float) -> float:
    """The value below which ``part`` (0 to 1) of the ``ordered`` values are, on the straight line
    between its neighbours.
    """
    place = (len(ordered) - 1) * part
    below = math.floor(place)
    above = math.ceil(place)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def slope(points: Sequence[tuple[float, float]]) -> float | None:
    """How the line of the least squares through (x, y) rises; None when x does not differ."""
    if len({x for x, _ in points}) < 2:
        return None
    return statistics.linear_regression([x for x, _ in points], [y for _, y in points]).slope


def describe_latency(round_trips: Iterable[float]) -> Latency:
    """The figures of round trips in milliseconds."""
    ordered = sorted(round_trips)
    if not ordered:
        return Latency()
    return Latency(
        count=len(ordered),
        min=ordered[0],
        p50=percentile(ordered, 0.50),
        p95=percentile(ordered, 0.95),
        p99=percentile(ordered, 0.99),
        deviation=statistics.stdev(ordered) if len(ordered) > 1 else None,
    )


class Silence:
    """The longest time without a message. Times are those of ``time.time_ns()``.

    Any thread may tell of messages, and a little out of order.
    """

    def __init__(self) -> None:
        # Guards the two below it.
        self._lock = threading.Lock()
        self._last = 0
        self._longest = 0

    def begin(self, now: int) -> None:
        """Forget what was before."""
        with self._lock:
            self._last, self._longest = now, 0

    def note(self, at: int) -> None:
        """A message came."""
        with self._lock:
            if at > self._last:
                self._longest = max(self._longest, at - self._last)
                self._last = at

    def longest(self, now: int) -> float:
        """In seconds, up to ``now``."""
        with self._lock:
            return max(self._longest, now - self._last) / 1e9


class MemoryGauge:
    """Samples of this process's resident memory, in bytes."""

    def __init__(self) -> None:
        import psutil  # takes time to import, and only a test needs it

        self._process = psutil.Process()
        self._samples: list[tuple[float, float]] = []

    def sample(self, now: float) -> None:
        """Look; ``now`` is in seconds."""
        self._samples.append((now, float(self._process.memory_info().rss)))

    def describe(self) -> Memory | None:
        """The line through the samples; None when they are too few."""
        steepness = slope(self._samples)
        if steepness is None:
            return None
        (first, start), (last, _) = self._samples[0], self._samples[-1]
        return Memory(int(start), steepness, steepness * (last - first) / start)
