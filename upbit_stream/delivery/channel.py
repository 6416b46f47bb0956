"""What stands behind a Subscription: a queue between the I/O thread and the person's code."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime
from operator import length_hint
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from upbit_stream.config import OverflowPolicy
from upbit_stream.delivery.callbacks import callback_name
from upbit_stream.delivery.drops import DropTally
from upbit_stream.delivery.failures import Failures
from upbit_stream.delivery.history import History, RememberingQueue, make_history
from upbit_stream.delivery.notices import NoticeBoard, NoticeKind
from upbit_stream.delivery.queues import Queue, make_queue
from upbit_stream.delivery.stats import SubscriptionStats
from upbit_stream.errors import (
    StreamClosedError,
    SubscriptionError,
    UpbitStreamError,
)
from upbit_stream.events import Event
from upbit_stream.protocol.demands import Demand
from upbit_stream.telling import tell
from upbit_stream.workers import LOOK_AROUND, Worker, numbered

__all__ = ["Channel"]

E = TypeVar("E", bound=Event)

# Events a dispatch thread takes at a time: enough to make the lock cheap, few enough that the
# queue's size bounds what is in memory.
_CHUNK = 512
# Seconds between two tellings of drops.
_TELL_EVERY = 1.0


class Channel(Generic[E]):
    """A bounded queue with its callbacks, its dispatch thread and its counters.

    The I/O thread puts in whole batches and never waits. What is taken out goes to the
    callbacks, on this channel's own dispatch thread, or to whoever iterates.
    """

    def __init__(
        self,
        demand: Demand,
        *,
        queue_size: int,
        overflow: OverflowPolicy,
        notices: NoticeBoard,
        history: int = 0,
    ) -> None:
        self.overflow = overflow
        self.queue_size = queue_size
        self._notices = notices
        # Guards everything below it that is not marked otherwise. Never held while a callback
        # or I/O runs.
        self._lock = threading.Lock()
        # Who waits for an event waits here, without the lock: a condition would do, and takes three
        # times as long. Counted are those whom nobody has woken yet; a token that finds nobody
        # makes the next one who waits look once for nothing.
        self._bell: SimpleQueue[None] = SimpleQueue()
        self._waiting = 0
        self._demand = demand
        self._queue: Queue[E] = make_queue(overflow, queue_size, demand.conflation_key)
        #: The last events of each code; None: they are not kept.
        self.history: History[E] | None = None
        self._keeping: RememberingQueue[E] | None = None
        if history:
            self.history = make_history(demand.type, history)
            self._queue = self._keeping = RememberingQueue(self._queue, self.history)
        self._drops = DropTally()
        self._drops_told_at = 0.0
        self._callbacks: tuple[Callable[[E], object], ...] = ()
        # What the dispatch thread calls: the only callback, or what calls them all.
        self._call: Callable[[E], object] = self._call_each
        self._worker: Worker | None = None
        self._started = False
        self._iterated = False
        self._ended = False
        self._error: UpbitStreamError | None = None
        self._room_wanted: Callable[[], None] | None = None
        self._received = 0
        self._taken = 0
        # What the dispatch thread has taken and is delivering: it alone moves the iterator, and
        # how much is left of it is how anyone knows what was delivered, without counting.
        self._pending: Iterator[E] = iter(())
        # Codes that did not answer, with the time (of time.time_ns()) at which that was noticed.
        self._silent_since: dict[str, int] = {}
        # Written by the I/O thread alone; readers take a copy of the dict, which is atomic.
        self._latest: dict[str, E] = {}
        self._remember = demand.remember  # the same for every change of the demand
        self._failures = Failures(notices)
        # Set by anyone, read by the dispatch thread between two events: deliver no more.
        self._discarding = False
        # Whether that was a callback of its own: on purpose, and nothing to warn of.
        self._walked_out = False

    # What the I/O thread calls.

    def put(self, events: Sequence[E], when_room: Callable[[], None]) -> Sequence[E]:
        """Queue a batch. The events that found no room are returned (policy ``block`` only),
        and ``when_room`` is called once there is some.
        """
        # Before the queue, so that a callback never sees a `latest` older than its own event.
        self._remember(self._latest, events)
        with self._lock:
            if self._ended:
                return ()
            dropped: Sequence[E] = ()
            rest: Sequence[E] = ()
            if self._keeping is not None and self.only_kept:
                self._taken += self._keeping.keep(events, len(self._demand.codes) or 1)
            else:
                dropped, rest = self._queue.put(events)
            self._received += len(events) - len(rest)
            if dropped:
                self._drops.add(dropped)
            if rest:
                self._room_wanted = when_room
            waiting, self._waiting = self._waiting, 0
        self._ring(waiting)
        if dropped:
            self.tell_drops()
        return rest

    def put_last(self, events: Sequence[E]) -> None:
        """Queue what found no room until the end: one read's worth at most, so the limit does
        not matter any more.
        """
        with self._lock:
            if not self._ended:
                self._queue.extend(events)
                self._received += len(events)
            waiting, self._waiting = self._waiting, 0
        self._ring(waiting)

    def tell_drops(self, *, now: bool = False) -> None:
        """Give ``on_drop`` what was dropped; at most once a second unless ``now``."""
        with self._lock:
            moment = time.monotonic()
            if not now and moment - self._drops_told_at < _TELL_EVERY:
                return
            drop = self._drops.collect(self._demand.type, self.overflow)
            if drop is None:
                return
            self._drops_told_at = moment
        # Conflation is what the person asked for with "latest": counted and told, not logged.
        if self.overflow is not OverflowPolicy.LATEST:
            why = (
                "its callbacks did not get through them before the end; give close() more time"
                if self._discarding
                else f"its callback is slower than the market ({self.overflow.value}); do less in "
                "it, or give it a larger queue_size"
            )
            level = logging.DEBUG if self._walked_out else logging.WARNING
            tell(level, "a %s subscription dropped %d events: %s", drop.type, drop.count, why)
        self._notices.post(NoticeKind.DROP, drop)

    # What the owner calls.

    @property
    def demand(self) -> Demand:
        """What this channel wants from the wire."""
        return self._demand

    def change(self, demand: Demand) -> None:
        """Want this from now on: the same with other codes."""
        with self._lock:
            self._demand = demand

    def start(self) -> None:
        """Let callbacks be called: the ones that are registered and the ones to come."""
        with self._lock:
            self._started = True
            self._ensure_worker()

    def add_callback(
        self, callback: Callable[[E], object], *, instead_of: Collection[object] = ()
    ) -> None:
        """Call ``callback`` with every event, after the callbacks that were added before, and from
        now on none of those that it is ``instead_of``.

        Raises what ended the channel, or :class:`StreamClosedError`;
        :class:`SubscriptionError` when someone iterates over it.
        """
        with self._lock:
            if self._ended:
                if self._error is not None:
                    raise self._error.with_traceback(None)
                raise StreamClosedError("this subscription is closed; make a new one")
            if self._iterated:
                raise SubscriptionError(
                    "you cannot give a callback to a subscription that you iterate over; make a "
                    "second subscription, it costs no second connection"
                )
            self._have_callbacks((*self._without(instead_of), callback))
            self._ensure_worker()

    def watch_drops(self, watcher: Callable[[Sequence[Event]], object]) -> None:
        """Call ``watcher`` with what is dropped, before anything that was queued behind it is
        delivered; with the lock held, so it must be quick.
        """
        with self._lock:
            self._drops.watchers = (*self._drops.watchers, watcher)

    def remove_callbacks(self, those: Collection[object]) -> bool:
        """Call none of ``those`` any more, watchers of drops among them; whether callbacks are
        left.
        """
        with self._lock:
            watchers = self._drops.watchers
            self._drops.watchers = tuple(one for one in watchers if one not in those)
            self._have_callbacks(self._without(those))
            return bool(self._callbacks)

    def _without(self, those: Collection[object]) -> tuple[Callable[[E], object], ...]:
        return tuple(one for one in self._callbacks if one not in those)

    def _have_callbacks(self, callbacks: tuple[Callable[[E], object], ...]) -> None:
        self._callbacks = callbacks
        self._call = callbacks[0] if len(callbacks) == 1 else self._call_each

    def _ensure_worker(self) -> None:
        if self._callbacks and self._started and self._worker is None and not self._ended:
            self._start_worker()

    def _start_worker(self) -> None:
        worker = Worker(numbered(f"upbit-dispatch-{self._demand.type}"), self._dispatch)
        worker.start()
        self._worker = worker

    def end(self, error: UpbitStreamError | None = None) -> None:
        """Take nothing in any more. What is queued is still delivered; then iteration stops,
        or raises ``error``. Called by a callback of its own, that callback was the last.
        """
        with self._lock:
            if not self._ended:
                self._ended = True
                self._error = error
            self._room_wanted = None
            if self._worker is not None and self._worker.is_current:
                self._discarding = self._walked_out = True
            waiting, self._waiting = self._waiting, 0
        self._ring(waiting)
        self.tell_drops(now=True)

    def discard(self) -> None:
        """Deliver nothing any more: the callback that runs is the last, and what is queued
        counts as dropped.
        """
        self._discarding = True
        with self._lock:
            self._drops.add(self._queue.take(len(self._queue)))
            waiting, self._waiting = self._waiting, 0
        self._ring(waiting)
        self.tell_drops(now=True)

    def disown(self, error: UpbitStreamError) -> None:
        """In the child of a fork: have ended by ``error``. The locks may be held by threads that
        do not exist here.
        """
        self._lock, self._bell, self._waiting = threading.Lock(), SimpleQueue(), 0
        self._ended, self._error, self._worker = True, error, None
        self._queue.take(len(self._queue))

    def iterate(self) -> None:
        """Someone takes events with :meth:`take`: no callback can be added any more.

        Raises :class:`SubscriptionError` when there is one already.
        """
        with self._lock:
            if self._callbacks:
                raise SubscriptionError(
                    "you cannot take events from a subscription that has callbacks: they get "
                    "every event; make a second subscription, it costs no second connection"
                )
            self._iterated = True

    # What the person's side asks.

    @property
    def worker(self) -> Worker | None:
        """The dispatch thread, once there is one."""
        return self._worker

    @property
    def ended(self) -> bool:
        """Whether nothing is taken in any more."""
        return self._ended

    @property
    def error(self) -> UpbitStreamError | None:
        """What ended it, if that was an error."""
        return self._error

    @property
    def unread(self) -> bool:
        """Whether nobody takes the events: there is no callback, and no iteration."""
        return not self._callbacks and not self._iterated

    @property
    def only_kept(self) -> bool:
        """Whether nobody takes the events: it is the history that they are wanted for."""
        return self.history is not None and self.unread

    @property
    def latest(self) -> dict[str, E]:
        """The newest event of each code, as a copy."""
        return self._latest.copy()

    def latest_of(self, code: str) -> E | None:
        """The newest event of ``code``."""
        return self._latest.get(code)

    def report_silent(self, codes: Iterable[str]) -> tuple[str, ...]:
        """Note that nothing comes of ``codes``; returns those of which that is new."""
        now = time.time_ns()
        with self._lock:
            known = set(self._missing())
            self._silent_since.update(dict.fromkeys(codes, now))
        return tuple(code for code in codes if code not in known)

    @property
    def missing(self) -> tuple[str, ...]:
        """The codes that were found silent, and of which nothing has come since."""
        with self._lock:
            return self._missing()

    def _missing(self) -> tuple[str, ...]:
        def heard(code: str, since: int) -> bool:
            newest = self._latest.get(code)
            return newest is not None and newest.received_at >= since

        wanted = set(self._demand.codes)
        return tuple(
            code
            for code, since in self._silent_since.items()
            if code in wanted and not heard(code, since)
        )

    @property
    def stats(self) -> SubscriptionStats:
        """The counters at this moment."""
        newest = max((event.received_at for event in self.latest.values()), default=None)
        with self._lock:
            delivered = self._taken - length_hint(self._pending)
            return SubscriptionStats(
                received=self._received,
                delivered=delivered,
                dropped=self._drops.total,
                # Also those that the dispatch thread has taken out and not delivered yet.
                queued=self._received - delivered - self._drops.total,
                errors=self._failures.count,
                last_event_age=None
                if newest is None
                else max(0.0, (time.time_ns() - newest) / 1e9),
            )

    # What the watchdog asks.

    @property
    def progress(self) -> int:
        """Events that have been delivered: it stands still while a callback runs."""
        return self._taken - length_hint(self._pending)

    @property
    def queue_length(self) -> int:
        """Events in the queue."""
        return len(self._queue)

    @property
    def last_error_at(self) -> datetime | None:
        """When a callback raised last."""
        return self._failures.last_at

    @property
    def callbacks(self) -> tuple[Callable[[E], object], ...]:
        """The callbacks, in the order in which they are called."""
        return self._callbacks

    @property
    def callback_names(self) -> str:
        """The callbacks, for people."""
        return ", ".join(map(callback_name, self._callbacks))

    @property
    def idle(self) -> bool:
        """Whether nobody delivers at this moment: the dispatch thread waits, or there is none."""
        return self._worker is None or self._waiting > 0

    def revive(self) -> bool:
        """Have a dispatch thread again, if the one there was has died; whether it had."""
        with self._lock:
            over = self._ended and not len(self._queue)
            if self._worker is None or self._worker.alive or over or self._discarding:
                return False
            self._start_worker()
            return True

    # Taking events out.

    def take(self, limit: int, deadline: float | None = None) -> list[E]:
        """Up to ``limit`` events, oldest first, which count as delivered; waits for the first one
        until ``deadline`` (of ``time.monotonic()``). Empty when none came, or when the channel has
        ended.
        """
        with self._lock:
            events = self._take_out(limit, deadline)
        self._tell_room()
        return events

    def _take_pending(self, limit: int) -> bool:
        """As :meth:`take`, for the callbacks: an event counts as delivered when its turn comes."""
        with self._lock:
            events = self._take_out(limit, None)
            self._pending = iter(events)
        self._tell_room()
        return bool(events)

    def _take_out(self, limit: int, deadline: float | None) -> list[E]:
        # With the lock held, which is given up while waiting.
        while not len(self._queue):
            if self._ended:
                return []
            wait = LOOK_AROUND
            if deadline is not None:
                wait = min(wait, deadline - time.monotonic())
                if wait <= 0:
                    return []
            self._wait(wait)
        events = self._queue.take(limit)
        self._taken += len(events)
        return events

    def _wait(self, seconds: float) -> None:
        """With the lock held, which is given up meanwhile: wait until something is told."""
        self._waiting += 1
        woken = False
        self._lock.release()
        try:
            self._bell.get(timeout=seconds)
            woken = True
        except Empty:
            pass
        finally:
            self._lock.acquire()
            if not woken and self._waiting:
                self._waiting -= 1

    def _ring(self, waiting: int) -> None:
        """Wake so many. Without the lock: they want it at once."""
        for _ in range(waiting):
            self._bell.put(None)

    def _tell_room(self) -> None:
        if self._room_wanted is not None:
            with self._lock:
                room_wanted, self._room_wanted = self._room_wanted, None
            if room_wanted is not None:
                room_wanted()

    # The dispatch thread.

    def _dispatch(self) -> None:
        # Of the newest of each code there may be a newer one at any moment: one at a time.
        chunk = 1 if self.overflow is OverflowPolicy.LATEST else _CHUNK
        # First what a thread before this one, which died, had not delivered yet.
        while length_hint(self._pending) or self._take_pending(chunk):
            for event in self._pending:
                if self._discarding:
                    self._drop_rest(event)
                    return
                call = self._call
                try:
                    call(event)
                except BaseException as error:
                    self._failures.tell(call, event, error)

    def _drop_rest(self, event: E) -> None:
        with self._lock:
            rest = [event, *self._pending]
            self._taken -= len(rest)
            self._drops.add(rest)
            self._drops.add(self._queue.take(len(self._queue)))
        self.tell_drops(now=True)

    def _call_each(self, event: E) -> None:
        for callback in self._callbacks:
            try:
                callback(event)
            except BaseException as error:
                self._failures.tell(callback, event, error)
