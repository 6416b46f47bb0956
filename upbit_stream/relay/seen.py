"""What has come of a lane already: a broker that lost its memory is sent the last minute again."""

from __future__ import annotations

from typing import Any, Protocol

from upbit_stream.recovery.history import IDS_PER_MS

__all__ = ["Filter", "make_filter"]

# Ids of trades that are remembered for each lane: so many at least, twice as many at most.
_REMEMBERED = 4096


# Milliseconds by which a trade may be late.
_LATE = 2_000


class Filter(Protocol):
    """Tells what is new of one lane."""

    def is_new(self, event: Any) -> bool:
        """Whether it is, asked of one event after the other."""

    def expect_old_ones(self) -> None:
        """What came before the first one that was asked for may come now, and is not new."""


def make_filter(type_: str) -> Filter:
    """A filter for the events of one lane."""
    return _SeenTrades() if type_ == "trade" else _SeenStates()


class _SeenTrades:
    """By their ids. What is older than all that is remembered counts as seen, and so does what is
    older than the beginning: a snapshot, or shortly before the first trade that was read.
    """

    def __init__(self) -> None:
        self._first = self._newest = 0
        self._recent: set[int] = set()
        self._older: set[int] = set()
        # The newest one when the recent ones began; and the one up to which nothing is remembered.
        self._began_after = 0
        self._floor = 0

    def is_new(self, trade: Any) -> bool:
        id_ = trade.sequential_id or 0
        if not self._newest:
            self._first = id_
            is_snapshot = trade.stream_type == "SNAPSHOT"
            self._floor = id_ if is_snapshot else id_ - _LATE * IDS_PER_MS
            self._began_after = self._floor
        if id_ > self._newest:
            self._newest = id_
        elif id_ and (id_ <= self._floor or id_ in self._recent or id_ in self._older):
            return False
        self._recent.add(id_)
        if len(self._recent) >= _REMEMBERED:
            self._older, self._recent = self._recent, set()
            self._floor, self._began_after = self._began_after, self._newest
        return True

    def expect_old_ones(self) -> None:
        self._floor = max(self._floor, self._first)


class _SeenStates:
    """By their times: an older state is worth nothing."""

    def __init__(self) -> None:
        self._last: Any = None

    def is_new(self, event: Any) -> bool:
        last = self._last
        if last is not None:
            at, before = event.timestamp or 0, last.timestamp or 0
            if at < before or (at == before and event == last):
                return False
        self._last = event
        return True

    def expect_old_ones(self) -> None:
        """They are told by their times."""
