"""What a file holds that is recorded on to: told before anything is added to it."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from itertools import islice
from pathlib import Path

from upbit_stream.cli.failures import WrongUsage
from upbit_stream.cli.texts import text
from upbit_stream.errors import RecordingError
from upbit_stream.events import Orderbook
from upbit_stream.recording.manifest import load
from upbit_stream.recording.names import Names
from upbit_stream.recording.reading import read_recording

__all__ = ["check_numbers", "told_of"]

# Events among which the first order book is looked for: each recording begins with snapshots.
_LOOKED_AT = 10_000


def check_numbers(path: Path, *, exact: bool) -> None:
    """Raises :class:`WrongUsage` when the recording's numbers are of the other kind: not one event
    could be added to it.
    """
    manifest = load(Names(path).manifest)
    if manifest is not None and manifest.numbers == ("float" if exact else "decimal"):
        raise WrongUsage(text("failed.exact" if exact else "failed.not_exact", out=path))


def told_of(path: Path, *, depth: int | None) -> list[str]:
    """What is there, and from when; nothing for a recording that begins. ``depth``: of the order
    books that are to be added, None for no books. The manifest must be up to date.
    """
    manifest = load(Names(path).manifest)
    if manifest is None or not manifest.events:
        return []
    count = f"{manifest.events:,}"
    since, until = _moment(manifest.first_timestamp), _moment(manifest.last_timestamp)
    told = [text("record.goes_on", out=path, count=count, since=since, until=until)]
    if depth is not None and "orderbook" in manifest.counts:
        before = _first_depth(path)
        if before is not None and before != depth:
            told.append(text("record.other_depth", before=before, now=depth))
    return told


def _moment(timestamp: int | None) -> str:
    if timestamp is None:
        return "?"
    return datetime.fromtimestamp(timestamp / 1000).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _first_depth(path: Path) -> int | None:
    # Who plays a damaged recording is told of that; here it is no more than unknown.
    with suppress(RecordingError):
        for event in islice(read_recording(path), _LOOKED_AT):
            if isinstance(event, Orderbook):
                return len(event.orderbook_units)
    return None
