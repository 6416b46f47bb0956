"""The findings for people: a table in Markdown, plots in SVG."""

from __future__ import annotations

import io
from itertools import groupby

from benchmarks.findings import Figure, Report

__all__ = ["markdown", "plots"]

_OURS = "#0a6cff"
_THEIRS = "#9aa4b2"


def markdown(report: Report, circumstances: str) -> str:
    """Ratios first, figures second."""
    lines = [circumstances, "", "| what | ratio | target | |", "|---|---|---|---|"]
    for one in report.findings:
        target = "" if one.target is None else f"{one.bound} {one.target:g} ×"
        spread = f"({min(one.ratios):.2f} to {max(one.ratios):.2f})"
        lines.append(f"| {one.what} | {one.median:.2f} × {spread} | {target} | {one.verdict} |")
    if report.remarks:
        lines += ["", *(f"- {remark}" for remark in report.remarks)]
    for group, figures in _groups(report):
        lines += ["", f"| {group} | median | lowest | highest |", "|---|---|---|---|"]
        for figure in figures:
            values = (figure.median, min(figure.values), max(figure.values))
            lines.append(f"| {figure.what} | {' | '.join(map(_number, values))} |")
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def _groups(report: Report) -> list[tuple[str, list[Figure]]]:
    ordered = sorted(report.figures, key=lambda one: _places(report)[one.group])
    return [(group, list(some)) for group, some in groupby(ordered, key=lambda one: one.group)]


def _places(report: Report) -> dict[str, int]:
    return {one.group: place for place, one in reversed(list(enumerate(report.figures)))}


def plots(report: Report) -> dict[str, bytes]:
    """Bars for each group of figures, by file name. Nothing where matplotlib is not installed."""
    try:
        import matplotlib
    except ImportError:
        return {}
    matplotlib.use("svg")
    # The same drawing is the same file, and its words are words.
    matplotlib.rcParams.update({"svg.hashsalt": "upbit_stream", "svg.fonttype": "none"})
    return {
        f"{_file_name(group)}.svg": _bars(group, figures)
        for group, figures in _groups(report)
        if len(figures) > 1
    }


def _file_name(group: str) -> str:
    return "-".join("".join(one if one.isalnum() else " " for one in group.lower()).split())


def _bars(group: str, figures: list[Figure]) -> bytes:
    from matplotlib.figure import Figure as Canvas

    names = [one.what for one in figures][::-1]
    values = [one.median for one in figures][::-1]
    canvas = Canvas(figsize=(8, 0.6 + 0.36 * len(names)), layout="constrained")
    axes = canvas.subplots()
    colours = [_OURS if "upbit_stream" in name else _THEIRS for name in names]
    bars = axes.barh(names, values, color=colours)
    axes.bar_label(bars, [_number(value) for value in values], padding=4)
    axes.set_title(group, loc="left")
    axes.margins(x=0.14)
    axes.xaxis.set_visible(False)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    drawing = io.BytesIO()
    canvas.savefig(drawing, format="svg", metadata={"Date": None})
    return drawing.getvalue()
