"""``upbit-stream diagnose``: the connection test, its progress, and its report."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.table import Table
from rich.text import Text

from upbit_stream.cli.demo import SIMULATED, demo_simulator
from upbit_stream.cli.failures import RunFailed, WrongUsage
from upbit_stream.cli.interrupt import Interrupt
from upbit_stream.cli.lines import write_out
from upbit_stream.cli.notices import NoticeBox
from upbit_stream.cli.screen import can_draw
from upbit_stream.cli.table import palette_for
from upbit_stream.config import StreamConfig
from upbit_stream.errors import StreamClosedError, SubscriptionError, UpbitStreamError
from upbit_stream.monitoring.diagnostics import WebSocketDiagnostics
from upbit_stream.monitoring.report import DiagnosticsReport
from upbit_stream.monitoring.text import (
    describe_figure,
    describe_limit,
    describe_stage,
    headline,
    sections,
)
from upbit_stream.protocol.codes import check_codes
from upbit_stream.workers import Worker

__all__ = ["DiagnoseOptions", "diagnose"]

# Seconds between two looks at the test.
_REDRAW = 0.1

# Seconds for a test to end that was told to: a REST call, which nothing interrupts, and closing.
_END = 10.0


@dataclass(frozen=True, kw_only=True)
class DiagnoseOptions:
    """What was asked for on the command line."""

    codes: Sequence[str]
    demo: bool
    json: bool
    seconds: float
    url: str | None
    region: str


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
        raise WrongUsage("--demo and --url: choose one of them")
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
            console=Console(stderr=True),
            transient=True,
            auto_refresh=False,
            disable=not show,
        ) as bar:
            task = bar.add_task("", total=1.0)
            self._worker.start()
            while self._worker.alive and not interrupt.wait(_REDRAW):
                what, part = self._progress
                bar.update(task, description=what, completed=part, refresh=True)
        if interrupt.asked:
            self._diagnostics.cancel()
        self._worker.join(time.monotonic() + _END)
        if self._report is not None:
            return self._report
        if interrupt.asked and isinstance(self._error, (StreamClosedError, type(None))):
            raise RunFailed("interrupted, so there is no verdict")
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


def _show(report: DiagnosticsReport, options: DiagnoseOptions, interrupt: Interrupt) -> None:
    if options.demo:
        print(SIMULATED, file=sys.stderr)
    if options.json:
        write_out(f"{report.to_json()}\n".encode(), interrupt)
    elif can_draw(sys.stdout):
        _draw(report, Console())
    else:
        write_out(f"{report}\n".encode(), interrupt)


def _draw(report: DiagnosticsReport, console: Console) -> None:
    palette = palette_for(console.color_system)
    console.print(
        Text(headline(report), style=f"bold {palette.good if report.healthy else palette.rise}")
    )
    parts = Table(box=None, show_header=False, pad_edge=False)
    parts.add_column(style="bold", no_wrap=True)
    parts.add_column(no_wrap=True)
    parts.add_column(overflow="fold")
    failed = report.connectivity.failure
    alarm = None if failed is None else describe_stage(failed)
    for title, rows in sections(report):
        for place, (label, words) in enumerate(rows):
            style = palette.rise if words == alarm else ""
            parts.add_row("" if place else title, label, Text(words, style=style))
    console.print(parts)
    console.print()
    verdict = Table(box=None, header_style="reverse", pad_edge=False)
    verdict.add_column("Criterion")
    verdict.add_column("Measured", justify="right")
    verdict.add_column("Limit", justify="right")
    verdict.add_column("Verdict")
    for one in report.verdict:
        style = palette.good if one.met else f"bold {palette.rise}"
        words = "met" if one.met else "NOT MET"
        verdict.add_row(
            one.name, describe_figure(one), describe_limit(one), Text(words, style=style)
        )
    console.print(verdict)
