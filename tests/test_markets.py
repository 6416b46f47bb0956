"""The market list, from servers that are no exchange."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable

import pytest

from upbit_stream.markets import MarketList, MarketListUnavailable
from upbit_stream.recovery.rest import RestClient
from upbit_stream.simulator import Simulator


def answer(talk: Callable[[socket.socket], None]) -> str:
    """A server for one client; its base URL."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with listener, listener.accept()[0] as client:
            client.recv(4096)
            with contextlib.suppress(OSError):
                talk(client)

    threading.Thread(target=serve, daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}/v1"


def drip(client: socket.socket) -> None:
    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n[")
    pause = threading.Event()
    for _ in range(600):
        client.sendall(b" ")
        pause.wait(0.1)


def test_a_server_that_drips_does_not_hold_up_for_ever() -> None:
    started = time.monotonic()
    with pytest.raises(MarketListUnavailable, match="too long"):
        MarketList(RestClient(answer(drip))).codes()
    assert time.monotonic() - started < 20


@pytest.mark.parametrize("body", [b"", b"{", b"5", b"[1]", b'[{"name":"KRW-BTC"}]', b'{"a":1}'])
def test_what_is_no_list(body: bytes) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with pytest.raises(MarketListUnavailable, match="not answered with a list"):
        MarketList(RestClient(answer(lambda client: client.sendall(head + body)))).codes()


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(MarketListUnavailable):
        MarketList(RestClient(f"http://127.0.0.1:{port}/v1")).codes()


def test_the_list_is_asked_for_once_in_a_while(sim: Simulator) -> None:
    markets = MarketList(RestClient(sim.rest_url))
    assert markets.codes() == set(sim.codes)
    assert markets.nearest("KRW-BTC") == "KRW-BTC"
    assert len(sim.rest_calls) == 1
