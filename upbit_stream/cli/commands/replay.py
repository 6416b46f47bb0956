"""``upbit-stream replay``: a recording, in the views of ``watch``, or as lines."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from upbit_stream.cli.commanding import command_of
from upbit_stream.cli.failures import RunFailed, WrongUsage
from upbit_stream.cli.interrupt import Interrupt
from upbit_stream.cli.lines import json_writer, plain_writer, write_out
from upbit_stream.cli.memory import Memory
from upbit_stream.cli.notices import NoticeBox
from upbit_stream.cli.options import Json, RecordedCodes, RecordedTypes, Seconds, check_seconds
from upbit_stream.cli.playing import Clockwork, RecordingFeed, contents_of, played
from upbit_stream.cli.screen import can_draw
from upbit_stream.cli.subscribing import check_type
from upbit_stream.cli.texts import text
from upbit_stream.cli.viewer import Viewer
from upbit_stream.errors import InvalidCodeError, RecordingError
from upbit_stream.protocol.codes import check_codes
from upbit_stream.recording import read_recording

__all__ = ["ReplayOptions", "replay", "replay_command"]

# Events written at a time, where nobody waits for the next one.
_BATCH = 500


@dataclass(frozen=True, kw_only=True)
class ReplayOptions:
    """What was asked for on the command line."""

    file: Annotated[Path, typer.Argument(metavar="FILE", help=text("option.recording"))]
    codes: RecordedCodes = None
    types: RecordedTypes = None
    speed: Annotated[
        float | None, typer.Option("--speed", metavar="FACTOR", help=text("option.speed"))
    ] = None
    seconds: Seconds = None
    json: Json = False

    def __post_init__(self) -> None:
        check_seconds(self.seconds)


def replay(options: ReplayOptions, interrupt: Interrupt) -> None:
    """Show the events of a recording until its end, or until it was long enough.

    Raises :class:`~upbit_stream.cli.failures.CommandFailed`.
    """
    begun = time.monotonic()
    speed = options.speed
    if speed is not None and not (speed >= 0 and math.isfinite(speed)):
        raise WrongUsage(text("failed.speed", speed=f"{speed:g}"))
    on_screen = not options.json and can_draw(sys.stdout)
    contents = _contents(options, interrupt, every_type=on_screen)
    end = float("inf") if options.seconds is None else begun + options.seconds

    def left() -> float:
        return 0.0 if interrupt.asked else max(0.0, end - time.monotonic())

    if not on_screen:
        _write_lines(options, contents, speed or None, interrupt, left)
        return
    memory = Memory(list(dict.fromkeys(code for codes in contents.values() for code in codes)))
    factor = 1.0 if speed is None else speed or None
    feed = RecordingFeed(options.file, contents, memory.take, factor, begun)
    with NoticeBox().receiving() as box, feed:
        Viewer(
            feed,
            memory,
            feed.types[0],
            interrupt,
            simulated=False,
            notice=lambda: box.last,
            seconds_left=left,
        ).run()


def _contents(
    options: ReplayOptions, interrupt: Interrupt, *, every_type: bool
) -> Mapping[str, Mapping[str, int]]:
    """What the recording has of what was asked for, the types that were named first; also what
    was not named with ``every_type``: keys lead there.
    """
    try:
        wanted = check_codes(options.codes) if options.codes else ()
        for type_ in options.types or ():
            check_type(type_)
        everything = contents_of(options.file, lambda: interrupt.asked)
    except InvalidCodeError as error:
        raise WrongUsage(str(error)) from error
    except OSError as error:
        why = error.strerror or str(error)
        raise WrongUsage(text("failed.read", file=options.file, why=why)) from error
    except RecordingError as error:
        raise WrongUsage(str(error)) from error
    except ImportError as error:
        raise RunFailed(str(error)) from error
    chosen = {
        type_: {code: count for code, count in codes.items() if not wanted or code in wanted}
        for type_, codes in everything.items()
        # What belongs to an account has no view.
        if _is_of_a_market(type_) and (every_type or not options.types or type_ in options.types)
    }
    contents = {type_: codes for type_, codes in chosen.items() if codes}
    if not contents or (options.types and not any(type_ in contents for type_ in options.types)):
        has = ", ".join(f"{type_} ({len(codes)})" for type_, codes in everything.items())
        raise RunFailed(text("failed.nothing_to_replay", file=options.file, has=has or "-"))
    first = {type_: place for place, type_ in enumerate(options.types or ())}
    return dict(sorted(contents.items(), key=lambda one: first.get(one[0], len(first))))


def _is_of_a_market(type_: str) -> bool:
    try:
        check_type(type_)
    except WrongUsage:
        return False
    return True


def _write_lines(
    options: ReplayOptions,
    contents: Mapping[str, Mapping[str, int]],
    speed: float | None,
    interrupt: Interrupt,
    left: Any,
) -> None:
    write = json_writer() if options.json else None
    writers = {type_: write or plain_writer(type_) for type_ in contents}
    events = (
        event
        for event in read_recording(options.file)
        if event.code in contents.get(event.type, ())
    )
    batch: list[bytes] = []
    try:
        for event in played(events, Clockwork(speed), lambda: left() <= 0):
            batch.append(writers[event.type](event))
            if speed is not None or len(batch) >= _BATCH:
                if not write_out(b"".join(batch), interrupt):
                    return
                batch.clear()
    except (OSError, RecordingError, ImportError) as error:
        raise RunFailed(str(error)) from error
    if batch:
        write_out(b"".join(batch), interrupt)


replay_command = command_of(ReplayOptions, replay)
