"""What a history keeps, without a stream."""

from __future__ import annotations

import threading
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upbit_stream import Candle, Event, MyAsset, OverflowPolicy, Trade
from upbit_stream.delivery.channel import Channel
from upbit_stream.delivery.history import History, RememberingQueue, make_history
from upbit_stream.delivery.notices import NoticeBoard
from upbit_stream.delivery.queues import make_queue
from upbit_stream.protocol.demands import MarketDemand

CODES = ("KRW-BTC", "KRW-ETH", "KRW-XRP")


def trade(code: str, id_: int) -> Trade:
    return Trade(type="trade", code=code, sequential_id=id_)


def candle(minute: int, price: float) -> Candle:
    begin = f"2026-08-26T08:{minute:02}:00"
    return Candle(type="candle.1m", code="KRW-BTC", candle_date_time_utc=begin, trade_price=price)


@given(st.lists(st.lists(st.sampled_from(CODES), max_size=9), max_size=9), st.integers(1, 6))
def test_the_last_ones_of_each_code_in_their_order(batches: list[list[str]], size: int) -> None:
    history: History[Trade] = make_history("trade", size)
    kept: dict[str, deque[Trade]] = {}
    number = 0
    for batch in batches:
        events = []
        for code in batch:
            number += 1
            events.append(trade(code, number))
            kept.setdefault(code, deque(maxlen=size)).append(events[-1])
        history.add(events)
    assert history.copy() == {code: tuple(events) for code, events in kept.items()}
    assert all(history.of(code) == tuple(kept.get(code, ())) for code in CODES)


@given(st.lists(st.tuples(st.integers(0, 9), st.floats(1, 9)), max_size=30), st.integers(1, 12))
def test_of_candles_each_once_as_it_came_last(updates: list[tuple[int, float]], size: int) -> None:
    history: History[Candle] = make_history("candle.1m", size)
    last: dict[int, Candle] = {}
    for minute, price in updates:
        one = candle(minute, price)
        history.add([one])
        last[minute] = one
        while len(last) > size:
            del last[min(last)]
    assert history.of("KRW-BTC") == tuple(last[minute] for minute in sorted(last))


def test_what_has_no_code_has_its_type_for_a_name() -> None:
    history: History[MyAsset] = make_history("myAsset", 2)
    history.add([MyAsset(type="myAsset", asset_uuid=str(n)) for n in range(3)])
    assert [event.asset_uuid for event in history.copy()["myAsset"]] == ["1", "2"]


@pytest.mark.parametrize("policy", list(OverflowPolicy))
def test_every_event_is_kept_once_whatever_becomes_of_it(policy: OverflowPolicy) -> None:
    history: History[Event] = make_history("trade", 100)
    queue = RememberingQueue(make_queue(policy, 4, lambda event: event.code), history)
    events: list[Event] = [trade("KRW-BTC", n) for n in range(10)]
    _, rest = queue.put(events)
    while rest:  # what found no room comes again, as with the policy that waits
        queue.take(2)
        _, rest = queue.put(rest)
    queue.extend([trade("KRW-BTC", 10)])
    assert [event.sequential_id for event in history.of("KRW-BTC") if isinstance(event, Trade)] == [
        *range(11)
    ]


def test_who_reads_while_it_grows_sees_no_hole() -> None:
    history: History[Trade] = make_history("trade", 50)
    over = threading.Event()

    def grow() -> None:
        for number in range(0, 200_000, 20):
            history.add([trade(CODES[n % 3], n) for n in range(number, number + 20)])
        over.set()

    writer = threading.Thread(target=grow)
    writer.start()
    looks = 0
    while not over.is_set() or not looks:
        for kept in history.copy().values():
            ids = [one.sequential_id for one in kept]
            assert ids == list(range(ids[0], ids[0] + 3 * len(ids), 3))
            looks += 1
    writer.join()
    assert all(len(kept) == 50 for kept in history.copy().values())


@pytest.mark.parametrize("policy", list(OverflowPolicy))
@pytest.mark.parametrize("batch", [1, 3, 50])
def test_what_nobody_takes_goes_on_being_kept(policy: OverflowPolicy, batch: int) -> None:
    """And whoever begins to take gets no more of the past than the history has."""
    demand = MarketDemand.make("trade", CODES[0], True, True)
    channel: Channel[Trade] = Channel(
        demand, queue_size=20, overflow=policy, notices=NoticeBoard(), history=10
    )
    numbers = [*range(200)]
    for begin in range(0, 200, batch):
        events = [trade(CODES[0], number) for number in numbers[begin : begin + batch]]
        assert channel.put(events, lambda: None) == ()
    assert channel.history is not None
    assert [one.sequential_id for one in channel.history.of(CODES[0])] == numbers[-10:]
    stats = channel.stats
    assert (stats.received, stats.dropped) == (200, 0)
    assert stats.queued <= 10
    taken = [one.sequential_id for one in channel.take(100, 0.0)]
    assert len(taken) == stats.queued
    if policy not in (OverflowPolicy.LATEST, OverflowPolicy.DROP_NEWEST):
        assert taken == numbers[-len(taken) :]
