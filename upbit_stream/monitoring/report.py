"""What a connection test found: values, and the same as JSON or text."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, Literal

import msgspec

__all__ = [
    "Connectivity",
    "Criterion",
    "DiagnosticsReport",
    "Latency",
    "Memory",
    "ObservedStream",
    "Rate",
    "SnapshotTime",
    "Snapshots",
    "Stability",
    "Stage",
    "StageStatus",
    "Throughput",
]


class StageStatus(str, Enum):
    """How far a stage of connecting came."""

    PASSED = "passed"
    FAILED = "failed"
    #: An earlier one failed.
    NOT_REACHED = "not reached"
    #: There is no such stage here: TLS of ``ws://``.
    NOT_USED = "not used"


class Stage(msgspec.Struct, frozen=True):
    """One stage of connecting: DNS, TCP, TLS, upgrade or first data."""

    name: str
    status: StageStatus
    #: How long it took, also up to its failure; None when it was not tried.
    milliseconds: float | None = None
    #: Of a failed one: what happened, and what to do next, in one sentence.
    explanation: str | None = None


class Connectivity(msgspec.Struct, frozen=True):
    """Each stage of connecting once, on a socket of its own."""

    stages: tuple[Stage, ...]

    @property
    def passed(self) -> bool:
        """Whether data came in the end."""
        return all(one.status in (StageStatus.PASSED, StageStatus.NOT_USED) for one in self.stages)

    @property
    def failure(self) -> Stage | None:
        """The stage that failed, if one did."""
        failed = (one for one in self.stages if one.status is StageStatus.FAILED)
        return next(failed, None)


class Latency(msgspec.Struct, frozen=True):
    """Round trips of pings over the run, in milliseconds; None where there were too few."""

    count: int = 0
    min: float | None = None
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    #: The standard deviation; of two round trips or more.
    deviation: float | None = None


class Rate(msgspec.Struct, frozen=True):
    """What came each second: messages, and bytes with the headers of their frames (TLS aside)."""

    messages: float
    bytes: float


class Throughput(msgspec.Struct, frozen=True):
    """What came over the run, which took ``seconds``. Each type had a connection of its own."""

    seconds: float = 0.0
    total: Rate | None = None
    by_type: Mapping[str, Rate] = {}


class Memory(msgspec.Struct, frozen=True):
    """The resident memory of this process over the run, and a straight line through it."""

    #: Bytes, at the beginning.
    start: int
    #: Bytes a second.
    slope: float
    #: What the line rises over the run, as a part of ``start``.
    growth: float


class Stability(msgspec.Struct, frozen=True):
    """What went wrong while the streams of the test ran, from their start."""

    reconnects: int = 0
    #: Why, in the order in which it happened; fewer where the log is silenced.
    causes: tuple[str, ...] = ()
    #: What connections missed, in one sentence each; and in how many of these there are trades that
    #: could not be had. (Of tickers and order books the snapshot that followed is the state.) What
    #: is still being fetched when the run ends is not among them.
    gaps: tuple[str, ...] = ()
    unrepaired: int = 0
    #: Of the run: the longest time in seconds in which no message came, of any type and of each.
    longest_silence: float | None = None
    silence_by_type: Mapping[str, float] = {}
    dropped: int = 0
    undecodable: int = 0
    #: Types of which no message ever came.
    silent_types: tuple[str, ...] = ()
    #: What ended a stream for good, in one sentence each.
    ended: tuple[str, ...] = ()
    #: None when the run was too short for a slope.
    memory: Memory | None = None


class SnapshotTime(msgspec.Struct, frozen=True):
    """One request for snapshots on an open connection. Milliseconds from the call; so what the
    SDK waits for further wishes before it asks (30 ms) is a part of it.
    """

    #: Codes asked for.
    codes: int
    #: Codes that answered.
    answered: int
    #: To the first snapshot; None when none came.
    first: float | None = None
    #: To the last one; None unless every code answered.
    all: float | None = None


class Snapshots(msgspec.Struct, frozen=True):
    """Requests for the tickers of 1, 10 and 100 codes, or of as many as there are."""

    times: tuple[SnapshotTime, ...] = ()
    #: Where the codes are from: the market list, or only those of the test.
    source: Literal["market list", "test codes"] = "test codes"

    @property
    def slowest_first(self) -> float | None:
        """The longest time to a first snapshot in ms; None when a request had no answer."""
        firsts = [one.first for one in self.times]
        known = [first for first in firsts if first is not None]
        return max(known) if known and len(known) == len(firsts) else None


class ObservedStream(msgspec.Struct, frozen=True):
    """What the stream that was given did meanwhile: its counters' growth over the whole test."""

    state: str
    messages: int
    reconnects: int
    causes: tuple[str, ...]
    dropped: int
    undecodable: int
    #: Calls of callbacks that raised.
    errors: int


class Criterion(msgspec.Struct, frozen=True):
    """One demand of the verdict: ``figure`` is to be in ``relation`` to ``limit``."""

    name: str
    #: None: was not measured, hence nobody knows whether it is met, and it does not count as such.
    figure: float | None
    relation: Literal["<", "<="]
    limit: float
    #: Empty for plain counts.
    unit: str
    met: bool

    @property
    def outcome(self) -> Literal["met", "not met", "not measured"]:
        """What came of it."""
        if self.figure is None:
            return "not measured"
        return "met" if self.met else "not met"


class DiagnosticsReport(msgspec.Struct, frozen=True):
    """What :class:`~upbit_stream.monitoring.diagnostics.WebSocketDiagnostics` found.

    Nothing secret is in it: no keys, and of a URL not what it may have of a user.
    """

    #: The address of the public endpoint.
    url: str
    codes: tuple[str, ...]
    #: When the test began (ISO 8601, UTC).
    began: str
    connectivity: Connectivity
    latency: Latency
    throughput: Throughput
    stability: Stability
    snapshots: Snapshots
    observed: ObservedStream | None
    verdict: tuple[Criterion, ...]

    @property
    def healthy(self) -> bool:
        """Whether every criterion is met."""
        return all(criterion.met for criterion in self.verdict)

    def to_dict(self) -> dict[str, Any]:
        """As plain values: dicts, lists, strings, numbers; with ``healthy``,
        ``connectivity.passed`` and the ``outcome`` of each criterion.
        """
        plain: dict[str, Any] = msgspec.to_builtins(self)
        plain["connectivity"]["passed"] = self.connectivity.passed
        for told, criterion in zip(plain["verdict"], self.verdict, strict=True):
            told["outcome"] = criterion.outcome
        return {"healthy": self.healthy, **plain}

    def to_json(self) -> str:
        """As one line of JSON."""
        return msgspec.json.encode(self.to_dict()).decode()

    def __str__(self) -> str:
        from upbit_stream.monitoring.text import write_text  # it knows this module

        return write_text(self)

    def _repr_html_(self) -> str:
        from upbit_stream.notebook.cards import report_card

        return report_card(self)
