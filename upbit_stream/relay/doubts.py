"""Whether anything is missing between what a consumer has read and what it reads next."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from upbit_stream.recovery.gaps import Gap, GapTally
from upbit_stream.relay.brokers import Passage, Source
from upbit_stream.relay.lanes import Lane

__all__ = ["Doubts"]

# Seconds before the loss of a broker of which publishers send the trades again, if it has lost its
# memory.
_SENT_AGAIN = 60.0

# Milliseconds by which what was missed may be older than when the broker got it.
_LATE = 2_000

_KEEPS_NO_MORE = "the broker keeps no more; what came before was not read in time"
_BEGINS_LATER = "the broker came back without its memory, and what is sent again begins later"
_KEEPS_LESS = (
    "the broker came back without its memory, and keeps less than what was sent again, so a part "
    "may be missing; let it keep more than comes in a minute (max_length, max_age)"
)


class Doubts:
    """Those of one consumer. Belongs to the I/O thread.

    A broker that has lost its memory is sent the last minute again. What lies between the last one
    that was read and the first one that comes then is told as a gap, unless all of it must have
    come: the broker was read until shortly before it was lost, and has not let go of anything of
    that lane since.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._tally = GapTally()
        self._read_at = time.monotonic()
        # Lanes of which the last one that was read is older than what is sent again, and more may
        # follow.
        self._behind: set[Lane] = set()
        # Lanes of which nothing was read since the memory was lost, with the positions behind which
        # they are read; and those of them of which all that came before may not be sent again.
        self._restarted: dict[Lane, str] = {}
        self._doubted: set[Lane] = set()
        # Lanes of which something is missing if the broker has let go of anything behind these
        # positions: from when to when (milliseconds since the epoch).
        self._suspected: dict[Lane, str] = {}
        self._spans: dict[Lane, tuple[int, int]] = {}

    def forgot(self, positions: Mapping[Lane, str], lost: Collection[Lane]) -> None:
        """The broker may have lost what came last. These lanes are read on behind these positions,
        the ``lost`` ones from the beginning: nothing of them is there but what is sent again.
        """
        self._restarted.update(positions)
        if time.monotonic() - self._read_at > _SENT_AGAIN:
            self._doubted.update(lost)
        self._doubted.update(self._behind.intersection(lost))
        self._behind.clear()

    def leave(self, lane: Lane) -> None:
        """It is read no more."""
        self._restarted.pop(lane, None)
        for lanes in (self._behind, self._doubted):
            lanes.discard(lane)

    def read(self, passages: Sequence[Passage]) -> None:
        """These were read at this moment."""
        self._read_at = time.monotonic()
        if not passages:
            self._behind.clear()  # there is no more

    def look(self, passage: Passage, newest: Any | None, came: Sequence[Any]) -> None:
        """These events of a passage follow the ``newest`` one that was read before (None: none
        was).
        """
        lane, first = passage.lane, came[0]
        if passage.missed_since is not None:
            begin = passage.missed_since - _LATE if newest is None else _moment(newest)
            self._miss(lane, max(0, begin), _moment(first), _KEEPS_NO_MORE)
        elif lane in self._restarted and newest is not None and _is_later(first, newest):
            if lane in self._doubted:
                self._miss(lane, _moment(newest), _moment(first), _BEGINS_LATER)
            else:
                self._suspected[lane] = self._restarted[lane]
                self._spans[lane] = _moment(newest), _moment(first)
        self._restarted.pop(lane, None)
        self._doubted.discard(lane)
        if came[-1].received_at < time.time_ns() - int(_SENT_AGAIN * 1e9):
            self._behind.add(lane)
        else:
            self._behind.discard(lane)

    def ask(self) -> None:
        """Ask the broker about what is suspected. When it is away, it is asked the next time."""
        if self._suspected:
            for lane in self._source.trimmed(self._suspected):
                self._miss(lane, *self._spans[lane], _KEEPS_LESS)
            self._suspected, self._spans = {}, {}

    def _miss(self, lane: Lane, begin: int, end: int, why: str) -> None:
        self._tally.add(lane.type, lane.code, begin, end, count=0, why=why)

    def gaps(self) -> list[Gap]:
        """What is missing, and was not told yet."""
        return self._tally.collect()


def _is_later(first: Any, newest: Any) -> bool:
    """Whether ``first`` came after the newest one; if not, it was sent again from before that."""
    return bool(first.received_at > newest.received_at)


def _moment(event: Any) -> int:
    """The exchange's time of an event, in milliseconds."""
    told: int | None = event.trade_timestamp if event.type == "trade" else event.timestamp
    return event.received_at // 1_000_000 if told is None else told
