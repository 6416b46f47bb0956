"""A report as text for people, in the words that are given."""

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
from upbit_stream.monitoring.words import ENGLISH, Words

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
    """The whole report, in English."""
    lines = [headline(report)]
    for title, rows in sections(report):
        lines += ["", title]
        width = max(len(label) for label, _ in rows)
        lines += [f"  {label:{width}}  {told}".rstrip() for label, told in rows]
    lines += ["", "verdict"]
    outcome = max(len(ENGLISH[criterion.outcome]) for criterion in report.verdict)
    width = max(len(criterion.name) for criterion in report.verdict)
    lines += [
        f"  {ENGLISH[one.outcome]:{outcome}}  {one.name:{width}}  "
        f"{describe_figure(one):>8}  ({describe_limit(one)})"
        for one in report.verdict
    ]
    return "\n".join(lines)


def headline(report: DiagnosticsReport, words: Words = ENGLISH) -> str:
    """The verdict in a line."""
    return words["headline"].format(
        url=report.url,
        health=words["healthy" if report.healthy else "not healthy"],
        met=sum(criterion.met for criterion in report.verdict),
        count=len(report.verdict),
    )


def sections(
    report: DiagnosticsReport, words: Words = ENGLISH
) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """The parts, each with its title and its rows of a label and what is told."""
    for title, rows in _sections(report, words):
        named = [(words.get(label, label), told) for label, told in rows]
        yield words.get(title, title), named


def _sections(
    report: DiagnosticsReport, words: Words
) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    stages = report.connectivity.stages
    yield "connectivity", [(one.name, describe_stage(one, words)) for one in stages]
    if report.throughput.total is None:
        return
    yield "latency", [("pings", _latency(report.latency, words))]
    yield "throughput", _throughput(report.throughput, words)
    yield "stability", _stability(report.stability, words)
    if report.snapshots.times:
        yield (
            "snapshots",
            [
                (
                    words["one code" if one.codes == 1 else "codes"].format(count=one.codes),
                    words["snapshot"].format(
                        first=_ms(one.first),
                        all=_ms(one.all),
                        answered=one.answered,
                        codes=one.codes,
                    ),
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
                ("dropped", words["events"].format(count=observed.dropped)),
                ("undecodable", words["frames"].format(count=observed.undecodable)),
                ("callback errors", f"{observed.errors:,}"),
            ],
        )


def describe_stage(stage: Stage, words: Words = ENGLISH) -> str:
    """How far it came, and why not further."""
    if stage.status is StageStatus.PASSED:
        return _ms(stage.milliseconds)
    if stage.status is StageStatus.FAILED:
        return words["failed after"].format(time=_ms(stage.milliseconds), why=stage.explanation)
    status = str(stage.status.value)
    return words.get(status, status)


def describe_figure(criterion: Criterion) -> str:
    """What was measured, if it was."""
    if criterion.figure is None:
        return "-"
    if criterion.unit == "ms":
        return _ms(criterion.figure)
    return f"{criterion.figure:g}"


def describe_limit(criterion: Criterion, words: Words = ENGLISH) -> str:
    """What is demanded."""
    limit = f"{criterion.limit:g} {criterion.unit}".rstrip()
    if criterion.relation == "<":
        return words["below"].format(limit=limit)
    return words["at most"].format(limit=limit) if criterion.limit else words["none"]


def _latency(latency: Latency, words: Words) -> str:
    return words["ping times"].format(
        count=latency.count,
        min=_ms(latency.min),
        p50=_ms(latency.p50),
        p95=_ms(latency.p95),
        p99=_ms(latency.p99),
        deviation=_ms(latency.deviation),
    )


def _throughput(throughput: Throughput, words: Words) -> list[tuple[str, str]]:
    assert throughput.total is not None
    rows = [(type_, _rate(rate, words)) for type_, rate in throughput.by_type.items()]
    total = words["total"].format(rate=_rate(throughput.total, words), seconds=throughput.seconds)
    return [*rows, ("in all", total)]


def _stability(stability: Stability, words: Words) -> list[tuple[str, str]]:
    silences = ", ".join(
        f"{type_} {silence:.2f} s" for type_, silence in stability.silence_by_type.items()
    )
    longest = words["silence"].format(longest=stability.longest_silence or 0, each=silences)
    rows = [
        ("reconnects", _with_causes(stability.reconnects, stability.causes)),
        ("longest silence", longest),
        ("dropped", words["events"].format(count=stability.dropped)),
        ("undecodable", words["frames"].format(count=stability.undecodable)),
    ]
    if (memory := stability.memory) is not None:
        sign = "-" if memory.slope < 0 else "+"
        told = words["growth"].format(
            start=_bytes(memory.start),
            slope=f"{sign}{_bytes(abs(memory.slope))}",
            growth=memory.growth,
        )
        rows.append(("memory", told))
    rows += [("gap", sentence) for sentence in stability.gaps]
    rows += [("no message", type_) for type_ in stability.silent_types]
    rows += [("ended", sentence) for sentence in stability.ended]
    return rows


def _with_causes(count: int, causes: tuple[str, ...]) -> str:
    return f"{count}: {'; '.join(causes)}" if causes else f"{count}"


def _rate(rate: Rate, words: Words) -> str:
    return words["rate"].format(messages=rate.messages, bytes=_bytes(rate.bytes))


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
