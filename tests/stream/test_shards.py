"""A list over several connections: by measured load, and without missing or doubling an event."""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import GatedCallback, eventually, our_threads
from tests.curious import asking
from upbit_stream import (
    ConnectionFailedError,
    ConnectionState,
    Orderbook,
    StreamConfig,
    Ticker,
    Trade,
    UpbitStream,
    UpbitStreamError,
)
from upbit_stream import shards as sharding
from upbit_stream.connection import session
from upbit_stream.connection.traffic import Sample
from upbit_stream.connection.wishes import Wishes
from upbit_stream.monitoring import watchdog
from upbit_stream.shards import halve, rates
from upbit_stream.simulator import Simulator

CODES = tuple(f"KRW-C{number:02}" for number in range(24))


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    # Four samples and four looks a second.
    monkeypatch.setattr(session, "_HOUSEKEEPING", 0.25)
    monkeypatch.setattr(watchdog, "_LOOK_EVERY", 0.25)
    monkeypatch.setattr(sharding, "_SUSTAINED", 2)
    monkeypatch.setattr(sharding, "_OVERLAP", 0.5)
    monkeypatch.setattr(sharding, "_OVERLAP_AT_MOST", 2.0)
    monkeypatch.setattr(sharding, "_PAUSE", 1.0)
    monkeypatch.setattr(sharding, "_REMEMBER", 2.0)


def sharded(sim: Simulator, above: float = 400.0) -> StreamConfig:
    return StreamConfig(url=sim.url, rest_url=sim.rest_url, shard_above=above)


def carriers(sim: Simulator, type_: str = "trade") -> dict[str, set[int]]:
    """By code: the sockets that carry it."""
    found: dict[str, set[int]] = {}
    for number, kind, code in sim.subscriptions():
        if kind == type_:
            found.setdefault(code.partition(".")[0], set()).add(number)
    return found


def spread(sim: Simulator, over: int, type_: str = "trade") -> Callable[[], bool]:
    """Whether each code is on one socket, and all of them on so many."""

    def there() -> bool:
        sockets = carriers(sim, type_).values()
        return all(len(one) == 1 for one in sockets) and len(set().union(*sockets)) == over

    return there


def check_against_ledger(sim: Simulator, trades: Sequence[Trade]) -> None:
    """Each trade once and in order, by code, from the first one that came."""
    by_code: dict[str, list[int]] = {}
    for trade in trades:
        by_code.setdefault(trade.code, []).append(trade.sequential_id)
    for code, got in by_code.items():
        ledger = sim.ledger(code)
        assert got == ledger[ledger.index(got[0]) :], code


def settle(
    sim: Simulator, stream: UpbitStream, trades: Sequence[Trade], but: Sequence[str] = ()
) -> None:
    """Let the market stand still, and wait for everything, ``but`` for these codes."""
    sim.rate = 0
    codes = [code for code in sim.codes if code not in but]
    last = {code: ids[-1] for code in codes if (ids := sim.ledger(code))}

    def there() -> bool:
        newest = {trade.code: trade.sequential_id for trade in tuple(trades)}
        return newest.items() >= last.items()

    eventually(there)
    time.sleep(0.5)  # what is doubled may still come
    eventually(lambda: stream.stats.queued == 0)


def test_off_by_default(sim: Simulator) -> None:
    assert StreamConfig().shard_above is None
    with UpbitStream(config=StreamConfig(url=sim.url)) as stream:
        trades: list[Trade] = []
        stream.trade(sim.codes, trades.append)
        sim.rate = 1500
        stream.run(3)
        assert len(trades) > 1000
        assert len(stream.connections) == 1
    assert len(sim.handshakes) == 1


@pytest.mark.parametrize("value", [0, -1, float("inf"), float("nan")])
def test_a_load_that_is_none(value: float) -> None:
    with pytest.raises(ValueError, match="shard_above="):
        StreamConfig(shard_above=value)


def test_other_settings() -> None:
    with pytest.raises(TypeError, match="shard_above="):
        StreamConfig(shard_above="many")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="choose one"):
        StreamConfig(shard_above=100, redundancy=2)


@pytest.mark.long
def test_a_load_that_is_too_much_is_spread_and_nothing_is_lost_or_doubled() -> None:
    states: list[ConnectionState] = []
    trades: list[Trade] = []
    again: list[Trade] = []
    books: list[Orderbook] = []
    tickers: list[Ticker] = []
    with Simulator(rate=0, codes=CODES) as sim:
        with UpbitStream(config=sharded(sim, 1000)) as stream:
            stream.on_state(states.append)
            stream.trade(CODES, trades.append, snapshot=False)
            stream.trade(CODES[:5], again.append)
            stream.orderbook(CODES, books.append)
            stream.ticker(CODES, tickers.append)
            assert stream.wait_connected(10)
            sim.rate = 1500
            eventually(lambda: len(stream.connections) >= 3, 60)
            stream.run(3)  # in the middle of whatever is going on
            settle(sim, stream, trades)
            eventually(lambda: all(len(one) == 1 for one in carriers(sim).values()))
            assert stream.stats.reconnects == 0
            assert {type_ for _, type_, _ in sim.subscriptions()} == {
                "trade", "orderbook", "ticker",
            }  # fmt: skip
            listed = stream.list_subscriptions()["public"]
            told = [code for row in listed if row["type"] == "trade" for code in row["codes"]]
            assert sorted(told) == sorted(CODES)
            health = stream.health()
            assert health.is_healthy(), health.problems
            assert len(health.connections) == len(stream.connections) >= 3
            assert stream.stats.messages == sum(one.messages for one in stream.connections)
        check_against_ledger(sim, trades)
        assert {trade.code for trade in trades} == set(CODES)
        check_against_ledger(sim, [one for one in again if one.stream_type == "REALTIME"])
        assert sum(one.stream_type == "SNAPSHOT" for one in again) == 5
        newest: dict[str, int] = {}
        for book in books:
            assert book.timestamp >= newest.get(book.code, 0)
            newest[book.code] = book.timestamp
        assert sum(one.stream_type == "SNAPSHOT" for one in books) == len(CODES)
        assert len(set(tickers)) == len(tickers)
    assert states.count(ConnectionState.CONNECTED) == 1
    assert ConnectionState.RECONNECTING not in states
    assert our_threads() == []


def test_it_stays_as_it_is_when_the_load_has_gone(sim: Simulator) -> None:
    with UpbitStream(config=sharded(sim)) as stream:
        trades: list[Trade] = []
        stream.trade(sim.codes, trades.append)
        sim.rate = 500
        eventually(spread(sim, over=2), 30)
        sim.rate = 300
        stream.run(3.5)
        assert len(sim.handshakes) == 2
        assert len(stream.connections) == 2
        settle(sim, stream, trades)
        check_against_ledger(sim, [one for one in trades if one.stream_type == "REALTIME"])


def test_a_peak_is_no_load(sim: Simulator) -> None:
    with UpbitStream(config=sharded(sim)) as stream:
        stream.trade(sim.codes, overflow="latest")
        assert stream.wait_connected(10)
        for _ in range(3):
            sim.burst(1000)
            stream.run(2.2)
        assert len(sim.handshakes) == 1


def test_a_log_handler_may_ask_the_stream_while_codes_move() -> None:
    with Simulator(rate=600, codes=CODES) as sim, UpbitStream(config=sharded(sim)) as stream:
        with asking(stream) as asked:
            stream.trade(CODES, overflow="latest")
            eventually(spread(sim, 2), 30)
            eventually(lambda: any("have moved" in one for one in asked))
        assert any("are to move" in one for one in asked)
        assert [one for one in asked if "no answer" in one] == []


def test_a_log_handler_may_ask_the_stream_when_a_connection_has_ended_for_good(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fail = Wishes.fail
    failing, go_on = threading.Event(), threading.Event()

    def slow_fail(self: Wishes, error: UpbitStreamError) -> None:
        failing.set()
        go_on.wait(30)
        fail(self, error)

    monkeypatch.setattr(Wishes, "fail", slow_fail)
    monkeypatch.setattr(watchdog, "_LOOK_EVERY", 60)  # not the watchdog, but the next subscription
    stuck = GatedCallback()
    with Simulator(rate=600, codes=CODES) as sim, UpbitStream(config=sharded(sim, 1e6)) as stream:
        trades = stream.trade(CODES, stuck, queue_size=10)
        with asking(stream) as asked:
            eventually(lambda: trades.stats.dropped > 0)
            sim.fail_handshakes(status=404)
            sim.reset()
            assert failing.wait(20)
            del asked[:]
            assert stream.ticker("KRW-C00").get(20).code == "KRW-C00"
            go_on.set()
            stuck.release.set()
            eventually(lambda: trades.closed)
            eventually(lambda: any("subscription dropped" in one for one in asked))
        assert [one for one in asked if "no answer" in one] == []
        assert isinstance(trades.error, ConnectionFailedError)


def test_one_code_cannot_be_divided(sim: Simulator) -> None:
    with UpbitStream(config=sharded(sim, 100)) as stream:
        stream.trade("KRW-BTC", overflow="latest")
        assert stream.wait_connected(10)
        deadline = time.monotonic() + 4
        while time.monotonic() < deadline:
            sim.burst(50, ["KRW-BTC"])
            time.sleep(0.1)
        assert len(sim.handshakes) == 1


def test_adding_removing_and_closing_while_it_is_spread() -> None:
    with Simulator(rate=600, codes=CODES) as sim, UpbitStream(config=sharded(sim)) as stream:
        trades: list[Trade] = []
        first = stream.trade(CODES[:16], trades.append, snapshot=False)
        eventually(spread(sim, over=2), 30)
        where = carriers(sim)
        first.add(CODES[16:])
        eventually(lambda: set(carriers(sim)) == set(CODES))
        assert {code: carriers(sim)[code] for code in where} == where
        # Someone who joins is served where the code is, with a snapshot.
        other = stream.trade(CODES[:16], queue_size=100_000)
        snapshots: set[str] = set()
        for trade in (other.get(timeout=10) for _ in range(3000)):
            if trade.stream_type == "SNAPSHOT":
                snapshots.add(trade.code)
            if len(snapshots) == 16:
                break
        assert snapshots == set(CODES[:16])
        assert {code: carriers(sim)[code] for code in where} == where
        other.close()
        # What was traded last before a code was added does not come.
        eventually(lambda: {trade.code for trade in tuple(trades)} == set(CODES))
        gone = [code for code, sockets in where.items() if sockets == where[CODES[0]]]
        first.remove(gone)
        eventually(lambda: set(carriers(sim)) == set(CODES) - set(gone))
        settle(sim, stream, trades, but=gone)
        check_against_ledger(sim, [one for one in trades if one.code not in gone])
        # Each socket that carries nothing any more is closed.
        left = set().union(*carriers(sim).values())
        eventually(lambda: set(sim.connections) == left)
        count = len(trades)
        first.close()
        eventually(lambda: not sim.connections)
        assert stream.connections == ()
        assert len(trades) == count
        # And it begins anew.
        assert stream.trade(CODES[0]).get(timeout=10)
        assert len(stream.connections) == 1
    assert our_threads() == []


def test_changes_in_the_middle_of_a_move() -> None:
    with Simulator(rate=600, codes=CODES) as sim, UpbitStream(config=sharded(sim)) as stream:
        trades: list[Trade] = []
        late: list[Trade] = []
        first = stream.trade(CODES, trades.append, snapshot=False)
        eventually(lambda: any(len(one) == 2 for one in carriers(sim).values()), 30)
        moving = [code for code, sockets in carriers(sim).items() if len(sockets) == 2]
        first.remove(moving[0])
        first.add(moving[0])
        first.remove(moving[1])
        stream.trade(moving[2], late.append, snapshot=False)
        eventually(spread(sim, over=2), 30)
        # What was wanted anew meanwhile stays.
        staying = set().union(*(carriers(sim)[code] for code in CODES if code not in moving))
        assert carriers(sim)[moving[0]] == carriers(sim)[moving[2]] == staying
        stream.run(1)
        settle(sim, stream, trades, but=moving[:2])
        whole = [one for one in trades if one.code not in moving[:2]]
        check_against_ledger(sim, whole)
        check_against_ledger(sim, late)
        ids = [one.sequential_id for one in trades if one.code in moving[:2]]
        assert len(set(ids)) == len(ids)
    assert our_threads() == []


def test_a_new_connection_that_comes_to_nothing(
    sim: Simulator, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharding, "_MOVE_WITHIN", 4.0)
    states: list[ConnectionState] = []
    with (
        caplog.at_level(logging.INFO, "upbit_stream"),
        UpbitStream(config=sharded(sim)) as stream,
    ):
        stream.on_state(states.append)
        trades: list[Trade] = []
        stream.trade(sim.codes, trades.append, snapshot=False)
        assert stream.wait_connected(10)
        sim.stall_handshakes(5)
        sim.rate = 600
        eventually(lambda: len(stream.connections) == 2, 30)
        # Nobody depends on it.
        assert stream.state is ConnectionState.CONNECTED
        assert stream.list_subscriptions(timeout=1.0)["public"]
        stream.ticker("KRW-BTC", lambda ticker: None)
        assert stream.state is ConnectionState.CONNECTED
        eventually(lambda: len(stream.connections) == 1)
        stream.run(1)
        settle(sim, stream, trades)
        check_against_ledger(sim, trades)
        assert "no codes have moved to it" in caplog.text
    assert states[:2] == [ConnectionState.CONNECTING, ConnectionState.CONNECTED]
    assert ConnectionState.RECONNECTING not in states
    assert our_threads() == []


@pytest.mark.parametrize("which", [0, -1], ids=["the old one", "the new one"])
def test_a_connection_that_is_lost_in_the_middle_of_a_move(which: int) -> None:
    with Simulator(rate=600, codes=CODES) as sim, UpbitStream(config=sharded(sim)) as stream:
        trades: list[Trade] = []
        stream.trade(CODES, trades.append, snapshot=False)
        eventually(lambda: any(len(one) == 2 for one in carriers(sim).values()), 30)
        sim.reset(connection=sim.connections[which])
        eventually(spread(sim, over=1), 30)
        stream.run(2)
        settle(sim, stream, trades)
        check_against_ledger(sim, trades)
        assert len(stream.connections) == 1
    assert our_threads() == []


@pytest.mark.long
def test_an_old_connection_that_lags_is_waited_for() -> None:
    with Simulator(rate=600, codes=CODES) as sim, UpbitStream(config=sharded(sim)) as stream:
        trades: list[Trade] = []
        stream.trade(CODES, trades.append, snapshot=False)
        assert stream.wait_connected(10)
        (old,) = sim.connections
        sim.slow_handshake(1.0)
        eventually(lambda: len(stream.connections) == 2, 30)
        # What is traded before the new connection is there comes over the old one alone, and late.
        sim.stall(connection=old)
        eventually(lambda: len(sim.connections) == 2)
        stream.run(4)
        assert stream.stats.reconnects == 0
        assert any(len(sockets) == 2 for sockets in carriers(sim).values())
        sim.resume(connection=old)
        eventually(spread(sim, over=2), 30)
        stream.run(1)
        settle(sim, stream, trades)
        check_against_ledger(sim, trades)
    assert our_threads() == []


def test_a_shard_that_is_lost_is_healed_and_its_gap_is_fetched() -> None:
    with Simulator(rate=600, codes=CODES) as sim, UpbitStream(config=sharded(sim)) as stream:
        trades: list[Trade] = []
        stream.trade(CODES, trades.append, snapshot=False)
        eventually(spread(sim, over=2), 30)
        for number in sim.connections:
            sim.reset(connection=number)
        eventually(lambda: stream.stats.reconnects >= 2)
        eventually(spread(sim, over=2), 30)
        stream.run(3)
        settle(sim, stream, trades)
        check_against_ledger(sim, trades)
    assert our_threads() == []


def test_a_refused_subscription_ends_alone() -> None:
    with Simulator(rate=600, codes=CODES) as sim:
        errors: list[UpbitStreamError] = []
        with UpbitStream(config=sharded(sim)) as stream:
            stream.on_error(errors.append)
            trades: list[Trade] = []
            stream.trade(CODES, trades.append, snapshot=False)
            eventually(spread(sim, over=2), 30)
            stream.run(2.5)  # so that the lists have stood for long enough
            sim.refuse_requests(type="ticker")
            bad = stream.ticker(CODES)
            eventually(lambda: bad.closed, 30)
            assert bad.error is not None
            eventually(lambda: not carriers(sim, "ticker"))
            eventually(spread(sim, over=2), 30)
            stream.run(1)
            settle(sim, stream, trades)
            check_against_ledger(sim, trades)
            assert [type(one).__name__ for one in errors].count("SubscriptionError") == 1
    assert our_threads() == []


def test_what_blocks_is_not_spread(sim: Simulator) -> None:
    with UpbitStream(config=sharded(sim)) as stream:
        trades: list[Trade] = []
        stream.trade(sim.codes, trades.append, overflow="block", queue_size=10, snapshot=False)
        stream.ticker("KRW-BTC", lambda ticker: None)
        assert stream.wait_connected(10)
        sim.rate = 1000
        stream.run(4)
        assert len(stream.connections) == 2
        settle(sim, stream, trades)
        check_against_ledger(sim, trades)


def test_closing_in_the_middle_of_a_move() -> None:
    with Simulator(rate=600, codes=CODES) as sim:
        stream = UpbitStream(config=sharded(sim))
        trades: list[Trade] = []
        stream.trade(CODES, trades.append)
        stream.start()
        eventually(lambda: any(len(one) == 2 for one in carriers(sim).values()), 30)
        messages = stream.stats.messages
        assert stream.close(5.0)
        assert stream.stats.messages >= messages
        assert our_threads() == []
        eventually(lambda: not sim.connections)


def test_threads_and_sockets_end_with_it(sim: Simulator) -> None:
    with UpbitStream(config=dataclasses.replace(sharded(sim), linger=30)) as stream:
        stream.trade(sim.codes, overflow="latest")
        stream.start()
        sim.rate = 600
        eventually(spread(sim, over=2), 30)
        assert sum("upbit-io" in name for name in our_threads()) == 2
    assert our_threads() == []
    eventually(lambda: not sim.connections)


# What decides.

loads = st.dictionaries(st.sampled_from(CODES), st.integers(0, 10_000), min_size=1)


@given(loads)
def test_halves(load: dict[str, int]) -> None:
    going = halve(load)
    staying = set(load) - set(going)
    assert set(going) <= set(load)
    assert len(set(going)) == len(going)
    assert staying
    assert bool(going) == (len(load) > 1)
    # No code could be moved to make it more even than by its own load.
    difference = sum(load[code] for code in staying) - sum(load[code] for code in going)
    assert abs(difference) <= max(load.values())
    assert max(load, key=lambda code: load[code]) in staying


@given(st.lists(st.integers(0, 5000), max_size=20), st.integers(1, 5))
def test_rates(seconds: list[int], newest: int) -> None:
    samples, total = [Sample(100.0, 7, 0)], 7
    for number, count in enumerate(seconds, start=1):
        total += count
        samples.append(Sample(100.0 + number, total, 0))
    assert rates(samples, newest) == seconds[-newest:]
