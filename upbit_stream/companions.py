"""What runs beside a stream and ends with it: its plots, its metrics, look-ups."""

from __future__ import annotations

import threading
from typing import Protocol

from upbit_stream.errors import StreamClosedError
from upbit_stream.workers import Worker

__all__ = ["Companion", "Companions"]


class Companion(Protocol):
    """Something with a thread, which ends with the stream if not before."""

    @property
    def worker(self) -> Worker: ...

    def end(self) -> None:
        """Have the thread end soon; returns at once."""
        ...

    def disown(self) -> None:
        """In the child of a fork, where the thread does not exist."""
        ...


class Companions:
    """Those of one stream. Thread-safe."""

    def __init__(self) -> None:
        # Guards the fields below it.
        self._lock = threading.Lock()
        self._those: tuple[Companion, ...] = ()
        self._ended = False

    def start(self, companion: Companion) -> None:
        """Start its thread, and end it with the stream.

        Raises :class:`StreamClosedError` when that is closed already.
        """
        with self._lock:
            if self._ended:
                raise StreamClosedError("this stream is closed; make a new UpbitStream")
            self._those = (*(one for one in self._those if one.worker.alive), companion)
            companion.worker.start()

    def end(self) -> None:
        """Have all of them end; returns at once."""
        with self._lock:
            self._ended = True
        for one in self._those:
            one.end()

    def disown(self) -> None:
        """In the child of a fork: have ended."""
        self._lock = threading.Lock()
        for one in self._those:
            one.disown()
        self._those, self._ended = (), True

    @property
    def workers(self) -> list[Worker]:
        """Their threads."""
        return [one.worker for one in self._those]
