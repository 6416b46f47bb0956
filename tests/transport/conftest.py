from __future__ import annotations

import selectors
import ssl
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import pytest

from tests.transport.peer import PATIENCE, Answer, Connection, Peer, upgrade
from upbit_stream.transport import BulkWebSocket, ConnectionClosed, open_websocket


class Dial(Protocol):
    def __call__(self, peer: Peer, **options: Any) -> tuple[BulkWebSocket, Connection]: ...


@pytest.fixture(autouse=True)
def no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def start_peer() -> Iterator[Callable[..., Peer]]:
    """Starts a peer that ends with the test."""
    peers: list[Peer] = []

    def start(answer: Answer = upgrade, context: ssl.SSLContext | None = None) -> Peer:
        peers.append(Peer(answer, context))
        return peers[-1]

    yield start
    for peer in peers:
        peer.close()


@pytest.fixture
def peer(start_peer: Callable[..., Peer]) -> Peer:
    return start_peer()


@pytest.fixture
def dial() -> Iterator[Dial]:
    """Opens a WebSocket to a peer: both ends of it."""
    opened: list[BulkWebSocket] = []

    def open_both(peer: Peer, **options: Any) -> tuple[BulkWebSocket, Connection]:
        options.setdefault("timeout", PATIENCE)
        opened.append(open_websocket(peer.url, **options))
        return opened[-1], peer.connection()

    yield open_both
    for ws in opened:
        ws.shutdown()


def wait_readable(ws: BulkWebSocket) -> None:
    """As the owner waits: not at all when something is pending."""
    if ws.pending:
        return
    assert ws.sock is not None
    with selectors.DefaultSelector() as selector:
        selector.register(ws.sock, selectors.EVENT_READ)
        assert selector.select(PATIENCE), "nothing came"


def receive_messages(ws: BulkWebSocket, count: int) -> list[bytes]:
    """The next `count` messages, which must be all that comes with them."""
    messages: list[bytes] = []
    deadline = time.monotonic() + PATIENCE
    while len(messages) < count:
        assert time.monotonic() < deadline
        wait_readable(ws)
        messages += map(bytes, ws.receive())
    assert len(messages) == count
    return messages


def receive_until_closed(ws: BulkWebSocket) -> tuple[list[bytes], ConnectionClosed]:
    """Everything that comes until the end, and the end."""
    messages: list[bytes] = []
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        wait_readable(ws)
        try:
            messages += map(bytes, ws.receive())
        except ConnectionClosed as closed:
            return messages, closed
    raise AssertionError("it did not end")
