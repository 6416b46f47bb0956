"""The search for the one that the exchange refuses, against an exchange that is a function."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from upbit_stream import OverflowPolicy, Trade
from upbit_stream.connection.trial import Trial
from upbit_stream.delivery.channel import Channel
from upbit_stream.delivery.notices import NoticeBoard
from upbit_stream.protocol.demands import Demand, MarketDemand

BOARD = NoticeBoard()


def channel(name: str) -> Channel[Trade]:
    return Channel(
        MarketDemand("trade", (name,)),
        queue_size=1,
        overflow=OverflowPolicy.DROP_OLDEST,
        notices=BOARD,
    )


def demands(channels: Iterable[Channel[Trade]]) -> dict[Channel[Trade], Demand]:
    return {one: one.demand for one in channels}


def search(
    trial: Trial, wanted: list[Channel[Trade]], bad: set[Channel[Trade]], now: float = 0.0
) -> tuple[list[Channel[Trade]], int]:
    """Ask until the list stands; whom that took, and how many lists were refused."""
    culprits: list[Channel[Trade]] = []
    refusals = 0
    for _ in range(1000):
        asked = trial.admit(tuple(wanted))
        trial.asked(demands(asked), now)
        if bad & set(asked):
            refusals += 1
            culprit = trial.refused(now)
        elif trial.searching:
            culprit = trial.accepted()
        else:
            return culprits, refusals
        if culprit is not None:
            culprits.append(culprit)
            wanted.remove(culprit)
    raise AssertionError("the search does not end")


@given(
    st.integers(0, 30),
    st.lists(st.booleans(), min_size=1, max_size=30),
)
def test_every_culprit_is_found_and_nobody_else(standing: int, new: list[bool]) -> None:
    trial = Trial()
    good = [channel(f"KRW-G{number}") for number in range(standing)]
    if good:
        trial.asked(demands(trial.admit(tuple(good))), 0.0)
    added = [channel(f"KRW-N{number}") for number in range(len(new))]
    bad = {one for one, is_bad in zip(added, new, strict=True) if is_bad}
    wanted = good + added
    culprits, refusals = search(trial, wanted, bad, now=10.0)
    assert set(culprits) == bad
    assert wanted == [one for one in good + added if one not in bad]
    # For each: the refusal itself, the newest left out, and the halves of what remains.
    assert refusals <= len(bad) * (2 + len(new).bit_length())


def test_one_that_is_new_is_found_without_trying() -> None:
    trial = Trial()
    good = [channel(f"KRW-G{number}") for number in range(20)]
    trial.asked(demands(trial.admit(tuple(good))), 0.0)
    bad = channel("KRW-BAD")
    trial.asked(demands((*good, bad)), 10.0)
    assert trial.refused(10.2) is bad
    assert not trial.searching


def test_a_code_that_was_added_makes_a_suspect_too() -> None:
    trial = Trial()
    good = [channel(f"KRW-G{number}") for number in range(5)]
    trial.asked(demands(trial.admit(tuple(good))), 0.0)
    good[2].change(good[2].demand.adding(("KRW-BAD",)))
    trial.asked(demands(trial.admit(tuple(good))), 10.0)
    assert trial.refused(10.2) is good[2]


def test_the_newest_is_left_out_first() -> None:
    trial = Trial()
    channels = tuple(channel(f"KRW-N{number}") for number in range(20))
    trial.asked(demands(channels), 0.0)
    assert trial.refused(0.2) is None
    assert trial.admit(channels) == channels[:-1]
    trial.asked(demands(channels[:-1]), 0.5)
    assert trial.accepted() is channels[-1]


def test_a_list_that_stood_is_asked_for_once_more_before_anyone_is_suspected() -> None:
    trial = Trial()
    channels = tuple(channel(f"KRW-N{number}") for number in range(3))
    trial.asked(demands(channels), 0.0)
    assert trial.refused(600.0) is None
    assert not trial.searching
    assert trial.admit(channels) == channels
    trial.asked(demands(channels), 600.5)
    assert trial.refused(600.7) is None
    assert trial.searching


def test_a_search_whose_suspect_leaves_begins_again() -> None:
    trial = Trial()
    channels = tuple(channel(f"KRW-N{number}") for number in range(4))
    trial.asked(demands(channels), 0.0)
    trial.refused(0.2)
    assert trial.searching
    assert trial.admit(channels[1:]) == channels[1:]
    assert not trial.searching


def test_an_answer_that_does_not_come_counts_as_yes() -> None:
    trial = Trial()
    channels = tuple(channel(f"KRW-N{number}") for number in range(2))
    trial.asked(demands(channels), 0.0)
    trial.refused(0.2)
    trial.asked(demands(trial.admit(channels)), 0.3)
    assert not trial.overdue(1.0)
    assert trial.overdue(2.4)


def test_a_list_whose_connection_was_lost_at_once_was_not_taken() -> None:
    trial = Trial()
    good = channel("KRW-G")
    trial.asked(demands((good,)), 0.0)
    bad = channel("KRW-BAD")
    trial.asked(demands((good, bad)), 10.0)
    trial.interrupted(10.1)
    trial.asked(demands((good, bad)), 15.0)
    assert trial.refused(15.2) is bad
