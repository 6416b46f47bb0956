"""``upbit-stream relay-status``: who publishes to a broker, who reads from it, and how they do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
import typer

from upbit_stream.cli.failures import RunFailed, WrongUsage
from upbit_stream.errors import UpbitStreamError
from upbit_stream.relay.status import RelayStatus, read_status

__all__ = ["relay_status_command", "show"]


def show(status: RelayStatus) -> str:
    """For people: a table of publishers, one of consumers, and what is wrong."""
    publishers = [("publisher", "state", "lanes", "events/s", "published", "buffered", "dropped")]
    publishers += [
        (name, one.state, f"{one.lanes:,}", f"{one.rate:,.0f}", f"{one.published:,}",
         f"{one.buffered:,}", f"{one.dropped:,}")
        for name, one in sorted(status.publishers.items())
    ]  # fmt: skip
    consumers = [("consumer", "name", "lanes", "events/s", "received", "lag")]
    consumers += [
        (name, one.group or "-", f"{one.lanes:,}", f"{one.rate:,.0f}", f"{one.received:,}",
         "-" if one.lag is None else f"{one.lag:,.1f} ms")
        for name, one in sorted(status.consumers.items())
    ]  # fmt: skip
    lines = [*_table(publishers), "", *_table(consumers)]
    if status.problems:
        lines += ["", *status.problems]
    return "\n".join(lines)


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        # Words to the left, numbers to the right.
        cells = [
            cell.ljust(width) if place < 2 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines


def relay_status_command(
    url: Annotated[
        str, typer.Argument(metavar="URL", help="The broker: redis://[:password@]host:port.")
    ],
    json: Annotated[
        bool, typer.Option("--json", help="One line of JSON, and nothing else.")
    ] = False,
) -> None:
    """Say who publishes to a broker and who reads from it, as they reported within six seconds.

    The lag is from the publisher's receipt of the newest event to its arrival at the consumer. The
    exit code is 1 when no publisher is connected to the exchange, or one has problems.

    \b
    Examples:
      upbit-stream relay-status redis://localhost:6379
      upbit-stream relay-status redis://localhost:6379 --json
    """
    try:
        status = read_status(url)
    except ValueError as error:
        raise WrongUsage(str(error)) from error
    except (UpbitStreamError, ImportError) as error:
        raise RunFailed(str(error)) from error
    if json:
        told = {**msgspec.to_builtins(status), "problems": status.problems}
        typer.echo(msgspec.json.encode(told).decode())
    else:
        typer.echo(show(status))
    if status.problems:
        raise typer.Exit(1)
