"""Ctrl-C as a wish that the command looks at, instead of an exception out of nowhere.

A ``KeyboardInterrupt`` may be raised between any two instructions: inside the drawing of the
table, inside a lock of the stream, twice in a row (some launchers pass on the signal that the
terminal has already sent). A flag that is looked at ten times a second cannot hit a bad moment.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from time import monotonic
from types import FrameType

__all__ = ["Interrupt"]

# How the terminal, the system and (on Windows) Ctrl-Break ask a program to end.
_SIGNALS = ("SIGINT", "SIGTERM", "SIGBREAK")

# The longest single wait: Windows does not interrupt a waiting thread for a signal.
_LOOK_AROUND = 0.2


class Interrupt:
    """Whether the program was asked to end. For the main thread, where Python runs handlers."""

    def __init__(self) -> None:
        self._asked = False
        self._writing = False
        # Wakes wait(). Of all queues and events only this one may be used inside a signal
        # handler: its put() takes no lock that the interrupted code might be holding.
        self._wake: SimpleQueue[None] = SimpleQueue()

    @property
    def asked(self) -> bool:
        """Whether the program is to end."""
        return self._asked

    def install(self) -> None:
        """Receive the signals from now on."""
        for name in _SIGNALS:
            number = getattr(signal, name, None)
            # Ignored on purpose (nohup, a background job of a script): stays ignored.
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._on_signal)

    def retire(self) -> None:
        """Ignore the signals to the end of the process, which is near. While Python shuts down
        they would be deadly again, and the exit code that of a process that was killed.
        """
        for name in _SIGNALS:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) == self._on_signal:
                signal.signal(number, signal.SIG_IGN)

    def wait(self, seconds: float | None) -> bool:
        """Wait until the program is asked to end; False when ``seconds`` have passed first."""
        deadline = None if seconds is None else monotonic() + seconds
        while not self._asked:
            wait = _LOOK_AROUND
            if deadline is not None:
                wait = min(wait, deadline - monotonic())
                if wait <= 0:
                    return False
            try:
                self._wake.get(timeout=wait)
            except Empty:
                continue
        return True

    @contextmanager
    def breaks_into_writing(self) -> Iterator[None]:
        """Around a write that may block for ever, because the reader of the pipe has stopped.

        The first Ctrl-C lets the write finish, so that a reader never sees half a line; the
        second one raises ``KeyboardInterrupt`` out of it.
        """
        self._writing = True
        try:
            yield
        finally:
            self._writing = False

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._asked and self._writing:
            raise KeyboardInterrupt
        self._asked = True
        self._wake.put(None)
