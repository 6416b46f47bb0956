"""Bounded queues of events, one for each overflow policy.

Plain containers: their owner (:class:`~upbit_stream.delivery.channel.Channel`) holds a lock
around every call.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, Protocol, TypeVar

from upbit_stream.config import OverflowPolicy
from upbit_stream.events import Event

__all__ = ["Queue", "make_queue"]

E = TypeVar("E", bound=Event)


class Queue(Protocol[E]):
    """What a channel needs of a queue."""

    def put(self, events: Sequence[E]) -> tuple[Sequence[E], Sequence[E]]:
        """Take in ``events``; the ones dropped for it, and the ones that found no room yet."""
        ...

    def extend(self, events: Sequence[E]) -> None:
        """Take in ``events``, whether there is room or not."""
        ...

    def take(self, limit: int) -> list[E]:
        """Take out up to ``limit`` events, oldest first."""
        ...

    def __len__(self) -> int: ...


def make_queue(policy: OverflowPolicy, size: int, key: Callable[[E], Hashable]) -> Queue[E]:
    """A queue of ``size`` events that overflows as ``policy`` says; of those with the same
    ``key`` the newest is what matters.
    """
    if policy is OverflowPolicy.LATEST:
        return LatestQueue(key)
    bounded: dict[OverflowPolicy, type[_BoundedQueue[E]]] = {
        OverflowPolicy.DROP_OLDEST: DropOldestQueue,
        OverflowPolicy.DROP_NEWEST: DropNewestQueue,
        OverflowPolicy.BLOCK: BlockingQueue,
    }
    return bounded[policy](size)


class _BoundedQueue(ABC, Generic[E]):
    def __init__(self, size: int) -> None:
        self._size = size
        self._events: deque[E] = deque()

    def __len__(self) -> int:
        return len(self._events)

    def put(self, events: Sequence[E]) -> tuple[Sequence[E], Sequence[E]]:
        excess = len(self._events) + len(events) - self._size
        if excess <= 0:
            self._events.extend(events)
            return (), ()
        return self._overflow(events, excess)

    def extend(self, events: Sequence[E]) -> None:
        self._events.extend(events)

    def take(self, limit: int) -> list[E]:
        if limit >= len(self._events):
            taken = list(self._events)
            self._events.clear()
            return taken
        pop = self._events.popleft
        return [pop() for _ in range(limit)]

    @abstractmethod
    def _overflow(self, events: Sequence[E], excess: int) -> tuple[Sequence[E], Sequence[E]]:
        """As :meth:`put`, for ``excess`` events more than there is room for."""


class DropOldestQueue(_BoundedQueue[E]):
    """Makes room by dropping from the front: what is delivered is late, but the newest."""

    def _overflow(self, events: Sequence[E], excess: int) -> tuple[Sequence[E], Sequence[E]]:
        dropped = self.take(excess)
        # A batch longer than the whole queue loses its own beginning, too.
        still = excess - len(dropped)
        dropped.extend(events[:still])
        self._events.extend(events[still:])
        return dropped, ()


class DropNewestQueue(_BoundedQueue[E]):
    """Refuses what does not fit: what is delivered has no hole until the refused part."""

    def _overflow(self, events: Sequence[E], excess: int) -> tuple[Sequence[E], Sequence[E]]:
        room = len(events) - excess
        self._events.extend(events[:room])
        return events[room:], ()


class BlockingQueue(_BoundedQueue[E]):
    """Drops nothing: what does not fit is given back, to be put in again later."""

    def _overflow(self, events: Sequence[E], excess: int) -> tuple[Sequence[E], Sequence[E]]:
        room = len(events) - excess
        self._events.extend(events[:room])
        return (), events[room:]


class LatestQueue(Generic[E]):
    """Keeps the newest event of each key (usually the code), in the order in which they came."""

    def __init__(self, key: Callable[[E], Hashable]) -> None:
        self._key = key
        self._events: dict[Hashable, E] = {}

    def __len__(self) -> int:
        return len(self._events)

    def put(self, events: Sequence[E]) -> tuple[Sequence[E], Sequence[E]]:
        dropped = []
        for event in events:
            key = self._key(event)
            older = self._events.pop(key, None)
            if older is not None:
                dropped.append(older)
            self._events[key] = event
        return dropped, ()

    def extend(self, events: Sequence[E]) -> None:
        self.put(events)

    def take(self, limit: int) -> list[E]:
        keys = list(self._events)[:limit]
        return [self._events.pop(key) for key in keys]
