"""Doubt and repair on the path of the events, without a socket: a router, a channel, REST."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from tests.conftest import eventually, our_threads
from upbit_stream import Gap, OverflowPolicy, Trade
from upbit_stream.connection.lines import Crossing, Line
from upbit_stream.connection.router import Router
from upbit_stream.delivery.channel import Channel
from upbit_stream.delivery.notices import NoticeBoard
from upbit_stream.protocol.demands import MarketDemand
from upbit_stream.recovery.recovery import Recovery, RecoverySettings
from upbit_stream.recovery.tapes import REMEMBERED
from upbit_stream.simulator import Simulator

CODE = "KRW-BTC"


def make_channel(*, snapshot: bool = True) -> Channel[Trade]:
    return Channel(
        MarketDemand.make("trade", CODE, snapshot, True),
        queue_size=1000,
        overflow=OverflowPolicy.DROP_OLDEST,
        notices=NoticeBoard(),
    )


def make_trade(id_: int, stream_type: str) -> Trade:
    return Trade(
        type="trade",
        code=CODE,
        trade_timestamp=id_ // 10_000,
        timestamp=id_ // 10_000,
        sequential_id=id_,
        stream_type=stream_type,  # type: ignore[arg-type]
    )


class House:
    """A router with one channel, whose events are put in by hand."""

    def __init__(self, sim: Simulator) -> None:
        self.sim = sim
        self.gaps: list[Gap] = []
        self.done = threading.Event()
        settings = RecoverySettings(
            backfill=True, deadline=20.0, at_most=1000, numbers="float", rest_url=sim.rest_url
        )
        self.recovery = Recovery("test", settings, tell=self.gaps.append, when_done=self.done.set)
        self.router = Router(lambda: None, self.recovery)
        self.channel = make_channel()
        self.router.update([self.channel])
        self.router.requested()

    def put(self, id_: int, stream_type: str = "REALTIME") -> None:
        assert self.router.route([make_trade(id_, stream_type)]) == []

    def taken(self) -> list[int]:
        self.router.hand_over()
        return [trade.sequential_id for trade in self.channel.take(1000, time.monotonic())]

    def make(self, count: int) -> list[int]:
        return [self.sim.trade(CODE) for _ in range(count)]

    def collect(self) -> None:
        # A repair that was given up may be the first to say that it is done.
        eventually(lambda: self.done.wait(1) and self.router.collect())
        self.done.clear()


@pytest.fixture
def house(sim: Simulator) -> Iterator[House]:
    house = House(sim)
    yield house
    house.router.finish()
    eventually(lambda: our_threads() == [])


def test_a_code_whose_first_event_does_not_come_is_repaired_all_the_same(house: House) -> None:
    first, *missed = house.make(4)
    house.put(first, "SNAPSHOT")
    house.router.reset(lost=True)
    house.router.requested()
    now = time.monotonic()
    house.recovery.look(now + 2.0)
    assert not house.recovery.workers
    house.recovery.look(now + 4.0)
    house.collect()
    assert house.taken() == [first, *missed]
    house.recovery.look(now)
    assert [gap.count for gap in house.gaps] == [3]


def test_what_is_remembered_is_not_forgotten_while_something_is_fetched(house: House) -> None:
    """For what is fetched reaches back two seconds, and a busy market makes many trades in them."""
    *had, missed, live = house.make(4 * REMEMBERED)
    house.put(had[0], "SNAPSHOT")
    for id_ in had[1:]:
        house.put(id_)
    house.router.reset(lost=True)
    house.router.requested()
    house.put(missed, "SNAPSHOT")
    house.put(live)
    house.recovery.look(time.monotonic() + 1)
    house.collect()
    assert house.taken() == [*had, missed, live]


def test_a_thread_that_does_not_come_back_is_not_waited_for(house: House) -> None:
    first, missed, live = house.make(3)
    house.put(first, "SNAPSHOT")
    house.sim.stall_rest(None)
    house.router.reset(lost=True)
    house.router.requested()
    house.put(missed, "SNAPSHOT")
    house.put(live)
    assert house.taken() == [first]
    house.recovery.look(time.monotonic() + 22)  # of 20 s
    assert house.taken() == [missed, live]
    (gap,) = house.gaps
    assert (gap.recovered, gap.codes) == (False, (CODE,))
    assert "backfill_deadline" in gap.why
    house.sim.stall_rest(0)


def test_losses_that_cut_repairs_short_do_not_make_live_trades_wait_for_ever(house: House) -> None:
    first, _, live, more, again, newest = house.make(6)
    house.put(first, "SNAPSHOT")
    house.sim.stall_rest(None)
    for id_ in (live, more, again):
        house.recovery.lose(time.monotonic() + 15)  # of 20 s
        house.router.reset(lost=False)
        house.router.requested()
        house.put(id_)
    house.put(newest)
    now = time.monotonic()
    house.recovery.look(now + 9)
    assert house.taken() == [first]
    house.recovery.look(now + 12)  # 42 s in all, the grace included
    assert house.taken() == [live, more, again, newest]
    (gap,) = house.gaps
    assert (gap.recovered, gap.codes) == (False, (CODE,))
    # The next one has its own time.
    house.router.reset(lost=True)
    house.router.requested()
    house.put(house.make(1)[0])
    house.recovery.look(time.monotonic() + 19)
    assert house.taken() == []
    house.sim.stall_rest(0)


def test_a_trade_that_comes_as_snapshot_and_live_is_delivered_once(house: House) -> None:
    first, second = house.make(2)
    house.put(first, "SNAPSHOT")
    house.put(first)
    house.put(second)
    assert house.taken() == [first, second]


def test_a_late_trade_does_not_bring_back_what_is_remembered_no_more(house: House) -> None:
    house.sim.burst(900, [CODE])
    made = house.sim.ledger(CODE)
    late = made.pop(0)
    house.put(made[0], "SNAPSHOT")
    for id_ in made[1:]:
        house.put(id_)
    house.put(late)
    missed = house.make(2)
    house.router.reset(lost=True)
    house.router.requested()
    house.put(missed[-1], "SNAPSHOT")
    house.collect()
    assert house.taken() == [*made, late, *missed]


def test_without_a_request_nothing_is_waited_for(house: House) -> None:
    (first,) = house.make(1)
    house.put(first, "SNAPSHOT")
    house.router.reset(lost=True)
    house.recovery.look(time.monotonic() + 1000)
    assert not house.recovery.workers


def test_a_snapshot_of_a_trade_that_is_under_way_is_no_gap(house: House) -> None:
    first, second, third = house.make(3)
    house.put(first, "SNAPSHOT")
    house.put(second)
    house.put(third, "SNAPSHOT")  # of a changed list
    house.put(third)
    house.recovery.look(time.monotonic() + 10)
    assert not house.recovery.workers
    assert not house.recovery.busy
    assert house.taken() == [first, second, third]


def test_a_trade_that_does_not_come_though_a_snapshot_told_of_it_is_a_gap(house: House) -> None:
    made = house.make(400)
    house.put(made[0], "SNAPSHOT")
    house.put(made[1])
    house.put(made[4], "SNAPSHOT")
    for id_ in made[5:]:  # they show that it is missing
        house.put(id_)
    house.collect()
    assert house.taken() == made


def test_one_after_which_nothing_comes_is_waited_for_a_while(house: House) -> None:
    made = house.make(3)
    house.put(made[0], "SNAPSHOT")
    house.put(made[2], "SNAPSHOT")
    house.recovery.look(time.monotonic() + 1)
    assert not house.recovery.workers
    house.recovery.look(time.monotonic() + 10)
    house.collect()
    assert house.taken() == made


def test_a_loss_does_not_forget_that_a_snapshot_told_of_more(house: House) -> None:
    made = house.make(3)
    house.put(made[0], "SNAPSHOT")
    house.put(made[2], "SNAPSHOT")
    house.router.reset(lost=True)
    house.router.requested()
    house.put(made[2], "SNAPSHOT")
    house.collect()
    assert house.taken() == made


def test_a_code_that_is_wanted_no_more_is_forgotten(house: House) -> None:
    first, _ = house.make(2)
    house.put(first, "SNAPSHOT")
    house.router.reset(lost=True)
    house.router.requested()
    house.router.update([])
    house.recovery.look(time.monotonic() + 10)
    assert not house.recovery.workers
    assert not house.recovery.busy


def test_a_code_that_is_not_asked_for_meanwhile_is_repaired_when_it_is(house: House) -> None:
    """As in a search for the subscription that the exchange refuses."""
    first, *missed = house.make(3)
    house.put(first, "SNAPSHOT")
    house.router.update([], parked=[house.channel])
    house.router.requested()
    house.recovery.look(time.monotonic() + 10)
    assert not house.recovery.workers
    house.router.update([house.channel])
    house.router.requested()
    house.put(missed[-1], "SNAPSHOT")
    house.collect()
    assert house.taken() == [first, *missed]


def test_who_has_begun_is_given_no_snapshot_in_place_of_what_is_fetched(house: House) -> None:
    """A newcomer that begins without its snapshot, which comes when something was missed."""
    first, live, *missed = house.make(5)
    house.put(first, "SNAPSHOT")
    late: Channel[Trade] = Channel(
        MarketDemand.make("trade", CODE, True, True),
        queue_size=1000,
        overflow=OverflowPolicy.DROP_OLDEST,
        notices=NoticeBoard(),
    )
    house.router.update([house.channel, late])
    house.put(live)
    house.router.requested()
    (outlet,) = [one for channel, one in house.router._outlets.items() if channel is late]
    outlet.newcomers[CODE].until = 0.0  # its patience is over
    house.router.lose_patience()
    house.put(missed[1], "SNAPSHOT")  # it is late, and tells of more than has come
    house.put(missed[2])  # which never will: this is the only line
    house.collect()
    assert house.taken() == [first, live, *missed]
    house.router.hand_over()
    assert [one.sequential_id for one in late.take(100, time.monotonic())] == [live, *missed]


def test_who_wants_no_snapshots_has_begun_with_the_first_one(house: House) -> None:
    """So what a second one tells of was missed."""
    first, missed, live = house.make(3)
    house.channel = make_channel(snapshot=False)
    house.router.update([house.channel])
    house.router.requested()
    house.put(first, "SNAPSHOT")
    house.put(missed, "SNAPSHOT")
    house.put(live)
    house.collect()
    assert house.taken() == [missed, live]


@pytest.mark.parametrize("comes", [True, False])
def test_a_newcomer_gets_what_was_fetched_behind_its_snapshot(house: House, comes: bool) -> None:
    """Which may come last, over a line that is slow."""
    first, missed, live = house.make(3)
    house.put(first, "SNAPSHOT")
    house.router.reset(lost=True)
    house.router.requested()
    house.put(live)
    late = make_channel()
    house.router.update([house.channel, late])
    house.collect()
    if comes:
        house.put(first, "SNAPSHOT")
    else:
        house.router.reset(lost=False)
    assert house.taken() == [first, missed, live]
    due = [first, missed, live] if comes else [live]
    assert [one.sequential_id for one in late.take(100, time.monotonic())] == due


def test_a_newcomer_does_not_begin_with_an_older_snapshot_than_the_others_have(
    house: House,
) -> None:
    """What came between the two would be missing; the slower of two lines may bring such."""
    first, second, third = house.make(3)
    house.put(first, "SNAPSHOT")
    house.put(second)
    late = make_channel()
    house.router.update([house.channel, late])
    house.put(first, "SNAPSHOT")
    house.put(third)
    house.put(second, "SNAPSHOT")
    assert house.taken() == [first, second, third]
    assert [one.sequential_id for one in late.take(100, time.monotonic())] == [second, third]


def test_who_begins_between_two_losses_misses_nothing_from_then_on(house: House) -> None:
    """A newcomer whose snapshot does not come, while a repair is cut short by another loss."""
    first, gone, live, missed, again = house.make(5)
    house.put(first, "SNAPSHOT")
    house.sim.stall_rest(None)
    house.router.reset(lost=True)
    house.router.requested()
    late = make_channel()
    house.put(gone, "SNAPSHOT")
    house.router.update([house.channel, late])
    house.put(live)
    house.sim.stall_rest(0)
    house.router.reset(lost=True)
    house.router.requested()
    house.put(again)
    house.collect()
    assert house.taken() == [first, gone, live, missed, again]
    house.router.hand_over()
    assert [one.sequential_id for one in late.take(100, time.monotonic())] == [live, missed, again]


def test_what_the_other_line_has_not_asked_for_is_doubted(house: House) -> None:
    (first,) = house.make(1)
    crossing = Crossing(house.router)
    one, other = Line(crossing), Line(crossing)
    house.router.update([])
    for line in (one, other):
        line.update([])
        line.requested()
    one.update([house.channel])
    one.requested()
    one.take([b""], lambda payloads: [make_trade(first, "SNAPSHOT")])
    assert house.router.settled
    one.reset(lost=True)
    assert not house.router.settled
    other.reset(lost=True)
