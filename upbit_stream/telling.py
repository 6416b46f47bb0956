"""Log handlers are somebody else's code: they run while no lock is held.

What is found out under a lock and is to be logged waits until the thread has given it back. So a
handler that takes its time holds up nobody but the thread that tells, and one that asks the stream
something does not wait for a lock that its own thread holds.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from types import TracebackType

__all__ = ["Quiet", "QuietLock", "tell"]

_log = logging.getLogger("upbit_stream")


class _Here(threading.local):
    """Of each thread: how often it is to be quiet at the moment, and what it has to say."""

    def __init__(self) -> None:
        self.quiet = 0
        self.untold: deque[Callable[[], None]] = deque()


_here = _Here()


def tell(level: int, message: str, *values: object) -> None:
    """Log ``message % values``; where this thread is to be quiet, at the end of that."""
    if not _log.isEnabledFor(level):
        return
    if _here.quiet:
        _here.untold.append(partial(_log.log, level, message, *values))
    else:
        _log.log(level, message, *values, stacklevel=2)  # in the name of the caller


class Quiet:
    """A context in which this thread tells nothing; it does at the end of the outermost one.

    For threads of the SDK: in the main one, Ctrl-C could come between the two lines of its start.
    """

    def __enter__(self) -> None:
        _here.quiet += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        here = _here
        here.quiet -= 1
        while here.untold and not here.quiet:
            here.untold.popleft()()


class QuietLock(Quiet):
    """A lock under which this thread is quiet. Not reentrant; not for the main thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        super().__enter__()
        self._lock.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._lock.release()
        super().__exit__(kind, error, traceback)
