"""How far a named consumer has come: not what was read counts, but what was delivered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from upbit_stream.connection.routes import AnyChannel
from upbit_stream.relay.lanes import Lane

__all__ = ["Progress"]


class _Batch(msgspec.Struct):
    """Positions, and what each channel must have got through until they are delivered."""

    positions: dict[Lane, str]
    marks: list[tuple[AnyChannel, int]]


class Progress:
    """Follows positions from being read to having been delivered; each lane for itself, so that a
    channel that gets stuck holds up none but its own. Belongs to the I/O thread.
    """

    def __init__(self) -> None:
        self._noted: dict[Lane, str] = {}
        # What was put into channels that were closed before it was delivered: that is left to
        # whoever goes on with the lane.
        self._given_up: dict[Lane, str] = {}
        self._readers: dict[Lane, tuple[AnyChannel, ...]] = {}
        # A lane is in one of them at most.
        self._batches: list[_Batch] = []

    def serve(self, readers: Mapping[Lane, tuple[AnyChannel, ...]]) -> None:
        """These channels get what comes of the lanes from now on. (Those who had lanes that nobody
        wants any more are remembered.)
        """
        self._readers.update(readers)
        # With the others it is looked at once more.
        for lane in readers:
            self._given_up.pop(lane, None)

    def look(self, positions: Mapping[Lane, str]) -> Mapping[Lane, str]:
        """Everything before these ``positions`` was put into the channels. Which positions are
        delivered since the last time.
        """
        self._begin(positions)
        news: dict[Lane, str] = {}
        waiting = []
        for batch in self._batches:
            left = [one for one, mark in batch.marks if not _is_through(one, mark)]
            if any(not is_over(one) for one in left):
                waiting.append(batch)
            elif left:
                self._give_up(batch.positions, left)
            else:
                news.update(batch.positions)
        self._batches = waiting
        self._noted.update(news)
        return news

    def _give_up(self, positions: Mapping[Lane, str], ended: Sequence[AnyChannel]) -> None:
        """These will not get there, because of who has ended. Where others read now in their place,
        it is looked at once more.
        """
        for lane, position in positions.items():
            if any(one in self._readers.get(lane, ()) for one in ended):
                self._given_up[lane] = position

    def _begin(self, positions: Mapping[Lane, str]) -> None:
        """Batches for what was read since the last time, and is in none yet."""
        known = {lane for batch in self._batches for lane in batch.positions}
        fresh: dict[tuple[AnyChannel, ...], dict[Lane, str]] = {}
        for lane, position in positions.items():
            if lane not in known and not self.is_settled(lane, position):
                fresh.setdefault(self._readers.get(lane, ()), {})[lane] = position
        received = {one: one.stats.received for readers in fresh for one in readers}
        for readers, those in fresh.items():
            self._batches.append(_Batch(those, [(one, received[one]) for one in readers]))

    def forget(self, lanes: Iterable[Lane]) -> None:
        """Another member goes on with these."""
        for lane in lanes:
            self._noted.pop(lane, None)
            self._given_up.pop(lane, None)
            for batch in self._batches:
                batch.positions.pop(lane, None)

    def noted(self, lanes: Iterable[Lane]) -> dict[Lane, str]:
        """Up to where these are known to be delivered."""
        return {lane: self._noted[lane] for lane in lanes if lane in self._noted}

    def is_settled(self, lane: Lane, position: str) -> bool:
        """Whether all up to that position was delivered, or will never be."""
        return self._noted.get(lane) == position or self._given_up.get(lane) == position


def _is_through(channel: AnyChannel, mark: int) -> bool:
    if channel.unread:
        return True  # nobody is there to deliver to
    stats, worker = channel.stats, channel.worker
    # The one whose callback runs at this moment is not done.
    running = worker is not None and worker.alive and not channel.idle
    return stats.delivered + stats.dropped - running >= mark


def is_over(channel: AnyChannel) -> bool:
    """Whether nothing more will be delivered of it."""
    worker = channel.worker
    return channel.ended and (worker is None or not worker.alive)
