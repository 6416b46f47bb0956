"""Members of one name: what each of them wants, where the first one began, and who is who."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.conftest import eventually
from tests.relay.desk import Press, ids
from tests.relay.processes import Reader
from tests.relay.servers import Broker, NatsServer, needs_nats
from upbit_stream import (
    ConnectionPool,
    ConnectionState,
    ReconnectPolicy,
    StreamConfig,
    Trade,
    UpbitStream,
)
from upbit_stream.connection import base
from upbit_stream.relay.lanes import Lane
from upbit_stream.relay.nats_source import NatsSource

CODES = ("KRW-BTC", "KRW-ETH", "KRW-XRP")
CONFIG = StreamConfig(reconnect=ReconnectPolicy(cap=0.2, min_interval=0))


@pytest.fixture
def press(broker: Broker) -> Iterator[Press]:
    with Press(broker) as press:
        yield press


def member(broker: Broker) -> UpbitStream:
    return UpbitStream(source=f"{broker.url}?name=desk", config=CONFIG, pool=ConnectionPool())


def test_what_only_one_member_wants_is_its_own(broker: Broker, press: Press) -> None:
    press.print(1, CODES)
    others: list[Trade] = []
    trades: list[Trade] = []
    with member(broker) as one, member(broker) as other:
        other.trade(CODES[0], callback=others.append)
        eventually(lambda: others)
        one.trade(CODES[1:], callback=trades.append)
        eventually(lambda: {trade.code for trade in trades} == set(CODES[1:]))
        made = press.print(50, CODES)
        eventually(lambda: len(others) >= 51 and len(trades) >= 102)
    assert ids(others)[1:] == made


def test_members_whose_hosts_and_processes_are_called_the_same_are_two(
    broker: Broker, press: Press, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "numbered", lambda name: name)  # as in two containers
    press.print(1)
    trades: list[Trade] = []
    others: list[Trade] = []
    with member(broker) as one, member(broker) as other:
        one.trade("KRW-BTC", callback=trades.append)
        eventually(lambda: trades)
        other.trade("KRW-BTC", callback=others.append)
        eventually(lambda: other.state is ConnectionState.CONNECTED)
        made = press.print(50)
        eventually(lambda: made[-1] in ids(trades))
        threading.Event().wait(0.5)
    assert others == []


@needs_nats
def test_who_speaks_while_others_look_keeps_its_lanes() -> None:
    lane = Lane("trade", "KRW-BTC")
    ended = threading.Event()

    def speak(source: NatsSource) -> None:
        while not ended.is_set():
            source.share("desk", "one", [lane])

    with NatsServer() as server, ExitStack() as stack:
        one, other = NatsSource(server.url), NatsSource(server.url)
        for source in (one, other):
            source.open()
            stack.callback(source.close)
        assert lane in one.share("desk", "one", [lane])[0]
        speaker = threading.Thread(target=speak, args=(one,))
        stack.callback(speaker.join)
        stack.callback(ended.set)
        speaker.start()
        for _ in range(500):
            assert not other.share("desk", "other", [lane])[0]


def test_who_dies_in_its_first_callback_leaves_out_nothing(broker: Broker, press: Press) -> None:
    press.print(1)
    stuck = textwrap.dedent(
        f"""
        import time
        from upbit_stream import UpbitStream

        def work(trade):
            print("works", flush=True)
            time.sleep(600)

        with UpbitStream(source={broker.url + "?name=desk"!r}) as stream:
            stream.trade("KRW-BTC", callback=work)
            stream.run()
        """
    )
    process = subprocess.Popen([sys.executable, "-c", stuck], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"works\n"
        made = press.print(100)
    finally:
        process.kill()
        process.communicate(timeout=20)
    trades: list[Trade] = []
    with member(broker) as stream:
        stream.trade("KRW-BTC", callback=trades.append)
        eventually(lambda: made[-1] in ids(trades))
    assert ids(trades)[-100:] == made


def test_who_was_frozen_delivers_nothing_that_others_have(broker: Broker, press: Press) -> None:
    code = CODES[0]
    made = press.print(1)
    trades: list[Trade] = []
    with Reader(f"{broker.url}?name=desk", code) as frozen, member(broker) as other:
        eventually(lambda: made[-1] in frozen.ids(code))
        other.trade(code, callback=trades.append)
        made += press.print(10)
        eventually(lambda: made[-1] in frozen.ids(code))
        frozen.pause()
        made += press.print(10)
        eventually(lambda: made[-1] in ids(trades))  # it was taken for dead
        made += press.print(10)
        frozen.resume()
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            made += press.print(1)
            threading.Event().wait(0.02)
        eventually(lambda: made[-1] in ids(trades))
        assert frozen.ids(code) == made[:11]
        # What was not noted when it was frozen comes twice.
        assert ids(trades)[-len(made[11:]) :] == made[11:]
