"""Guarantee 3: one bad subscription never harms the good ones.

What the exchange refuses though we thought it possible: the simulator is told to.
"""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.conftest import eventually
from upbit_stream import (
    ConnectionState,
    StreamConfig,
    Subscription,
    SubscriptionError,
    Trade,
    UpbitStream,
    UpbitStreamError,
)
from upbit_stream.simulator import Simulator

CODES = [f"KRW-A{number:02}" for number in range(20)]


class Follower:
    """What one of the good subscriptions saw."""

    def __init__(self, stream: UpbitStream, code: str) -> None:
        self.code = code
        self.ids: list[int] = []
        self.snapshots = 0
        self.subscription = stream.trade(code, callback=self)

    def __call__(self, trade: Trade) -> None:
        if trade.stream_type == "SNAPSHOT":
            self.snapshots += 1
        else:
            self.ids.append(trade.sequential_id)


def test_one_bad_among_twenty_good_under_load() -> None:
    with Simulator(rate=2000, codes=[*CODES, "KRW-BAD"]) as sim:
        sim.refuse_requests(codes=["KRW-BAD"], message="no such thing")
        told: list[UpbitStreamError] = []
        with UpbitStream(config=StreamConfig(url=sim.url)) as stream:
            stream.on_error(told.append)
            good = [Follower(stream, code) for code in CODES]
            eventually(lambda: all(len(one.ids) > 20 for one in good))
            stream.list_subscriptions(10)  # the answer tells that the list was taken
            started = time.monotonic()
            bad = stream.ticker("KRW-BAD")
            eventually(lambda: bad.closed)
            assert time.monotonic() - started < 2.0
            with pytest.raises(SubscriptionError, match=r"ticker KRW-BAD: .*INVALID_PARAM \(no su"):
                bad.get(1)
            assert isinstance(bad.error, SubscriptionError)
            assert bad.error.name == "INVALID_PARAM"
            eventually(lambda: stream.state is ConnectionState.CONNECTED)
            marks = [len(one.ids) for one in good]
            eventually(
                lambda: all(len(one.ids) > mark + 20 for one, mark in zip(good, marks, strict=True))
            )
            # One reconnect, and nobody saw more of it than that.
            assert stream.stats.reconnects == 1
            assert len(sim.handshakes) == 2
            assert [type(error) for error in told] == [SubscriptionError]
            assert stream.subscriptions == tuple(one.subscription for one in good)
            for one in good:
                # Each its own first snapshot, and at most one after the reconnect.
                assert one.snapshots <= 2
                assert not one.subscription.closed
        lost = [lost_in_the_middle(sim.ledger(one.code), one.ids) for one in good]
        gap = sim.handshakes[1].at - sim.errors[0].at
        # What was traded while there was no connection (and until the list was taken).
        assert sum(lost) <= 2000 * (gap + 1.0)


def lost_in_the_middle(ledger: list[int], seen: list[int]) -> int:
    """Trades between the first and the last one seen that were not seen."""
    between = ledger[ledger.index(seen[0]) : ledger.index(seen[-1]) + 1]
    return len(set(between) - set(seen))


def served(sim: Simulator) -> set[tuple[str, str]]:
    """What the exchange sends to anyone."""
    return {(type_, code) for _, type_, code in sim.subscriptions()}


@pytest.mark.parametrize("place", [0, 7, 20])
def test_one_bad_among_twenty_that_are_all_new(place: int) -> None:
    codes = [*CODES[:place], "KRW-BAD", *CODES[place:]]
    with Simulator(rate=500, codes=codes) as sim:
        sim.refuse_requests(codes=["KRW-BAD"])
        with UpbitStream(config=StreamConfig(url=sim.url)) as stream:
            every = {code: stream.trade(code) for code in codes}
            bad = every.pop("KRW-BAD")
            eventually(lambda: bad.closed)
            assert bad.error is not None
            for subscription in every.values():
                assert subscription.get(10).code in CODES
            assert served(sim) == {("trade", code) for code in CODES}
            assert {error.name for error in sim.errors} == {"INVALID_PARAM"}


def test_several_bad_ones(sim: Simulator, config: StreamConfig) -> None:
    sim.refuse_requests(codes=["KRW-XRP", "KRW-DOGE"])
    with UpbitStream(config=config) as stream:
        good: list[Subscription[Any]] = [stream.ticker("KRW-BTC"), stream.trade("KRW-ETH")]
        bad: list[Subscription[Any]] = [stream.ticker("KRW-XRP"), stream.trade("KRW-DOGE")]
        eventually(lambda: all(one.closed for one in bad))
        for one in good:
            one.get(10)
        assert not any(one.closed for one in good)


def test_a_code_that_is_added_to_a_good_one_ends_that_one_alone(
    sim: Simulator, config: StreamConfig
) -> None:
    sim.refuse_requests(codes=["KRW-XRP"])
    with UpbitStream(config=config) as stream:
        other, grown = stream.ticker("KRW-BTC"), stream.ticker("KRW-ETH")
        other.get(10), grown.get(10)
        stream.list_subscriptions(10)
        grown.add("KRW-XRP")
        eventually(lambda: grown.closed)
        sim.trade("KRW-BTC")
        eventually(
            lambda: other.latest["KRW-BTC"].stream_type == "REALTIME" or sim.trade("KRW-BTC")
        )
        assert stream.stats.reconnects == 1


def test_the_only_one_ends_the_stream_with_its_error(sim: Simulator, config: StreamConfig) -> None:
    sim.refuse_requests(codes=["KRW-BTC"], name="WRONG_FORMAT")
    with UpbitStream(config=config) as stream:
        bad = stream.ticker("KRW-BTC")
        with pytest.raises(SubscriptionError, match="WRONG_FORMAT"):
            stream.run(10)
        with pytest.raises(SubscriptionError, match="WRONG_FORMAT"):
            bad.get(1)
        assert stream.state is ConnectionState.ERROR
        # It is no end for what comes later.
        assert stream.ticker("KRW-ETH").get(10).code == "KRW-ETH"


def test_an_error_out_of_the_blue_costs_a_reconnect_and_nobody(
    sim: Simulator, config: StreamConfig
) -> None:
    with UpbitStream(config=config) as stream:
        subscriptions = [stream.ticker("KRW-BTC"), stream.ticker("KRW-ETH")]
        for one in subscriptions:
            one.get(10)
        stream.list_subscriptions(10)
        sim.send_raw('{"error":{"name":"INVALID_PARAM","message":"?"}}')
        eventually(lambda: len(sim.handshakes) == 2)
        eventually(lambda: len(sim.subscriptions()) == 2)
        assert not any(one.closed for one in subscriptions)


def test_an_error_out_of_the_blue_does_not_end_the_only_one(
    sim: Simulator, config: StreamConfig
) -> None:
    with UpbitStream(config=config) as stream:
        subscription = stream.ticker("KRW-BTC")
        subscription.get(10)
        stream.list_subscriptions(10)
        sim.send_raw('{"error":{"name":"INVALID_PARAM","message":"?"}}')
        eventually(lambda: len(sim.handshakes) == 2)
        eventually(lambda: len(sim.subscriptions()) == 1)
        assert not subscription.closed


def test_who_asks_for_the_list_in_a_loop_leaves_requests_for_changes(
    sim: Simulator, config: StreamConfig
) -> None:
    with UpbitStream(config=config) as stream:
        stream.ticker("KRW-BTC").get(10)
        started = time.monotonic()
        for _ in range(6):
            stream.list_subscriptions(10)
        assert time.monotonic() - started > 2.0
        assert stream.ticker("KRW-ETH").get(3).code == "KRW-ETH"
        assert sim.errors == []
