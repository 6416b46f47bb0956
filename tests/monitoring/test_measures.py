"""The figures of a connection test, and what is demanded of them."""

from __future__ import annotations

import statistics

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from upbit_stream.monitoring.measures import Silence, describe_latency, percentile, slope
from upbit_stream.monitoring.report import (
    Connectivity,
    Latency,
    ObservedStream,
    Rate,
    Snapshots,
    SnapshotTime,
    Stability,
    Stage,
    StageStatus,
    Throughput,
)
from upbit_stream.monitoring.verdict import judge_parts

TRIPS = st.lists(st.floats(0.01, 5000), min_size=2, max_size=60)


@given(TRIPS)
def test_percentiles_are_those_of_the_textbook(trips: list[float]) -> None:
    cuts = statistics.quantiles(trips, n=100, method="inclusive")
    told = describe_latency(trips)
    assert told.count == len(trips)
    assert told.min == min(trips)
    assert told.p50 == pytest.approx(statistics.median(trips))
    assert told.p95 == pytest.approx(cuts[94])
    assert told.p99 == pytest.approx(cuts[98])
    assert told.deviation == pytest.approx(statistics.stdev(trips))


def test_few_round_trips() -> None:
    assert describe_latency([]) == Latency()
    assert describe_latency([7.0]) == Latency(1, 7.0, 7.0, 7.0, 7.0, None)
    assert percentile([1.0, 3.0], 0.25) == 1.5


def test_the_slope_of_a_line_and_of_none() -> None:
    assert slope([(0, 5), (1, 8), (2, 11)]) == pytest.approx(3)
    assert slope([(0, 0), (1, 6), (2, 0)]) == pytest.approx(0)
    assert slope([]) is None
    assert slope([(1, 5), (1, 9)]) is None


def test_silence_begins_and_ends_with_the_run() -> None:
    second = 10**9
    silence = Silence()
    silence.note(1 * second)
    silence.begin(10 * second)
    assert silence.longest(13 * second) == 3
    silence.note(14 * second)
    silence.note(12 * second)  # late, from another thread
    silence.note(15 * second)
    assert silence.longest(16 * second) == 4
    assert silence.longest(21 * second) == 6


PASSED = Connectivity((Stage("DNS", StageStatus.PASSED, 1.0), Stage("TLS", StageStatus.NOT_USED)))
LATENCY = Latency(9, 1.0, 99.9, 200.0, 300.0, 49.9)
RAN = Throughput(1.0, Rate(1.0, 100.0), {})
STABLE = Stability(longest_silence=100.0)
SNAPSHOTS = Snapshots((SnapshotTime(1, 1, 20.0, 20.0), SnapshotTime(2, 2, 518.9, 700.0)))
OBSERVED = ObservedStream("connected", 5, 0, (), 0, 0, 3)
WELL = {
    "connectivity": PASSED,
    "latency": LATENCY,
    "throughput": RAN,
    "stability": STABLE,
    "snapshots": SNAPSHOTS,
    "observed": OBSERVED,
}


def unmet(**changes: object) -> dict[str, float | None]:
    criteria = judge_parts(**{**WELL, **changes})  # type: ignore[arg-type]
    return {one.name: one.figure for one in criteria if not one.met}


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({}, {}),
        ({"observed": None}, {}),
        (
            {"connectivity": Connectivity((Stage("DNS", StageStatus.FAILED, 1.0, "why"),))},
            {"stages of connecting that did not pass": 1},
        ),
        (
            {"latency": msgspec.structs.replace(LATENCY, p50=100.0)},
            {"ping latency, median": 100.0},
        ),
        (
            {"latency": msgspec.structs.replace(LATENCY, deviation=50.0)},
            {"ping latency, standard deviation": 50.0},
        ),
        (
            {"latency": Latency()},
            {"ping latency, median": None, "ping latency, standard deviation": None},
        ),
        (
            {"snapshots": Snapshots((SnapshotTime(1, 1, 519.0, 519.0),))},
            {"first snapshot, slowest request": 519.0},
        ),
        (
            {"snapshots": Snapshots((SnapshotTime(1, 1, 5.0, 5.0), SnapshotTime(10, 0)))},
            {"first snapshot, slowest request": None, "codes without a snapshot": 10},
        ),
        (
            {"snapshots": Snapshots()},
            {"first snapshot, slowest request": None, "codes without a snapshot": None},
        ),
        ({"stability": Stability(reconnects=2)}, {"reconnects": 2}),
        ({"stability": Stability(gaps=("a", "b"))}, {}),
        ({"stability": Stability(unrepaired=1)}, {"gaps with trades that are missing": 1}),
        ({"stability": Stability(dropped=3)}, {"dropped events": 3}),
        ({"stability": Stability(undecodable=4)}, {"undecodable frames": 4}),
        ({"stability": Stability(silent_types=("trade",))}, {"types without any message": 1}),
        ({"stability": Stability(ended=("why",))}, {"streams that ended for good": 1}),
        (
            {"observed": msgspec.structs.replace(OBSERVED, reconnects=1, dropped=2, undecodable=3)},
            {
                "reconnects of the given stream": 1,
                "dropped events of the given stream": 2,
                "undecodable frames of the given stream": 3,
            },
        ),
    ],
)
def test_the_verdict(changes: dict[str, object], names: dict[str, float | None]) -> None:
    assert unmet(**changes) == names
