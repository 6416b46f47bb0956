"""``upbit-stream relay-status``: who publishes to a broker, who reads from it, and how they do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
import typer

from upbit_stream.cli import cells
from upbit_stream.cli.failures import RunFailed, WrongUsage
from upbit_stream.cli.harmless import harmless_json, harmless_lines
from upbit_stream.cli.options import Json
from upbit_stream.cli.texts import text
from upbit_stream.errors import UpbitStreamError
from upbit_stream.relay.brokers import public_url
from upbit_stream.relay.status import RelayStatus, read_status

__all__ = ["relay_status_command", "show"]


def relay_status_command(
    url: Annotated[str, typer.Argument(metavar="URL", help=text("option.to"))],
    json: Json = False,
) -> None:
    """Say who publishes to a broker and who reads from it."""
    try:
        status = read_status(url)
    except ValueError as error:
        raise WrongUsage(str(error)) from error
    except (UpbitStreamError, ImportError) as error:
        raise RunFailed(str(error)) from error
    if json:
        told = {**msgspec.to_builtins(status), "problems": status.problems}
        typer.echo(harmless_json(told).decode())
    else:
        typer.echo(harmless_lines(show(status, public_url(url))))
    if status.problems:
        raise typer.Exit(1)


def show(status: RelayStatus, url: str) -> str:
    """For people: a table of publishers, one of consumers, and what is wrong; of an empty broker
    what to do next.
    """
    publishers = [_head("publisher", "state", "lanes", "rate", "published", "buffered", "dropped")]
    publishers += [
        (name, text(f"state.{one.state}"), f"{one.lanes:,}", f"{one.rate:,.0f}",
         f"{one.published:,}", f"{one.buffered:,}", f"{one.dropped:,}")
        for name, one in sorted(status.publishers.items())
    ]  # fmt: skip
    consumers = [_head("consumer", "group", "lanes", "rate", "received", "lag")]
    consumers += [
        (name, one.group or "-", f"{one.lanes:,}", f"{one.rate:,.0f}", f"{one.received:,}",
         "-" if one.lag is None else f"{one.lag:,.1f} ms")
        for name, one in sorted(status.consumers.items())
    ]  # fmt: skip
    problems = list(status.problems)
    if not status.publishers:
        problems.append(text("relay.how_to_publish", url=url))
    # A table without a row says nothing.
    readers = _table(consumers) if status.consumers else [text("relay.nobody_reads", url=url)]
    blocks = [_table(publishers), readers, problems] if status.publishers else [problems, readers]
    return "\n\n".join("\n".join(block) for block in blocks if block)


def _head(*columns: str) -> tuple[str, ...]:
    return tuple(text(f"relay.{column}") for column in columns)


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(cells.width, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        padded = []
        for place, (cell, width) in enumerate(zip(row, widths, strict=True)):
            space = " " * (width - cells.width(cell))
            # Words to the left, numbers to the right.
            padded.append(cell + space if place < 2 else space + cell)
        lines.append("  ".join(padded).rstrip())
    return lines
