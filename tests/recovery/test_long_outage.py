"""One long outage of a busy market: all of it comes back, within the limits of REST."""

from __future__ import annotations

import pytest

from benchmarks.outage import Outcome, Plan, measure
from upbit_stream.protocol.limits import REST_CALLS


def check(outcome: Outcome, at_least: int) -> None:
    """Nothing was lost, and nothing was asked too often."""
    assert outcome.missed >= at_least
    assert outcome.backfilled >= outcome.missed
    assert outcome.made > outcome.missed
    assert (outcome.lost, outcome.doubled, outcome.disordered) == (0, 0, 0)
    assert (outcome.dropped, outcome.unrepaired) == (0, 0)
    # 500 trades a page: it was REST that told of them, and never too often.
    assert outcome.calls >= outcome.missed / 500
    assert outcome.statuses == {"200": outcome.calls}
    assert outcome.busiest_second <= REST_CALLS[0].count


def test_an_outage_is_repaired_within_the_limits() -> None:
    # 20 s of the market in 2.
    check(measure(Plan(codes=10, rate=300, seconds=20, speed=10)), 5_000)


@pytest.mark.soak
def test_ten_minutes_of_300_trades_a_second_over_50_codes_are_repaired() -> None:
    outcome = measure(Plan(codes=50, rate=300, seconds=600))
    check(outcome, 175_000)
    # Bounded: 180,000 trades went through it, and 100,000 may wait.
    assert outcome.queued < 100_000
    assert outcome.all_live < 90
