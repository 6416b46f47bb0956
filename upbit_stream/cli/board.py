"""What is known of each watched code: its newest event, and how fast events come."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

__all__ = ["Board", "Meter", "Row"]


@dataclass(frozen=True)
class Row:
    """A code at one moment."""

    code: str
    #: The newest event; None while nothing has come.
    event: Any
    #: Seconds since it came.
    age: float | None
    #: Messages a second; None before there is anything to measure.
    rate: float | None


class Board:
    """The newest event and a counter for each code.

    :meth:`take` is the callback: it belongs to the subscription's dispatch thread and does next
    to nothing, so that the table costs the stream nothing, however many messages come.
    :meth:`look` belongs to the main thread, which draws. There is no lock: each field is
    written by one thread alone, in one step; a look in the middle sees the state before.
    """

    def __init__(self, codes: Iterable[str]) -> None:
        self._slots = {code: _Slot() for code in codes}
        # The main thread's own.
        self._meter = Meter()

    def take(self, event: Any) -> None:
        """An event came."""
        slot = self._slots.get(event.code)
        if slot is None:
            return  # of a recording that has more than what is shown
        slot.event = event
        slot.count += 1

    def look(
        self, *, now: float, clock_ns: int, messages: int
    ) -> tuple[tuple[Row, ...], float | None]:
        """Every code in the order in which it was asked for, and the messages a second of the
        whole stream, which has had ``messages``.

        ``now`` is monotonic, in seconds; ``clock_ns`` the wall clock as in ``received_at``.
        """
        counts = chain((messages,), (slot.count for slot in self._slots.values()))
        total, *rates = self._meter.per_second(now, tuple(counts))
        rows = tuple(
            Row(code, event, _age(event, clock_ns), rate)
            for (code, slot), rate in zip(self._slots.items(), rates, strict=True)
            # Once: the dispatch thread may put in the next one at any moment.
            for event in (slot.event,)
        )
        return rows, total


class _Slot:
    __slots__ = ("count", "event")

    def __init__(self) -> None:
        self.event: Any = None
        self.count = 0


def _age(event: Any, clock_ns: int) -> float | None:
    # Not below zero, whatever somebody does to the clock.
    return None if event is None else max(0.0, (clock_ns - event.received_at) / 1e9)


class Meter:
    """Turns counters into rates, over the last ``span`` seconds."""

    def __init__(self, span: float = 3.0, least: float = 0.5) -> None:
        self._span = span
        # Less than this many seconds tell nothing yet.
        self._least = least
        self._samples: deque[tuple[float, Sequence[int]]] = deque()

    def per_second(self, now: float, counts: Sequence[int]) -> list[float | None]:
        """The rate of each counter, given where the counters stand ``now``."""
        samples = self._samples
        samples.append((now, counts))
        # The oldest one stays just outside of the span, so that the whole span is measured.
        while len(samples) > 2 and now - samples[1][0] >= self._span:
            samples.popleft()
        since, before = samples[0]
        seconds = now - since
        if seconds < self._least:
            return [None] * len(counts)
        return [(count - was) / seconds for count, was in zip(counts, before, strict=True)]
