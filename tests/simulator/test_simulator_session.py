"""A socket's life: pings, idleness, compression, the handshake and its limits."""

from __future__ import annotations

import gc
import http.client
import json
import socket as sockets
import threading
from time import monotonic
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.simulator.client import PATIENCE, Connect, Start, make_token
from upbit_stream.protocol.limits import RateLimit
from upbit_stream.simulator import Limits, Simulator, Timing
from upbit_stream.simulator.gate import Bans

TICKER = {"type": "ticker", "codes": ["KRW-BTC"]}
#: The exchange's limit, in a window that no slow machine can leave.
FIVE = Limits(connects=(RateLimit(5, 60.0),))


def refusal(client: Connect, sim: Simulator, *args: Any, **options: Any) -> Any:
    """The HTTP answer of a handshake that is refused."""
    with pytest.raises(InvalidStatus) as caught:
        client(sim, *args, **options)
    return caught.value.response


def test_data_comes_in_binary_frames(sim: Simulator, client: Connect) -> None:
    socket = client(sim)
    socket.ask(TICKER)
    assert isinstance(socket.raw(), bytes)
    socket.send("PING")
    assert socket.raw() == b'{"status":"UP"}'
    socket.send([])
    assert isinstance(socket.raw(), bytes)


@pytest.mark.parametrize("ping", ["PING", b"PING"])
def test_a_text_ping_is_answered_now_and_again_and_again(
    start: Start, client: Connect, ping: str | bytes
) -> None:
    sim = start(timing=Timing(status_interval=0.01))
    socket = client(sim)
    socket.send(ping)
    assert socket.read_many(5) == [{"status": "UP"}] * 5


def test_the_measured_interval_is_the_default() -> None:
    assert Timing().status_interval == 10.0
    assert Timing().idle_timeout == 60.5
    realistic = Timing.realistic()
    assert realistic.snapshot_bursts == ((0.172, 0.188), (0.328, 0.354))
    assert realistic.error_close_delay == (0.150, 0.180)


def test_a_ping_frame_gets_its_pong(sim: Simulator, client: Connect) -> None:
    assert client(sim).socket.ping(b"hello").wait(PATIENCE)


def test_a_silent_socket_is_dropped_without_a_close_frame(start: Start, client: Connect) -> None:
    sim = start(timing=Timing(idle_timeout=0.1))
    assert client(sim).end() == ([], None)
    assert sim.wait_for(lambda: sim.closed)
    assert sim.closed[0].reason == "idle"
    assert sim.closed[0].at - sim.handshakes[0].at >= 0.1


def test_one_snapshot_does_not_keep_a_socket(start: Start, client: Connect) -> None:
    sim = start(timing=Timing(idle_timeout=0.5))
    socket = client(sim)
    socket.ask(TICKER)
    frames, code = socket.end()
    assert [frame["stream_type"] for frame in frames] == ["SNAPSHOT"]
    assert code is None
    assert sim.closed[0].reason == "idle"


def test_pings_keep_a_socket(start: Start, client: Connect) -> None:
    sim = start(timing=Timing(idle_timeout=1.0))
    socket = client(sim)
    begun = sim.handshakes[0].at
    last = begun
    while last - begun < 1.3:
        assert socket.socket.ping().wait(PATIENCE)
        last = monotonic()
    assert sim.connections == [1]


def test_the_status_keeps_a_socket(start: Start, client: Connect) -> None:
    sim = start(timing=Timing(idle_timeout=1.0, status_interval=0.1))
    socket = client(sim)
    socket.send("PING")
    assert socket.read_many(15) == [{"status": "UP"}] * 15
    assert sim.connections == [1]


def test_compression_only_for_those_who_ask(sim: Simulator, client: Connect) -> None:
    plain, packed = client(sim), client(sim, compression="deflate")
    assert "Sec-WebSocket-Extensions" not in plain.socket.response.headers  # type: ignore[union-attr]
    extension = packed.socket.response.headers["Sec-WebSocket-Extensions"]  # type: ignore[union-attr]
    assert extension.startswith("permessage-deflate")
    for socket in (plain, packed):
        socket.ask(TICKER, {"type": "trade", "codes": ["KRW-BTC"]})
    assert plain.read_many(2) == packed.read_many(2)
    sim.trade("KRW-BTC")
    assert plain.read_many(2) == packed.read_many(2)


def test_the_upgrade_tells_what_remains(sim: Simulator, client: Connect) -> None:
    response = client(sim).socket.response
    assert response is not None
    assert response.headers["remaining-req"] == "group=websocket; min=300; sec=4"


def test_five_handshakes_at_a_time(start: Start, client: Connect) -> None:
    assert Limits().connects == (RateLimit(5, 1.0),)
    sim = start(limits=FIVE)
    for _ in range(5):
        client(sim)
    response = refusal(client, sim)
    assert response.status_code == 429
    assert [handshake.status for handshake in sim.handshakes] == [101] * 5 + [429]
    assert sim.stats["handshake 429"] == 1


def test_handshakes_are_allowed_again_after_the_window(start: Start, client: Connect) -> None:
    sim = start(limits=Limits(connects=(RateLimit(1, 1.0),)))
    client(sim)
    assert refusal(client, sim).status_code == 429
    allowed = sim.handshakes[0].at + 1.0
    assert sim.wait_for(lambda: monotonic() > allowed)
    client(sim)


def test_an_account_is_counted_apart_from_its_address(start: Start, client: Connect) -> None:
    sim = start(limits=FIVE)
    for _ in range(5):
        client(sim)
    client(sim, "private")
    assert refusal(client, sim).status_code == 429


def test_one_handshake_with_an_origin_in_ten_seconds(sim: Simulator, client: Connect) -> None:
    client(sim, headers={"Origin": "http://localhost"})
    response = refusal(client, sim, headers={"Origin": "http://localhost"})
    assert response.status_code == 429
    assert response.headers["Remaining-Req"].startswith("group=origin")
    client(sim)


@pytest.mark.parametrize("notice", ["header", "body"])
def test_repeated_refusals_are_a_ban(start: Start, client: Connect, notice: str) -> None:
    limits = Limits(connects=(RateLimit(1, 60.0),), ban_after=2, ban_seconds=30.0)
    sim = start(limits=limits, ban_notice=notice)
    client(sim)
    assert refusal(client, sim).status_code == 429
    assert refusal(client, sim).status_code == 429
    response = refusal(client, sim)
    assert response.status_code == 418
    if notice == "header":
        assert response.headers["Retry-After"] == "30"
    else:
        assert "Retry-After" not in response.headers
        assert "30 seconds" in json.loads(response.body)["error"]["message"]
    # The account is another one.
    client(sim, "private")


def test_a_ban_grows_with_every_repeat() -> None:
    bans = Bans(Limits(ban_after=2, ban_window=60.0, ban_seconds=5.0))
    now = 1000.0
    for seconds in (5, 10, 20, 40):
        bans.refused("me", now)
        assert bans.left("me", now) == 0
        bans.refused("me", now + 1)
        assert bans.left("me", now + 1) == seconds
        assert bans.left("me", now + seconds + 0.5) == 1
        assert bans.left("you", now + 1) == 0
        now += 1 + seconds
        assert bans.left("me", now) == 0
    # Refusals that are long ago do not add up.
    bans.refused("me", now)
    bans.refused("me", now + 61)
    assert bans.left("me", now + 61) == 0


class TestTokens:
    @pytest.mark.parametrize("algorithm", ["HS256", "HS512"])
    @pytest.mark.parametrize("endpoint", ["private", "info"])
    def test_a_good_token(
        self, sim: Simulator, client: Connect, endpoint: str, algorithm: str
    ) -> None:
        token = make_token(algorithm=algorithm)
        assert client(sim, endpoint, authorization=f"Bearer {token}").barrier() == []
        assert sim.handshakes[0].endpoint == endpoint

    @pytest.mark.parametrize(
        "header",
        [
            "",
            "Bearer nonsense",
            "Basic abc",
            f"Bearer {make_token(secret='x' * 64)}",
            f"Bearer {make_token(access='nobody')}",
            f"Bearer {make_token(algorithm='HS384')}",
        ],
        ids=["none", "nonsense", "scheme", "secret", "access", "algorithm"],
    )
    def test_a_bad_token_is_refused_by_http(
        self, sim: Simulator, client: Connect, header: str
    ) -> None:
        response = refusal(client, sim, "private", authorization=header)
        assert response.status_code == 401

    def test_a_bad_token_is_refused_by_a_frame(self, start: Start, client: Connect) -> None:
        sim = start(auth_refusal="frame")
        frames, code = client(sim, "private", authorization="Bearer x").end()
        assert [frame["error"]["name"] for frame in frames] == ["INVALID_AUTH"]
        assert code == 1000

    @pytest.mark.parametrize("way", ["http", "frame"])
    def test_a_nonce_works_once(self, start: Start, client: Connect, way: str) -> None:
        sim = start(auth_refusal=way)
        authorization = f"Bearer {make_token()}"
        client(sim, "private", authorization=authorization)
        if way == "http":
            again = refusal(client, sim, "private", authorization=authorization)
            assert again.status_code == 401
        else:
            socket = client(sim, "private", authorization=authorization)
            assert socket.read()["error"]["name"] == "INVALID_AUTH"

    def test_own_keys(self, start: Start, client: Connect) -> None:
        secret = "s" * 64
        sim = start(keys={"me": secret})
        token = make_token(access="me", secret=secret)
        client(sim, "private", authorization=f"Bearer {token}")
        assert refusal(client, sim, "private").status_code == 401


def test_an_upgrade_elsewhere_is_not_found(sim: Simulator, client: Connect) -> None:
    with pytest.raises(InvalidStatus) as caught:
        client(sim, "nowhere")
    assert caught.value.response.status_code == 404


def test_plain_http_on_the_websocket_path(sim: Simulator) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", sim.port, timeout=PATIENCE)
    connection.request("GET", "/websocket/v1")
    assert connection.getresponse().status == 426
    connection.close()


def test_nonsense_instead_of_http(sim: Simulator) -> None:
    with sockets.create_connection(("127.0.0.1", sim.port), timeout=PATIENCE) as raw:
        raw.sendall(b"\x00\x01\x02 nonsense\r\n\r\n")
        assert raw.recv(100) == b""


def test_a_client_that_does_not_read_is_dropped(start: Start, client: Connect) -> None:
    sim = start(limits=Limits(burst_buffer=200_000, burst_patience=1.0))
    with sockets.create_connection(("127.0.0.1", sim.port), timeout=PATIENCE) as raw:
        raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
        raw.sendall(
            b"GET /websocket/v1 HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        assert raw.recv(1000).startswith(b"HTTP/1.1 101")
        request = b'[{"ticket":"t"},{"type":"trade","codes":["KRW-BTC"]}]'
        raw.sendall(bytes((0x81, 0x80 | len(request))) + b"\0\0\0\0" + request)
        assert sim.wait_for_subscription("trade", "KRW-BTC")
        reader = client(sim)
        reader.ask({"type": "trade", "codes": ["KRW-BTC"], "is_only_realtime": True})
        reader.barrier()
        sim.burst(25_000, ["KRW-BTC"])
        assert sim.wait_for(lambda: [gone.reason for gone in sim.closed] == ["buffer"])
    # The other reader lost nothing.
    ids = [reader.read()["sequential_id"] for _ in range(25_000)]
    assert ids == sim.ledger("KRW-BTC")


def test_small_messages_do_not_wait_for_acknowledgements(sim: Simulator, client: Connect) -> None:
    client(sim).ask(TICKER)
    # By its type alone: isinstance() asks a weak proxy for its object, which may be gone.
    found = [one for one in gc.get_objects() if issubclass(type(one), sockets.socket)]
    ours = [one for one in found if one.fileno() >= 0 and is_accepted(one, sim.port)]
    assert [one.getsockopt(sockets.IPPROTO_TCP, sockets.TCP_NODELAY) > 0 for one in ours] == [True]


def is_accepted(socket: sockets.socket, port: int) -> bool:
    """Whether it is the server's end of a connection."""
    try:
        return socket.family == sockets.AF_INET and bool(
            socket.getsockname()[1] == port and socket.getpeername()
        )
    except OSError:  # a listening one
        return False


def test_no_server_pings_and_a_clean_close(sim: Simulator, client: Connect) -> None:
    socket = client(sim)
    socket.socket.close(1000)
    with pytest.raises(ConnectionClosed):
        socket.raw()
    assert sim.wait_for(lambda: [gone.reason for gone in sim.closed] == ["client"])
    assert sim.connections == []


def test_nothing_stays_after_the_end(client: Connect) -> None:
    with Simulator(rate=1000) as sim:
        port = sim.port
        client(sim).ask(TICKER)
        assert [t.name for t in threading.enumerate()].count("upbit-simulator") == 1
    assert "upbit-simulator" not in [thread.name for thread in threading.enumerate()]
    with pytest.raises(ConnectionRefusedError):
        sockets.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    with Simulator(rate=0, port=port) as sim:
        assert sim.port == port


def test_misuse_is_told() -> None:
    sim = Simulator(rate=0)
    with pytest.raises(RuntimeError, match="not running"):
        sim.burst(1)
    with sim, pytest.raises(RuntimeError, match="already"):
        sim.start()
    sim.stop()
    with pytest.raises(ValueError, match="codes is empty"):
        Simulator(codes=[])
    with pytest.raises(ValueError, match="rate"):
        Simulator(rate=-1)


def test_a_port_in_use_is_told(sim: Simulator) -> None:
    with pytest.raises(OSError, match=r"Errno|WinError"):
        Simulator(port=sim.port).start()
