"""``upbit-stream markets``: which markets there are, searched by code or name."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import typer
from rich.text import Text

from upbit_stream.cli import cells
from upbit_stream.cli.commanding import command_of
from upbit_stream.cli.completing import complete_quote, remember_codes
from upbit_stream.cli.demo import demo_simulator, simulated
from upbit_stream.cli.failures import RunFailed, WrongUsage
from upbit_stream.cli.harmless import harmless, harmless_json
from upbit_stream.cli.interrupt import Interrupt
from upbit_stream.cli.lines import write_out
from upbit_stream.cli.options import Demo, Json, Region, Url
from upbit_stream.cli.screen import can_draw
from upbit_stream.cli.style import FAINT, HEADING, console_of, palette_for
from upbit_stream.cli.texts import text
from upbit_stream.config import StreamConfig, resolve_urls
from upbit_stream.protocol.endpoints import find_region
from upbit_stream.recovery.rest import RestClient, RestFailed
from upbit_stream.workers import Worker

__all__ = ["Market", "MarketsOptions", "markets", "markets_command", "matching"]

# Seconds for the list, and between two looks at whether it is still wanted.
_TIMEOUT = 5.0
_LOOK_AROUND = 0.02


@dataclass(frozen=True, kw_only=True)
class MarketsOptions:
    """What was asked for on the command line."""

    words: Annotated[
        list[str] | None, typer.Argument(metavar="WORD", help=text("option.words"))
    ] = None
    quote: Annotated[
        str | None,
        typer.Option(
            "--quote",
            "-q",
            metavar="CURRENCY",
            help=text("option.quote"),
            autocompletion=complete_quote,
        ),
    ] = None
    demo: Demo = False
    json: Json = False
    url: Url = None
    region: Region = "kr"


class _Event(msgspec.Struct):
    warning: bool = False
    caution: dict[str, bool] = {}


class Market(msgspec.Struct):
    """A market, as the exchange lists it."""

    market: str
    korean_name: str = ""
    english_name: str = ""
    market_event: _Event = msgspec.field(default_factory=_Event)

    @property
    def cautions(self) -> list[str]:
        """Why the exchange warns of it."""
        event = self.market_event
        warned = ["WARNING"] if event.warning else []
        return warned + [name for name, given in event.caution.items() if given]

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "market": self.market,
            "korean_name": self.korean_name,
            "english_name": self.english_name,
            "cautions": self.cautions,
        }


def markets(options: MarketsOptions, interrupt: Interrupt) -> None:
    """Show the markets that were asked for.

    Raises :class:`~upbit_stream.cli.failures.CommandFailed`, also when there is none.
    """
    if options.url is not None and options.demo:
        raise WrongUsage(text("failed.demo_and_url"))
    with ExitStack() as stack:
        try:
            config = StreamConfig(url=options.url)
            if options.demo:
                simulator = stack.enter_context(demo_simulator(()))
                config = StreamConfig(url=simulator.url, rest_url=simulator.rest_url)
                print(simulated(), file=sys.stderr)
            url, rest_url = resolve_urls(config, find_region(options.region))
        except ValueError as error:
            raise WrongUsage(str(error)) from error
        listed = _fetch(rest_url, interrupt)
    if url == find_region(options.region).url:
        remember_codes(one.market for one in listed)
    found = matching(listed, options.words or (), options.quote)
    if not found:
        what = " ".join([*(options.words or ()), *([options.quote] if options.quote else [])])
        raise RunFailed(text("failed.no_market", what=what, count=f"{len(listed):,}"))
    if options.json:
        rows = (harmless_json(one.to_dict()) + b"\n" for one in found)
        write_out(b"".join(rows), interrupt)
    else:
        _show(found, len(listed), interrupt)


def _fetch(rest_url: str, interrupt: Interrupt) -> list[Market]:
    rest = RestClient(rest_url)
    bodies: list[bytes] = []
    failures: list[RestFailed] = []

    def ask() -> None:
        try:
            bodies.append(
                rest.get(
                    "/market/all",
                    {"is_details": "true"},
                    group="market",
                    deadline=time.monotonic() + _TIMEOUT,
                )
            )
        except RestFailed as failure:
            failures.append(failure)

    # On a thread of its own, so that the main thread can look for Ctrl-C.
    worker = Worker("upbit-markets", ask)
    worker.start()
    while worker.alive and not interrupt.wait(_LOOK_AROUND):
        pass
    rest.cancel()
    worker.join(time.monotonic() + _TIMEOUT)
    if not bodies:
        why = failures[0] if failures and not interrupt.asked else text("failed.interrupted")
        raise RunFailed(text("failed.markets", why=why))
    try:
        return msgspec.json.decode(bodies[0], type=list[Market])
    except msgspec.MsgspecError as error:
        raise RunFailed(text("failed.markets", why=error)) from error


def matching(listed: Sequence[Market], words: Sequence[str], quote: str | None) -> list[Market]:
    """Those that every word is in, in the code or a name; a currency's own markets first."""
    wanted = [word.casefold() for word in words]
    found = [
        one
        for one in listed
        if quote is None or one.market.partition("-")[0].casefold() == quote.casefold()
        if all(
            any(word in told.casefold() for told in (one.market, one.korean_name, one.english_name))
            for word in wanted
        )
    ]
    return sorted(found, key=lambda one: one.market.partition("-")[2].casefold() not in wanted)


def _show(found: Sequence[Market], all_: int, interrupt: Interrupt) -> None:
    columns = [
        [text("column.code"), *(harmless(one.market) for one in found)],
        [text("markets.korean"), *(harmless(one.korean_name) for one in found)],
        [text("markets.english"), *(harmless(one.english_name) for one in found)],
    ]
    sizes = [max(map(cells.width, column)) for column in columns]
    notes = ["", *(harmless(", ".join(one.cautions)) for one in found)]
    rows = [
        "  ".join(cells.left(cell, size) for cell, size in zip(row, sizes, strict=True))
        for row in zip(*columns, strict=True)
    ]
    if not can_draw(sys.stdout):
        plain = (f"{row}  {note}".rstrip() for row, note in zip(rows, notes, strict=True))
        # The heading is for people: in a pipe every line is a market.
        write_out("".join(f"{line}\n" for line in [*plain][1:]).encode(), interrupt)
        return
    console = console_of()
    palette = palette_for(console.color_system)
    lines = [Text(rows[0], style=HEADING)]
    for row, note in zip(rows[1:], notes[1:], strict=True):
        lines.append(Text.assemble(row, "  ", (note, palette.warning)))
    told = text("markets.count", found=f"{len(found):,}", all=f"{all_:,}")
    lines.append(Text(told, style=FAINT))
    console.print(Text("\n", no_wrap=True).join(lines), crop=False)


markets_command = command_of(MarketsOptions, markets)
