"""The threads of the package: each has a name, an owner and an end.

Every thread that a stream starts is a :class:`Worker`, so that clean closing is a property of
one class. (The simulator, which is a program of its own, has its own thread.)
"""

from __future__ import annotations

import atexit
import gc
import itertools
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Protocol

__all__ = ["LOOK_AROUND", "Worker", "at_the_very_end", "join_all", "numbered"]

_log = logging.getLogger("upbit_stream")
#: The longest that a wait lasts before it looks around, in seconds: on Windows a lock cannot be
#: interrupted by Ctrl-C, and a wake-up that was missed must not be the end.
LOOK_AROUND = 0.5
# Seconds for a thread whose function has returned to be gone from the system.
_LAST_STEPS = 1.0

# A counter for each prefix. Both steps of numbered() are atomic, so there is no lock.
_counters: dict[str, itertools.count[int]] = {}


def numbered(prefix: str) -> str:
    """``prefix`` with a number: ``upbit-io-public-1``, then ``upbit-io-public-2`` …"""
    return f"{prefix}-{next(_counters.setdefault(prefix, itertools.count(1)))}"


class _Joined(Protocol):
    def join(self, deadline: float) -> bool: ...


def join_all(those: Iterable[_Joined], deadline: float) -> bool:
    """Join each of them, also after one that did not end in time; whether all of them ended."""
    ended = [one.join(deadline) for one in those]
    return all(ended)


# What at_the_very_end() was given.
_last: list[Callable[[], None]] = []


def at_the_very_end(function: Callable[[], None]) -> None:
    """Call ``function`` at the end of the process, when every stream has been closed.

    What is registered last is called first, and this room is imported before those that close.
    """
    _last.append(function)


@atexit.register
def _end() -> None:
    for function in _last:
        function()


class Worker:
    """A named thread that runs one function and can be waited for.

    The thread is a daemon: a callback that never returns must not keep a script from ending.
    Clean ends come from the owner, who tells the function to return and then joins.
    """

    def __init__(self, name: str, target: Callable[[], None]) -> None:
        self._target = target
        # Not Thread.join() alone: CPython takes a thread for ended when Ctrl-C interrupts a join.
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def name(self) -> str:
        """The thread's name, as debuggers and ``threading.enumerate()`` show it."""
        return self._thread.name

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.ident is not None and not self._ended.is_set()

    @property
    def stack(self) -> FrameType | None:
        """Where the thread is; None where it does not run. For rare use: it stops the garbage
        collector meanwhile.
        """
        ident = self._thread.ident
        # Before Python 3.12 a collection inside of this call can lock up the whole process
        # (python/cpython issue 106883).
        collects = gc.isenabled()
        gc.disable()
        try:
            return None if ident is None else sys._current_frames().get(ident)
        finally:
            if collects:
                gc.enable()

    @property
    def is_current(self) -> bool:
        """Whether the caller is this very thread, which therefore cannot wait for itself."""
        return self._thread is threading.current_thread()

    def start(self) -> None:
        """Start the thread; once."""
        self._thread.start()

    def join(self, deadline: float) -> bool:
        """Wait until ``deadline`` (of ``time.monotonic()``); whether the thread has ended.

        A thread that was never started counts as ended, and so does the caller's own: it ends
        when the caller returns.
        """
        if self._thread.ident is not None and not self.is_current:
            left = max(0.0, deadline - time.monotonic())
            if not self._ended.wait(min(left, threading.TIMEOUT_MAX)):
                return False
            # What is left of it takes no time.
            self._thread.join(_LAST_STEPS)
        return True

    def _run(self) -> None:
        try:
            self._target()
        except BaseException:
            # The targets handle what they expect; this is a bug, and it must be seen.
            _log.critical(
                "a bug of this package ended the thread %s; please report it with this traceback",
                self.name,
                exc_info=True,
            )
        finally:
            self._ended.set()
