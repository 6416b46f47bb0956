"""Codes that cross from one connection to another: each event once, in order, whatever lags."""

from __future__ import annotations

import logging
import threading

from hypothesis import given
from hypothesis import strategies as st

from upbit_stream import ConnectionFailedError, OverflowPolicy, Trade
from upbit_stream.connection.parts import Part, Passage
from upbit_stream.delivery.channel import Channel
from upbit_stream.delivery.notices import NoticeBoard
from upbit_stream.protocol.demands import MarketDemand

STAYS, GOES = CODES = ("KRW-BTC", "KRW-ETH")


def trade(number: int, stream_type: str = "REALTIME") -> Trade:
    return Trade(
        type="trade",
        code=CODES[number % 2],
        timestamp=1000 + number // 3,  # some share a millisecond
        sequential_id=number,
        received_at=1,
        stream_type=stream_type,  # type: ignore[arg-type]
    )


def a_channel(
    overflow: OverflowPolicy = OverflowPolicy.DROP_OLDEST, queue_size: int = 1000
) -> Channel[Trade]:
    demand = MarketDemand.make("trade", CODES, True, True)
    return Channel(demand, queue_size=queue_size, overflow=overflow, notices=NoticeBoard())


def parts_of(channel: Channel[Trade], passage: Passage) -> tuple[Part, Part]:
    old, new = Part(channel, CODES), Part(channel, (GOES,))
    old.lead(passage.old)
    new.lead(passage.new)
    new.on_trial = True
    return old, new


def put(part: Part, events: list[Trade]) -> None:
    assert part.put(events, lambda: None) == ()


@given(
    count=st.integers(1, 60),
    subscribed_at=st.integers(0, 60),
    steps=st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=30),
    cross_after=st.integers(0, 30),
)
def test_each_once_and_in_order(
    count: int, subscribed_at: int, steps: list[tuple[int, int]], cross_after: int
) -> None:
    events = [trade(number) for number in range(count)]
    subscribed_at = min(subscribed_at, count)
    channel = a_channel()
    passage = Passage(channel, (GOES,))
    old, new = parts_of(channel, passage)
    before = [one for one in events[:subscribed_at] if one.code == GOES]
    if before:  # the exchange begins with the state
        put(new, [trade(before[-1].sequential_id, "SNAPSHOT")])
    came_old, came_new, crossed = 0, subscribed_at, False

    def bring(to_old: int, to_new: int) -> None:
        nonlocal came_old, came_new
        put(old, events[came_old : came_old + to_old])
        put(new, [one for one in events[came_new : came_new + to_new] if one.code == GOES])
        came_old, came_new = came_old + to_old, came_new + to_new

    for number, (to_old, to_new) in enumerate(steps):
        bring(to_old, to_new)
        if not crossed and number >= cross_after and came_old >= subscribed_at:
            passage.cross((GOES,))
            crossed = True
    if not crossed:
        bring(max(0, subscribed_at - came_old), 0)
        passage.cross((GOES,))
    bring(count, count)
    got = channel.take(1000) if channel.queue_length else []
    for code in CODES:
        assert [one.sequential_id for one in got if one.code == code] == [
            one.sequential_id for one in events if one.code == code
        ]
    assert all(one.stream_type == "REALTIME" for one in got)


def test_the_beginning_of_a_code_that_had_none() -> None:
    channel = a_channel()
    passage = Passage(channel, (GOES,))
    _, new = parts_of(channel, passage)
    put(new, [trade(1, "SNAPSHOT")])
    assert channel.queue_length == 0
    passage.cross((GOES,))
    assert [one.sequential_id for one in channel.take(10)] == [1]


def test_what_stays_after_all() -> None:
    channel = a_channel()
    passage = Passage(channel, CODES)
    old, new = parts_of(channel, passage)
    put(old, [trade(0), trade(1)])
    put(new, [trade(0), trade(1), trade(2), trade(3)])
    passage.cross((GOES,))  # and not the other one
    put(old, [trade(2), trade(3)])
    put(new, [trade(4), trade(5)])
    put(old, [trade(4)])
    assert [one.sequential_id for one in channel.take(10)] == [0, 1, 3, 2, 5, 4]


def test_a_passage_that_is_given_up() -> None:
    channel = a_channel()
    passage = Passage(channel, (GOES,))
    old, new = parts_of(channel, passage)
    put(new, [trade(1)])
    passage.give_up()
    old.lead(None)
    put(old, [trade(1)])
    put(new, [trade(3)])
    new.put_last([trade(5)])
    assert [one.sequential_id for one in channel.take(10)] == [1]


def test_a_log_handler_holds_up_neither_connection() -> None:
    channel = a_channel(queue_size=1)
    passage = Passage(channel, (GOES,))
    old, new = parts_of(channel, passage)
    waited: list[bool] = []

    class Slow(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            other = threading.Thread(target=put, args=(new, [trade(5)]))
            other.start()
            other.join(2)
            waited.append(other.is_alive())

    logger = logging.getLogger("upbit_stream")
    handler = Slow()
    logger.addHandler(handler)
    try:
        put(old, [trade(1), trade(3)])  # one too many
    finally:
        logger.removeHandler(handler)
    assert waited == [False]


def test_the_end_of_a_connection_on_trial_is_not_that_of_its_channel() -> None:
    channel = a_channel()
    _, new = parts_of(channel, Passage(channel, (GOES,)))
    new.end(ConnectionFailedError("gone"))
    assert not channel.ended
    new.on_trial = False
    new.end(ConnectionFailedError("gone"))
    assert channel.ended
