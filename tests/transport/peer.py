"""A raw WebSocket server for one test: says any bytes, and shows what the client said."""

from __future__ import annotations

import base64
import hashlib
import os
import queue
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType

PATIENCE = 5.0
"""Seconds that anything in these tests may take before it counts as not happening."""

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, width: int | None = None
) -> bytes:
    """A server's frame. `width`: 7, 16 or 64 bits of length, else the fewest that do."""
    first = bytes([(0x80 if fin else 0) | opcode])
    size = len(payload)
    if width is None:
        width = 7 if size < 126 else 16 if size < 1 << 16 else 64
    if width == 7:
        return first + bytes([size]) + payload
    if width == 16:
        return first + b"\x7e" + struct.pack(">H", size) + payload
    return first + b"\x7f" + struct.pack(">Q", size) + payload


def close_frame(code: int, reason: bytes = b"") -> bytes:
    return frame(CLOSE, struct.pack(">H", code) + reason)


class Connection:
    """One accepted connection, as the server has it."""

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(PATIENCE)
        self.sock = sock
        self.request = ""

    def read_request(self) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = self.sock.recv(1)
            assert byte, "the client went away in the middle of its request"
            head += byte
        self.request = head.decode()

    @property
    def headers(self) -> dict[str, str]:
        lines = self.request.split("\r\n")[1:]
        pairs = (line.split(": ", 1) for line in lines if line)
        return {name.lower(): value for name, value in pairs}

    def accept_upgrade(self, then: bytes = b"", headers: str = "") -> None:
        """Answer 101, and `then` in the same breath (in the same TLS record too)."""
        key = self.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        head = (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept}\r\n{headers}\r\n"
        )
        self.sock.sendall(head.encode() + then)

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self.sock.recv(size - len(data))
            assert more, "the client's stream ended"
            data += more
        return data

    def read_frame(self) -> tuple[int, bytes]:
        """The client's next frame: opcode and payload. It must be whole and masked."""
        first, second = self.read(2)
        assert first & 0xF0 == 0x80, "fragmented, or a reserved bit"
        assert second & 0x80, "a client's frame must be masked"
        size = second & 0x7F
        if size == 126:
            (size,) = struct.unpack(">H", self.read(2))
        elif size == 127:
            (size,) = struct.unpack(">Q", self.read(8))
        mask = self.read(4)
        payload = self.read(size)
        return first & 0x0F, bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))

    def read_close(self) -> tuple[int | None, str]:
        """The client's close frame, which must be next: code and reason."""
        opcode, payload = self.read_frame()
        assert opcode == CLOSE
        if not payload:
            return None, ""
        return struct.unpack(">H", payload[:2])[0], payload[2:].decode()

    def at_end(self) -> bool:
        """Whether the client has closed and said nothing before it."""
        try:
            return self.sock.recv(1) == b""
        except ConnectionError:
            return True

    def close(self) -> None:
        self.sock.close()

    def reset(self) -> None:
        """Close with RST."""
        linger = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.sock.close()


Answer = Callable[[Connection], None]


def upgrade(connection: Connection) -> None:
    connection.read_request()
    connection.accept_upgrade()


def respond(response: str, *, hang_up: bool = False) -> Answer:
    """An answer that is no upgrade."""

    def answer(connection: Connection) -> None:
        connection.read_request()
        connection.send(response.encode())
        if hang_up:
            connection.close()

    return answer


def stall(connection: Connection) -> None:
    """Take the first byte of what the client says, and say nothing."""
    connection.read(1)


class Peer:
    """A server on 127.0.0.1. A thread accepts and gives the `answer`; the test does the rest."""

    def __init__(self, answer: Answer = upgrade, context: ssl.SSLContext | None = None) -> None:
        self.answer = answer
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'wss' if context else 'ws'}://127.0.0.1:{self.port}/websocket/v1"
        self._answered: queue.Queue[Connection] = queue.Queue()
        self._sockets: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, name="peer", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.settimeout(PATIENCE)
            try:
                if self._context is not None:
                    sock = self._context.wrap_socket(sock, server_side=True)
                self._sockets.append(sock)
                connection = Connection(sock)
                self.answer(connection)
            except (OSError, AssertionError):
                sock.close()  # the client did not want it; its side is what the test looks at
            else:
                self._answered.put(connection)

    def connection(self) -> Connection:
        """The next connection that has had its answer."""
        return self._answered.get(timeout=PATIENCE)

    @property
    def was_called(self) -> bool:
        return bool(self._sockets)

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept() where close() does not
        self._listener.close()
        for sock in self._sockets:
            sock.close()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def __enter__(self) -> Peer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
