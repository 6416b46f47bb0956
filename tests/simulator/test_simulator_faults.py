"""Every fault, seen from a socket."""

from __future__ import annotations

import socket as sockets
import threading
from time import monotonic
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.simulator.client import PATIENCE, Client, Connect, Start
from upbit_stream.simulator import Limits, Simulator, Timing
from upbit_stream.simulator.garbage import GARBAGE

TRADE = {"type": "trade", "codes": ["KRW-BTC"], "is_only_realtime": True}


class RawSocket:
    """A TCP connection with an upgrade and nothing else: bytes as they come."""

    def __init__(self, sim: Simulator) -> None:
        self.socket = sockets.create_connection(("127.0.0.1", sim.port), timeout=PATIENCE)
        self.socket.sendall(
            b"GET /websocket/v1 HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += self.socket.recv(1)
        assert answer.startswith(b"HTTP/1.1 101")

    def read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            assert more
            data += more
        return data


@pytest.fixture
def subscribed(sim: Simulator, client: Connect) -> Client:
    socket = client(sim)
    socket.ask(TRADE)
    assert socket.barrier() == []
    return socket


@pytest.mark.parametrize("code", [1000, 1001, 1008, 1011, 1012, 1013])
def test_close(sim: Simulator, subscribed: Client, code: int) -> None:
    assert sim.close(code, "maintenance") == 1
    with pytest.raises(ConnectionClosed) as caught:
        subscribed.raw()
    assert caught.value.rcvd is not None
    assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (code, "maintenance")


def test_close_sends_what_was_traded_before(sim: Simulator, subscribed: Client) -> None:
    ids = [sim.trade("KRW-BTC") for _ in range(50)]
    sim.close()
    frames, code = subscribed.end()
    assert [frame["sequential_id"] for frame in frames] == ids
    assert code == 1000


def test_reset_is_a_reset(sim: Simulator) -> None:
    raw = RawSocket(sim)
    assert sim.reset() == 1
    with raw.socket, pytest.raises(ConnectionResetError):
        raw.socket.recv(1)


def test_eof_is_an_end_without_a_close_frame(sim: Simulator) -> None:
    raw = RawSocket(sim)
    assert sim.eof() == 1
    with raw.socket:
        assert raw.socket.recv(1) == b""


def test_one_socket_of_several(sim: Simulator, client: Connect) -> None:
    first, second, private = client(sim), client(sim), client(sim, "private")
    assert sim.connections == [1, 2, 3]
    assert sim.close(connection=2) == 1
    assert second.end() == ([], 1000)
    assert sim.reset("private") == 1
    assert private.end() == ([], None)
    assert first.barrier() == []
    assert sim.connections == [1]


def test_stall_and_resume(sim: Simulator, subscribed: Client) -> None:
    sim.stall()
    number = sim.trade("KRW-BTC")
    pong = subscribed.socket.ping()
    with pytest.raises(TimeoutError):
        subscribed.socket.recv(timeout=0.1)
    assert not pong.is_set()
    assert sim.connections == [1]
    assert sim.resume() == 1
    assert subscribed.read()["sequential_id"] == number
    assert pong.wait(PATIENCE)


def test_a_stalled_socket_is_not_dropped_for_being_idle(start: Start, client: Connect) -> None:
    sim = start(timing=Timing(idle_timeout=1.0))
    socket = client(sim)
    sim.stall()
    over = monotonic() + 1.2
    assert sim.wait_for(lambda: monotonic() > over)
    assert sim.connections == [1]
    sim.resume()
    assert socket.end() == ([], None)


def test_a_stall_that_holds_too_much_ends_with_its_socket(start: Start, client: Connect) -> None:
    sim = start(limits=Limits(buffer=10_000))
    socket = client(sim)
    socket.ask(TRADE)
    socket.barrier()
    sim.stall()
    sim.burst(1000, ["KRW-BTC"])
    assert sim.connections == [1]
    sim.resume()
    _, code = socket.end()
    assert code is None
    assert sim.wait_for(lambda: [gone.reason for gone in sim.closed] == ["buffer"])


def test_mute_answers_pings_and_sends_no_data(sim: Simulator, subscribed: Client) -> None:
    sim.mute()
    lost = sim.trade("KRW-BTC")
    assert subscribed.socket.ping().wait(PATIENCE)
    sim.unmute()
    number = sim.trade("KRW-BTC")
    assert subscribed.read()["sequential_id"] == number
    assert sim.ledger("KRW-BTC") == [lost, number]
    assert sim.stats["muted_frames"] == 1


def test_mute_sockets_that_are_yet_to_come(sim: Simulator, client: Connect) -> None:
    sim.mute(future=True)
    socket = client(sim)
    socket.ask({"type": "trade", "codes": ["KRW-BTC"]})
    assert socket.socket.ping().wait(PATIENCE)
    assert sim.wait_for(lambda: sim.stats.get("muted_frames") == 1)
    sim.unmute()
    assert client(sim).barrier() == []


def test_refuse_and_accept_on_the_same_port(
    sim: Simulator, subscribed: Client, client: Connect
) -> None:
    port = sim.port
    sim.refuse()
    sim.refuse()
    for _ in range(3):
        with pytest.raises(ConnectionRefusedError):
            sockets.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    # Open sockets stay.
    number = sim.trade("KRW-BTC")
    assert subscribed.read()["sequential_id"] == number
    sim.accept()
    sim.accept()
    assert sim.port == port
    assert client(sim).barrier() == []


@pytest.mark.parametrize("code", [None, 1001])
def test_restart(sim: Simulator, subscribed: Client, client: Connect, code: int | None) -> None:
    url = sim.url
    sim.restart(code=code)
    assert subscribed.end() == ([], code)
    assert sim.url == url
    missed = sim.trade("KRW-BTC")
    again = client(sim)
    again.ask({"type": "trade", "codes": ["KRW-BTC"]})
    frame = again.read()
    assert (frame["sequential_id"], frame["stream_type"]) == (missed, "SNAPSHOT")


def test_restart_many_times(start: Start, client: Connect) -> None:
    sim = start(limits=Limits.off(), rate=500)
    for _ in range(10):
        client(sim).ask(TRADE)
        sim.restart()
    assert client(sim).barrier() == []


def test_a_slow_handshake(sim: Simulator, client: Connect) -> None:
    sim.slow_handshake(0.15)
    begun = monotonic()
    client(sim)
    assert monotonic() - begun >= 0.15
    sim.slow_handshake(0)


def test_a_handshake_that_is_never_answered(sim: Simulator, client: Connect) -> None:
    sim.stall_handshakes(1)
    with pytest.raises(TimeoutError):
        client(sim, open_timeout=0.1)
    assert sim.wait_for(lambda: sim.stats.get("stalled_handshakes") == 1)
    client(sim)
    sim.stall_handshakes()
    for _ in range(2):
        with pytest.raises(TimeoutError):
            client(sim, open_timeout=0.05)
    sim.stall_handshakes(0)
    client(sim)


@pytest.mark.parametrize("status", [301, 403, 429, 500, 502, 503, 599])
def test_handshakes_with_a_given_status(sim: Simulator, client: Connect, status: int) -> None:
    sim.fail_handshakes(status, 2, headers={"X-Why": "test"}, body="because")
    for _ in range(2):
        with pytest.raises(InvalidStatus) as caught:
            client(sim)
        response = caught.value.response
        assert response.status_code == status
        assert response.headers["X-Why"] == "test"
        assert response.body == b"because"
    client(sim)
    assert [handshake.status for handshake in sim.handshakes] == [status, status, 101]


@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage_arrives_as_it_is(sim: Simulator, kind: str) -> None:
    raw = RawSocket(sim)
    assert sim.send_garbage(kind) == 1
    with raw.socket:
        assert raw.read(len(GARBAGE[kind])) == GARBAGE[kind]
    assert sim.wait_for(lambda: not sim.connections)


def test_unknown_garbage_is_told(sim: Simulator) -> None:
    with pytest.raises(ValueError, match="choose one of"):
        sim.send_garbage("nice")


def test_garbage_fails_a_strict_client(start: Start, client: Connect) -> None:
    sim = start(limits=Limits.off())
    # What is a frame, but not what it should hold, is for the reader of frames; what promises
    # more than it brings keeps a client waiting.
    silent = {"json", "empty", "not_json", "number", "null_fields", "utf8_binary", "length"}
    for kind in set(GARBAGE) - silent - {"bytes"}:
        socket = client(sim)
        assert sim.wait_for(lambda: len(sim.connections) == 1)
        sim.send_garbage(kind)
        with pytest.raises(ConnectionClosed):
            socket.raw()
        assert sim.wait_for(lambda: not sim.connections)


def test_send_raw(sim: Simulator, client: Connect) -> None:
    first, second = client(sim), client(sim)
    assert sim.send_raw('{"new":"thing"}') == 2
    assert [socket.raw() for socket in (first, second)] == ['{"new":"thing"}'] * 2
    assert sim.send_raw(b"\xff", connection=1) == 1
    assert first.raw() == b"\xff"
    sim.send_raw(b"{}" * 40_000)
    assert [len(socket.raw()) for socket in (first, second)] == [80_000] * 2
    sim.send_raw(b"\x81\x02ok", "none")
    assert first.raw() == "ok"
    sim.send_raw(b"", 0x9)
    assert second.raw() == "ok"


def ids(socket: Client, count: int) -> list[int]:
    return [frame["sequential_id"] for frame in socket.read_many(count)]


class TestTrades:
    """The sockets are lied to; the ledger keeps the truth."""

    def test_dropped(self, sim: Simulator, subscribed: Client) -> None:
        sim.drop_trades(3)
        sim.burst(10, ["KRW-BTC"])
        ledger = sim.ledger("KRW-BTC")
        assert len(ledger) == 10
        assert ids(subscribed, 7) == ledger[3:]
        assert subscribed.barrier() == []

    def test_duplicated(self, sim: Simulator, subscribed: Client) -> None:
        sim.duplicate_trades(2)
        sim.burst(4, ["KRW-BTC"])
        first, second, third, fourth = sim.ledger("KRW-BTC")
        assert ids(subscribed, 6) == [first, first, second, second, third, fourth]

    def test_reordered(self, sim: Simulator, subscribed: Client) -> None:
        sim.reorder_trades(2)
        sim.burst(5, ["KRW-BTC"])
        first, second, third, fourth, fifth = sim.ledger("KRW-BTC")
        assert ids(subscribed, 5) == [second, first, fourth, third, fifth]

    def test_by_ratio(self, sim: Simulator, subscribed: Client) -> None:
        sim.drop_trades(ratio=0.5)
        sim.burst(400, ["KRW-BTC"])
        sim.drop_trades()
        last = sim.trade("KRW-BTC")
        got: list[int] = []
        while not got or got[-1] != last:
            got += ids(subscribed, 1)
        assert 100 < len(got) < 300
        assert set(got) <= set(sim.ledger("KRW-BTC"))
        assert len(sim.ledger("KRW-BTC")) == 401


def test_a_slow_line(sim: Simulator, subscribed: Client) -> None:
    sim.slow_down(20_000)
    begun = monotonic()
    sim.burst(20, ["KRW-BTC"])
    assert ids(subscribed, 20) == sim.ledger("KRW-BTC")
    # Twenty frames are about 8 kB.
    assert monotonic() - begun > 0.2
    sim.slow_down()
    sim.burst(20, ["KRW-BTC"])
    assert ids(subscribed, 20) == sim.ledger("KRW-BTC")[20:]


def test_a_long_line(sim: Simulator, subscribed: Client) -> None:
    sim.slow_down(delay=0.15)
    begun = monotonic()
    number = sim.trade("KRW-BTC")
    assert ids(subscribed, 1) == [number]
    assert monotonic() - begun >= 0.15
    # When it becomes short, nothing overtakes what is still under way.
    numbers = [sim.trade("KRW-BTC")]
    sim.slow_down()
    numbers.append(sim.trade("KRW-BTC"))
    assert ids(subscribed, 2) == numbers


def test_faults_from_many_threads(start: Start, client: Connect) -> None:
    sim = start(rate=5000, limits=Limits.off())
    for _ in range(5):
        client(sim).ask(TRADE)
    failures: list[BaseException] = []

    def disturb(action: Any) -> None:
        try:
            for _ in range(20):
                action()
        except BaseException as error:
            failures.append(error)

    actions = (sim.stall, sim.resume, sim.mute, sim.unmute, lambda: sim.burst(100), sim.restart)
    threads = [threading.Thread(target=disturb, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE * 3)
    assert not failures
    sim.accept()
    sim.unmute()
    socket = client(sim)
    socket.ask(TRADE)
    sim.trade("KRW-BTC")
    assert socket.read()["code"] == "KRW-BTC"
