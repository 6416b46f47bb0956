"""Calls under way: a read has a time limit of its own, but not a server that drips its headers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    import urllib3

__all__ = ["Underway"]


class _Call(msgspec.Struct, eq=False):
    until: float
    socket: socket.socket | None = None

    def cut(self) -> None:
        """Have whoever reads find the end. Closing would be for the thread that reads."""
        if self.socket is not None:
            with suppress(OSError):  # it may have ended by itself
                # Not that of a TLS socket, which would change what the other thread works with.
                socket.socket.shutdown(self.socket, socket.SHUT_RDWR)


class Underway:
    """Those of one client, one for each thread. Any thread may cut them off."""

    def __init__(self) -> None:
        # Guards the fields below it.
        self._lock = threading.Lock()
        self._calls: dict[int, _Call] = {}
        self._ended = False

    @contextmanager
    def call(self, until: float) -> Iterator[None]:
        """This thread makes a call, which is to be over by ``until`` (of ``time.monotonic()``)."""
        me = threading.get_ident()
        with self._lock:
            self._calls[me] = _Call(until)
        try:
            yield
        finally:
            with self._lock:
                self._calls.pop(me, None)

    def _sent(self, over: socket.socket | None) -> None:
        with self._lock:
            call = self._calls.get(threading.get_ident())
            if call is not None:
                call.socket = over
                if self._ended:
                    call.cut()

    def look(self, now: float) -> None:
        """Cut off what takes too long."""
        with self._lock:
            for call in self._calls.values():
                if now >= call.until:
                    call.cut()

    def end(self) -> None:
        """Cut off all of them, those to come included."""
        with self._lock:
            self._ended = True
            for call in self._calls.values():
                call.cut()

    def follow(self, manager: urllib3.PoolManager) -> urllib3.PoolManager:
        """Have the connections of ``manager`` say which socket a call goes over."""
        import urllib3

        sent = self._sent

        class Plain(urllib3.connection.HTTPConnection):
            def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]
                sent(self.sock)
                return super().getresponse()

        class Secure(urllib3.connection.HTTPSConnection):
            def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]
                sent(self.sock)
                return super().getresponse()

        class PlainPool(urllib3.HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(urllib3.HTTPSConnectionPool):
            ConnectionCls = Secure

        manager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}
        return manager
