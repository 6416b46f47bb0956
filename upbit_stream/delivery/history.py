"""The last events of each code, for those who want to look back."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Generic, TypeVar

from upbit_stream.delivery.queues import Queue
from upbit_stream.events import Candle, Event

__all__ = ["CandleHistory", "History", "RememberingQueue", "make_history"]

E = TypeVar("E", bound=Event)


class History(Generic[E]):
    """The last ``size`` events of each code, in the order in which they came.

    Its owner holds a lock around :meth:`add`; readers need none, as a deque is copied in one step.
    """

    def __init__(self, size: int) -> None:
        #: Events of each code that are kept, at most.
        self.size = size
        self._kept: dict[str, deque[E]] = {}

    def add(self, events: Iterable[E]) -> None:
        """Keep ``events``."""
        kept = self._kept
        for event in events:
            # What is about the account has no code.
            name = event.code or event.type
            try:
                kept[name].append(event)
            except KeyError:
                kept[name] = deque((event,), self.size)

    def copy(self) -> dict[str, tuple[E, ...]]:
        """What is kept of each code, oldest first."""
        return {code: tuple(events.copy()) for code, events in self._kept.copy().items()}

    def of(self, code: str) -> tuple[E, ...]:
        """What is kept of ``code``, oldest first."""
        events = self._kept.get(code)
        return () if events is None else tuple(events.copy())


class CandleHistory(History[E]):
    """The last ``size`` candles of each code, each as it came last: the exchange sends the same
    candle again and again while it grows.
    """

    def add(self, events: Iterable[E]) -> None:
        for event in events:
            candles = self._kept.get(event.code)
            if not candles:
                self._kept[event.code] = deque((event,), self.size)
            elif _begin(event) > _begin(candles[-1]):
                candles.append(event)
            elif _begin(event) == _begin(candles[-1]):
                candles[-1] = event
            else:  # one of before: rare
                by_begin = {_begin(candle): candle for candle in (*candles, event)}
                ordered = (by_begin[begin] for begin in sorted(by_begin))
                self._kept[event.code] = deque(ordered, self.size)


def _begin(event: Event) -> str:
    return (event.candle_date_time_utc or "") if isinstance(event, Candle) else ""


def make_history(type_: str, size: int) -> History[E]:
    """What keeps ``size`` events of a type on the wire for each code."""
    return CandleHistory(size) if type_.startswith("candle.") else History(size)


class RememberingQueue(Generic[E]):
    """A queue whose events are kept in a history when they come in, whatever becomes of them."""

    def __init__(self, queue: Queue[E], history: History[E]) -> None:
        self._queue = queue
        self._history = history

    def put(self, events: Sequence[E]) -> tuple[Sequence[E], Sequence[E]]:
        dropped, rest = self._queue.put(events)
        # What found no room comes again.
        self._history.add(events[: len(events) - len(rest)])
        return dropped, rest

    def keep(self, events: Sequence[E], codes: int) -> int:
        """Take in what nobody takes out yet; how many were let go for it. Whoever begins to gets no
        more of the past than the history has of so many codes, and until then nothing is held up.
        """
        passed, rest = self.put(events)
        gone = len(passed)
        while rest:
            gone += len(self._queue.take(len(self._queue)))
            _, rest = self.put(rest)
        excess = len(self._queue) - self._history.size * codes
        return gone + len(self._queue.take(max(0, excess)))

    def extend(self, events: Sequence[E]) -> None:
        self._queue.extend(events)
        self._history.add(events)

    def take(self, limit: int) -> list[E]:
        return self._queue.take(limit)

    def __len__(self) -> int:
        return len(self._queue)
