"""BulkWebSocket on a real socket: receiving, sending, closing."""

from __future__ import annotations

import gc
import logging
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from tests.transport.conftest import Dial, receive_messages, receive_until_closed, wait_readable
from tests.transport.peer import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PATIENCE,
    PING,
    PONG,
    TEXT,
    Connection,
    Peer,
    close_frame,
    frame,
)
from tests.transport.test_frame_reader import VIOLATIONS, limit_for
from upbit_stream.transport import BulkWebSocket, ConnectionClosed
from upbit_stream.transport.websocket import PONGS_KEPT


@pytest.fixture(params=["plain", "tls"])
def any_peer(
    request: pytest.FixtureRequest,
    start_peer: Callable[..., Peer],
    server_context: ssl.SSLContext,
) -> Peer:
    return start_peer(context=server_context if request.param == "tls" else None)


# --- receiving ---------------------------------------------------------------------------------


def test_messages_of_every_kind(any_peer: Peer, dial: Dial, client_context: ssl.SSLContext) -> None:
    ws, server = dial(any_peer, ssl_context=client_context)
    large = bytes(range(256)) * 4000
    server.send(frame(BINARY, b"b" * 921) + frame(TEXT, "값".encode()) + frame(BINARY))
    server.send(frame(TEXT, b"x\xea", fin=False) + frame(PING, b"inside"))
    server.send(frame(CONTINUATION, b"\xb0\x92") + frame(BINARY, b"w", width=64))
    sender = threading.Thread(target=server.send, args=[frame(BINARY, large)])
    sender.start()
    expected = [b"b" * 921, "값".encode(), b"", b"x\xea\xb0\x92", b"w", large]
    assert receive_messages(ws, 6) == expected
    sender.join(PATIENCE)
    assert server.read_frame() == (PONG, b"inside")


def test_byte_by_byte(peer: Peer, dial: Dial) -> None:
    ws, server = dial(peer)
    for byte in frame(BINARY, b"b" * 130):
        assert ws.receive() == []
        server.send(bytes([byte]))
        wait_readable(ws)
    assert list(map(bytes, ws.receive())) == [b"b" * 130]


def test_nothing_there_is_an_empty_list_at_once(
    any_peer: Peer, dial: Dial, client_context: ssl.SSLContext
) -> None:
    ws, _server = dial(any_peer, ssl_context=client_context)
    begin = time.monotonic()
    for _ in range(10):
        assert ws.receive() == []
    assert not ws.pending
    assert time.monotonic() - begin < 1.0


def test_one_receive_is_one_read_and_a_full_one_is_pending(peer: Peer, dial: Dial) -> None:
    ws, server = dial(peer)
    assert ws.sock is not None
    sender = threading.Thread(target=server.send, args=[frame(BINARY, bytes(1000)) * 200])
    sender.start()
    while len(peeked(ws.sock)) < 65536:
        select.select([ws.sock], [], [], PATIENCE)
    first = len(ws.receive())
    assert first == 65536 // 1004
    assert ws.pending
    receive_messages(ws, 200 - first)
    sender.join(PATIENCE)
    ws.receive()
    assert not ws.pending


def test_pending_ends_when_nothing_more_is_there(peer: Peer, dial: Dial) -> None:
    ws, server = dial(peer)
    assert ws.sock is not None
    server.send(frame(BINARY, bytes(65532)))  # with its header exactly the buffer
    while len(peeked(ws.sock)) < 65536:
        select.select([ws.sock], [], [], PATIENCE)
    assert len(ws.receive()) == 1
    assert ws.pending
    assert ws.receive() == []
    assert not ws.pending


def peeked(sock: socket.socket) -> bytes:
    try:
        return sock.recv(65536, socket.MSG_PEEK)
    except BlockingIOError:
        return b""


def test_messages_in_the_tls_record_of_the_upgrade_are_pending(
    start_peer: Callable[..., Peer],
    dial: Dial,
    server_context: ssl.SSLContext,
    client_context: ssl.SSLContext,
) -> None:
    def answer(connection: Connection) -> None:
        connection.read_request()
        connection.accept_upgrade(then=frame(BINARY, b"early") + frame(BINARY, b"bird"))

    ws, _server = dial(start_peer(answer, server_context), ssl_context=client_context)
    assert ws.sock is not None
    assert not select.select([ws.sock], [], [], 0)[0]  # a selector would wait for ever
    assert ws.pending
    assert receive_messages(ws, 2) == [b"early", b"bird"]
    assert not ws.pending


def test_several_tls_records_in_one_wake_up(
    start_peer: Callable[..., Peer],
    dial: Dial,
    server_context: ssl.SSLContext,
    client_context: ssl.SSLContext,
) -> None:
    ws, server = dial(start_peer(context=server_context), ssl_context=client_context)
    sent = [bytes([i]) * 20_000 for i in range(20)]  # 2 records each; most end in a tail

    def send_all() -> None:
        for message in sent:
            server.send(frame(BINARY, message))

    sender = threading.Thread(target=send_all)
    sender.start()
    assert receive_messages(ws, 20) == sent
    sender.join(PATIENCE)


# --- control frames ----------------------------------------------------------------------------


def test_pings_are_answered_in_order(peer: Peer, dial: Dial) -> None:
    ws, server = dial(peer)
    server.send(frame(PING, b"one") + frame(PING) + frame(PING, bytes(125)))
    wait_readable(ws)
    assert ws.receive() == []
    assert [server.read_frame() for _ in range(3)] == [
        (PONG, b"one"),
        (PONG, b""),
        (PONG, bytes(125)),
    ]


def test_ping_and_the_time_of_its_pong(peer: Peer, dial: Dial) -> None:
    ws, server = dial(peer)
    begin = time.monotonic()
    ws.ping(b"latency")
    assert server.read_frame() == (PING, b"latency")
    server.send(frame(PONG, b"latency"))
    wait_readable(ws)
    assert ws.receive() == []
    ((payload, arrived),) = ws.take_pongs()
    assert payload == b"latency"
    assert begin < arrived <= time.monotonic()
    assert ws.take_pongs() == []


def test_pongs_that_nobody_takes_are_bounded(peer: Peer, dial: Dial) -> None:
    ws, server = dial(peer)
    server.send(b"".join(frame(PONG, b"%d" % i) for i in range(200)) + frame(BINARY, b"end"))
    receive_messages(ws, 1)
    assert [payload for payload, _ in ws.take_pongs()] == [
        b"%d" % i for i in range(200 - PONGS_KEPT, 200)
    ]


# --- how it ends -------------------------------------------------------------------------------


@pytest.mark.parametrize(("wire", "code"), VIOLATIONS.values(), ids=VIOLATIONS)
def test_the_peer_is_told_its_violation(wire: bytes, code: int, peer: Peer, dial: Dial) -> None:
    ws, server = dial(peer, max_message_size=limit_for(code))
    server.send(frame(BINARY, b"good") + wire)
    messages, closed = receive_until_closed(ws)
    assert messages[0] == b"good"
    assert (closed.code, closed.local) == (code, True)
    assert closed.reason
    assert server.read_close() == (code, closed.reason)
    with pytest.raises(ConnectionClosed) as again:
        ws.receive()
    assert again.value is closed


def test_a_violator_that_still_sends_reads_the_close_frame_all_the_same(
    peer: Peer, dial: Dial
) -> None:
    ws, server = dial(peer)
    # Far more than one read takes: freed now, the socket would be reset by the system.
    server.send(bytes((0xF0 | BINARY, 2)) + b"{}" + b"x" * 300_000)
    _, closed = receive_until_closed(ws)
    with ThreadPoolExecutor(1) as pool:
        lingering = pool.submit(ws.linger, PATIENCE)
        assert server.read_close() == (1002, closed.reason)
        server.close()
        lingering.result(PATIENCE)
    ws.shutdown()
    ws.linger(PATIENCE)  # of a socket that is gone: nothing


def test_lingering_has_an_end(peer: Peer, dial: Dial) -> None:
    ws, _ = dial(peer)
    began = time.monotonic()
    ws.linger(0.05)
    assert 0.05 <= time.monotonic() - began < PATIENCE


def test_messages_before_the_end_are_returned_first_and_the_end_is_pending(
    peer: Peer, dial: Dial
) -> None:
    ws, server = dial(peer)
    server.send(frame(BINARY, b"last words") + close_frame(1000))
    wait_readable(ws)
    assert list(map(bytes, ws.receive())) == [b"last words"]
    assert ws.pending  # the peer waits for us now: a selector would not tell
    with pytest.raises(ConnectionClosed):
        ws.receive()


@pytest.mark.parametrize(
    ("wire", "code", "reason", "echo"),
    [
        (close_frame(1000), 1000, "", 1000),
        (close_frame(1001, "점검".encode()), 1001, "점검", 1001),
        (close_frame(4321, b"own"), 4321, "own", 4321),
        (frame(CLOSE), 1005, "", None),
    ],
)
def test_the_peers_close_frame_is_echoed(
    wire: bytes,
    code: int,
    reason: str,
    echo: int | None,
    any_peer: Peer,
    dial: Dial,
    client_context: ssl.SSLContext,
) -> None:
    ws, server = dial(any_peer, ssl_context=client_context)
    server.send(wire)
    _messages, closed = receive_until_closed(ws)
    assert (closed.code, closed.reason, closed.local) == (code, reason, False)
    assert server.read_close() == (echo, "")
    ws.shutdown()
    assert server.at_end()


def test_an_end_with_nothing_before_it_is_raised_at_once(peer: Peer, dial: Dial) -> None:
    ws, server = dial(peer)
    server.send(frame(PING) + close_frame(1000))
    assert ws.sock is not None
    while len(peeked(ws.sock)) < 6:
        select.select([ws.sock], [], [], PATIENCE)
    with pytest.raises(ConnectionClosed):
        ws.receive()


def test_end_of_stream(any_peer: Peer, dial: Dial, client_context: ssl.SSLContext) -> None:
    """Without a close frame, and for TLS without close_notify: abnormal."""
    ws, server = dial(any_peer, ssl_context=client_context)
    server.send(frame(BINARY, b"whole") + frame(BINARY, b"cut off")[:5])
    server.close()
    messages, closed = receive_until_closed(ws)
    assert messages == [b"whole"]
    assert (closed.code, closed.local, closed.__cause__) == (1006, False, None)
    assert "without a close frame" in closed.reason


def test_end_of_tls_with_close_notify_is_no_close_frame_either(
    start_peer: Callable[..., Peer],
    dial: Dial,
    server_context: ssl.SSLContext,
    client_context: ssl.SSLContext,
) -> None:
    ws, server = dial(start_peer(context=server_context), ssl_context=client_context)
    server.sock.settimeout(0)
    assert isinstance(server.sock, ssl.SSLSocket)
    with pytest.raises(ssl.SSLWantReadError):
        server.sock.unwrap()  # has sent close_notify; ours does not come
    assert receive_until_closed(ws)[1].code == 1006


def test_half_close(peer: Peer, dial: Dial) -> None:
    ws, server = dial(peer)
    server.sock.shutdown(socket.SHUT_WR)
    assert receive_until_closed(ws)[1].code == 1006


def test_reset(any_peer: Peer, dial: Dial, client_context: ssl.SSLContext) -> None:
    ws, server = dial(any_peer, ssl_context=client_context)
    server.reset()
    closed = receive_until_closed(ws)[1]
    assert (closed.code, closed.local) == (1006, False)
    if not ws.is_ssl():  # type: ignore[no-untyped-call]  # as the library has it
        # Python's TLS reports a reset as a plain end of the stream.
        assert isinstance(closed.__cause__, ConnectionResetError)


def test_what_closed_says() -> None:
    assert str(ConnectionClosed(1006)) == "closed with 1006"
    assert str(ConnectionClosed(1002, "why", local=True)) == "failed by us with 1002: why"


# --- sending -----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 125, 126, 9500, 70_000])
def test_send(size: int, any_peer: Peer, dial: Dial, client_context: ssl.SSLContext) -> None:
    ws, server = dial(any_peer, ssl_context=client_context)
    ws.send_bytes(b"s" * size)
    ws.send_text("값")
    assert server.read_frame() == (BINARY, b"s" * size)
    assert server.read_frame() == (TEXT, "값".encode())
    assert ws.sock is not None
    assert ws.sock.gettimeout() == 0  # and it reads without blocking again


@pytest.mark.alone
def test_a_peer_that_does_not_read_costs_the_send_timeout(
    any_peer: Peer, dial: Dial, client_context: ssl.SSLContext
) -> None:
    ws, server = dial(any_peer, ssl_context=client_context, send_timeout=0.1)
    server.send(frame(BINARY, b"said before"))
    begin = time.monotonic()
    with pytest.raises(ConnectionClosed) as failed:
        ws.send_bytes(bytes(12_000_000))
    assert 0.1 <= time.monotonic() - begin < 0.9
    assert failed.value.code == 1006
    assert isinstance(failed.value.__cause__, TimeoutError)

    begin = time.monotonic()
    with pytest.raises(ConnectionClosed):  # not behind half a frame, and without waiting again
        ws.ping()
    assert time.monotonic() - begin < 0.1
    assert receive_messages(ws, 1) == [b"said before"]
    assert ws.receive() == []  # and does not block


def test_last_words_are_read_after_a_failed_send(peer: Peer, dial: Dial) -> None:
    """The exchange tells why it closes. A ping of ours into the closed socket must not hide it."""
    ws, server = dial(peer)
    server.send(frame(PING) + frame(BINARY, b"why") + close_frame(1000))
    server.close()
    assert ws.sock is not None
    while len(peeked(ws.sock)) < 11:
        select.select([ws.sock], [], [], PATIENCE)

    def ping_until_it_fails() -> None:
        while True:  # the first ones only make the peer's system answer with RST
            ws.ping()

    with pytest.raises(ConnectionClosed):
        ping_until_it_fails()
    messages, closed = receive_until_closed(ws)
    assert messages == [b"why"]
    assert closed.code == 1000


# --- closing -----------------------------------------------------------------------------------


def test_start_close_waits_for_nothing_and_says_it_once(
    any_peer: Peer, dial: Dial, client_context: ssl.SSLContext
) -> None:
    ws, server = dial(any_peer, ssl_context=client_context)
    ws.start_close(1001, "bye")
    ws.start_close()
    assert server.read_close() == (1001, "bye")
    server.send(frame(BINARY, b"still on its way") + close_frame(1001, b"bye"))
    messages, closed = receive_until_closed(ws)
    assert messages == [b"still on its way"]
    assert (closed.code, closed.reason, closed.local) == (1001, "bye", False)
    ws.shutdown()
    assert server.at_end()  # no second close frame


def test_a_close_reason_is_cut_between_characters(peer: Peer, dial: Dial) -> None:
    ws, server = dial(peer)
    ws.start_close(1000, "a" + "값" * 41)  # 124 bytes; 123 fit
    assert server.read_close() == (1000, "a" + "값" * 40)
    ws.shutdown()


def test_a_code_that_no_frame_may_carry(peer: Peer, dial: Dial) -> None:
    ws, _server = dial(peer)
    with pytest.raises(ValueError, match="1005"):
        ws.start_close(1005)


def test_close_does_it_all(any_peer: Peer, dial: Dial, client_context: ssl.SSLContext) -> None:
    ws, server = dial(any_peer, ssl_context=client_context)
    server.send(frame(BINARY, b"not wanted") + close_frame(1000))
    ws.close(1001, b"bye")
    assert ws.sock is None
    assert server.read_close() == (1001, "bye")
    assert server.at_end()
    ws.close()


def test_close_does_not_wait_for_ever(peer: Peer, dial: Dial) -> None:
    ws, _server = dial(peer)
    begin = time.monotonic()
    ws.close(timeout=0.1)
    assert 0.1 <= time.monotonic() - begin < 2.0
    assert ws.sock is None


def test_after_shutdown(any_peer: Peer, dial: Dial, client_context: ssl.SSLContext) -> None:
    ws, server = dial(any_peer, ssl_context=client_context)
    sock = ws.sock
    assert sock is not None
    server.reset()
    wait_readable(ws)
    ws.abort()
    ws.shutdown()
    ws.shutdown()
    ws.abort()
    assert sock.fileno() == -1
    assert not ws.connected
    with pytest.raises(ConnectionClosed) as closed:
        ws.receive()
    assert closed.value.code == 1006
    with pytest.raises(ConnectionClosed):
        ws.ping()
    with pytest.raises(ConnectionClosed):
        ws.start_close()


def test_abort_of_an_open_connection_wakes_the_owner(
    any_peer: Peer, dial: Dial, client_context: ssl.SSLContext
) -> None:
    ws, _server = dial(any_peer, ssl_context=client_context)
    aborter = threading.Thread(target=ws.abort)
    aborter.start()
    assert receive_until_closed(ws)[1].code == 1006
    aborter.join(PATIENCE)


def test_the_librarys_way_to_read_is_closed(peer: Peer, dial: Dial) -> None:
    ws, _server = dial(peer)
    with pytest.raises(NotImplementedError, match="receive"):
        ws.recv()


@pytest.mark.skipif(not hasattr(psutil.Process, "num_fds"), reason="no descriptors to count")
def test_no_descriptor_stays_behind(
    any_peer: Peer, dial: Dial, client_context: ssl.SSLContext
) -> None:
    def once() -> None:
        ws, server = dial(any_peer, ssl_context=client_context)
        server.send(close_frame(1000))
        receive_until_closed(ws)
        ws.shutdown()
        server.close()

    once()
    process = psutil.Process()
    gc.disable()  # it would tidy up behind us
    try:
        before = process.num_fds()
        for _ in range(5):
            once()
        assert process.num_fds() == before
    finally:
        gc.enable()


def test_a_healthy_run_logs_nothing(
    peer: Peer, dial: Dial, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        ws, server = dial(peer)
        server.send(frame(BINARY, b"m") + frame(PING))
        receive_messages(ws, 1)
        ws.ping()
        ws.start_close()
        server.send(close_frame(1000))
        receive_until_closed(ws)
        ws.shutdown()
    assert caplog.records == []
    assert isinstance(ws, BulkWebSocket)
