"""Make before break: a socket is replaced without anyone noticing, and a mute one is."""

from __future__ import annotations

import dataclasses
import logging
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from tests.conftest import eventually, our_threads
from upbit_stream import ConnectionState, Orderbook, StreamConfig, Ticker, Trade, UpbitStream
from upbit_stream.connection import renewal, session, staleness
from upbit_stream.simulator import Simulator


def test_a_renewal_under_load_misses_nothing_and_doubles_nothing() -> None:
    with Simulator(rate=1500) as sim:
        states: list[ConnectionState] = []
        trades: list[Trade] = []
        books: list[Orderbook] = []
        tickers: list[Ticker] = []
        with UpbitStream(config=StreamConfig(url=sim.url)) as stream:
            stream.on_state(states.append)
            stream.trade(sim.codes, trades.append, snapshot=False)
            stream.orderbook(sim.codes, books.append)
            stream.ticker(sim.codes, tickers.append)
            eventually(lambda: len(trades) > 500)
            for count in range(1, 7):
                stream.renew()
                eventually(lambda: stream.stats.reconnects == count)  # noqa: B023
            assert len(sim.handshakes) == 7
            sim.rate = 0
            eventually(lambda: stream.stats.queued == 0)
            last = max(ids[-1] for code in sim.codes if (ids := sim.ledger(code)))
            eventually(lambda: max(one.sequential_id or 0 for one in trades) == last)
            # The farewell has a thread of its own.
            eventually(lambda: len(sim.connections) == 1)
        by_code: dict[str, list[int]] = {code: [] for code in sim.codes}
        for trade in trades:
            by_code[trade.code].append(trade.sequential_id)
        for code, got in by_code.items():
            ledger = sim.ledger(code)
            if got:
                assert got == ledger[ledger.index(got[0]) :]
        assert set(states) <= {
            ConnectionState.CONNECTING,
            ConnectionState.CONNECTED,
            ConnectionState.DISCONNECTING,
            ConnectionState.DISCONNECTED,
        }
        # No order book goes back in time, no ticker comes twice.
        newest: dict[str, int] = {}
        for book in books:
            assert book.timestamp >= newest.get(book.code, 0)
            newest[book.code] = book.timestamp
        assert len(set(tickers)) == len(tickers)
    assert our_threads() == []


def test_a_renewal_in_a_still_market_delivers_nothing(config: StreamConfig, sim: Simulator) -> None:
    with UpbitStream(config=config) as stream:
        tickers = stream.ticker(["KRW-BTC", "KRW-ETH"])
        books = stream.orderbook("KRW-BTC")
        trades = stream.trade("KRW-XRP")
        for subscription in (tickers, tickers, books, trades):
            assert subscription.get(timeout=10)
        stream.renew()
        eventually(lambda: stream.stats.reconnects == 1)
        eventually(lambda: len(sim.connections) == 1)
        assert stream.stats.received == stream.stats.delivered == 4
        newest = sim.trade("KRW-XRP")
        assert trades.get(timeout=10).sequential_id == newest
        assert stream.stats.received == 5


def test_without_a_new_socket_the_old_one_is_kept(
    config: StreamConfig, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renewal, "_PROVE", 0.5)
    config = dataclasses.replace(config, connect_timeout=0.5)
    with UpbitStream(config=config) as stream:
        trades = stream.trade("KRW-BTC")
        assert trades.get(timeout=10)
        sim.fail_handshakes(503, 1)
        stream.renew()
        eventually(lambda: len(sim.handshakes) == 2)
        sim.stall_handshakes(1)
        stream.renew()
        eventually(lambda: any("connect" in name for name in our_threads()))
        eventually(lambda: not any("connect" in name for name in our_threads()))
        newest = sim.trade("KRW-BTC")
        assert trades.get(timeout=10).sequential_id == newest
        assert stream.stats.reconnects == 0
        assert stream.state is ConnectionState.CONNECTED
        # A new socket that delivers nothing is no better.
        sim.mute(connection=999, future=True)
        stream.renew()
        eventually(lambda: len(sim.connections) == 2)
        eventually(lambda: len(sim.connections) == 1)
        newest = sim.trade("KRW-BTC")
        assert trades.get(timeout=10).sequential_id == newest
        assert stream.stats.reconnects == 0
    assert our_threads() == []


def test_the_old_socket_dies_while_the_new_one_is_made(
    config: StreamConfig, sim: Simulator
) -> None:
    with UpbitStream(config=config) as stream:
        trades = stream.trade("KRW-BTC")
        assert trades.get(timeout=10)
        sim.slow_handshake(0.5)
        stream.renew()
        eventually(lambda: any("connect" in name for name in our_threads()))
        sim.reset()
        newest = sim.trade("KRW-BTC")
        while trades.get(timeout=10).sequential_id != newest:
            pass
        eventually(lambda: len(sim.connections) == 1)
    assert our_threads() == []


def test_closing_in_the_middle_of_a_renewal(config: StreamConfig, sim: Simulator) -> None:
    stream = UpbitStream(config=config)
    assert stream.trade("KRW-BTC").get(timeout=10)
    sim.slow_handshake(2.0)
    stream.renew()
    eventually(lambda: any("connect" in name for name in our_threads()))
    assert stream.close(5.0)
    assert our_threads() == []


@pytest.fixture
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a connection usually has is known after five looks: four a second."""
    monkeypatch.setattr(session, "_HOUSEKEEPING", 0.25)
    monkeypatch.setattr(staleness, "_LOOK", 0.25)


def busy(sim: Simulator, stream: UpbitStream, seconds: float) -> None:
    """Let the connection be busy for so long, so that it is known to be."""
    sim.rate = 200
    stream.run(seconds)
    sim.rate = 0


@pytest.mark.usefixtures("quick_looks")
def test_a_mute_socket_is_replaced(
    config: StreamConfig, sim: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    config = dataclasses.replace(config, stale_after=1.0)
    states: list[ConnectionState] = []
    with UpbitStream(config=config) as stream:
        stream.on_state(states.append)
        trades: list[Trade] = []
        stream.trade(sim.codes, trades.append)
        sim.rate = 200
        stream.run(2.5)
        sim.mute()
        eventually(lambda: stream.stats.reconnects == 1)
        count = len(trades)
        eventually(lambda: len(trades) > count + 50)
        assert len(sim.handshakes) == 2
        causes = [one.cause for one in stream.health().recent_reconnects]
        assert len(causes) == 1
        assert "sent nothing for" in causes[0]
        sim.rate = 0

        def complete(code: str) -> bool:
            ids = [trade.sequential_id for trade in trades if trade.code == code]
            ledger = sim.ledger(code)
            return [one for one in ids if one >= ledger[0]] == ledger

        # What was not sent meanwhile has been fetched, each once and in its place.
        eventually(lambda: all(complete(code) for code in sim.codes))
        assert ConnectionState.RECONNECTING not in states
    assert [one.getMessage().split("; ")[1] for one in caplog.records] == [
        "another socket has taken over"
    ]


def test_a_slow_socket_is_replaced(
    sim: Simulator, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staleness, "_SLOW", 500.0)
    config = StreamConfig(url=sim.url, ping_interval=0.1)
    states: list[ConnectionState] = []
    trades: list[Trade] = []
    with UpbitStream(config=config) as stream:
        stream.on_state(states.append)
        stream.trade("KRW-BTC", trades.append)
        assert stream.wait_connected(10)
        (slow,) = sim.connections
        eventually(lambda: (stream.health().latency_p99 or 1000) < 200)
        stream.run(1)
        sim.slow_down(delay=0.7, connection=slow)
        late = sim.trade("KRW-BTC")
        eventually(lambda: stream.stats.reconnects == 1)
        eventually(lambda: slow not in sim.connections)
        newest = sim.trade("KRW-BTC")
        eventually(lambda: trades[-1].sequential_id == newest)
        assert [trade.sequential_id for trade in trades][-2:] == [late, newest]
        (replaced,) = stream.health().recent_reconnects
        assert "its pings take" in replaced.cause
        # The new one is as fast as the old one was, and is left alone.
        eventually(lambda: (stream.health().ping_latency or 1000) < 200)
        stream.run(1)
        assert len(sim.handshakes) == 2
        assert ConnectionState.RECONNECTING not in states
    assert [one.getMessage().split("; ")[1] for one in caplog.records] == [
        "another socket has taken over"
    ]


@pytest.mark.usefixtures("quick_looks")
def test_a_market_that_goes_quiet_costs_no_connection(sim: Simulator) -> None:
    config = StreamConfig(url=sim.url, stale_after=1.0)
    with UpbitStream(config=config) as stream:
        trades = stream.trade(sim.codes, overflow="latest")
        stream.ticker(sim.codes, overflow="latest")
        stream.start()
        busy(sim, stream, 2.5)
        requests = len(sim.requests)
        # It is asked; what the snapshots say is what is known.
        eventually(lambda: len(sim.requests) >= requests + 1)
        received = trades.stats.received
        stream.run(3)
        assert trades.stats.received == received
        assert len(sim.handshakes) == 1
        assert stream.stats.reconnects == 0


@pytest.mark.usefixtures("quick_looks")
def test_one_that_sends_snapshots_but_no_trades_is_replaced(sim: Simulator) -> None:
    config = StreamConfig(url=sim.url, stale_after=1.0)
    with UpbitStream(config=config) as stream:
        stream.trade(sim.codes, overflow="latest")
        stream.start()
        busy(sim, stream, 2.5)
        sim.drop_trades(ratio=1.0)
        sim.rate = 200
        eventually(lambda: stream.stats.reconnects == 1)
        sim.drop_trades(ratio=0.0)


STOPPING = """
import logging, sys, threading
from upbit_stream import StreamConfig, UpbitStream

noticed = threading.Event()


def note(record):
    if "passed unnoticed" in record.getMessage():
        noticed.set()
    return True


logging.basicConfig(level=logging.INFO, stream=sys.stderr)
logging.getLogger("upbit_stream").addFilter(note)
with UpbitStream(config=StreamConfig(url={url!r}, **{pings!r})) as stream:
    trades = stream.trade("KRW-BTC")
    trades.get(timeout=10)
    print("up", flush=True)
    input()
    print(trades.get(timeout=10).sequential_id, stream.stats.reconnects, flush=True)
    {lost!r} or noticed.wait(10)  # the trade may be here before its thread looks at the clock
"""


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="no such signal here")
@pytest.mark.parametrize(
    ("seconds", "pings", "lost"),
    [
        (6.5, {"ping_interval": 1.0, "ping_timeout": 2.0}, False),
        (6.5, {"ping_interval": 1.0, "ping_timeout": 2.0}, True),
        # Longer than the defaults allow a pong to take: 15 s and 10 s.
        pytest.param(30.0, {}, False, marks=pytest.mark.soak),
        pytest.param(30.0, {}, True, marks=pytest.mark.soak),
    ],
)
def test_after_a_stop_it_is_asked_or_made_anew_at_once(
    sim: Simulator, seconds: float, pings: dict[str, float], lost: bool
) -> None:
    code = textwrap.dedent(STOPPING).format(url=sim.url, pings=pings, lost=lost)
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(signal.SIGSTOP)
        threading.Event().wait(seconds)
        if lost:  # the server gave up meanwhile
            sim.reset()
        missed = sim.trade("KRW-BTC")
        process.send_signal(signal.SIGCONT)
        out, log = process.communicate("\n", timeout=20)
    assert out == f"{missed} {int(lost)}\n"
    assert len(sim.handshakes) == 1 + lost
    if not lost:
        assert "s passed unnoticed (suspended, stopped, or the clock was set); pinging" in log


def test_a_quiet_day_logs_nothing(sim: Simulator, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "upbit_stream"):
        with UpbitStream(config=StreamConfig(url=sim.url, stale_after=1.0)) as stream:
            stream.trade(sim.codes, lambda trade: None)
            eventually(lambda: ": connected" in caplog.text)
            caplog.clear()
            busy(sim, stream, 3)
        # But the sizes of frames, for whoever asks for them.
        sizes = re.compile(r"public: \d+ frames with \[[\d, ]*\] bytes")
        told = [one for one in caplog.records if not sizes.fullmatch(one.getMessage())]
        assert [one.levelname for one in told] == ["INFO", "INFO"]


def test_a_clock_that_is_set_changes_nothing(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with UpbitStream(config=StreamConfig(url=sim.url, stale_after=1.0)) as stream:
        trades: list[Trade] = []
        stream.trade(sim.codes, trades.append)
        busy(sim, stream, 2)
        for jump in (-3600.0, 86_400.0):
            now = time.time
            caplog.clear()
            with caplog.at_level(logging.INFO, "upbit_stream"), monkeypatch.context() as patch:
                patch.setattr(time, "time", lambda: now() + jump)  # noqa: B023
                eventually(lambda: "passed unnoticed" in caplog.text)
                count = len(trades)
                busy(sim, stream, 1.5)
                assert len(trades) > count + 100
                assert stream.health().is_healthy(), stream.health().problems
            assert "WARNING" not in [record.levelname for record in caplog.records]
        assert stream.stats.reconnects == 0
        assert stream.close()
