"""Snapshots once, and what the exchange believes."""

from __future__ import annotations

import threading
import time

import pytest

from tests.conftest import eventually, our_threads
from upbit_stream import (
    Candle,
    ConnectionFailedError,
    InvalidCodeError,
    Orderbook,
    ReconnectPolicy,
    StreamClosedError,
    StreamConfig,
    SubscriptionError,
    Ticker,
    Trade,
    UpbitStream,
    UpbitStreamError,
)
from upbit_stream.simulator import Simulator


def test_one_snapshot_of_each_code(config: StreamConfig, sim: Simulator) -> None:
    with UpbitStream(config=config) as stream:
        for type_, cls in [
            ("ticker", Ticker),
            ("trade", Trade),
            ("orderbook", Orderbook),
            ("candle.1m", Candle),
        ]:
            answers = stream.snapshot(type_, ["KRW-ETH", "KRW-BTC"])
            assert list(answers) == ["KRW-ETH", "KRW-BTC"]
            for code, event in answers.items():
                assert isinstance(event, cls)
                assert (event.code, event.stream_type) == (code, "SNAPSHOT")
        assert stream.subscriptions == ()
    assert sim.errors == []


def test_a_snapshot_disturbs_nobody_and_leaves_nothing() -> None:
    with (
        Simulator(rate=1000) as sim,
        UpbitStream(config=StreamConfig(url=sim.url)) as stream,
    ):
        ids: dict[str, list[int]] = {code: [] for code in sim.codes[:3]}
        snapshots = []

        @stream.trade(list(ids))
        def follow(trade: Trade) -> None:
            if trade.stream_type == "SNAPSHOT":
                snapshots.append(trade.code)
            else:
                ids[trade.code].append(trade.sequential_id)

        eventually(lambda: all(len(one) > 5 for one in ids.values()))
        before = stream.list_subscriptions()
        for _ in range(3):
            assert set(stream.snapshot("ticker", sim.codes[:5])) == set(sim.codes[:5])
            assert stream.snapshot("trade", sim.codes[0])[sim.codes[0]].stream_type == "SNAPSHOT"
        eventually(lambda: stream.list_subscriptions() == before)
        stream.close()
        assert len(sim.handshakes) == 1
        assert sim.errors == []
        assert len(snapshots) <= 3
        for code, seen in ids.items():
            ledger = sim.ledger(code)
            assert seen == ledger[ledger.index(seen[0]) : ledger.index(seen[0]) + len(seen)]


def test_a_code_that_does_not_answer_is_left_out_and_told(
    config: StreamConfig, sim: Simulator
) -> None:
    with UpbitStream(config=config) as stream:
        told: list[UpbitStreamError] = []
        stream.on_error(told.append)
        assert set(stream.snapshot("ticker", ["KRW-BTC", "KRW-NOPE"], timeout=1.0)) == {"KRW-BTC"}
        eventually(lambda: told)
        assert "no ticker snapshot of KRW-NOPE within 1 s" in str(told[0])
        with pytest.raises(TimeoutError, match="no ticker snapshot of KRW-NOPE"):
            stream.snapshot("ticker", "KRW-NOPE", timeout=0.5)
        assert stream.subscriptions == ()


def test_what_cannot_be_asked_for(config: StreamConfig) -> None:
    with UpbitStream(config=config) as stream:
        with pytest.raises(SubscriptionError, match=r"no snapshots of 'myOrder'.*ticker, trade"):
            stream.snapshot("myOrder", "KRW-BTC")
        with pytest.raises(InvalidCodeError, match="KRW-BTC"):
            stream.snapshot("ticker", "BTC-KRW")
        with pytest.raises(ValueError, match="timeout"):
            stream.snapshot("ticker", "KRW-BTC", timeout=-1)
    with pytest.raises(StreamClosedError):
        stream.snapshot("ticker", "KRW-BTC")
    with pytest.raises(StreamClosedError):
        stream.list_subscriptions()


def test_a_snapshot_from_a_callback(config: StreamConfig, sim: Simulator) -> None:
    books = []
    with UpbitStream(config=config) as stream:
        stream.trade(
            "KRW-BTC", callback=lambda trade: books.append(stream.snapshot("orderbook", trade.code))
        )
        eventually(lambda: books)
        assert books[0]["KRW-BTC"].best_bid


@pytest.mark.parametrize("wire_format", ["DEFAULT", "SIMPLE", "JSON_LIST", "SIMPLE_LIST"])
def test_the_list_in_the_format_of_the_stream_while_data_floods_in(wire_format: str) -> None:
    with (
        Simulator(rate=5000) as sim,
        UpbitStream(
            config=StreamConfig(url=sim.url, wire_format=wire_format)  # type: ignore[arg-type]
        ) as stream,
    ):
        subscription = stream.trade(sim.codes[:3], callback=lambda trade: None)
        stream.orderbook("KRW-BTC", depth=15)
        stream.orderbook("KRW-BTC", level=10000)
        for _ in range(3):
            assert stream.list_subscriptions(10) == {
                "public": [
                    {"type": "trade", "codes": list(sim.codes[:3])},
                    {"type": "orderbook", "codes": ["KRW-BTC.15"], "level": 0},
                    {"type": "orderbook", "codes": ["KRW-BTC"], "level": 10000},
                ]
            }
        received = subscription.stats.received
        eventually(lambda: subscription.stats.received > received + 1000)
        assert stream.stats.undecodable == 0
        assert sim.errors == []


def test_what_is_subscribed_just_before_is_in_the_list(config: StreamConfig) -> None:
    with UpbitStream(config=config) as stream:
        stream.ticker("KRW-BTC")
        for code in ("KRW-ETH", "KRW-XRP"):
            stream.ticker(code)
            (row,) = stream.list_subscriptions(10)["public"]
            assert code in row["codes"]


def test_many_threads_ask_at_once(config: StreamConfig, sim: Simulator) -> None:
    answers = []
    with UpbitStream(config=config) as stream:
        stream.ticker("KRW-BTC").get(10)
        threads = [
            threading.Thread(target=lambda: answers.append(stream.list_subscriptions(20)))
            for _ in range(20)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert answers == [{"public": [{"type": "ticker", "codes": ["KRW-BTC"]}]}] * 20
    assert sim.errors == []


def test_no_answer_in_time(config: StreamConfig, sim: Simulator) -> None:
    with UpbitStream(config=config) as stream:
        assert stream.list_subscriptions(1) == {}
        stream.ticker("KRW-BTC").get(10)
        sim.mute()
        started = time.monotonic()
        with pytest.raises(TimeoutError, match=r"public-\d+ \(connected\) has not told its list"):
            stream.list_subscriptions(0.3)
        assert time.monotonic() - started < 5


def test_a_question_survives_a_reconnect(config: StreamConfig, sim: Simulator) -> None:
    with UpbitStream(config=config) as stream:
        stream.ticker("KRW-BTC").get(10)
        sim.mute()
        timer = threading.Timer(0.3, sim.reset)
        timer.start()
        assert stream.list_subscriptions(20) == {
            "public": [{"type": "ticker", "codes": ["KRW-BTC"]}]
        }
        timer.join()


def test_a_question_ends_with_its_connection(sim: Simulator) -> None:
    policy = ReconnectPolicy(max_attempts=1)
    with UpbitStream(config=StreamConfig(url=sim.url, reconnect=policy)) as stream:
        stream.ticker("KRW-BTC").get(10)
        sim.mute()

        def go_away() -> None:
            sim.refuse()
            sim.reset()

        timer = threading.Timer(0.3, go_away)
        timer.start()
        with pytest.raises(ConnectionFailedError):
            stream.list_subscriptions(20)
        timer.join()


def test_closing_ends_a_question(config: StreamConfig, sim: Simulator) -> None:
    stream = UpbitStream(config=config)
    stream.ticker("KRW-BTC").get(10)
    sim.mute()
    timer = threading.Timer(0.3, stream.close)
    timer.start()
    with pytest.raises(StreamClosedError):
        stream.list_subscriptions(20)
    timer.join()
    assert our_threads() == []


def test_a_subscription_that_the_exchange_lost_is_healed(
    config: StreamConfig, sim: Simulator
) -> None:
    with UpbitStream(config=config) as stream:
        told: list[UpbitStreamError] = []
        stream.on_error(told.append)
        btc, eth = stream.ticker("KRW-BTC"), stream.ticker("KRW-ETH")
        btc.get(10), eth.get(10)
        sim.forget_subscription("ticker", "KRW-ETH")
        assert stream.list_subscriptions(10) == {
            "public": [{"type": "ticker", "codes": ["KRW-BTC"]}]
        }
        eventually(lambda: len(sim.subscriptions()) == 2)
        eventually(lambda: told)
        assert "another list of subscriptions" in str(told[0])
        # What was traded in the gap is in the new snapshot, if not in an event of its own.
        known = eth.latest["KRW-ETH"].trade_timestamp
        sim.trade("KRW-ETH")
        eventually(lambda: eth.latest["KRW-ETH"].trade_timestamp > known)
        assert btc.stats.received == 1
        requests = len(sim.requests)
        stream.list_subscriptions(10)
        assert len(sim.requests) == requests + 1  # the question, and no further healing
        assert len(sim.handshakes) == 1
