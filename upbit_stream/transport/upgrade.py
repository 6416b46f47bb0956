"""The HTTP upgrade: the library's, with a deadline, without its cookies, and with every answer."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, cast

from websocket import WebSocketBadStatusException
from websocket._handshake import SUPPORTED_REDIRECT_STATUSES, handshake, handshake_response

LONGEST_BODY: Final = 64 * 1024
BODY_TIMEOUT: Final = 1.0

# Stands in the header for a value that only the wire is to see.
SEALED: Final = "<sealed>"


class HandshakeSocket:
    """A socket as the handshake sees it: every call gets only what is left of the whole time.

    The library reads the answer byte by byte, so that a timeout for each call would let a slow
    server take hundreds of them. When the time is over, the calls raise TimeoutError.

    What the header says is `SEALED` is written as `authorize()`, a secret.
    """

    def __init__(
        self,
        sock: socket.socket,
        deadline: float,
        authorize: Callable[[], str] | None = None,
    ) -> None:
        self._sock = sock
        self._deadline = deadline
        self._authorize = authorize

    def gettimeout(self) -> float:
        """The seconds left."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the handshake has used up its time")
        return left

    def do_handshake(self) -> None:
        """The TLS handshake, for a socket that has one to do."""
        if isinstance(self._sock, ssl.SSLSocket):
            self._sock.settimeout(self.gettimeout())
            self._sock.do_handshake()

    def send(self, data: bytes) -> int:
        """All of `data`: the library takes it for granted in the handshake."""
        self._sock.settimeout(self.gettimeout())
        self._sock.sendall(self._unsealed(data))
        return len(data)

    def _unsealed(self, data: bytes) -> bytes:
        # In no local variable, which a traceback could show.
        if self._authorize is None:
            return data
        return data.replace(SEALED.encode(), self._authorize().encode("ascii"), 1)

    def recv(self, size: int) -> bytes:
        """Up to `size` bytes, b"" at the end of the stream."""
        self._sock.settimeout(self.gettimeout())
        return self._sock.recv(size)

    def within(self, seconds: float) -> HandshakeSocket:
        """The same socket, with at most `seconds` left."""
        return HandshakeSocket(self._sock, min(self._deadline, time.monotonic() + seconds))


def upgrade(
    sock: HandshakeSocket, url: str, host: str, port: int, resource: str, options: dict[str, Any]
) -> handshake_response:
    """Turn the connection into a WebSocket.

    Raises WebSocketBadStatusException for every other answer, redirects included, with
    `status_code`, `resp_headers` (a dict, names in lower case) and `resp_body` (bytes, or None when
    there is none); other WebSocketExceptions for what is no proper answer.
    """
    # The library keeps servers' cookies in one jar for the whole process and looks into it by the
    # host. It is given none, and told what to write into `Host:` instead: a cookie of one
    # handshake is never sent in another.
    name = f"[{host}]" if ":" in host else host
    options = {**options, "host": name if port in (80, 443) else f"{name}:{port}"}
    try:
        response = handshake(cast(socket.socket, sock), url, "", port, resource, **options)
    except WebSocketBadStatusException as refusal:
        if refusal.resp_body is None:
            refusal.resp_body = unmeasured_body(sock, refusal.resp_headers or {})
        raise
    if response.status in SUPPORTED_REDIRECT_STATUSES:
        raise WebSocketBadStatusException(
            f"Handshake status {response.status}: redirects are not followed",
            response.status,
            None,
            response.headers,
        )
    return response


def unmeasured_body(sock: HandshakeSocket, headers: dict[str, str]) -> bytes | None:
    """The body of a refusal that came without Content-Length, which the library leaves unread.

    It may be the only place where the time of a ban stands. At most 64 KiB, and a second.
    """
    chunked = "chunked" in headers.get("transfer-encoding", "").lower()
    sock = sock.within(BODY_TIMEOUT)
    body = b""
    with suppress(OSError):  # what has come until then is better than nothing
        while len(body) < LONGEST_BODY and not (chunked and body.endswith(b"0\r\n\r\n")):
            data = sock.recv(LONGEST_BODY - len(body))
            if not data:
                break
            body += data
    return (unchunked(body) if chunked else body) or None


def unchunked(body: bytes) -> bytes:
    """The content of a chunked body (RFC 9112, section 7.1), as far as it came."""
    content = b""
    while body:
        line, _, body = body.partition(b"\r\n")
        try:
            size = int(line.partition(b";")[0], 16)
        except ValueError:
            break
        if size <= 0:
            break
        content += body[:size]
        body = body[size + len(b"\r\n") :]
    return content
