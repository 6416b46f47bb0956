"""What is demanded of a healthy connection."""

from __future__ import annotations

from typing import Literal

from upbit_stream.monitoring.report import (
    Connectivity,
    Criterion,
    Latency,
    ObservedStream,
    Snapshots,
    Stability,
    StageStatus,
    Throughput,
)

__all__ = ["judge_parts"]

# Milliseconds.
_PING = 100.0
_DEVIATION = 50.0
# That long a first snapshot once took; it must not again.
_FIRST_SNAPSHOT = 519.0


def judge_parts(
    connectivity: Connectivity,
    latency: Latency,
    throughput: Throughput,
    stability: Stability,
    snapshots: Snapshots,
    observed: ObservedStream | None,
) -> tuple[Criterion, ...]:
    """The criteria with their figures.

    Two figures have none. A long silence may be a quiet market, and a connection that is dead is
    found by its pings. And over so short a run, memory grows by what is used for the first time.
    """
    ran = throughput.total is not None
    missing = sum(one.codes - one.answered for one in snapshots.times)
    told = [
        _none("stages of connecting that did not pass", _not_passed(connectivity)),
        _below("ping latency, median", latency.p50, _PING),
        _below("ping latency, standard deviation", latency.deviation, _DEVIATION),
        _below("first snapshot, slowest request", snapshots.slowest_first, _FIRST_SNAPSHOT),
        _none("codes without a snapshot", missing if snapshots.times else None),
        _none("types without any message", len(stability.silent_types) if ran else None),
        _none("reconnects", stability.reconnects if ran else None),
        _none("gaps with trades that are missing", stability.unrepaired if ran else None),
        _none("streams that ended for good", len(stability.ended) if ran else None),
        _none("dropped events", stability.dropped if ran else None),
        _none("undecodable frames", stability.undecodable if ran else None),
    ]
    if observed is not None:
        told += [
            _none("reconnects of the given stream", observed.reconnects),
            _none("dropped events of the given stream", observed.dropped),
            _none("undecodable frames of the given stream", observed.undecodable),
        ]
    return tuple(told)


def _not_passed(connectivity: Connectivity) -> int:
    bad = (StageStatus.FAILED, StageStatus.NOT_REACHED)
    return sum(stage.status in bad for stage in connectivity.stages)


def _below(name: str, figure: float | None, limit: float) -> Criterion:
    return _criterion(name, figure, "<", limit, "ms", figure is not None and figure < limit)


def _none(name: str, figure: int | None) -> Criterion:
    return _criterion(name, figure, "<=", 0, "", figure == 0)


def _criterion(
    name: str,
    figure: float | None,
    relation: Literal["<", "<="],
    limit: float,
    unit: str,
    met: bool,
) -> Criterion:
    return Criterion(name, figure, relation, limit, unit, met)
