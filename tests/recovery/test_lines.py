"""Two lines: the first copy of every event wins, and either may die without anyone noticing."""

from __future__ import annotations

import dataclasses
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.conftest import descriptors, eventually, our_threads
from tests.recovery.test_backfill import CODES, Tape
from upbit_stream import ConnectionState, Orderbook, ReconnectPolicy, StreamConfig, UpbitStream
from upbit_stream.simulator import Simulator


@pytest.fixture
def config(config: StreamConfig) -> StreamConfig:
    return dataclasses.replace(
        config, redundancy=2, reconnect=ReconnectPolicy(min_interval=0.05), ping_interval=1.0
    )


class Witnesses(Tape):
    """What a stream over two lines was given, and what it told."""

    def __init__(self, stream: UpbitStream) -> None:
        super().__init__(stream)
        self.states: list[ConnectionState] = []
        stream.on_state(self.states.append)

    def assert_nobody_noticed(self, sim: Simulator) -> None:
        eventually(lambda: self.complete(sim))
        assert self.gaps == []
        assert sim.rest_calls == []
        assert {trade.stream_type for trade in self.trades} <= {"SNAPSHOT", "REALTIME"}
        assert [trade.stream_type for trade in self.trades].count("SNAPSHOT") == len(CODES)
        assert ConnectionState.RECONNECTING not in self.states


@pytest.fixture
def lines(config: StreamConfig, sim: Simulator) -> Iterator[tuple[UpbitStream, Witnesses]]:
    """A stream whose two lines both carry everything."""
    with UpbitStream(config=config) as stream:
        tape = Witnesses(stream)
        both_carry(sim, stream)
        yield stream, tape


def both_carry(sim: Simulator, stream: UpbitStream) -> None:
    """Wait until every code comes over both lines."""
    eventually(lambda: sum(one[1] == "trade" for one in sim.subscriptions()) >= 2 * len(CODES))
    # Twice: what is counted may not be sorted yet, but what came before it is.
    for _ in range(2):
        _see_both(sim, stream)


def _see_both(sim: Simulator, stream: UpbitStream) -> None:
    before = {info.name: info.messages for info in stream.connections}
    # A line that still waits for its snapshots is not sent these trades, but a snapshot for each.
    for code in CODES:
        sim.trade(code)

    def grown() -> bool:
        return all(info.messages >= before[info.name] + 3 for info in stream.connections)

    eventually(grown)


def test_every_event_comes_once(lines: tuple[UpbitStream, Witnesses], sim: Simulator) -> None:
    stream, tape = lines
    books: list[Orderbook] = []
    stream.orderbook("KRW-BTC", books.append)
    eventually(lambda: books)
    sim.burst(3000, CODES)
    tape.assert_nobody_noticed(sim)
    assert len(sim.handshakes) == 2
    infos = stream.connections
    assert len(infos) == 2
    eventually(lambda: all(info.messages >= 3000 for info in stream.connections))
    stamps = [(book.timestamp, book.orderbook_units) for book in books]
    assert len(stamps) == len(set(stamps))
    assert stream.stats.delivered <= len(tape.trades) + len(books)


@pytest.mark.parametrize("which", [0, 1])
def test_either_may_die(lines: tuple[UpbitStream, Witnesses], sim: Simulator, which: int) -> None:
    stream, tape = lines
    for count in (1, 2, 3):
        both_carry(sim, stream)
        victim = sim.connections[which]
        sim.burst(50, CODES)
        sim.reset(victim)
        sim.burst(50, CODES)
        eventually(lambda: victim not in sim.connections and len(sim.connections) == 2)  # noqa: B023
        eventually(lambda: stream.stats.reconnects == count)  # noqa: B023
        sim.burst(50, CODES)
    tape.assert_nobody_noticed(sim)
    assert stream.state is ConnectionState.CONNECTED


def test_the_loss_of_both_is_a_gap_and_is_repaired(
    lines: tuple[UpbitStream, Witnesses], sim: Simulator
) -> None:
    stream, tape = lines
    messages = stream.stats.messages
    sim.refuse()
    sim.reset()
    missed = [sim.trade("KRW-BTC") for _ in range(5)]
    sim.accept()
    eventually(lambda: stream.stats.messages >= messages + 3)  # snapshots
    live = [sim.trade("KRW-BTC") for _ in range(3)]
    tape.wait_for("KRW-BTC", live[-1])
    assert set(missed) <= set(tape.ids("KRW-BTC"))
    assert tape.complete(sim)
    eventually(lambda: sum(gap.count for gap in tape.gaps) >= 5)
    assert ConnectionState.RECONNECTING in tape.states


def test_a_line_that_lags_is_not_waited_for(
    lines: tuple[UpbitStream, Witnesses], sim: Simulator
) -> None:
    _, tape = lines
    sim.slow_down(delay=0.5, connection=sim.connections[0])
    for _ in range(20):
        tape.wait_for("KRW-BTC", sim.trade("KRW-BTC"))
    tape.assert_nobody_noticed(sim)


class _Slow(logging.Handler):
    """Does not return from a line about ``what`` before it is let go."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self.what = what
        self.reached, self.let_go = threading.Event(), threading.Event()

    def createLock(self) -> None:
        """None: with one, it would hold up every thread that logs anything at all."""
        self.lock = None

    def emit(self, record: logging.LogRecord) -> None:
        if self.what in record.getMessage():
            self.reached.set()
            self.let_go.wait(30)


@contextmanager
def slow_handler(what: str) -> Iterator[_Slow]:
    logger = logging.getLogger("upbit_stream")
    handler, level = _Slow(what), logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield handler
    finally:
        handler.let_go.set()
        logger.removeHandler(handler)
        logger.setLevel(level)


def test_a_log_handler_of_drops_holds_up_one_line_only(
    lines: tuple[UpbitStream, Witnesses], sim: Simulator
) -> None:
    stream, tape = lines
    with slow_handler("dropped") as handler:
        stream.trade("KRW-BTC", lambda trade: handler.let_go.wait(30), queue_size=1)
        eventually(lambda: len(sim.subscriptions()) >= 2 * len(CODES))
        while not handler.reached.wait(0.01):
            sim.trade("KRW-BTC")
        for _ in range(20):
            tape.wait_for("KRW-BTC", sim.trade("KRW-BTC"))
        assert not handler.let_go.is_set()
    tape.assert_nobody_noticed(sim)


def test_a_log_handler_of_gaps_holds_up_one_line_only(
    lines: tuple[UpbitStream, Witnesses], sim: Simulator
) -> None:
    _, tape = lines
    with slow_handler("fetched") as handler:
        sim.refuse()
        sim.reset()
        for _ in range(3):
            sim.trade("KRW-BTC")
        sim.accept()
        assert handler.reached.wait(20)
        # The other line carries all by itself, once it has waited for this one in vain.
        tape.wait_for("KRW-BTC", sim.trade("KRW-BTC"))
        assert not handler.let_go.is_set()
    eventually(lambda: tape.complete(sim))


def test_what_was_fetched_is_delivered_before_it_is_told_of(
    config: StreamConfig, sim: Simulator
) -> None:
    with UpbitStream(config=dataclasses.replace(config, redundancy=1)) as stream:
        tape = Witnesses(stream)
        for code in CODES:
            tape.wait_for(code, sim.trade(code))
        with slow_handler("fetched") as handler:
            sim.refuse()
            sim.reset()
            missed = [sim.trade("KRW-BTC") for _ in range(3)]
            sim.accept()
            assert handler.reached.wait(20)
            tape.wait_for("KRW-BTC", missed[-1])
            assert not handler.let_go.is_set()


def test_a_mute_line_is_replaced(lines: tuple[UpbitStream, Witnesses], sim: Simulator) -> None:
    stream, tape = lines
    sim.rate = 50
    mute = sim.connections[0]
    sim.mute(mute)
    eventually(lambda: mute not in sim.connections)
    eventually(lambda: stream.health().recent_reconnects)
    (cause,) = {one.cause for one in stream.health().recent_reconnects}
    assert cause == "it sends nothing, while the other line does"
    sim.rate = 0
    tape.assert_nobody_noticed(sim)


def test_renewal_replaces_one_after_the_other(
    lines: tuple[UpbitStream, Witnesses], sim: Simulator
) -> None:
    stream, tape = lines
    before = set(sim.connections)
    sim.rate = 50
    stream.renew()
    eventually(lambda: not before & set(sim.connections) and len(sim.connections) == 2)
    sim.rate = 0
    tape.assert_nobody_noticed(sim)
    assert len(sim.handshakes) == 4


def test_what_is_added_comes_over_both(
    lines: tuple[UpbitStream, Witnesses], sim: Simulator
) -> None:
    stream, tape = lines
    tape.subscription.add("KRW-SOL")
    assert sim.wait_for_subscription("trade", "KRW-SOL", count=2, timeout=20)
    eventually(lambda: tape.of("KRW-SOL"))
    tape.wait_for("KRW-SOL", sim.trade("KRW-SOL"))
    tape.subscription.remove("KRW-SOL")
    eventually(lambda: "KRW-SOL" not in {code for _, _, code in sim.subscriptions()})
    eventually(lambda: tape.complete(sim))
    assert stream.list_subscriptions()["public"]


def test_what_a_line_that_lags_brings_from_before_the_beginning_is_left_out(
    lines: tuple[UpbitStream, Witnesses], sim: Simulator
) -> None:
    stream, tape = lines
    first, second = sim.connections
    before = {info.name: info.messages for info in stream.connections}
    sim.slow_down(delay=2, connection=first)
    sim.stall(second)  # which therefore asks later
    sent = sim.stats["frames_sent"]
    tape.subscription.add("KRW-SOL")
    # Until its snapshots are sent, it is sent no trades of the new code.
    assert sim.wait_for(lambda: sim.stats["frames_sent"] >= sent + len(CODES) + 1, timeout=20)
    older = [sim.trade("KRW-SOL") for _ in range(4)]
    sim.resume(second)
    assert sim.wait_for_subscription("trade", "KRW-SOL", count=2, timeout=20)
    newer = sim.trade("KRW-SOL")
    tape.wait_for("KRW-SOL", newer)
    assert older[0] not in tape.ids("KRW-SOL")  # otherwise this shows nothing
    sim.burst(50, CODES)  # behind what is under way
    eventually(lambda: all(one.messages >= before[one.name] + 55 for one in stream.connections))
    eventually(lambda: tape.complete(sim))


def test_private_streams_have_one_line(config: StreamConfig, sim: Simulator) -> None:
    from tests.conftest import ACCESS_KEY, SECRET_KEY

    with UpbitStream(config=config, access_key=ACCESS_KEY, secret_key=SECRET_KEY) as stream:
        stream.my_asset(callback=lambda asset: None)
        assert stream.wait_connected(20)
        assert len(stream.connections) == 1


def test_the_end(config: StreamConfig, sim: Simulator) -> None:
    before = descriptors()
    for wait in (True, False):
        with UpbitStream(config=config) as stream:
            tape = Witnesses(stream)
            eventually(lambda: tape.trades)  # noqa: B023
            if wait:
                both_carry(sim, stream)
            assert stream.close()
        assert our_threads() == []
    eventually(lambda: descriptors() <= before)
