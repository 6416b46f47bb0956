"""From one socket to another: every event once and in order, whatever the two sockets' lag."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from upbit_stream import Event, Ticker, Trade
from upbit_stream.connection.handover import Handover

CODES = ("KRW-BTC", "KRW-ETH")


def trade(number: int, stream_type: str = "REALTIME") -> Trade:
    return Trade(
        type="trade",
        code=CODES[number % 2],
        timestamp=1000 + number // 3,  # some share a millisecond
        sequential_id=number,
        stream_type=stream_type,  # type: ignore[arg-type]
    )


def ticker(number: int) -> Ticker:
    return Ticker(
        type="ticker",
        code=CODES[number % 2],
        timestamp=1000 + number // 3,
        trade_price=float(number // 5),  # some are the same but for their time, and all of it
        acc_trade_volume=float(number),
        stream_type="REALTIME",
    )


def hand_over(
    events: list[Event], asked_at: int, old_lags: list[int], new_lags: list[int]
) -> list[Event]:
    """Both sockets bring what happens, each with a lag of its own that changes; the new one from
    ``asked_at`` on. What is delivered.
    """
    delivered: list[Event] = []
    handover = Handover(delivered.extend, lambda type_, code: 0)
    for event in events[: min(old_lags, default=0)]:
        handover.old([event])
    came_old = min(old_lags, default=0)
    came_new = asked_at
    released = False
    for old_to, new_to in zip(old_lags, new_lags, strict=True):
        if not released:
            handover.old(events[came_old : max(came_old, old_to)])
            came_old = max(came_old, old_to)
        if new_to > came_new:
            fresh = events[came_new:new_to]
            if released:
                handover.after(fresh)
            else:
                handover.new(fresh)
            came_new = new_to
        if not released and handover.delivering and handover.caught_up:
            handover.release()
            released = True
    if not released:
        handover.old(events[came_old:])
        handover.new(events[came_new:])
        handover.release()
    else:
        handover.after(events[came_new:])
    return delivered


@given(
    kinds=st.lists(st.booleans(), min_size=1, max_size=60),
    asked_at=st.integers(0, 60),
    steps=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=30),
)
def test_everything_once_and_in_order_per_code(
    kinds: list[bool], asked_at: int, steps: list[tuple[int, int]]
) -> None:
    events: list[Event] = [
        trade(number) if kind else ticker(number) for number, kind in enumerate(kinds)
    ]
    asked_at = min(asked_at, len(events))
    # A socket never takes back what it brought; the old one was there before the new one asked.
    old = sorted(min(step[0], len(events)) for step in steps)
    new = sorted(min(step[1], len(events)) for step in steps)
    delivered = hand_over(events, asked_at, old, new)
    for type_ in ("trade", "ticker"):
        for code in CODES:
            want = [one for one in events if (one.type, one.code) == (type_, code)]
            got = [one for one in delivered if (one.type, one.code) == (type_, code)]
            assert got == want


def test_a_mute_socket_is_followed_by_what_the_new_one_held() -> None:
    delivered: list[Event] = []
    handover = Handover(delivered.extend, lambda type_, code: 1000)
    handover.old([trade(0)])
    handover.new([trade(4, "SNAPSHOT"), trade(6), trade(8)])
    assert handover.delivering
    assert not handover.caught_up
    assert delivered == [trade(0)]
    handover.release()
    assert [one.sequential_id for one in delivered if isinstance(one, Trade)] == [0, 4, 6, 8]


def test_a_snapshot_that_says_nothing_new_is_left_out() -> None:
    delivered: list[Event] = []
    handover = Handover(delivered.extend, lambda type_, code: 1001)
    old, new = (
        Ticker(type="ticker", code="KRW-BTC", timestamp=at, stream_type="SNAPSHOT")
        for at in (1001, 1002)
    )
    handover.new([old, new])
    assert handover.caught_up
    handover.release()
    assert delivered == [new]


def test_snapshots_of_trades_are_left_to_recovery() -> None:
    delivered: list[Event] = []
    handover = Handover(delivered.extend, lambda type_, code: 1001)
    handover.new([trade(4, "SNAPSHOT"), trade(9, "SNAPSHOT")])
    handover.release()
    assert [one.sequential_id for one in delivered if isinstance(one, Trade)] == [4, 9]


def test_a_state_that_is_past_does_not_follow_a_newer_one() -> None:
    delivered: list[Event] = []

    def newest(type_: str, code: str | None) -> int:
        return max((one.timestamp or 0 for one in delivered), default=0)

    handover = Handover(delivered.extend, newest)
    handover.new([ticker(4), ticker(10)])
    handover.old([ticker(8)])  # it left out the first one
    handover.release()
    assert delivered == [ticker(8), ticker(10)]
