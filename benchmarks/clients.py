"""The clients that are compared. Each counts messages and tells how long that took."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable

import msgspec
import websocket

from benchmarks.frames import CODES
from upbit_stream import StreamConfig, Ticker, UpbitStream
from upbit_stream.protocol.variants import wire_variant

__all__ = ["CLIENTS"]

_REQUEST = '[{"ticket":"benchmark"},{"type":"ticker","codes":["KRW-BTC"]}]'


def _ours(port: int, wire_format: str, messages: int) -> float:
    """All of the SDK: socket, typed event, routing, queue, dispatch thread, callback."""
    config = StreamConfig(
        url=f"ws://127.0.0.1:{port}/websocket/v1",
        wire_format=wire_format,  # type: ignore[arg-type]
        queue_size=messages,
    )
    seen = 0
    began = 0.0
    done = threading.Event()

    def count(ticker: Ticker) -> None:
        nonlocal seen, began
        if not seen:
            began = time.perf_counter()
        seen += 1
        if seen == messages:
            done.set()

    with UpbitStream(config=config) as stream:
        subscription = stream.ticker(CODES, callback=count, snapshot=False)
        if not done.wait(120):
            raise TimeoutError(f"{seen} of {messages}: {subscription.stats}")
        return time.perf_counter() - began


def _limit(port: int, wire_format: str, messages: int) -> float:
    """The limit: ``recv_into`` and msgspec to the same types; no thread, no routing."""
    decode = msgspec.json.Decoder(wire_variant(Ticker, wire_format == "SIMPLE", False)).decode
    client = _dial(port)
    sock = client.sock
    assert sock is not None
    buffer = bytearray(1 << 18)
    view = memoryview(buffer)
    filled = seen = 0
    began = 0.0
    while seen < messages:
        received = sock.recv_into(view[filled:])
        assert received
        if not began:
            began = time.perf_counter()
        end, start = filled + received, 0
        while end - start >= 4:
            size = buffer[start + 2] << 8 | buffer[start + 3]
            if end - start < 4 + size:
                break
            decode(view[start + 4 : start + 4 + size])
            seen += 1
            start += 4 + size
        filled = end - start
        buffer[:filled] = buffer[start:end]
    elapsed = time.perf_counter() - began
    client.shutdown()  # type: ignore[no-untyped-call]
    return elapsed


def _websocket_client(port: int, wire_format: str, messages: int) -> float:
    """websocket-client as it comes, with ``json``."""
    client = _dial(port)
    json.loads(client.recv())
    began = time.perf_counter()
    for _ in range(messages - 1):
        json.loads(client.recv())
    elapsed = time.perf_counter() - began
    client.shutdown()  # type: ignore[no-untyped-call]
    return elapsed


def _dial(port: int) -> websocket.WebSocket:
    client = websocket.create_connection(f"ws://127.0.0.1:{port}", suppress_origin=True)
    client.send(_REQUEST)
    return client


#: Port, format and number of messages → seconds between the first and the last of them.
CLIENTS: dict[str, Callable[[int, str, int], float]] = {
    "upbit_stream": _ours,
    "the limit loop": _limit,
    "websocket-client + json": _websocket_client,
}
