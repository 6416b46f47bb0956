"""The threads that fetch what was missed, the busiest market first."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterable
from queue import Empty, SimpleQueue

import msgspec

from upbit_stream.recovery.history import Found, History, Stretch
from upbit_stream.recovery.rest import RestClient
from upbit_stream.workers import Worker, numbered

__all__ = ["Repair", "Repairs"]

_log = logging.getLogger("upbit_stream")

# Threads at most. An answer from abroad takes 0.2 s, and ten calls a second are allowed.
_WORKERS = 3


class Repair(msgspec.Struct, kw_only=True, eq=False):
    """One stretch to be fetched."""

    stretch: Stretch
    #: Moment (of ``time.monotonic()``) after which it is not waited for any more.
    deadline: float
    #: And since when it is.
    begun_at: float = msgspec.field(default_factory=time.monotonic)
    #: Set by whoever has no use for it any more.
    dropped: bool = False
    #: What came of it, once it is done.
    found: Found = msgspec.field(default_factory=Found)

    def is_wanted(self) -> bool:
        """Whether anyone waits for it. For any thread."""
        return not self.dropped


class Repairs:
    """Fetches stretches on threads of its own, which end when there is nothing left to fetch.

    Any thread may :meth:`submit` and :meth:`collect`. ``when_done`` is called, on such a thread,
    whenever there is something to collect.
    """

    def __init__(
        self, name: str, rest: RestClient, history: History, when_done: Callable[[], None]
    ) -> None:
        self._name = name
        self._rest = rest
        self._history = history
        self._when_done = when_done
        self._numbers = itertools.count()
        self._done: SimpleQueue[Repair] = SimpleQueue()
        # Guards all below it. Not held while anything is fetched.
        self._lock = threading.Lock()
        # The busiest first, then the one that was asked for first.
        self._waiting: list[tuple[float, int, Repair]] = []
        self._workers: tuple[Worker, ...] = ()
        # Those that take no more, and have not quite ended.
        self._leaving: tuple[Worker, ...] = ()
        self._ended = False

    def submit(self, repair: Repair) -> None:
        """Have it fetched."""
        with self._lock:
            heapq.heappush(self._waiting, (-repair.stretch.rate, next(self._numbers), repair))
            self._workers = tuple(one for one in self._workers if one.alive)
            if self._ended or len(self._workers) >= _WORKERS:
                return
            worker = Worker(numbered(f"upbit-repair-{self._name}"), self._work)
            try:
                worker.start()
            except RuntimeError as error:  # the system has no thread for it
                if self._workers:
                    return  # they will get to it
                self._waiting.clear()
                repair.found = Found(why=str(error))
                self._done.put(repair)
                return
            self._workers = (*self._workers, worker)

    def collect(self) -> Iterable[Repair]:
        """What is done and was not dropped meanwhile."""
        try:
            while True:
                repair = self._done.get_nowait()
                if not repair.dropped:
                    yield repair
        except Empty:
            return

    def end(self) -> None:
        """Fetch nothing any more. Returns at once; the threads end within seconds."""
        with self._lock:
            self._ended = True
            self._waiting.clear()
        self._rest.cancel()

    @property
    def workers(self) -> tuple[Worker, ...]:
        """The threads, those that have ended perhaps among them."""
        with self._lock:
            return (*self._workers, *self._leaving)

    def disown(self) -> None:
        """In the child of a fork: have ended."""
        self._lock = threading.Lock()
        self._waiting, self._workers, self._leaving = [], (), ()
        self._ended = True
        self._rest.disown()

    def _next(self) -> Repair | None:
        with self._lock:
            while self._waiting:
                _, _, repair = heapq.heappop(self._waiting)
                if not repair.dropped:
                    return repair
            # Under the lock: whoever submits another one sees that this thread takes no more.
            current = [one for one in self._workers if one.is_current]
            self._workers = tuple(one for one in self._workers if one not in current)
            self._leaving = (*(one for one in self._leaving if one.alive), *current)
            return None

    def _work(self) -> None:
        while (repair := self._next()) is not None:
            try:
                repair.found = self._history.find(
                    repair.stretch, repair.deadline, wanted=repair.is_wanted
                )
            except Exception as error:  # a bug: live events must not wait for ever because of it
                _log.exception(
                    "a bug of this package: a repair of %s failed; the stream goes on (please "
                    "report it)",
                    repair.stretch.code,
                )
                repair.found = Found(why=f"{type(error).__name__}: {error}")
            if not repair.dropped:
                self._done.put(repair)
                self._when_done()
