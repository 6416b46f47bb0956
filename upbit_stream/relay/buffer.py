"""Between a stream and the broker: what has come, and was not sent yet."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Sequence
from enum import Enum
from itertools import chain
from typing import Any

import msgspec

from upbit_stream.config import OverflowPolicy
from upbit_stream.delivery.drops import Drop, DropTally
from upbit_stream.relay.lanes import Lane

__all__ = ["Buffer", "Cause", "Loss", "Taken", "received_from"]


def received_from(event: Any) -> int:
    """From when on (``time.time_ns()``) an event and those behind it were received; 0 where that
    is not known: what was fetched came later than what has waited for it.
    """
    return 0 if event.stream_type == "BACKFILL" else event.received_at


class Cause(Enum):
    """Why events were dropped: what happened, and what to do about it."""

    AWAY = (
        "while the broker was away",
        "give Relay(buffer=…) a larger number, if the memory is there",
    )
    SLOW = (
        "because the subscription's queue was full before the relay had them",
        "do less in its other callbacks, or give it a larger queue_size",
    )
    ENDED = (
        "because the relay ended before they were sent",
        "give close() more time, or check the broker",
    )


class Loss(msgspec.Struct, frozen=True):
    """Events that the broker did not get, and why."""

    drop: Drop
    cause: Cause


class Taken(msgspec.Struct):
    """What was taken out at one moment."""

    events: list[Any]
    #: Lanes of which something was dropped since the last time: of trades with the largest id of
    #: it. What is left of the lane before that id came before the hole, the rest behind it.
    holed: dict[Lane, int]


class Buffer:
    """Holds ``size`` events of each type, so that books do not push out trades. Beyond that the
    oldest are dropped, counted, and told by :meth:`losses`. :meth:`put` never waits.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        # Guards all below it.
        self._lock = threading.Lock()
        self._filled = threading.Condition(self._lock)
        self._events: dict[str, deque[Any]] = {}
        self._holed: dict[Lane, int] = {}
        self._tallies: dict[tuple[str, OverflowPolicy, Cause], DropTally] = {}
        self._dropped = 0
        self._woken = False
        self._closed = False

    def put(self, event: Any) -> None:
        """Take in an event, unless it refuses. For any thread."""
        with self._lock:
            if self._closed:
                return
            events = self._events.get(event.type)
            if events is None:
                events = self._events[event.type] = deque()
            if len(events) >= self._size:
                self._drop((events.popleft(),), Cause.AWAY)
            if not events:
                self._filled.notify()
            events.append(event)

    def miss(self, events: Sequence[Any], policy: OverflowPolicy) -> None:
        """These were dropped by a queue of that ``policy`` before they came here. For any
        thread.
        """
        with self._lock:
            if not self._closed:
                self._drop(events, Cause.SLOW, policy)

    def _drop(
        self,
        events: Iterable[Any],
        cause: Cause,
        policy: OverflowPolicy = OverflowPolicy.DROP_OLDEST,
    ) -> None:
        for event in events:
            lane = Lane(event.type, event.code)
            id_ = getattr(event, "sequential_id", None) or 0
            self._holed[lane] = max(id_, self._holed.get(lane, 0))
            tally = self._tallies.setdefault((event.type, policy, cause), DropTally())
            tally.add((event,))
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
            holed, self._holed = self._holed, {}
            return Taken(taken, holed)

    def losses(self) -> list[Loss]:
        """What was dropped and not told yet."""
        with self._lock:
            return self._collect()

    def refuse(self) -> None:
        """Take in nothing any more; what is there may still be taken out. For any thread."""
        with self._lock:
            self._closed = self._woken = True
            self._filled.notify()

    def close(self, unsent: Iterable[Any]) -> list[Loss]:
        """The end, of one that refuses: drop what is left, and what was taken out and is
        ``unsent``.
        """
        with self._lock:
            self._drop(unsent, Cause.ENDED)
            for events in self._events.values():
                self._drop(events, Cause.ENDED)
            self._events, self._holed = {}, {}
            return self._collect()

    def disown(self) -> None:
        """In the child of a fork, where another thread may hold the lock for ever: be closed."""
        self._lock = threading.Lock()
        self._filled = threading.Condition(self._lock)
        self._closed, self._events = True, {}

    def _collect(self) -> list[Loss]:
        found = []
        for (type_, policy, cause), tally in self._tallies.items():
            drop = tally.collect(type_, policy)
            if drop is not None:
                found.append(Loss(drop, cause))
        return found

    @property
    def dropped(self) -> int:
        """Events that were dropped, here or before they came here."""
        return self._dropped

    @property
    def oldest(self) -> int | None:
        """From when on what waits was received, see :func:`received_from`; None: nothing waits. 0,
        too, when something was dropped, and :meth:`take` has not told of it yet.
        """
        with self._lock:
            if self._holed:
                return 0
            # Of all of them: what was fetched or held back comes behind younger ones.
            waiting = chain.from_iterable(self._events.values())
            return min(map(received_from, waiting), default=None)

    def __len__(self) -> int:
        with self._lock:
            return sum(map(len, self._events.values()))
