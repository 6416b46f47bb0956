"""``upbit-stream diagnose``: the connection test, its progress, and its report."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.text import Text

from upbit_stream.cli import cells
from upbit_stream.cli.commanding import command_of
from upbit_stream.cli.demo import demo_simulator, simulated
from upbit_stream.cli.failures import RunFailed, WrongUsage
from upbit_stream.cli.harmless import harmless_json
from upbit_stream.cli.interrupt import Interrupt
from upbit_stream.cli.lines import write_out
from upbit_stream.cli.notices import NoticeBox
from upbit_stream.cli.options import Demo, DiagnosedCodes, Json, Region, Url, check_seconds
from upbit_stream.cli.screen import can_draw
from upbit_stream.cli.style import FAINT, HEADING, TITLE, Palette, console_of, palette_for
from upbit_stream.cli.texts import CATALOGUES, language, text
from upbit_stream.config import StreamConfig
from upbit_stream.errors import StreamClosedError, SubscriptionError, UpbitStreamError
from upbit_stream.monitoring.diagnostics import DEFAULT_SECONDS, WebSocketDiagnostics
from upbit_stream.monitoring.report import DiagnosticsReport
from upbit_stream.monitoring.text import (
    describe_figure,
    describe_limit,
    describe_stage,
    headline,
    sections,
)
from upbit_stream.monitoring.words import Words
from upbit_stream.protocol.codes import check_codes
from upbit_stream.workers import Worker

__all__ = ["DiagnoseOptions", "diagnose", "diagnose_command"]

# Seconds between two looks at the test.
_REDRAW = 0.1

# Seconds for a test to end that was told to: a REST call, which nothing interrupts, and closing.
_END = 10.0


@dataclass(frozen=True, kw_only=True)
class DiagnoseOptions:
    """What was asked for on the command line."""

    codes: DiagnosedCodes = None
    demo: Demo = False
    json: Json = False
    seconds: Annotated[
        float, typer.Option("--seconds", metavar="N", help=text("option.observe"))
    ] = DEFAULT_SECONDS
    url: Url = None
    region: Region = "kr"

    def __post_init__(self) -> None:
        check_seconds(self.seconds)


def diagnose(options: DiagnoseOptions, interrupt: Interrupt) -> bool:
    """Test the connection and show the report; whether it is healthy.

    Raises :class:`~upbit_stream.cli.failures.CommandFailed`, also after Ctrl-C: then there is no
    verdict.
    """
    with ExitStack() as stack:
        try:
            diagnostics = _diagnostics(options, stack)
        except (SubscriptionError, ValueError) as error:
            raise WrongUsage(str(error)) from error
        # What the streams warn of is in the report.
        stack.enter_context(NoticeBox().receiving())
        report = _Test(diagnostics, options.seconds).run(interrupt, show=_shows_progress(options))
    _show(report, options, interrupt)
    return report.healthy


def _diagnostics(options: DiagnoseOptions, stack: ExitStack) -> WebSocketDiagnostics:
    codes = check_codes(options.codes) if options.codes else None
    if not options.demo:
        return WebSocketDiagnostics(options.url, codes=codes, region=options.region)
    if options.url is not None:
        raise WrongUsage(text("failed.demo_and_url"))
    simulator = stack.enter_context(demo_simulator(codes or ()))
    config = StreamConfig(rest_url=simulator.rest_url)
    return WebSocketDiagnostics(
        simulator.url, codes=codes or simulator.codes[:3], region=options.region, config=config
    )


def _shows_progress(options: DiagnoseOptions) -> bool:
    return not options.json and can_draw(sys.stderr)


class _Test:
    """The test on a thread of its own, so that the main thread can look for Ctrl-C."""

    def __init__(self, diagnostics: WebSocketDiagnostics, seconds: float) -> None:
        self._diagnostics = diagnostics
        self._seconds = seconds
        self._worker = Worker("upbit-diagnose", self._work)
        # Written by the worker.
        self._progress = ("", 0.0)
        self._report: DiagnosticsReport | None = None
        self._error: Exception | None = None

    def run(self, interrupt: Interrupt, *, show: bool) -> DiagnosticsReport:
        """The report; with a progress bar on stderr if ``show``."""
        with Progress(
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.description}"),
            console=console_of(stderr=True),
            transient=True,
            auto_refresh=False,
            disable=not show,
        ) as bar:
            task = bar.add_task("", total=1.0)
            self._worker.start()
            while self._worker.alive and not interrupt.wait(_REDRAW):
                what, part = self._progress
                bar.update(task, description=_doing(what), completed=part, refresh=True)
        if interrupt.asked:
            self._diagnostics.cancel()
        self._worker.join(time.monotonic() + _END)
        if self._report is not None:
            return self._report
        if interrupt.asked and isinstance(self._error, (StreamClosedError, type(None))):
            raise RunFailed(text("failed.no_verdict"))
        if isinstance(self._error, UpbitStreamError):
            raise RunFailed(str(self._error)) from self._error
        assert self._error is not None, "it ends with a report or an error"
        raise self._error

    def _work(self) -> None:
        try:
            self._report = self._diagnostics.run_connection_test(self._seconds, self._note)
        except Exception as error:
            self._error = error

    def _note(self, what: str, part: float) -> None:
        self._progress = (what, part)


def _doing(what: str) -> str:
    """What the test says of itself, in the language of the locale."""
    words = _words()
    if language() == "en":
        return what
    verb, colon, stage = what.partition(": ")
    if colon:
        return f"{words.get(verb, verb)}: {words.get(stage, stage)}"
    # "snapshots of 10 codes"
    return words.get(what) or words.get(what.partition(" of ")[0], what)


def _words() -> Words:
    return {
        key.removeprefix("report."): words
        for key, words in CATALOGUES[language()].items()
        if key.startswith("report.")
    }


def _show(report: DiagnosticsReport, options: DiagnoseOptions, interrupt: Interrupt) -> None:
    if options.demo:
        print(simulated(), file=sys.stderr)
    if options.json:
        write_out(harmless_json(report.to_dict()) + b"\n", interrupt)
        return
    console = console_of()
    drawn = can_draw(sys.stdout)
    lines = _lines(report, console.width if drawn else _UNBOUNDED, console)
    if drawn:
        console.print(Text("\n", no_wrap=True).join(lines), crop=False)
    else:
        plain = "".join(f"{line.plain.rstrip()}\n" for line in lines)
        write_out(plain.encode(), interrupt)


# Into a pipe each fact is one line, however long.
_UNBOUNDED = 10_000


def _lines(report: DiagnosticsReport, width: int, console: Console) -> list[Text]:
    words, palette = _words(), palette_for(console.color_system)
    style = palette.good if report.healthy else palette.bad
    lines = [Text(headline(report, words), style=f"bold {style}")]
    failed = report.connectivity.failure
    alarm = None if failed is None else describe_stage(failed, words)
    # The library's own sentence is English.
    translated = [] if failed is None or language() == "en" else [text(f"advice.{failed.name}")]
    parts = list(sections(report, words))
    size = max(cells.width(label) for _, rows in parts for label, _ in rows)
    for title, rows in parts:
        lines += [Text(""), Text(title, style=TITLE)]
        for label, told in rows:
            style = palette.bad if told == alarm else ""
            lines += _row(label, told, size, width, style)
            if told == alarm:
                for advice in translated:
                    lines += _row("", advice, size, width, style)
    lines += [Text(""), *_verdict(report, words, width, palette)]
    if failed is not None:
        # Once more where the eye is at the end.
        cause = f"{words.get(failed.name, failed.name)}: {alarm}"
        lines.append(Text(""))
        for told in (cause, *translated):
            lines += [Text(line, style=palette.bad) for line in cells.wrap(told, width)]
    return lines


def _row(label: str, told: str, size: int, width: int, style: str) -> list[Text]:
    wrapped = cells.wrap(told, max(20, width - size - 4)) or [""]
    first = Text.assemble("  ", (cells.left(label, size), FAINT), "  ", (wrapped[0], style))
    return [first, *(Text(" " * (size + 4) + line, style=style) for line in wrapped[1:])]


def _verdict(report: DiagnosticsReport, words: Words, width: int, palette: Palette) -> list[Text]:
    rows = [
        (
            words.get(one.name, one.name),
            describe_figure(one),
            describe_limit(one, words),
            words[one.outcome],
        )
        for one in report.verdict
    ]
    titles = tuple(text(f"diagnose.{one}") for one in ("criterion", "measured", "limit", "verdict"))
    sizes = [max(map(cells.width, column)) for column in zip(titles, *rows, strict=True)]
    heading = _cells_of(titles, sizes)
    lines = [Text(cells.left(heading, min(width, _WIDEST)), style=HEADING)]
    styles = {"met": palette.good, "not met": f"bold {palette.bad}", "not measured": FAINT}
    for one, row in zip(report.verdict, rows, strict=True):
        style = styles[one.outcome]
        lines.append(Text(_cells_of(row[:3], sizes[:3])).append("  ").append(row[3], style=style))
    return lines


# Wider than this the heading of the verdict need not be.
_WIDEST = 100


def _cells_of(row: Sequence[str], sizes: Sequence[int]) -> str:
    name, figure, *rest = row
    others = [cells.left(one, size) for one, size in zip(rest, sizes[2:], strict=True)]
    return "  ".join([cells.left(name, sizes[0]), cells.right(figure, sizes[1]), *others])


diagnose_command = command_of(DiagnoseOptions, diagnose)
