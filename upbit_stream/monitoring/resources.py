"""What the process uses, and whether it grows."""

from __future__ import annotations

from collections import deque
from statistics import median_low
from typing import NamedTuple

__all__ = ["Growth", "ResourceTrend", "Resources", "measure"]

# Samples: with one every ten seconds, half an hour. A trend is told from no fewer than a third.
_KEPT = 180
_ENOUGH = 60

_MEBIBYTE = 1024 * 1024


class Resources(NamedTuple):
    """A process at one moment."""

    #: Bytes of resident memory.
    rss: int
    #: Open descriptors (handles, on Windows).
    descriptors: int
    threads: int


class Growth(NamedTuple):
    """Something that grows and grows."""

    what: str
    before: int
    after: int
    #: A second, over the samples.
    slope: float


#: What counts as growing: by how much at least, and by which part of what there was.
_WORTH_TELLING = {"rss": (64 * _MEBIBYTE, 0.2), "descriptors": (50, 0.5), "threads": (20, 0.5)}


def measure() -> Resources:
    """This process now. Takes a fraction of a millisecond."""
    import psutil  # here: importing it takes longer than most of this package

    process = psutil.Process()
    with process.oneshot():
        count = getattr(process, "num_handles" if psutil.WINDOWS else "num_fds")
        return Resources(process.memory_info().rss, int(count()), process.num_threads())


class ResourceTrend:
    """Tells a leak from a wave. Belongs to one thread.

    The samples are cut into three parts. What grew from the first to the second and from the
    second to the third, by enough in all, grows; it is told again when it has doubled since.
    """

    def __init__(self) -> None:
        self._samples: deque[tuple[float, Resources]] = deque(maxlen=_KEPT)
        self._told: dict[str, int] = {}

    def add(self, now: float, resources: Resources) -> list[Growth]:
        """Note a sample; what grows, and was not told before."""
        self._samples.append((now, resources))
        if len(self._samples) < _ENOUGH:
            return []
        return [growth for what in _WORTH_TELLING if (growth := self._growth(what)) is not None]

    def _growth(self, what: str) -> Growth | None:
        values = [getattr(resources, what) for _, resources in self._samples]
        third = len(values) // 3
        first, second, last = (
            median_low(part)
            for part in (values[:third], values[third : 2 * third], values[2 * third :])
        )
        at_least, share = _WORTH_TELLING[what]
        grown = last - first
        if not first < second < last or 4 * min(second - first, last - second) < grown:
            return None
        if grown < max(at_least, share * first):
            return None
        if last < 2 * self._told.get(what, 0):
            return None
        self._told[what] = int(last)
        # From the middle of the first part to the middle of the last.
        elapsed = (self._samples[-1][0] - self._samples[0][0]) * 2 / 3
        return Growth(what, int(first), int(last), grown / elapsed if elapsed else 0.0)
