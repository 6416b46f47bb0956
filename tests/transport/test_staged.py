"""Opening a WebSocket step by step."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable

import pytest
import websocket

from tests.transport.conftest import receive_messages
from tests.transport.peer import PATIENCE, TEXT, Peer, frame, stall
from upbit_stream.transport.staged import StagedWebSocket


def test_after_the_steps_it_is_as_open_as_any(
    start_peer: Callable[..., Peer],
    server_context: ssl.SSLContext,
    client_context: ssl.SSLContext,
) -> None:
    peer = start_peer(context=server_context)
    ws = StagedWebSocket(peer.url, timeout=PATIENCE, ssl_context=client_context)
    assert ws.secure
    assert ws.peer == f"127.0.0.1:{peer.port}"
    for step in (ws.resolve, ws.dial, ws.encrypt, ws.upgrade):
        step()
    connection = peer.connection()
    assert connection.headers["host"] == f"127.0.0.1:{peer.port}"
    assert "origin" not in connection.headers
    assert "authorization" not in connection.headers
    connection.send(frame(TEXT, b"hello"))
    assert receive_messages(ws, 1) == [b"hello"]
    ws.send_text("to you, too")
    assert connection.read_frame() == (TEXT, b"to you, too")
    ws.shutdown()


def test_all_steps_have_one_deadline(start_peer: Callable[..., Peer]) -> None:
    ws = StagedWebSocket(start_peer(stall).url, timeout=0.2)
    ws.resolve()
    ws.dial()
    began = time.monotonic()
    with pytest.raises((TimeoutError, websocket.WebSocketTimeoutException)):
        ws.upgrade()
    assert time.monotonic() - began < PATIENCE / 2
    with pytest.raises(websocket.WebSocketTimeoutException, match="used up"):
        ws.dial()
    ws.shutdown()


def test_it_can_be_aborted_by_another_thread(start_peer: Callable[..., Peer]) -> None:
    ws = StagedWebSocket(start_peer(stall).url, timeout=PATIENCE)
    ws.resolve()
    ws.dial()
    timer = threading.Timer(0.1, ws.abort)
    timer.start()
    began = time.monotonic()
    with pytest.raises((OSError, websocket.WebSocketException)):
        ws.upgrade()
    assert time.monotonic() - began < PATIENCE / 2
    timer.join()
    ws.shutdown()


def test_aborted_before_tcp_it_goes_no_further(start_peer: Callable[..., Peer]) -> None:
    ws = StagedWebSocket(start_peer().url, timeout=PATIENCE)
    ws.resolve()
    ws.abort()
    with pytest.raises(ConnectionAbortedError):
        ws.dial()
    ws.shutdown()


def test_the_proxy_is_named_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://somebody:password@127.0.0.1:3128")
    assert StagedWebSocket("ws://x.invalid/", timeout=1).peer == "the proxy 127.0.0.1:3128"
