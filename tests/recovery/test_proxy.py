"""REST goes where the socket goes: through the proxy that the environment names."""

from __future__ import annotations

import base64
import threading
import time
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from upbit_stream.proxies import Proxy, find_proxy
from upbit_stream.recovery.rest import RestClient, RestFailed
from upbit_stream.simulator import Simulator

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Forwarder(ThreadingHTTPServer):
    """A proxy for plain HTTP, which notes what it is asked for, and by whom."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Forwarding)
        # Appended to by one handler at a time: there is one client.
        self.asked: list[tuple[str, str | None]] = []


class _Forwarding(BaseHTTPRequestHandler):
    server: Forwarder

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers["Proxy-Authorization"]))
        with _DIRECT.open(self.path, timeout=10) as answer:
            body = answer.read()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def forwarder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Forwarder]:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Forwarder() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join(20)
        assert not thread.is_alive()


def ask(sim: Simulator) -> bytes:
    rest = RestClient(sim.rest_url)
    try:
        return rest.get("/market/all", {}, group="market", deadline=time.monotonic() + 5)
    finally:
        rest.cancel()


def test_rest_goes_through_the_proxy(
    forwarder: Forwarder, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = forwarder.server_address[1]
    monkeypatch.setenv("http_proxy", f"http://some%40body:hidden@127.0.0.1:{port}")
    assert b"KRW-BTC" in ask(sim)
    ((asked, told),) = forwarder.asked
    assert asked.startswith(f"{sim.rest_url}/market/all")
    assert told == "Basic " + base64.b64encode(b"some@body:hidden").decode()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert b"KRW-BTC" in ask(sim)
    assert len(forwarder.asked) == 1


def test_a_proxy_that_is_not_there_is_told_without_its_secret(
    forwarder: Forwarder, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://somebody:hidden@127.0.0.1:1")
    with pytest.raises(RestFailed) as raised:
        ask(sim)
    assert "proxy" in str(raised.value).lower()
    assert "hidden" not in str(raised.value)
    assert sim.rest_calls == []
    proxy = find_proxy("127.0.0.1", secure=False)
    assert proxy == Proxy("127.0.0.1", 1, ("somebody", "hidden"))
    assert "hidden" not in repr(proxy)
    assert find_proxy("127.0.0.1", secure=True) is None
    assert Proxy("::1", 80).address == "[::1]:80"
