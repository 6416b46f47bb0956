"""The plan is the seed's, and the judge sees what is wrong. No socket."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.chaos.faults import FAULTS
from tests.chaos.oracle import judge
from tests.chaos.plan import plan
from upbit_stream.simulator.history import IDS_PER_MS

LEDGERS = st.lists(st.integers(1, 10**6), min_size=4, max_size=60, unique=True).map(
    lambda moments: [moment * IDS_PER_MS for moment in sorted(moments)]
)


@given(st.integers(0, 10**6), st.integers(1, 80))
def test_a_plan_is_made_by_its_seed(seed: int, faults: int) -> None:
    steps = plan(faults, seed, 0.5)
    assert steps == plan(faults, seed, 0.5)
    assert sum(step.begins for step in steps) == faults
    held: dict[str, int] = {}
    for step in steps:
        if hold := FAULTS[step.fault].hold:
            if step.begins:
                assert held.setdefault(hold, step.number) == step.number
            else:
                assert held.pop(hold) == step.number
    assert not held


@given(LEDGERS)
def test_what_is_whole_is_found_whole(ledger: list[int]) -> None:
    verdict = judge(ledger, ledger, ledger[-1], ())
    assert (verdict.trades, verdict.lost, verdict.doubled) == (len(ledger), [], 0)
    assert (verdict.late, verdict.out_of_order, verdict.excused) == (0, [], 0)


@given(LEDGERS, st.data())
def test_each_loss_is_found(ledger: list[int], data: st.DataObject) -> None:
    gone = sorted(data.draw(st.sets(st.sampled_from(ledger[1:]), min_size=1)))
    left = [one for one in ledger if one not in gone]
    assert judge(ledger, left, ledger[-1], ()).lost == gone
    span = (gone[0] // IDS_PER_MS, gone[-1] // IDS_PER_MS)
    told = judge(ledger, left, ledger[-1], [span])
    assert (told.lost, told.excused) == ([], len(gone))


@given(LEDGERS, st.data())
def test_what_comes_twice_or_late_is_found(ledger: list[int], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(ledger) - 2))
    doubled = [*ledger, ledger[place]]
    assert judge(ledger, doubled, ledger[-1], ()).doubled == 1
    swapped = [*ledger[:place], ledger[place + 1], ledger[place], *ledger[place + 2 :]]
    if place:
        verdict = judge(ledger, swapped, ledger[-1], ())
        assert (verdict.late, verdict.out_of_order, verdict.lost) == (1, [], [])
    behind = [*ledger[:1], *ledger[2:], ledger[1]]
    assert judge(ledger, behind, ledger[-1], ()).out_of_order == [ledger[1]]
