"""What the stream itself has to tell: state changes, errors, drops, gaps, health.

One thread for each stream calls the handlers, so that a slow one delays neither the socket nor
any event.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Collection
from enum import Enum
from queue import Empty, SimpleQueue
from typing import Any, TypeAlias

from upbit_stream.delivery.callbacks import SelfShowing, callback_name, original
from upbit_stream.delivery.checking import check_handler
from upbit_stream.delivery.output import OUTPUT_LOST, is_output_lost
from upbit_stream.telling import tell
from upbit_stream.workers import Worker, numbered

__all__ = ["NoticeBoard", "NoticeKind"]

_log = logging.getLogger("upbit_stream")

Handler: TypeAlias = Callable[[Any], object]

#: Notices that wait for a handler that is stuck; beyond it the newest are logged and let go.
_BACKLOG = 10_000


class NoticeKind(str, Enum):
    """What a handler registered for."""

    STATE = "state"
    ERROR = "error"
    DROP = "drop"
    HEALTH = "health"
    GAP = "gap"


class NoticeBoard:
    """Registers handlers and calls them, each notice in the order in which it was posted."""

    def __init__(self) -> None:
        # Guards _handlers, _worker and _ended; never held while a handler runs.
        self._lock = threading.Lock()
        self._handlers: dict[NoticeKind, tuple[Handler, ...]] = {}
        self._worker: Worker | None = None
        self._ended = False
        # Whether that was logged. The dispatch thread's.
        self._output_lost = False
        # A SimpleQueue because its put() may be called from a finalizer, at any moment, even
        # inside another put() on the same thread. None is the end.
        self._queue: SimpleQueue[tuple[NoticeKind, Any] | None] = SimpleQueue()
        # What found no room there. Any thread adds to it, and any takes out of it to log it.
        self._untold: deque[tuple[NoticeKind, Any]] = deque()

    def register(
        self, kind: NoticeKind, handler: Handler, *, instead_of: Collection[object] = ()
    ) -> None:
        """Call ``handler`` with every notice of that kind from now on, and none of those any more
        that it is ``instead_of``. ``TypeError`` for what cannot be called so.
        """
        check_handler(original(handler), kind.value)
        with self._lock:
            kept = (one for one in self._handlers.get(kind, ()) if one not in instead_of)
            self._handlers[kind] = (*kept, handler)
            if self._worker is None and not self._ended:
                worker = Worker(numbered("upbit-dispatch-notices"), self._dispatch)
                worker.start()
                self._worker = worker

    def post(self, kind: NoticeKind, notice: Any) -> None:
        """Have the handlers of ``kind`` called with ``notice``; returns at once. Not for who holds
        a lock: what they cannot be told is logged.
        """
        self.post_silently(kind, notice)
        self.tell_untold()

    def post_silently(self, kind: NoticeKind, notice: Any) -> None:
        """The same for who holds a lock: what they cannot be told waits for :meth:`tell_untold`."""
        if kind not in self._handlers:
            return
        if self._queue.qsize() >= _BACKLOG:
            self._untold.append((kind, notice))
            return
        self._queue.put((kind, notice))

    def tell_untold(self) -> None:
        """Log what the handlers could not be told."""
        untold = self._untold
        while untold:
            try:
                kind, notice = untold.popleft()
            except IndexError:  # another thread was quicker
                return
            tell(
                logging.WARNING,
                "an on_%s handler does not return; give its waits a time limit. It was not "
                "told: %s",
                kind.value,
                str(notice).partition("\n")[0],
            )

    def handlers(self, kind: NoticeKind) -> tuple[Handler, ...]:
        """Those of that kind, in the order in which they are called."""
        return self._handlers.get(kind, ())

    def wanted(self, kind: NoticeKind) -> bool:
        """Whether anyone has registered for that kind."""
        return kind in self._handlers

    def revive(self) -> None:
        """Have a thread again, if the one there was has died."""
        with self._lock:
            if self._worker is not None and not self._worker.alive and not self._ended:
                self._worker = Worker(numbered("upbit-dispatch-notices"), self._dispatch)
                self._worker.start()

    def end(self) -> None:
        """Call the handlers with what was posted before, then no more. Safe in a finalizer."""
        self._ended = True
        self._queue.put(None)

    def discard(self) -> None:
        """Let go of what the handlers have not been told yet."""
        try:
            while True:
                self._queue.get_nowait()
        except Empty:
            self._queue.put(None)

    def disown(self) -> None:
        """In the child of a fork, where the thread does not exist: have ended."""
        self._lock, self._queue, self._untold = threading.Lock(), SimpleQueue(), deque()
        self._worker, self._ended = None, True

    @property
    def worker(self) -> Worker | None:
        """The thread, once there is a handler."""
        return self._worker

    def _dispatch(self) -> None:
        while (item := self._queue.get()) is not None:
            kind, notice = item
            for handler in self.handlers(kind):
                try:
                    handler(notice)
                except BaseException as error:
                    self._tell(kind, handler, error)

    def _tell(self, kind: NoticeKind, handler: Handler, error: BaseException) -> None:
        # Telling on_error of a failing on_error would never end.
        raised = f"the on_{kind.value} handler {callback_name(handler)} raised"
        headline = f"{raised}; it is called again, mend it by the traceback"
        if isinstance(handler, SelfShowing):
            handler.show(headline, error)
        elif not is_output_lost(error):
            _log.error(headline, exc_info=error)
        elif not self._output_lost:
            self._output_lost = True
            _log.error("%s: %s", raised, OUTPUT_LOST)
