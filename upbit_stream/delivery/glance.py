"""For those who only look now and then: the newest event of each code, and no queue."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from upbit_stream.delivery.channel import Channel
from upbit_stream.events import Event

__all__ = ["Glance"]

E = TypeVar("E", bound=Event)


class Glance(Channel[E]):
    """A channel in which nothing waits: an event counts as delivered when it is in ``latest``."""

    def put(self, events: Sequence[E], when_room: Callable[[], None]) -> Sequence[E]:
        """Remember what is new."""
        with self._lock:
            if not self._ended:
                self._remember(self._latest, events)
                self._received += len(events)
                self._taken += len(events)
        return ()

    def put_last(self, events: Sequence[E]) -> None:
        """The same."""
        self.put(events, lambda: None)
