"""Making a connection without being held up by it.

Looking up a name, TCP and TLS block, and nothing can interrupt them from outside. So an attempt
has a thread of its own, and the I/O thread waits for it, can be woken, and keeps the deadline.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from upbit_stream.transport import BulkWebSocket
from upbit_stream.workers import Worker

__all__ = ["Opening"]


class Opening:
    """One attempt to open a WebSocket.

    ``open_socket`` does it; it is given a function to hand over the object before it connects.
    ``when_done`` is called at the end, on the attempt's thread.
    """

    def __init__(
        self,
        name: str,
        open_socket: Callable[[Callable[[BulkWebSocket], None]], BulkWebSocket],
        when_done: Callable[[], None],
    ) -> None:
        self._open = open_socket
        self._when_done = when_done
        # Guards the fields below. Not held while connecting.
        self._lock = threading.Lock()
        self._under_way: BulkWebSocket | None = None
        self._opened: BulkWebSocket | None = None
        self._error: Exception | None = None
        self._done = False
        self._abandoned = False
        self.worker = Worker(name, self._run)

    @property
    def done(self) -> bool:
        """Whether the attempt has ended, one way or the other."""
        return self._done

    def result(self) -> BulkWebSocket:
        """The open socket of an attempt that is done; raises what the attempt raised."""
        with self._lock:
            if self._error is not None:
                raise self._error
            assert self._opened is not None
            return self._opened

    def abandon(self) -> None:
        """Want the attempt no more: it is interrupted where that is possible, and whatever it
        still brings is closed by its own thread.
        """
        with self._lock:
            self._abandoned = True
            under_way, opened = self._under_way, self._opened
        if opened is not None:
            opened.shutdown()
        elif under_way is not None:
            under_way.abort()

    def _run(self) -> None:
        opened: BulkWebSocket | None = None
        error: Exception | None = None
        try:
            opened = self._open(self._created)
        except Exception as raised:
            error = raised
        with self._lock:
            self._opened, self._error = opened, error
            self._done = True
            abandoned = self._abandoned
        if abandoned and opened is not None:
            opened.shutdown()
        self._when_done()

    def _created(self, websocket: BulkWebSocket) -> None:
        with self._lock:
            self._under_way = websocket
            abandoned = self._abandoned
        if abandoned:
            websocket.abort()
