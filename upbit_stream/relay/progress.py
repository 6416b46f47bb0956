"""How far a named consumer has come: not what was read counts, but what was delivered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from upbit_stream.connection.routes import AnyChannel
from upbit_stream.relay.lanes import Lane

__all__ = ["Progress"]


class Progress:
    """Follows positions from being read to having been delivered. Belongs to the I/O thread."""

    def __init__(self) -> None:
        self._noted: dict[Lane, str] = {}
        # Positions, and what every channel must have got through by then.
        self._pending: dict[Lane, str] | None = None
        self._marks: list[tuple[AnyChannel, int]] = []

    def look(
        self, positions: Mapping[Lane, str], channels: Iterable[AnyChannel]
    ) -> Mapping[Lane, str]:
        """Everything behind these ``positions`` was put into the channels. Which positions are
        delivered since the last time.
        """
        if self._pending is None:
            if positions == self._noted:
                return {}
            self._pending = dict(positions)
            self._marks = [(channel, channel.stats.received) for channel in channels]
        if any(_done(channel) < mark for channel, mark in self._marks):
            return {}
        news = {
            lane: position
            for lane, position in self._pending.items()
            if self._noted.get(lane) != position
        }
        self._noted.update(news)
        self._pending = None
        return news

    def forget(self, lanes: Iterable[Lane]) -> None:
        """Another member goes on with these."""
        for lane in lanes:
            self._noted.pop(lane, None)
            if self._pending is not None:
                self._pending.pop(lane, None)

    def is_noted(self, lane: Lane, position: str) -> bool:
        """Whether all up to that position was delivered."""
        return self._noted.get(lane) == position


def _done(channel: AnyChannel) -> int:
    stats = channel.stats
    # The one whose callback runs at this moment is not done.
    return stats.delivered + stats.dropped - (0 if channel.idle else 1)
