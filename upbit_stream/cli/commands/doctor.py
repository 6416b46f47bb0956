"""``upbit-stream doctor``: whether this machine is fit for it, and what to do if not."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.text import Text

from upbit_stream.cli import cells
from upbit_stream.cli.checks.check import Check
from upbit_stream.cli.checks.machine import check_machine
from upbit_stream.cli.checks.network import check_network
from upbit_stream.cli.checks.settings import check_settings, check_terminal
from upbit_stream.cli.checks.software import check_software
from upbit_stream.cli.commanding import command_of
from upbit_stream.cli.demo import demo_simulator, simulated
from upbit_stream.cli.failures import RunFailed, WrongUsage
from upbit_stream.cli.harmless import harmless_json
from upbit_stream.cli.interrupt import Interrupt
from upbit_stream.cli.lines import write_out
from upbit_stream.cli.notices import NoticeBox
from upbit_stream.cli.options import Demo, Json, Region, Url
from upbit_stream.cli.screen import can_draw
from upbit_stream.cli.style import FAINT, TITLE, console_of, palette_for
from upbit_stream.cli.subscribing import config_of
from upbit_stream.cli.texts import CATALOGUES, language, text
from upbit_stream.config import StreamConfig, resolve_urls
from upbit_stream.monitoring.diagnostics import default_codes
from upbit_stream.protocol.endpoints import find_region

__all__ = ["DoctorOptions", "doctor", "doctor_command"]

# Cells for the names of what is looked at.
_NAMES = 18
# Words that stand for a status without its colour.
_SIGNS = {"ok": "ok", "note": "-", "warn": "!", "fail": "X"}


@dataclass(frozen=True, kw_only=True)
class DoctorOptions:
    """What was asked for on the command line."""

    demo: Demo = False
    offline: Annotated[bool, typer.Option("--offline", help=text("option.offline"))] = False
    json: Json = False
    url: Url = None
    region: Region = "kr"


def doctor(options: DoctorOptions, interrupt: Interrupt) -> bool:
    """Look at everything and show it; whether nothing fails.

    Raises :class:`~upbit_stream.cli.failures.CommandFailed`, also after Ctrl-C.
    """
    if options.url is not None and options.demo:
        raise WrongUsage(text("failed.demo_and_url"))
    console = console_of()
    with ExitStack() as stack:
        stack.enter_context(NoticeBox().receiving())
        if options.demo:
            print(simulated(), file=sys.stderr)
        checks: list[Check] = []
        for check in _checks(options, console, interrupt, stack):
            if interrupt.asked:
                raise RunFailed(text("failed.no_verdict"))
            if not options.json:
                # As they come: a look at the network may take its time.
                before = checks[-1].group if checks else None
                _write([*_heading(check, before), *_told(check, console)], console, interrupt)
            checks.append(check)
    healthy = all(check.status != "fail" for check in checks)
    if options.json:
        told = {
            "healthy": healthy,
            "checks": [{"id": check.id, **msgspec.to_builtins(check)} for check in checks],
        }
        write_out(harmless_json(told) + b"\n", interrupt)
    else:
        _write(_verdict(checks, console), console, interrupt)
    return healthy


def _checks(
    options: DoctorOptions, console: Console, interrupt: Interrupt, stack: ExitStack
) -> Iterator[Check]:
    yield from check_software()
    yield from check_machine()
    yield from check_settings()
    yield from check_terminal(console)
    if options.offline:
        return
    try:
        region = find_region(options.region)
        if options.demo:
            config = config_of(stack.enter_context(demo_simulator(())), exact=False)
        else:
            config = StreamConfig(url=options.url)
        url, rest_url = resolve_urls(config, region)
    except ValueError as error:
        raise WrongUsage(str(error)) from error

    def pause(seconds: float) -> None:
        if interrupt.wait(seconds):
            raise RunFailed(text("failed.no_verdict"))

    yield from check_network(url, rest_url, config, default_codes(region)[:1], pause)


def _heading(check: Check, before: str | None) -> list[Text]:
    """The heading of a group, before its first finding."""
    if check.group == before:
        return []
    heading = Text(text(f"doctor.{check.group}"), style=TITLE)
    return [heading] if before is None else [Text(""), heading]


def _told(check: Check, console: Console) -> list[Text]:
    palette = palette_for(console.color_system)
    style = {"ok": palette.good, "note": FAINT, "warn": palette.warning, "fail": palette.bad}
    name = CATALOGUES[language()].get(f"check.{check.name}", check.name)
    sign = _SIGNS[check.status]
    room = max(20, (console.width if can_draw(sys.stdout) else 10_000) - _NAMES - 6)
    wrapped = cells.wrap(check.told, room) or [""]
    strong = f"bold {style[check.status]}" if check.status in ("warn", "fail") else ""
    head = Text.assemble((f"  {sign:<2}", style[check.status]), f" {cells.left(name, _NAMES)} ")
    lines = [head.append(wrapped[0], style=strong)]
    indent = " " * (_NAMES + 6)
    lines += [Text(indent + line, style=strong) for line in wrapped[1:]]
    if check.advice:
        lines += [Text(indent + line, style=FAINT) for line in cells.wrap(check.advice, room)]
    return lines


def _verdict(checks: list[Check], console: Console) -> list[Text]:
    palette = palette_for(console.color_system)
    failed = [check for check in checks if check.status == "fail"]
    warned = [check for check in checks if check.status == "warn"]
    lines = [Text("")]
    if failed:
        told = text("doctor.not_well", failed=len(failed), warned=len(warned))
        lines.append(Text(told, style=f"bold {palette.bad}"))
    elif warned:
        lines.append(
            Text(text("doctor.fairly_well", warned=len(warned)), style=f"bold {palette.warning}")
        )
    else:
        lines.append(Text(text("doctor.well"), style=f"bold {palette.good}"))
    steps = [check.advice for check in (*failed, *warned) if check.advice]
    steps.append(text("doctor.next" if not failed else "doctor.again"))
    room = max(20, (console.width if can_draw(sys.stdout) else 10_000) - 5)
    for number, step in enumerate(dict.fromkeys(steps), 1):
        first, *more = cells.wrap(step, room)
        lines.append(Text(f"  {number}. {first}"))
        lines += [Text(f"     {line}") for line in more]
    return lines


def _write(lines: list[Text], console: Console, interrupt: Interrupt) -> None:
    if not lines:
        return
    if can_draw(sys.stdout):
        console.print(Text("\n", no_wrap=True).join(lines), crop=False)
        return
    plain = "".join(f"{line.plain.rstrip()}\n" for line in lines)
    write_out(plain.encode(), interrupt)


doctor_command = command_of(DoctorOptions, doctor)
