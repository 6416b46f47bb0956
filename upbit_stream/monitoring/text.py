"""A report as text for people."""

from __future__ import annotations

from collections.abc import Iterator

from upbit_stream.monitoring.report import (
    Criterion,
    DiagnosticsReport,
    Latency,
    Rate,
    Stability,
    Stage,
    StageStatus,
    Throughput,
)

__all__ = [
    "describe_figure",
    "describe_limit",
    "describe_stage",
    "headline",
    "sections",
    "write_text",
]

_UNITS = ("B", "kB", "MB", "GB")


def write_text(report: DiagnosticsReport) -> str:
    """The whole report."""
    lines = [headline(report)]
    for title, rows in sections(report):
        lines += ["", title]
        width = max(len(label) for label, _ in rows)
        lines += [f"  {label:{width}}  {words}".rstrip() for label, words in rows]
    lines += ["", "verdict"]
    width = max(len(criterion.name) for criterion in report.verdict)
    lines += [
        f"  {'met    ' if one.met else 'NOT MET'}  {one.name:{width}}  "
        f"{describe_figure(one):>12}  ({describe_limit(one)})"
        for one in report.verdict
    ]
    return "\n".join(lines)


def headline(report: DiagnosticsReport) -> str:
    """The verdict in a line."""
    met = sum(criterion.met for criterion in report.verdict)
    health = "healthy" if report.healthy else "NOT healthy"
    return f"{report.url}: {health}, {met} of {len(report.verdict)} criteria met"


def sections(report: DiagnosticsReport) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """The parts, each with its title and its rows of a label and words."""
    yield "connectivity", [(one.name, describe_stage(one)) for one in report.connectivity.stages]
    if report.throughput.total is None:
        return
    yield "latency", [("pings", _latency(report.latency))]
    yield "throughput", _throughput(report.throughput)
    yield "stability", _stability(report.stability)
    if report.snapshots.times:
        yield (
            "snapshots",
            [
                (
                    f"{one.codes} code{'s' * (one.codes != 1)}",
                    f"first {_ms(one.first)}, all {_ms(one.all)}, "
                    f"{one.answered} of {one.codes} answered",
                )
                for one in report.snapshots.times
            ],
        )
    if (observed := report.observed) is not None:
        yield (
            "given stream",
            [
                ("state", observed.state),
                ("messages", f"{observed.messages:,}"),
                ("reconnects", _with_causes(observed.reconnects, observed.causes)),
                ("dropped", f"{observed.dropped:,} events"),
                ("undecodable", f"{observed.undecodable:,} frames"),
                ("callback errors", f"{observed.errors:,}"),
            ],
        )


def describe_stage(stage: Stage) -> str:
    """How far it came, and why not further."""
    if stage.status is StageStatus.PASSED:
        return _ms(stage.milliseconds)
    if stage.status is StageStatus.FAILED:
        return f"FAILED after {_ms(stage.milliseconds)}: {stage.explanation}"
    return str(stage.status.value)


def describe_figure(criterion: Criterion) -> str:
    """What was measured."""
    if criterion.figure is None:
        return "not measured"
    if criterion.unit == "ms":
        return _ms(criterion.figure)
    return f"{criterion.figure:g}"


def describe_limit(criterion: Criterion) -> str:
    """What is demanded."""
    if criterion.relation == "<":
        return f"below {criterion.limit:g} {criterion.unit}".rstrip()
    return f"at most {criterion.limit:g}" if criterion.limit else "none"


def _latency(latency: Latency) -> str:
    return (
        f"{latency.count}: min {_ms(latency.min)}, median {_ms(latency.p50)}, "
        f"p95 {_ms(latency.p95)}, p99 {_ms(latency.p99)}, deviation {_ms(latency.deviation)}"
    )


def _throughput(throughput: Throughput) -> list[tuple[str, str]]:
    assert throughput.total is not None
    rows = [(type_, _rate(rate)) for type_, rate in throughput.by_type.items()]
    return [*rows, ("in all", f"{_rate(throughput.total)}, over {throughput.seconds:.1f} s")]


def _stability(stability: Stability) -> list[tuple[str, str]]:
    silences = ", ".join(
        f"{type_} {silence:.2f} s" for type_, silence in stability.silence_by_type.items()
    )
    rows = [
        ("reconnects", _with_causes(stability.reconnects, stability.causes)),
        ("longest silence", f"{stability.longest_silence or 0:.2f} s ({silences})"),
        ("dropped", f"{stability.dropped:,} events"),
        ("undecodable", f"{stability.undecodable:,} frames"),
    ]
    if (memory := stability.memory) is not None:
        sign = "-" if memory.slope < 0 else "+"
        rows.append(
            (
                "memory",
                f"{_bytes(memory.start)}, {sign}{_bytes(abs(memory.slope))}/s "
                f"({memory.growth:+.2%} over the run)",
            )
        )
    rows += [("gap", sentence) for sentence in stability.gaps]
    rows += [("no message", type_) for type_ in stability.silent_types]
    rows += [("ended", sentence) for sentence in stability.ended]
    return rows


def _with_causes(count: int, causes: tuple[str, ...]) -> str:
    return f"{count}: {'; '.join(causes)}" if causes else f"{count}"


def _rate(rate: Rate) -> str:
    return f"{rate.messages:,.1f} messages/s, {_bytes(rate.bytes)}/s"


def _ms(milliseconds: float | None) -> str:
    if milliseconds is None:
        return "-"
    return f"{milliseconds:.2f} ms" if milliseconds < 10 else f"{milliseconds:,.0f} ms"


def _bytes(count: float) -> str:
    for unit in _UNITS[:-1]:
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.3g} {_UNITS[-1]}"
