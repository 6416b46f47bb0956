"""An HTTP server for metrics, which ends with its stream."""

from __future__ import annotations

import io
import logging
import socket
import socketserver
import sys
import time
from contextlib import suppress
from http.server import HTTPServer
from typing import Any

from prometheus_client import CollectorRegistry, MetricsHandler

from upbit_stream.workers import Worker, numbered

__all__ = ["MetricsServer"]

_log = logging.getLogger("upbit_stream")

# Seconds between two looks whether it is to end.
_LOOK = 0.2
# Seconds in which a client must have sent its request, and taken the answer. One is served at a
# time, so that there is one thread, and no client can make more of them.
_PATIENCE = 2.0


class MetricsServer:
    """Answers every GET with what ``registry`` has. Bound when it is made; raises ``OSError`` where
    that cannot be.
    """

    def __init__(self, registry: CollectorRegistry, addr: str, port: int) -> None:
        handler = type("Handler", (_InTime, MetricsHandler.factory(registry)), {})
        self._server = _Server(addr, port, handler)
        self.worker = Worker(numbered("upbit-metrics"), self._serve)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.server_address[1])

    def end(self) -> None:
        """See :class:`~upbit_stream.companions.Companion`."""
        self._server.end()

    def disown(self) -> None:
        """See :class:`~upbit_stream.companions.Companion`."""
        self._server.server_close()

    def _serve(self) -> None:
        self._server.timeout = _LOOK
        with self._server:
            while not self._server.ending:
                self._server.handle_request()


class _InTime(socketserver.StreamRequestHandler):
    """Gives a client its time for the whole request, however it drips."""

    # For the answer. (What is sent in one go has it as a whole.)
    timeout = _PATIENCE

    def setup(self) -> None:
        super().setup()
        self.rfile.close()
        self.rfile = io.BufferedReader(_Sent(self.connection, time.monotonic() + _PATIENCE))


class _Sent(io.RawIOBase):
    """What a client sends until then (of ``time.monotonic()``)."""

    def __init__(self, client: socket.socket, until: float) -> None:
        self._client = client
        self._until = until

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the request takes too long")
        self._client.settimeout(left)
        try:
            return self._client.recv_into(buffer)
        finally:
            self._client.settimeout(_PATIENCE)


class _Server(HTTPServer):
    def __init__(self, addr: str, port: int, handler: Any) -> None:
        if ":" in addr:
            self.address_family = socket.AF_INET6
        # Whoever ends it writes the first and reads the second, the thread that serves the other
        # way round: so one of them hangs up, whichever comes first.
        self.ending = False
        self._client: socket.socket | None = None
        super().__init__((addr, port), handler)

    def server_bind(self) -> None:
        # Not HTTPServer's: that one asks the DNS for its own name.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        self._client = request
        try:
            if self.ending:
                self.shutdown_request(request)
            else:
                super().process_request(request, client_address)
        finally:
            self._client = None

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that went away, or was too slow, is no matter of ours.
        if not isinstance(sys.exc_info()[1], OSError):
            _log.exception("a bug of this package: metrics could not be told (please report it)")

    def end(self) -> None:
        """Serve nobody any more, also not the client that is being served. For any thread."""
        self.ending = True
        client = self._client
        if client is not None:
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
