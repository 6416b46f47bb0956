"""open_websocket: what is sent, what is verified, what fails and how, how it is aborted."""

from __future__ import annotations

import errno
import gc
import os
import queue
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import trustme
from websocket import (
    WebSocketAddressException,
    WebSocketBadStatusException,
    WebSocketException,
    WebSocketTimeoutException,
)
from websocket._handshake import CookieJar

from tests.conftest import descriptors
from tests.transport.conftest import Dial, receive_messages
from tests.transport.peer import (
    BINARY,
    PATIENCE,
    Answer,
    Connection,
    Peer,
    frame,
    respond,
    stall,
    upgrade,
)
from upbit_stream.transport import BulkWebSocket, open_websocket
from upbit_stream.transport.opening import default_ssl_context
from upbit_stream.transport.upgrade import BODY_TIMEOUT, HandshakeSocket

StartPeer = Callable[..., Peer]


def test_what_the_server_sees(peer: Peer, dial: Dial) -> None:
    ws, server = dial(peer, headers={"Authorization": "Bearer t", "User-Agent": "us"})
    assert server.request.startswith("GET /websocket/v1 HTTP/1.1\r\n")
    assert server.headers["host"] == f"127.0.0.1:{peer.port}"
    assert server.headers["authorization"] == "Bearer t"
    assert server.headers["user-agent"] == "us"
    assert "origin" not in server.headers
    assert "sec-websocket-extensions" not in server.headers
    assert ws.connected
    assert ws.status == 101
    assert ws.sock is not None
    assert ws.sock.gettimeout() == 0
    assert ws.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_the_answers_headers_are_readable(start_peer: StartPeer, dial: Dial) -> None:
    def answer(connection: Connection) -> None:
        connection.read_request()
        connection.accept_upgrade(headers="Remaining-Req: group=websocket; min=300; sec=3\r\n")

    ws, _server = dial(start_peer(answer))
    assert ws.headers["remaining-req"] == "group=websocket; min=300; sec=3"


def test_no_cookie_goes_from_one_handshake_into_the_next(start_peer: StartPeer, dial: Dial) -> None:
    def answer(connection: Connection) -> None:
        connection.read_request()
        connection.accept_upgrade(headers="Set-Cookie: tracked=1; Domain=127.0.0.1\r\n")

    peer = start_peer(answer)
    try:
        for _ in range(2):
            _ws, server = dial(peer)
            assert "cookie" not in server.headers
        assert CookieJar.get("127.0.0.1")  # the library would have sent it
    finally:
        CookieJar.jar.clear()


def test_a_proxy_is_used_when_the_environment_names_one(
    start_peer: StartPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def proxy(connection: Connection) -> None:
        connection.read_request()
        seen.append(connection.request.split("\r\n")[0])
        connection.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        upgrade(connection)
        connection.send(frame(BINARY, b"through"))

    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{start_peer(proxy).port}")
    ws = open_websocket("ws://exchange.invalid/websocket/v1", timeout=PATIENCE)
    try:
        assert receive_messages(ws, 1) == [b"through"]
        assert seen == ["CONNECT exchange.invalid:80 HTTP/1.1"]
    finally:
        ws.shutdown()


# --- TLS ---------------------------------------------------------------------------------------


def test_tls_by_default_verifies_and_is_not_old() -> None:
    context = default_ssl_context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_a_certificate_of_nobody_known_is_refused(
    start_peer: StartPeer, server_context: ssl.SSLContext
) -> None:
    peer = start_peer(context=server_context)
    with pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer"):
        open_websocket(peer.url, timeout=PATIENCE)


def test_a_certificate_of_another_host_is_refused(
    start_peer: StartPeer, authority: trustme.CA, client_context: ssl.SSLContext
) -> None:
    elsewhere = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("exchange.invalid").configure_cert(elsewhere)
    peer = start_peer(context=elsewhere)
    with pytest.raises(ssl.SSLCertVerificationError, match="IP address mismatch"):
        open_websocket(peer.url, timeout=PATIENCE, ssl_context=client_context)


def test_a_server_without_tls(peer: Peer, client_context: ssl.SSLContext) -> None:
    peer.answer = lambda connection: connection.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    with pytest.raises(ssl.SSLError):
        open_websocket(
            peer.url.replace("ws:", "wss:"), timeout=PATIENCE, ssl_context=client_context
        )


# --- refusals ----------------------------------------------------------------------------------


BAN = '{"error":{"name":"banned","message":"10 seconds"}}'


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (f"Content-Length: {len(BAN)}\r\n", BAN),
        ("", BAN),  # up to the end of the stream
        ("Transfer-Encoding: chunked\r\n", f"ff\r\n{BAN}"),  # and cut off
        ("Transfer-Encoding: chunked\r\n", f"9\r\n{BAN[:9]}\r\n29;x=y\r\n{BAN[9:]}\r\n0\r\n\r\n"),
    ],
    ids=["measured", "until the end", "cut off", "chunked"],
)
def test_a_refusal_can_be_read(headers: str, body: str, start_peer: StartPeer) -> None:
    head = f"HTTP/1.1 418 I'm a teapot\r\nRetry-After: 10\r\n{headers}\r\n"
    peer = start_peer(respond(head + body, hang_up="0\r\n\r\n" not in body))
    begin = time.monotonic()
    with pytest.raises(WebSocketBadStatusException) as refused:
        open_websocket(peer.url, timeout=PATIENCE)
    assert refused.value.status_code == 418
    assert refused.value.resp_headers is not None
    assert refused.value.resp_headers["retry-after"] == "10"
    assert refused.value.resp_body == BAN.encode()
    assert time.monotonic() - begin < BODY_TIMEOUT  # read to its end, not until it was too late


@pytest.mark.parametrize(
    "rest", ["Content-Length: 0\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\nno chunk\r\n0\r\n\r\n"]
)
def test_a_refusal_without_a_body(rest: str, start_peer: StartPeer) -> None:
    peer = start_peer(respond(f"HTTP/1.1 503 Service Unavailable\r\n{rest}"))
    begin = time.monotonic()
    with pytest.raises(WebSocketBadStatusException) as refused:
        open_websocket(peer.url, timeout=PATIENCE)
    assert time.monotonic() - begin < BODY_TIMEOUT
    assert refused.value.status_code == 503
    assert not refused.value.resp_body


def test_a_body_that_does_not_end_costs_a_second(start_peer: StartPeer) -> None:
    peer = start_peer(respond(f"HTTP/1.1 429 Too Many Requests\r\n\r\n{BAN}"))
    begin = time.monotonic()
    with pytest.raises(WebSocketBadStatusException) as refused:
        open_websocket(peer.url, timeout=PATIENCE)
    assert time.monotonic() - begin < 3.0
    assert refused.value.resp_body == BAN.encode()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_error_and_not_followed(
    status: int, peer: Peer, start_peer: StartPeer
) -> None:
    elsewhere = peer
    here = start_peer(respond(f"HTTP/1.1 {status} Moved\r\nLocation: {elsewhere.url}\r\n\r\n"))
    with pytest.raises(WebSocketBadStatusException) as refused:
        open_websocket(here.url, timeout=PATIENCE)
    assert refused.value.status_code == status
    assert refused.value.resp_headers is not None
    assert refused.value.resp_headers["location"] == elsewhere.url
    assert not elsewhere.was_called


def test_no_proper_answer(start_peer: StartPeer) -> None:
    peer = start_peer(respond("SSH-2.0-OpenSSH_9.2\r\n"))
    with pytest.raises(WebSocketException):
        open_websocket(peer.url, timeout=PATIENCE)


def test_nobody_there(peer: Peer) -> None:
    peer.close()
    with pytest.raises(ConnectionRefusedError):
        open_websocket(peer.url, timeout=PATIENCE)


def test_no_such_host() -> None:
    with pytest.raises(WebSocketAddressException):
        open_websocket("ws://exchange.invalid./", timeout=PATIENCE)


def test_no_such_url() -> None:
    with pytest.raises(ValueError, match="scheme"):
        open_websocket("https://127.0.0.1/", timeout=PATIENCE)


# --- time --------------------------------------------------------------------------------------


def test_a_stalled_upgrade_is_bounded(start_peer: StartPeer) -> None:
    begin = time.monotonic()
    with pytest.raises(WebSocketTimeoutException):
        open_websocket(start_peer(stall).url, timeout=0.2)
    assert 0.2 <= time.monotonic() - begin < 2.0


def test_a_stalled_tls_handshake_is_bounded(
    start_peer: StartPeer, client_context: ssl.SSLContext
) -> None:
    url = start_peer(stall).url.replace("ws:", "wss:")
    begin = time.monotonic()
    with pytest.raises(TimeoutError):
        open_websocket(url, timeout=0.2, ssl_context=client_context)
    assert 0.2 <= time.monotonic() - begin < 2.0


def test_a_dripping_upgrade_is_bounded_as_a_whole(start_peer: StartPeer) -> None:
    over = threading.Event()

    def drip(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 101 ")
        while not over.wait(0.02):
            connection.send(b"x")

    peer = start_peer(drip)
    begin = time.monotonic()
    with pytest.raises(WebSocketTimeoutException):
        open_websocket(peer.url, timeout=0.3)
    assert 0.3 <= time.monotonic() - begin < 2.0
    over.set()


def test_time_that_is_used_up(peer: Peer) -> None:
    with socket.create_connection(("127.0.0.1", peer.port)) as sock:
        late = HandshakeSocket(sock, time.monotonic())
        with pytest.raises(TimeoutError):
            late.recv(1)
        with pytest.raises(TimeoutError):
            late.send(b"x")


# --- abort -------------------------------------------------------------------------------------


class Opening(threading.Thread):
    """`open_websocket` in a thread of its own, to be aborted from the test's."""

    def __init__(self, url: str, context: ssl.SSLContext | None = None) -> None:
        super().__init__(daemon=True)
        self.created: queue.Queue[BulkWebSocket] = queue.Queue()
        self.outcome: BulkWebSocket | Exception | None = None
        self._url = url
        self._context = context

    def run(self) -> None:
        try:
            self.outcome = open_websocket(
                self._url, timeout=60, ssl_context=self._context, on_created=self.created.put
            )
        except Exception as error:
            self.outcome = error


@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_abort_in_a_stalled_handshake(
    scheme: str, start_peer: StartPeer, client_context: ssl.SSLContext
) -> None:
    peer = start_peer(stall)
    opening = Opening(f"{scheme}://127.0.0.1:{peer.port}/", client_context)
    opening.start()
    ws = opening.created.get(timeout=PATIENCE)
    peer.connection()  # has read the first byte of the request, or of the ClientHello
    ws.abort()
    ws.abort()
    opening.join(PATIENCE)
    assert isinstance(opening.outcome, ConnectionAbortedError)
    assert ws.sock is None


def test_abort_in_the_upgrade_after_tls(
    start_peer: StartPeer, server_context: ssl.SSLContext, client_context: ssl.SSLContext
) -> None:
    peer = start_peer(stall, server_context)
    opening = Opening(peer.url, client_context)
    opening.start()
    ws = opening.created.get(timeout=PATIENCE)
    peer.connection()
    ws.abort()
    opening.join(PATIENCE)
    assert isinstance(opening.outcome, ConnectionAbortedError)


def test_abort_before_the_connect_takes_effect_after_it(peer: Peer) -> None:
    with pytest.raises(ConnectionAbortedError):
        open_websocket(peer.url, timeout=PATIENCE, on_created=BulkWebSocket.abort)


def _at_rest() -> set[tuple[int, int, int]]:
    """This process' descriptors, when the peer's threads have closed what they had in hand: each
    with what it leads to, for numbers are used again.
    """
    tick = threading.Event()
    looks = [_descriptors()]
    while len(looks) < 10 or any(look != looks[-1] for look in looks[-10:]):
        tick.wait(0.01)
        looks.append(_descriptors())
    return looks[-1]


def _descriptors() -> set[tuple[int, int, int]]:
    found = set()
    for name in os.listdir("/dev/fd"):
        with suppress(OSError):  # that of the listing itself
            about = os.fstat(int(name))
            found.add((int(name), about.st_dev, about.st_ino))
    return found


@pytest.mark.skipif(not os.path.isdir("/dev/fd"), reason="no descriptors to look at")
@pytest.mark.parametrize(
    ("answer", "scheme"),
    [
        (stall, "ws"),
        (stall, "wss"),
        (respond("HTTP/1.1 302 Found\r\n\r\n"), "ws"),
        (respond("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"), "ws"),
        (respond("nonsense\r\n"), "ws"),
    ],
    ids=["stalled upgrade", "stalled tls", "redirect", "refused", "nonsense"],
)
def test_a_failed_handshake_leaves_no_descriptor(
    answer: Answer, scheme: str, start_peer: StartPeer, client_context: ssl.SSLContext
) -> None:
    peer = start_peer(answer)

    def once() -> None:
        with pytest.raises((WebSocketException, OSError)):
            open_websocket(
                f"{scheme}://127.0.0.1:{peer.port}/", timeout=0.05, ssl_context=client_context
            )
        peer.connection().close()

    once()
    gc.disable()
    try:
        before = _at_rest()
        for _ in range(3):
            once()
        assert not _at_rest() - before  # others may have closed theirs
    finally:
        gc.enable()


class LateContext(ssl.SSLContext):
    """Begins with TLS only when the peer has gone."""

    def wrap_socket(self, sock: socket.socket, *arguments: Any, **options: Any) -> ssl.SSLSocket:
        waiter = select.poll()
        waiter.register(sock, 0)
        assert waiter.poll(PATIENCE * 1000)
        return super().wrap_socket(sock, *arguments, **options)


@pytest.mark.skipif(not hasattr(select, "poll"), reason="no way to wait for a reset")
def test_a_reset_just_before_tls_leaves_no_descriptor() -> None:
    context = LateContext(ssl.PROTOCOL_TLS_CLIENT)
    before = descriptors()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        resetting = threading.Thread(target=lambda: reset(listener.accept()[0]))
        resetting.start()
        url = f"wss://127.0.0.1:{listener.getsockname()[1]}/"
        with pytest.raises(ConnectionResetError) as failed:
            open_websocket(url, timeout=PATIENCE, ssl_context=context)
        resetting.join()
    assert descriptors() == before
    assert failed.value.errno == errno.ECONNRESET


def reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
