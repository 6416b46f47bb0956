"""A lost connection is made again, told, and its list restored by one request."""

from __future__ import annotations

import logging
import signal
import ssl
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from tests.conftest import eventually
from upbit_stream import (
    ConnectionFailedError,
    ConnectionPool,
    ConnectionState,
    ReconnectPolicy,
    StreamConfig,
    SubscriptionError,
    Ticker,
    Trade,
    UpbitStream,
)
from upbit_stream.simulator import Simulator

LOSSES = {
    "close 1000": lambda sim: sim.close(1000),
    "close 1001": lambda sim: sim.close(1001),
    "close 1011": lambda sim: sim.close(1011, "trouble"),
    "close 1012": lambda sim: sim.close(1012),
    "reset": lambda sim: sim.reset(),
    "end without a close frame": lambda sim: sim.eof(),
    "restart": lambda sim: sim.restart(),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_every_way_of_losing_it_is_healed(config: StreamConfig, sim: Simulator, loss: str) -> None:
    states: list[ConnectionState] = []
    tickers: list[Ticker] = []
    trades: list[Trade] = []
    stream = UpbitStream(config=config)
    stream.on_state(states.append)
    stream.ticker("KRW-BTC", callback=tickers.append)
    stream.trade(["KRW-BTC", "KRW-ETH"], callback=trades.append)
    with stream:
        eventually(lambda: len(tickers) == 1 and len(trades) == 2)
        lost_at = time.monotonic()
        LOSSES[loss](sim)
        eventually(lambda: len(sim.requests) == 2)
        # A first loss is healed at once (with 1011, after 0.1 s).
        assert time.monotonic() - lost_at < 2.0
        eventually(lambda: len(tickers) == 2)
        newest = sim.trade("KRW-BTC")
        eventually(lambda: trades[-1].sequential_id == newest)
        assert stream.stats.reconnects == 1
    assert [state.value for state in states[:4]] == [
        "connecting",
        "connected",
        "reconnecting",
        "connected",
    ]
    # The whole list, in one request.
    before, after = (request.parsed[1:] for request in sim.requests)
    assert before == after
    # The market stood still: the trade snapshots after the reconnect were known already.
    assert len(trades) == 3
    assert len({trade.sequential_id for trade in trades}) == 3


def test_the_first_connection_is_tried_until_it_succeeds(sim: Simulator) -> None:
    with Simulator(rate=0) as reserved:
        url = reserved.url
        port = reserved.port
    config = StreamConfig(url=url)
    with UpbitStream(config=config) as stream:
        states: list[ConnectionState] = []
        stream.on_state(states.append)
        tickers: list[Ticker] = []
        stream.ticker("KRW-BTC", callback=tickers.append)
        assert not stream.wait_connected(0.3)
        assert stream.state is ConnectionState.CONNECTING
        with Simulator(rate=0, port=port):
            assert stream.wait_connected(10)
            eventually(lambda: tickers)
        assert states[:2] == [ConnectionState.CONNECTING, ConnectionState.CONNECTED]


def test_a_flapping_server_is_given_its_distance(config: StreamConfig, sim: Simulator) -> None:
    policy = ReconnectPolicy(min_interval=0.4)
    config = StreamConfig(url=config.url, reconnect=policy)
    with UpbitStream(config=config) as stream:
        stream.ticker("KRW-BTC")
        for count in (1, 2, 3):
            sim.wait_for(lambda: len(sim.handshakes) == count and sim.connections)  # noqa: B023
            sim.reset()
        eventually(lambda: len(sim.handshakes) == 4)
        times = [handshake.at for handshake in sim.handshakes]
        # The first loss is healed at once, the next ones wait for the rest of the interval.
        assert times[1] - times[0] < 0.4
        assert times[2] - times[1] >= 0.39
        assert times[3] - times[2] >= 0.39


def test_giving_up_after_max_attempts_raises_everywhere() -> None:
    config = StreamConfig(
        url="ws://127.0.0.1:9/websocket/v1", reconnect=ReconnectPolicy(max_attempts=2)
    )
    with UpbitStream(config=config) as stream:
        errors: list[Exception] = []
        stream.on_error(errors.append)
        subscription = stream.trade("KRW-BTC")
        with pytest.raises(ConnectionFailedError, match=r"gave up after 2 attempts.*refused"):
            list(subscription)
        with pytest.raises(ConnectionFailedError):
            subscription.get(timeout=1)
        with pytest.raises(ConnectionFailedError):
            stream.run(5)
        with pytest.raises(ConnectionFailedError):
            stream.wait_connected(5)
        assert stream.state is ConnectionState.ERROR
        eventually(lambda: errors)


def test_tls(server_context: ssl.SSLContext, client_context: ssl.SSLContext) -> None:
    with Simulator(rate=300, ssl_context=server_context) as sim:
        assert sim.url.startswith("wss://")
        with UpbitStream(config=StreamConfig(url=sim.url, ssl_context=client_context)) as stream:
            trades: list[Trade] = []
            stream.trade(sim.codes, callback=trades.append)
            eventually(lambda: len(trades) > 200)
            sim.reset()
            count = len(trades)
            eventually(lambda: len(trades) > count + 200)


def test_a_certificate_that_is_not_trusted_is_never_retried(
    server_context: ssl.SSLContext,
) -> None:
    with (
        Simulator(rate=0, ssl_context=server_context) as sim,
        UpbitStream(config=StreamConfig(url=sim.url)) as stream,
    ):
        with pytest.raises(ConnectionFailedError, match=r"certificate.*ssl_context"):
            stream.trade("KRW-BTC").get(timeout=10)
        assert stream.state is ConnectionState.ERROR


def test_a_half_open_connection_is_noticed_and_healed(sim: Simulator) -> None:
    config = StreamConfig(url=sim.url, ping_interval=0.2, ping_timeout=0.3)
    with UpbitStream(config=config) as stream:
        tickers: list[Ticker] = []
        stream.ticker("KRW-BTC", callback=tickers.append)
        eventually(lambda: tickers)
        began = time.monotonic()
        sim.stall()
        eventually(lambda: len(sim.handshakes) == 2)
        assert time.monotonic() - began < 0.2 + 0.3 + 1.0
        eventually(lambda: len(tickers) == 2)


@pytest.mark.alone
def test_a_busy_reader_does_not_take_a_late_pong_for_a_dead_server() -> None:
    """The pong waits behind a backlog: as long as there is something to read, nobody is dead."""
    with Simulator(rate=3000) as sim:
        config = StreamConfig(url=sim.url, ping_interval=0.05, ping_timeout=0.05)
        with UpbitStream(config=config) as stream:
            trades: list[Trade] = []
            stream.trade(sim.codes, callback=trades.append)
            eventually(lambda: len(trades) > 3000)
            stream.run(0.5)
            assert stream.stats.reconnects <= 1


def test_refused_upgrades_are_tried_again(config: StreamConfig, sim: Simulator) -> None:
    sim.fail_handshakes(503, 2)
    with UpbitStream(config=config) as stream:
        assert stream.trade("KRW-BTC").get(timeout=10).code == "KRW-BTC"
    assert [handshake.status for handshake in sim.handshakes] == [503, 503, 101]
    first, second, third = (handshake.at for handshake in sim.handshakes)
    assert second - first >= 0.09
    assert third - second >= 0.18


def test_a_ban_waits_out_its_time(config: StreamConfig, sim: Simulator) -> None:
    sim.fail_handshakes(418, 1, headers={"Retry-After": "1"})
    with UpbitStream(config=config) as stream:
        assert stream.trade("KRW-BTC").get(timeout=10).code == "KRW-BTC"
    banned, accepted = sim.handshakes
    assert accepted.at - banned.at >= 1.0


def test_a_ban_is_for_every_stream_of_the_process(
    config: StreamConfig, sim: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    sim.fail_handshakes(418, 1, headers={"Retry-After": "1"})
    with (
        UpbitStream(config=config, pool=ConnectionPool()) as first,
        UpbitStream(config=config, pool=ConnectionPool()) as second,
    ):
        one = first.trade("KRW-BTC")
        first.start()
        eventually(lambda: "HTTP 418" in caplog.text)  # it has read the answer
        other = second.trade("KRW-BTC")
        assert one.get(timeout=10).code == other.get(timeout=10).code
    banned, *accepted = sim.handshakes
    assert [handshake.status for handshake in accepted] == [101, 101]
    assert min(handshake.at for handshake in accepted) - banned.at >= 1.0


def test_the_last_words_of_a_server_are_heard(config: StreamConfig, sim: Simulator) -> None:
    with UpbitStream(config=config) as stream:
        trades = stream.trade("KRW-BTC")
        assert trades.get(timeout=10)
        sim.send_raw('{"error":{"name":"WRONG_FORMAT","message":"Format 이 맞지 않습니다."}}')
        with pytest.raises(SubscriptionError, match=r"WRONG_FORMAT.*Format 이 맞지 않습니다"):
            trades.get(timeout=10)
        assert stream.state is ConnectionState.ERROR


class Grumbling(logging.Handler):
    """Other people's logging, which fails."""

    def emit(self, record: logging.LogRecord) -> None:
        raise OSError("no space left on device")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_logging_handler_that_raises_ends_nothing(config: StreamConfig, sim: Simulator) -> None:
    logger = logging.getLogger("upbit_stream")
    handler = Grumbling()
    with UpbitStream(config=config) as stream:
        trades = stream.trade("KRW-BTC")
        assert trades.get(timeout=10)
        logger.addHandler(handler)
        try:
            sim.reset()
            eventually(lambda: len(sim.handshakes) == 2)
            eventually(lambda: stream.state is ConnectionState.CONNECTED)
        finally:
            logger.removeHandler(handler)
        eventually(lambda: len(sim.requests) == 2)
        newest = sim.trade("KRW-BTC")
        while trades.get(timeout=10).sequential_id != newest:
            pass
        assert "stumbled: OSError" in stream.health().recent_reconnects[-1].cause


@pytest.mark.long
@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="no such signal here")
def test_a_pause_of_the_whole_process_is_no_reason_to_reconnect(sim: Simulator) -> None:
    script = """
        from upbit_stream import StreamConfig, UpbitStream

        config = StreamConfig(url={url!r}, ping_interval=0.3, ping_timeout=1.0)
        with UpbitStream(config=config) as stream:
            trades = stream.trade("KRW-BTC")
            trades.get(timeout=10)
            print("up", flush=True)
            input()
            print(stream.stats.reconnects)
    """
    code = textwrap.dedent(script).format(url=sim.url)
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        # Far away: half of the time a ping is under way, and some of the pauses fall into it.
        sim.slow_down(delay=0.25)
        pause = threading.Event()
        for number in range(5):
            pause.wait(0.7 + number * 0.07)
            process.send_signal(signal.SIGSTOP)
            pause.wait(1.3)
            process.send_signal(signal.SIGCONT)
        out, _ = process.communicate("\n", timeout=20)
    assert out == "0\n"


def test_an_upgrade_that_hangs_is_given_up_and_tried_again(sim: Simulator) -> None:
    config = StreamConfig(url=sim.url, connect_timeout=0.3)
    sim.stall_handshakes(1)
    with UpbitStream(config=config) as stream:
        assert stream.trade("KRW-BTC").get(timeout=10).code == "KRW-BTC"


def test_closing_while_an_upgrade_hangs(config: StreamConfig, sim: Simulator) -> None:
    sim.stall_handshakes(1)
    stream = UpbitStream(config=config)
    stream.trade("KRW-BTC", callback=lambda trade: None)
    stream.start()
    assert not stream.wait_connected(0.2)
    began = time.monotonic()
    assert stream.close(3.0)
    assert time.monotonic() - began < 1.0


def test_a_server_that_breaks_the_protocol_is_left_and_tried_again(
    config: StreamConfig, sim: Simulator
) -> None:
    with UpbitStream(config=config) as stream:
        trades = stream.trade("KRW-BTC")
        assert trades.get(timeout=10).stream_type == "SNAPSHOT"
        sim.send_garbage("rsv")
        eventually(lambda: len(sim.requests) == 2)
        newest = sim.trade("KRW-BTC")
        assert trades.get(timeout=10).sequential_id == newest
