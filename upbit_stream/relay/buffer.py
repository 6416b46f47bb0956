"""Between a stream and the broker: what has come, and was not sent yet."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from typing import Any

import msgspec

from upbit_stream.config import OverflowPolicy
from upbit_stream.delivery.drops import Drop, DropTally
from upbit_stream.relay.lanes import Lane

__all__ = ["Buffer", "Taken"]


class Taken(msgspec.Struct):
    """What was taken out at one moment."""

    events: list[Any]
    #: Lanes of which something was dropped since the last time, right before what is left.
    holed: set[Lane]
    drops: list[Drop]


class Buffer:
    """Holds ``size`` events of each type, so that books do not push out trades. Beyond that the
    oldest are dropped, counted, and told with the next :meth:`take`. :meth:`put` never waits.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        # Guards all below it.
        self._lock = threading.Lock()
        self._filled = threading.Condition(self._lock)
        self._events: dict[str, deque[Any]] = {}
        self._holed: set[Lane] = set()
        self._tallies: dict[str, DropTally] = {}
        self._dropped = 0
        self._woken = False

    def put(self, event: Any) -> None:
        """Take in an event. For any thread."""
        with self._lock:
            events = self._events.get(event.type)
            if events is None:
                events = self._events[event.type] = deque()
            if len(events) >= self._size:
                self._drop((events.popleft(),))
            if not events:
                self._filled.notify()
            events.append(event)

    def _drop(self, events: Iterable[Any]) -> None:
        for event in events:
            self._holed.add(Lane(event.type, event.code))
            self._tallies.setdefault(event.type, DropTally()).add((event,))
            self._dropped += 1

    def wake(self) -> None:
        """Have a :meth:`take` that waits return. For any thread."""
        with self._lock:
            self._woken = True
            self._filled.notify()

    def take(self, limit: int, timeout: float) -> Taken:
        """Up to ``limit`` events of each type, these in their order; waits ``timeout`` seconds at
        most for one.
        """
        with self._lock:
            if not any(self._events.values()) and not self._woken:
                self._filled.wait(timeout)
            self._woken = False
            taken: list[Any] = []
            for events in self._events.values():
                if len(events) <= limit:
                    taken += events
                    events.clear()
                else:
                    taken += [events.popleft() for _ in range(limit)]
            holed, self._holed = self._holed, set()
            return Taken(taken, holed, self._collect())

    def discard(self) -> list[Drop]:
        """Drop everything: the end."""
        with self._lock:
            for events in self._events.values():
                self._drop(events)
                events.clear()
            return self._collect()

    def _collect(self) -> list[Drop]:
        policy = OverflowPolicy.DROP_OLDEST
        told = [tally.collect(type_, policy) for type_, tally in self._tallies.items()]
        return [drop for drop in told if drop is not None]

    @property
    def dropped(self) -> int:
        """Events that were dropped."""
        return self._dropped

    def __len__(self) -> int:
        with self._lock:
            return sum(map(len, self._events.values()))
