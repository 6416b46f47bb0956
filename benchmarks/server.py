"""The server: an upgrade, then frames as fast as the other side takes them."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import socket
import sys

from benchmarks.frames import CODES, encode_round

__all__ = ["serve"]

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
# Rounds of all codes in one call of the system.
_ROUNDS_AT_ONCE = 5


def serve(core: int | None, messages: int) -> None:
    """Serve one client after the other: ``messages`` (in whole rounds of all codes) for each,
    after its request. The port is written to standard output. Until standard input ends.
    """
    if core is not None:
        os.sched_setaffinity(0, {core})
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    for line in sys.stdin:
        chunk = encode_round(line.strip() == "SIMPLE") * _ROUNDS_AT_ONCE
        client, _ = listener.accept()
        with client:
            _upgrade(client)
            client.recv(1 << 16)  # the request
            for _ in range(messages // (len(CODES) * _ROUNDS_AT_ONCE)):
                client.sendall(chunk)
            # Whatever it says, until it leaves.
            try:
                while client.recv(1 << 16):
                    pass
            except ConnectionError:
                pass


def _upgrade(client: socket.socket) -> None:
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
