"""What a thousand messages cost, counted and not timed: reads, wake-ups, calls, allocations.

A recording of the simulated exchange goes over a real socket. The bounds are what was counted,
with some room; if one is passed, the fast path does more than it did.
"""

from __future__ import annotations

import gc
import socket
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest

from benchmarks.frames import codes, payloads
from benchmarks.server import upgrade
from upbit_stream import StreamConfig, UpbitStream
from upbit_stream.connection.router import Router
from upbit_stream.delivery.channel import Channel
from upbit_stream.protocol.decoding import Decoder
from upbit_stream.protocol.wire_format import WireFormat
from upbit_stream.simulator.frames import frame
from upbit_stream.transport import BulkWebSocket

# Of functions in Python, on the I/O thread: 24 were counted.
CALLS_OF_ONE_MESSAGE = 28
FRAMES = [frame(one) for one in payloads("ticker", "SIMPLE", 200)]  # a thousand
assert len(FRAMES) == 1000


@contextmanager
def serving(talk: Callable[[socket.socket], None]) -> Iterator[StreamConfig]:
    """A server for one client; after the request, ``talk``."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with listener.accept()[0] as client:
                upgrade(client)
                client.recv(1 << 16)
                talk(client)
                client.settimeout(10)
                while client.recv(1 << 16)[:1] not in (b"", b"\x88"):
                    pass

        server = threading.Thread(target=serve)
        listener.settimeout(30)
        server.start()
        yield StreamConfig(url=f"ws://127.0.0.1:{listener.getsockname()[1]}/websocket/v1")
        server.join(30)
        assert not server.is_alive()


def count_calls(patch: pytest.MonkeyPatch, owner: type, name: str) -> list[tuple[Any, ...]]:
    """The arguments of every call of a method that still does what it does."""
    calls: list[tuple[Any, ...]] = []
    method = getattr(owner, name)

    def counted(*arguments: Any) -> Any:
        calls.append(arguments[1:])
        return method(*arguments)

    patch.setattr(owner, name, counted)
    return calls


def test_a_backlog_takes_few_reads_and_few_wake_ups(monkeypatch: pytest.MonkeyPatch) -> None:
    reads = count_calls(monkeypatch, BulkWebSocket, "receive")
    rings = count_calls(monkeypatch, Channel, "_ring")
    puts = count_calls(monkeypatch, Channel, "put")
    done = threading.Event()
    seen = Counter[str]()

    def each(event: object) -> None:
        seen["events"] += 1
        if seen["events"] == 10_000:
            done.set()

    with serving(lambda client: client.sendall(b"".join(FRAMES * 10))) as config:
        stream = UpbitStream(config=config)
        stream.ticker(codes(200), each, snapshot=False)
        with stream:
            assert done.wait(30)
    assert len(reads) < 100  # 25 were counted, for 5.6 MB
    assert sum(waiting for (waiting,) in rings) < 100  # 7
    assert len(puts) < 100  # not one for each event


def test_a_message_that_comes_alone_takes_one_read_and_one_wake_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reads = count_calls(monkeypatch, BulkWebSocket, "receive")
    rings = count_calls(monkeypatch, Channel, "_ring")
    collected = count_calls(monkeypatch, Router, "collect")
    arrived = threading.Semaphore(0)

    def one_by_one(client: socket.socket) -> None:
        for one in FRAMES:
            client.sendall(one)
            assert arrived.acquire(timeout=10)

    with serving(one_by_one) as config:
        stream = UpbitStream(config=config)
        subscription = stream.ticker(codes(200), snapshot=False)
        calls = _profiled(stream)
        for _ in FRAMES:
            subscription.get(10)
            arrived.release()
        stream.close()
    assert len(reads) < 1050
    assert sum(waiting for (waiting,) in rings) < 1050
    assert calls["upbit-io"] < CALLS_OF_ONE_MESSAGE * 1000
    assert not collected  # nothing was being fetched


def _profiled(stream: UpbitStream) -> Counter[str]:
    """Counts the calls of Python functions on the I/O thread that is started now."""
    calls = Counter[str]()

    def profile(code: FrameType, event: str, argument: object) -> None:
        if event == "call" and threading.current_thread().name.startswith("upbit-io"):
            calls["upbit-io"] += 1

    threading.setprofile(profile)
    try:
        stream.start()
        assert stream.wait_connected(10)
    finally:
        threading.setprofile(None)
    return calls


def test_an_event_takes_few_blocks_and_nothing_of_the_collector() -> None:
    decode_all = Decoder(WireFormat.SIMPLE).decode_all
    recording = payloads("ticker", "SIMPLE", 200)
    decode_all(recording)  # what is made once
    gc.collect()
    before = sys.getallocatedblocks()
    events = decode_all(recording)
    blocks = sys.getallocatedblocks() - before
    assert len(events) == 1000
    assert blocks < 30_000  # 28 were counted: an event with its numbers and texts
    # A book holds containers, which is what would have the collector look at it.
    books = decode_all(payloads("orderbook 15", "SIMPLE", 200))
    assert not any(map(gc.is_tracked, [*events, *books]))
