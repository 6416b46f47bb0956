"""The server: an upgrade, then frames that were made before. A process and a core of its own."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import select
import socket
import ssl
import sys
import time
from collections.abc import Iterator
from itertools import count, cycle, islice

import msgspec
import trustme

from benchmarks.frames import STAMP, payloads
from benchmarks.job import Job
from upbit_stream.simulator.frames import frame

__all__ = ["serve", "upgrade"]

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
# The first bytes of frames.
_CLOSE, _PING, _PONG = 0x88, 0x89, 0x8A
_AT_ONCE = 512 * 1024  # bytes in one call of the system
# The id of a trade, in DEFAULT or SIMPLE.
_ID = re.compile(rb'("sequential_id":|"sid":)(\d+)')


def serve(authority: str) -> None:
    """Serve one client for each job that is a line of standard input. Its port is the first line
    of standard output; the certificate to trust is written to the file ``authority``.
    """
    ca = trustme.CA()
    ca.cert_pem.write_to_path(authority)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        for line in sys.stdin:
            job = msgspec.json.decode(line, type=Job)
            frames = [frame(one) for one in payloads(job.kind, job.wire_format, job.codes)]
            ids = _ids(frames[0])
            print("ready", flush=True)
            client = listener.accept()[0]
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if job.tls:
                client = context.wrap_socket(client, server_side=True)
            with client:
                try:
                    upgrade(client)
                    hearing = _Hearing(client)
                    hearing.wait()  # for the request
                    if job.rate:
                        _send_paced(client, hearing, job)
                    else:
                        _send_all(client, hearing, frames, job.messages, ids)
                    while True:
                        hearing.wait()  # until it leaves
                except OSError:
                    pass  # it has left


def _ids(first: bytes) -> Iterator[int] | None:
    """Rising ids for trades, from that of the ``first`` frame; None for everything else."""
    found = _ID.search(first)
    return None if found is None else count(int(found[2]))


def _send_all(
    client: socket.socket,
    hearing: _Hearing,
    frames: list[bytes],
    messages: int,
    ids: Iterator[int] | None,
) -> None:
    """As fast as they are taken; trades with ``ids``, for one that comes again is no trade."""
    size = sum(map(len, frames)) // len(frames)
    if ids is not None:
        frames = [_ID.sub(rb"\1%d", one.replace(b"%", b"%%")) for one in frames]
    endless = cycle(frames)
    # The chunks begin at different frames, so each is made once and sent again and again.
    number = max(1, _AT_ONCE // size // len(frames)) * len(frames)
    chunk = b"".join(islice(endless, number))
    for _ in range(messages // number):
        client.sendall(chunk if ids is None else chunk % tuple(islice(ids, number)))
        hearing.answer()
    left = messages % number
    chunk = b"".join(islice(endless, left))
    client.sendall(chunk if ids is None else chunk % tuple(islice(ids, left)))


def _send_paced(client: socket.socket, hearing: _Hearing, job: Job) -> None:
    """Each message (or burst) at its time, to the microsecond: the core is the server's own."""
    name = b'"trade_timestamp":' if job.wire_format == "DEFAULT" else b'"ttms":'
    parts = []
    for payload in payloads(job.kind, job.wire_format, job.codes):
        before, after = re.split(name + rb"\d+", payload)
        whole = frame(before + name + STAMP + after)
        parts.append(whole.split(STAMP))
    endless = cycle(parts)
    began = time.time_ns()
    gap = 1_000_000_000 * job.burst // job.rate
    for number in range(job.messages // job.burst):
        due = began + number * gap
        if (left := due - time.time_ns()) > 1_000_000:
            time.sleep((left - 500_000) / 1e9)
        while (now := time.time_ns()) < due:
            pass
        stamp = b"%d" % now
        client.sendall(b"".join(a + stamp + b for a, b in islice(endless, job.burst)))
        if number % job.rate == 0:  # once a second, or more often
            hearing.answer()


class _Hearing:
    """What a client says: its pings are answered, or it would be right to call the connection
    dead.
    """

    def __init__(self, client: socket.socket) -> None:
        self._client = client
        self._unread = b""

    def answer(self) -> None:
        """Hear what was said until now. Raises ``ConnectionResetError`` when it has left."""
        while select.select([self._client], [], [], 0)[0]:
            self.wait()

    def wait(self) -> None:
        """Wait until it says something, and hear that."""
        said = self._client.recv(1 << 16)
        if not said:
            raise ConnectionResetError("the client has left")
        self._unread += said
        # First byte, length and mask bit, mask, payload; short frames are all that matter.
        while len(self._unread) >= 6:
            first, length = self._unread[0], self._unread[1] & 0x7F
            if length == 126:
                length = int.from_bytes(self._unread[2:4], "big") + 2
            if len(self._unread) < 6 + length:
                return
            mask, payload = self._unread[2:6], self._unread[6 : 6 + length]
            self._unread = self._unread[6 + length :]
            if first == _CLOSE:
                raise ConnectionResetError("the client has left")
            if first == _PING:
                plain = bytes(one ^ mask[place % 4] for place, one in enumerate(payload))
                self._client.sendall(bytes((_PONG, len(plain))) + plain)


def upgrade(client: socket.socket) -> None:
    """Accept the WebSocket that a client asks for, whatever it asks."""
    head = b""
    while b"\r\n\r\n" not in head:
        head += client.recv(4096)
    key = re.search(rb"(?i)sec-websocket-key: *(\S+)", head)
    assert key is not None
    accept = base64.b64encode(hashlib.sha1(key[1] + _GUID).digest())
    client.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )


if __name__ == "__main__":
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    serve(sys.argv[1])
