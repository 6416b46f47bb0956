"""``upbit-stream record``: events to a file, and how far it is meanwhile."""

from __future__ import annotations

import math
import re
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_args

import typer
from rich.console import Group
from rich.live import Live
from rich.text import Text

from upbit_stream.cli.board import Meter
from upbit_stream.cli.commanding import command_of
from upbit_stream.cli.completing import complete_format
from upbit_stream.cli.continuing import check_numbers, told_of
from upbit_stream.cli.demo import demo_simulator, simulated
from upbit_stream.cli.failures import RunFailed, WrongUsage
from upbit_stream.cli.harmless import harmless, harmless_json
from upbit_stream.cli.interrupt import Interrupt
from upbit_stream.cli.lines import write_out
from upbit_stream.cli.notices import NoticeBox, told_on_stderr
from upbit_stream.cli.options import LiveOptions, Types
from upbit_stream.cli.screen import can_draw
from upbit_stream.cli.style import FAINT, TITLE, console_of, palette_for
from upbit_stream.cli.subscribing import check_type, codes_of, config_of, subscribe
from upbit_stream.cli.texts import text
from upbit_stream.errors import RecordingError, SubscriptionError, UpbitStreamError
from upbit_stream.recording import Recorder, RecorderStats, RecordingFormat
from upbit_stream.stream import UpbitStream
from upbit_stream.subscription import Subscription

__all__ = ["RecordOptions", "record", "record_command", "rotation_of"]

# Seconds between two drawings, and between two lines in a pipe.
_REDRAW = 0.2
_LINE_EVERY = 5.0

# What is recorded unless something is named.
_TYPES = ("trade",)

_SIZES = {"kB": 10**3, "MB": 10**6, "GB": 10**9}
_TIMES = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, kw_only=True)
class RecordOptions(LiveOptions):
    """What was asked for on the command line."""

    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help=text("option.out"))]
    types: Types = None
    format: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help=text("option.format"),
            autocompletion=complete_format,
        ),
    ] = None
    rotate: Annotated[
        str | None, typer.Option("--rotate", metavar="LIMIT", help=text("option.rotate"))
    ] = None


def record(options: RecordOptions, interrupt: Interrupt) -> None:
    """Record until it was long enough, or Ctrl-C; then say what is there.

    Raises :class:`~upbit_stream.cli.failures.CommandFailed`, also when an event is lost.
    """
    begun = time.monotonic()
    types = tuple(dict.fromkeys(options.types or _TYPES))
    for type_ in types:
        check_type(type_)
    size, seconds = rotation_of(options.rotate)
    with ExitStack() as stack:
        as_picture = not options.json and can_draw(sys.stdout)
        try:
            codes = codes_of(
                options.codes, demo=options.demo, example="record KRW-BTC --out trades.jsonl"
            )
            simulator = stack.enter_context(demo_simulator(codes)) if options.demo else None
            codes = simulator.codes if simulator else codes
            config = config_of(simulator, exact=options.exact)
            stream = UpbitStream(region=options.region, config=config)
            subscriptions = [
                subscribe(stream, type_, codes, None, depth=options.depth) for type_ in types
            ]
            check_numbers(options.out, exact=options.exact)
            # Only now: nothing that was asked for is impossible, so a file may be made.
            recorder = Recorder(
                options.out,
                format=_format(options.format),
                rotate_bytes=size,
                rotate_seconds=seconds,
            )
            recorder.flush()  # the manifest, too, which may be behind after a crash
            for line in told_of(options.out, depth=options.depth if "orderbook" in types else None):
                print(f"upbit-stream: {harmless(line)}", file=sys.stderr)
        except (RecordingError, TimeoutError) as error:
            raise RunFailed(str(error)) from error
        except (SubscriptionError, ValueError) as error:
            raise WrongUsage(str(error)) from error
        except ImportError as error:
            raise RunFailed(str(error)) from error
        # Warnings are received before anything starts and until all of it is closed.
        box = stack.enter_context(NoticeBox().receiving()) if as_picture else None
        if box is None:
            stack.enter_context(told_on_stderr())
        for subscription in subscriptions:
            subscription(recorder)
        stream.on_gap(recorder.on_gap)
        stream.on_drop(recorder.on_drop)
        progress = _Progress(stream, recorder, subscriptions, options, interrupt, begun)
        # However it ends.
        stack.callback(lambda: _say(progress.summary(), interrupt))
        try:
            with recorder:
                if not interrupt.asked:
                    with closing(stream):  # its own `with` warns who leaves at once
                        stream.start()
                        if box is not None:
                            progress.show_picture(box)
                        else:
                            progress.show_lines()
        except UpbitStreamError as error:
            raise RunFailed(str(error)) from error
    if recorder.stats.lost:
        raise RunFailed(text("failed.lost", count=f"{recorder.stats.lost:,}"))


def _format(name: str | None) -> RecordingFormat | None:
    for known in get_args(RecordingFormat):
        if name == known:
            format_: RecordingFormat = known
            return format_
    if name is not None:
        formats = ", ".join(get_args(RecordingFormat))
        raise WrongUsage(text("failed.format", name=name, formats=formats))
    return None


def rotation_of(limit: str | None) -> tuple[int | None, float | None]:
    """``"100MB"``, ``"1h"``, or both with a comma, as bytes and seconds."""
    size: int | None = None
    seconds: float | None = None
    sizes = {unit.lower(): one for unit, one in _SIZES.items()}
    for part in [] if limit is None else limit.split(","):
        match = re.fullmatch(r"(\d+(?:\.\d+)?) *([a-zA-Z]+)", part.strip())
        number, unit = (float(match[1]), match[2].lower()) if match else (0.0, "")
        if number and unit in sizes:
            size = math.ceil(number * sizes[unit])
        elif number and unit in _TIMES:
            seconds = number * _TIMES[unit]
        else:
            raise WrongUsage(text("failed.rotate", limit=limit))
    return size, seconds


class _Progress:
    """The running command. All of it is the main thread's."""

    def __init__(
        self,
        stream: UpbitStream,
        recorder: Recorder,
        subscriptions: Sequence[Subscription[Any]],
        options: RecordOptions,
        interrupt: Interrupt,
        begun: float,
    ) -> None:
        self._stream = stream
        self._recorder = recorder
        self._subscriptions = subscriptions
        self._options = options
        self._interrupt = interrupt
        self._begun = begun
        self._meter = Meter()

    def show_picture(self, box: NoticeBox) -> None:
        """Some lines that are drawn again and again, and are gone at the end."""
        console = console_of()
        warning = palette_for(console.color_system).warning
        with Live(console=console, auto_refresh=False, transient=True) as live:
            while self._goes_on(_REDRAW, box):
                head, *lines = self._lines()
                texts = [self._head(head, warning), *map(Text, lines)]
                if box.last:
                    texts.append(Text(box.last, style=warning))
                texts.append(Text(text("record.hint"), style=FAINT))
                for one in texts:
                    # Cut off, not wrapped: so each is one line, also in a narrow window.
                    one.no_wrap, one.overflow = True, "ellipsis"
                live.update(Group(*texts), refresh=True)

    def _head(self, name: str, warning: str) -> Text:
        told = Text.assemble(("upbit-stream record", TITLE))
        if self._options.demo:
            told.append(f"  {text('picture.simulated')}", style=f"bold {warning}")
        return told.append(f"  {name}", style=FAINT)

    def show_lines(self) -> None:
        """A line every few seconds."""
        if self._options.demo:
            print(simulated(), file=sys.stderr)
        next_line = time.monotonic() + _LINE_EVERY
        while self._goes_on(_REDRAW, None):
            # Every time: rates are told from what was seen before.
            line = self._lines()[-1]
            if time.monotonic() >= next_line:
                next_line += _LINE_EVERY
                line = f"{time.strftime('%H:%M:%S')}  {line}"
                _say(self._json() if self._options.json else line, self._interrupt)

    def _goes_on(self, seconds: float, box: NoticeBox | None) -> bool:
        """Let the stream run for a moment; raises what has ended it for good."""
        if self._interrupt.asked:
            return False
        if self._options.seconds is not None:
            left = self._begun + self._options.seconds - time.monotonic()
            if left <= 0:
                return False
            seconds = min(left, seconds)
        self._stream.run(seconds)
        if any(one.closed for one in self._subscriptions) and not self._interrupt.asked:
            # The whole stream may be about to end for the same reason, then this raises it.
            self._stream.wait_connected(_REDRAW)
            raise RunFailed((box.last if box else None) or text("failed.subscription_ended"))
        return True

    def _lines(self) -> list[str]:
        stats = [one.stats for one in self._subscriptions]
        total, *rates = self._meter.per_second(
            time.monotonic(), (sum(one.received for one in stats), *(one.received for one in stats))
        )
        lines = [str(self._options.out)]
        for subscription, one, rate in zip(self._subscriptions, stats, rates, strict=True):
            count = text("record.events", count=f"{one.received:>12,}")
            lines.append(f"{subscription.type:<12}{count}{_per_second(rate):>14}")
        dropped = text("status.dropped", count=f"{self._stream.stats.dropped:,}")
        lines.append(
            f"{text(f'state.{self._stream.state.value}')}  {_what(self._recorder.stats)}"
            f"{_per_second(total)}  {dropped}  {time.monotonic() - self._begun:.0f} s"
        )
        return lines

    def summary(self) -> str:
        """What was recorded, in a line."""
        if self._options.json:
            return self._json()
        return text(
            "record.summary",
            out=self._options.out,
            what=_what(self._recorder.stats),
            dropped=text("status.dropped", count=f"{self._stream.stats.dropped:,}"),
            seconds=f"{time.monotonic() - self._begun:.1f}",
        )

    def _json(self) -> str:
        stats = self._recorder.stats
        told = {
            "out": str(self._options.out),
            "state": self._stream.state.value,
            "recorded": stats.recorded,
            "bytes": stats.bytes,
            "files": stats.files,
            "gaps": stats.gaps,
            "lost": stats.lost,
            "dropped": self._stream.stats.dropped,
            "seconds": round(time.monotonic() - self._begun, 3),
        }
        return harmless_json(told).decode()


def _what(stats: RecorderStats) -> str:
    files = text("files.one" if stats.files == 1 else "files.many", count=stats.files)
    told = text(
        "record.recorded", count=f"{stats.recorded:,}", size=_size(stats.bytes), files=files
    )
    told += text("record.gaps", count=f"{stats.gaps:,}") if stats.gaps else ""
    return told + (text("record.lost", count=f"{stats.lost:,}") if stats.lost else "")


def _size(count: int) -> str:
    for unit, size in reversed(_SIZES.items()):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"


def _per_second(rate: float | None) -> str:
    return "" if rate is None else f"  {rate:,.0f}/s"


def _say(line: str, interrupt: Interrupt) -> None:
    # A reader that left (| head -3) has read enough; the recording goes on.
    write_out(f"{line}\n".encode(), interrupt)


record_command = command_of(RecordOptions, record)
