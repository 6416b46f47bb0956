"""What a recording holds, in a file beside it that is replaced as a whole."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from upbit_stream.recording.lines import Head, Numbers
from upbit_stream.recording.part import sync_directory

__all__ = ["Manifest", "PartEntry", "load", "save"]

# Gaps and drops that are kept, the newest ones; a stream that is in trouble for weeks must not
# make the manifest grow for ever.
_KEPT = 1000


class PartEntry(msgspec.Struct, kw_only=True):
    """A file of the recording, as of ``bytes``: what was written since is not counted yet."""

    name: str
    bytes: int = 0
    events: int = 0
    #: The exchange's timestamps of the events, the smallest and the largest, in milliseconds
    #: since the epoch; None while there are none.
    first_timestamp: int | None = None
    last_timestamp: int | None = None


class Manifest(msgspec.Struct, kw_only=True):
    """What a recording holds.

    ``counts`` is type → code → events; what has no code is under its type. ``gaps`` and
    ``drops`` are the newest thousand of what the stream told; the ``…_told`` count all of them.
    ``lost`` are events that could not be written. ``closed`` says whether the last recorder came
    to its end; False while one is at work, or after a crash.
    """

    version: int = 1
    format: str
    #: None while no event has told.
    numbers: Numbers | None = None
    closed: bool = False
    events: int = 0
    lost: int = 0
    first_timestamp: int | None = None
    last_timestamp: int | None = None
    files: list[PartEntry] = msgspec.field(default_factory=list)
    counts: dict[str, dict[str, int]] = msgspec.field(default_factory=dict)
    gaps: list[Any] = msgspec.field(default_factory=list)
    gaps_told: int = 0
    drops: list[Any] = msgspec.field(default_factory=list)
    drops_told: int = 0

    def count(self, entry: PartEntry, events: Iterable[Head | Any]) -> None:
        """Count events of the part ``entry``: whatever has ``type``, ``code``, ``timestamp``."""
        number, first, last = 0, entry.first_timestamp, entry.last_timestamp
        counts = self.counts
        for event in events:
            number += 1
            type_, stamp = event.type, event.timestamp
            codes = counts.setdefault(type_, {})
            code = event.code or type_
            codes[code] = codes.get(code, 0) + 1
            if stamp is not None:
                first = stamp if first is None or stamp < first else first
                last = stamp if last is None or stamp > last else last
        entry.events += number
        self.events += number
        entry.first_timestamp, entry.last_timestamp = first, last
        if first is not None and last is not None:
            mine = (self.first_timestamp, self.last_timestamp)
            self.first_timestamp = min(first, first if mine[0] is None else mine[0])
            self.last_timestamp = max(last, last if mine[1] is None else mine[1])

    def add_gap(self, gap: Any) -> None:
        """A gap was told: a mapping, or a struct."""
        self.gaps_told += 1
        self.gaps = [*self.gaps, msgspec.to_builtins(gap)][-_KEPT:]

    def add_drop(self, drop: Any) -> None:
        """A drop was told, likewise."""
        self.drops_told += 1
        self.drops = [*self.drops, msgspec.to_builtins(drop)][-_KEPT:]


def load(path: Path) -> Manifest | None:
    """The manifest of a recording; None where there is none that can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Manifest)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None


def save(manifest: Manifest, path: Path) -> None:
    """Replace the file: whoever reads it sees the old one or the new one. Raises ``OSError``."""
    unfinished = path.with_name(path.name + ".unfinished")
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"
    with unfinished.open("wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    sync_directory(path.parent)
