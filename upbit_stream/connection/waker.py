"""How other threads wake an I/O thread that waits for its socket."""

from __future__ import annotations

import selectors
import socket
import threading
from contextlib import suppress

__all__ = ["Waker"]


class Waker:
    """A selector that any thread can wake.

    Everything but :meth:`wake` belongs to the I/O thread. ``wake`` waits for nothing that takes
    time, so it may be called from a finalizer.
    """

    def __init__(self) -> None:
        # A pair of sockets, not a pipe: on Windows only sockets can be selected.
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._reader, selectors.EVENT_READ)
        # Lest wake() writes to a descriptor that close() has just given back to the system. One
        # that can be taken again, for a finalizer may call wake() in the middle of wake().
        self._writing = threading.RLock()

    def wake(self) -> None:
        """End the present :meth:`wait`, or the next one."""
        # BlockingIOError: enough wake-ups are under way. OSError: already closed.
        with self._writing, suppress(OSError):
            self._writer.send(b"\0")

    def watch(self, sock: socket.socket) -> None:
        """Wait for this socket, too."""
        self._selector.register(sock, selectors.EVENT_READ)

    def unwatch(self, sock: socket.socket) -> None:
        """Wait for this socket no more. To be called before it is closed."""
        self._selector.unregister(sock)

    def clear(self) -> None:
        """Wait for no socket any more, also for those that were closed."""
        for key in list(self._selector.get_map().values()):
            if key.fileobj is not self._reader:
                self._selector.unregister(key.fileobj)

    def wait(self, timeout: float) -> bool:
        """Wait for a watched socket or a wake-up, ``timeout`` seconds at most; whether a socket
        can be read.
        """
        readable = False
        for chosen, _ in self._selector.select(max(0.0, timeout)):
            if chosen.fileobj is self._reader:
                with suppress(BlockingIOError):
                    while len(self._reader.recv(4096)) == 4096:
                        pass
            else:
                readable = True
        return readable

    def close(self) -> None:
        """Free the descriptors."""
        self._selector.close()
        self._reader.close()
        with self._writing:
            self._writer.close()

    def disown(self) -> None:
        """In the child of a fork: free this process's copies. Nothing is unregistered, for the
        parent waits with the same epoll instance.
        """
        self._writing = threading.RLock()
        self.close()
