"""A gate in front of a simulator: it spoils the first connections, and lets the others through."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from urllib.parse import urlsplit

__all__ = ["Gate", "answer", "cut", "reset"]

#: What is done to a connection that is not let through.
Spoiler = Callable[[socket.socket], None]


def reset(client: socket.socket) -> None:
    """An RST as soon as TCP stands: in TLS, or before the upgrade."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def cut(client: socket.socket) -> None:
    """An end without a word, in the middle of the upgrade."""
    client.recv(65536)
    client.sendall(b"HTTP/1.1 101 Swit")


def answer(status: int, **headers: str) -> Spoiler:
    """An HTTP answer of another kind."""

    def spoil(client: socket.socket) -> None:
        client.recv(65536)
        lines = [f"HTTP/1.1 {status} Whatever", "Content-Length: 0"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        client.sendall("\r\n".join([*lines, "", ""]).encode())

    return spoil


class Gate:
    """A context manager. ``times`` are the moments (of ``time.monotonic()``) at which someone
    connected.
    """

    def __init__(self, behind: str, spoilers: Sequence[Spoiler]) -> None:
        parts = urlsplit(behind)
        self._behind = (parts.hostname or "", parts.port or 0)
        self._spoilers = list(spoilers)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = parts._replace(netloc=f"127.0.0.1:{self._listener.getsockname()[1]}").geturl()
        self.times: list[float] = []
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Gate:
        self._start(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        for client in self._clients():
            self.times.append(time.monotonic())
            if self._spoilers:
                with client, contextlib.suppress(OSError):
                    client.settimeout(5)
                    self._spoilers.pop(0)(client)
            else:
                server = socket.create_connection(self._behind)
                self._open += [client, server]
                self._start(self._pump, client, server)
                self._start(self._pump, server, client)

    def _clients(self) -> Iterator[socket.socket]:
        with contextlib.suppress(OSError):
            while True:
                yield self._listener.accept()[0]

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)
