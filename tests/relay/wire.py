"""The way to a broker, where the network's faults happen."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType

from tests.relay.servers import Broker

__all__ = ["Wire"]


class Wire:
    """Passes everything on to a broker, until it is cut or slow; a context manager."""

    def __init__(self, broker: Broker) -> None:
        self._behind = ("127.0.0.1", broker.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        self.url = broker.url.replace(str(broker.port), str(port))
        #: Seconds that every piece takes, each way.
        self.delay = 0.0
        self._open = threading.Event()
        self._open.set()
        self._ending = threading.Event()
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]

    def cut(self) -> None:
        """Nothing comes through, and nobody is told."""
        self._open.clear()

    def mend(self) -> None:
        """Those who connect from now on come through; what was before is gone."""
        self._drop()
        self._open.set()

    def __enter__(self) -> Wire:
        self._threads[0].start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ending.set()
        self._open.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join(20)
        self._drop()
        for thread in self._threads:
            thread.join(20)
        self._listener.close()

    def _drop(self) -> None:
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                try:
                    far = socket.create_connection(self._behind)
                except OSError:
                    near.close()
                    continue
                self._sockets += (near, far)
                for pair in ((near, far), (far, near)):
                    thread = threading.Thread(target=self._pass_on, args=pair)
                    self._threads.append(thread)
                    thread.start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self._ending.wait(self.delay)
                while not self._open.wait(0.1):
                    pass
                target.sendall(data)
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
