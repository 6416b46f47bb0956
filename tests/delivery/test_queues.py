"""The queues against a model: whatever is put in comes out, is dropped, or is given back."""

from __future__ import annotations

from operator import attrgetter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upbit_stream import OverflowPolicy, Trade
from upbit_stream.delivery.queues import make_queue

BOUNDED = [OverflowPolicy.DROP_OLDEST, OverflowPolicy.DROP_NEWEST, OverflowPolicy.BLOCK]
# Batches to put in (their sizes), and takes (negative).
operations = st.lists(st.one_of(st.integers(0, 12), st.integers(-12, -1)), max_size=30)


@pytest.mark.parametrize("policy", BOUNDED)
@given(size=st.integers(1, 10), operations=operations)
def test_bounded_queues(policy: OverflowPolicy, size: int, operations: list[int]) -> None:
    queue = make_queue(policy, size, attrgetter("code"))
    model: list[Trade] = []
    number = 0
    for operation in operations:
        if operation < 0:
            taken = queue.take(-operation)
            assert taken == model[:-operation]
            del model[:-operation]
            continue
        batch = []
        for _ in range(operation):
            number += 1
            batch.append(Trade(type="trade", code="KRW-BTC", sequential_id=number))
        dropped, rest = queue.put(batch)
        everything = model + batch
        excess = max(0, len(everything) - size)
        if policy is OverflowPolicy.DROP_OLDEST:
            assert (list(dropped), list(rest)) == (everything[:excess], [])
            model = everything[excess:]
        else:
            kept, over = (
                everything[: len(everything) - excess],
                everything[len(everything) - excess :],
            )
            if policy is OverflowPolicy.BLOCK:
                assert (list(dropped), list(rest)) == ([], over)
            else:
                assert (list(dropped), list(rest)) == (over, [])
            model = kept
        assert len(queue) == len(model) <= size
    assert queue.take(100) == model
    assert len(queue) == 0


@given(st.lists(st.lists(st.sampled_from("ABC"), max_size=6), max_size=8))
def test_latest_holds_the_newest_of_each_code(batches: list[list[str]]) -> None:
    queue = make_queue(OverflowPolicy.LATEST, 1, attrgetter("code"))
    newest: dict[str, int] = {}
    number = total_dropped = 0
    for codes in batches:
        batch = []
        for code in codes:
            number += 1
            batch.append(Trade(type="trade", code=code, sequential_id=number))
            newest.pop(code, None)
            newest[code] = number
        dropped, rest = queue.put(batch)
        total_dropped += len(dropped)
        assert rest == ()
    assert len(queue) == len(newest)
    taken = queue.take(2) + queue.take(10)
    assert [event.sequential_id for event in taken] == list(newest.values())
    assert total_dropped == number - len(newest)
