"""What a recorder's thread owns: the part that is written to, the manifest, when to rotate."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from upbit_stream.errors import RecordingError
from upbit_stream.events import Event
from upbit_stream.recording.lines import LineWriter, Numbers
from upbit_stream.recording.manifest import Manifest, PartEntry, save
from upbit_stream.recording.names import Names, RecordingFormat
from upbit_stream.recording.part import AppendedFile, sync_directory
from upbit_stream.recording.reading import chunks_of
from upbit_stream.recording.recovery import recover

if TYPE_CHECKING:
    from upbit_stream.recording.parquet import ParquetFile

__all__ = ["Rotation", "Writer"]

_log = logging.getLogger("upbit_stream")

# Seconds after which the manifest is written again, when nothing else wants it.
_SAVE_EVERY = 5.0


@dataclass(frozen=True, kw_only=True)
class Rotation:
    """When a part is followed by the next: at so many bytes on the disk, after so many seconds."""

    bytes: int | None = None
    seconds: float | None = None


class Writer:
    """Writes what it is given, in whole pieces. For one thread at a time.

    What fails raises ``OSError`` and may be tried again: what was not written is kept.
    """

    def __init__(self, names: Names, format_: RecordingFormat, rotation: Rotation) -> None:
        self._names = names
        self._format = format_
        self._rotation = rotation
        self._pack: Callable[[bytes], bytes] = bytes
        if format_ != "jsonl":
            from upbit_stream.recording.frames import packer

            self._pack = packer()
        if format_ == "parquet":
            from upbit_stream.recording import parquet

            self._parquet = parquet
        # The journal of a Parquet file is read by pyarrow, which knows numbers as floats only.
        self._encode = LineWriter("string" if format_ == "parquet" else "number").write
        self.manifest: Manifest = recover(names, format_)
        self._lines: list[bytes] = []
        self._events: list[Event] = []
        #: Bytes of lines that wait for :meth:`write`.
        self.waiting = 0
        self._saved_at = 0.0
        self._news = True
        self._file: AppendedFile | None = None
        self._growing: ParquetFile | None = None
        self._entry = PartEntry(name="")
        self._begun = 0.0
        # What a crash has left of Parquet files that were not made yet.
        parts = names.parts()
        for number in parts:
            if names.journal(number).exists():
                self._make_parquet(number, None)
        self._number = parts[-1] if parts else 1
        if format_ == "parquet" and parts:
            self._number += 1
        self._open()

    @property
    def numbers(self) -> Numbers | None:
        """What the numbers of the recording are; None while no event has told."""
        return self.manifest.numbers

    def add(self, events: Sequence[Event]) -> int:
        """Take events; the number of those that cannot be written as lines, and are lost."""
        try:
            self._take(events)
        except Exception:  # whatever a person may have put into an event
            return sum(map(self._fails, events))
        return 0

    def _fails(self, event: Event) -> bool:
        try:
            self._take([event])
        except Exception:
            self.manifest.lost += 1
            self._news = True
            _log.exception(
                "an event cannot be recorded, and is counted as lost; the recording goes on: %r",
                event,
            )
            return True
        return False

    def _take(self, events: Sequence[Event]) -> None:
        lines = self._encode(events)
        self._lines.append(lines)
        self._events += events
        self.waiting += len(lines)

    def set_numbers(self, numbers: Numbers) -> None:
        """What the first event has told."""
        self.manifest.numbers = numbers
        self._news = True

    def note(self, gaps: Sequence[Any], drops: Sequence[Any], lost: int) -> None:
        """What is in the manifest only."""
        for gap in gaps:
            self.manifest.add_gap(gap)
        for drop in drops:
            self.manifest.add_drop(drop)
        self.manifest.lost += lost
        self._news = self._news or bool(gaps or drops or lost)

    def write(self) -> None:
        """Write what has come together, and rotate if it is time."""
        if self._news:
            # Before the events: who reads them must know what their numbers are.
            self._save()
        if not self._events:
            return
        types = {event.type for event in self._events}
        if self._growing is not None and not self._growing.takes(types):
            self._next_part()
        file = self._file or self._open()
        file.append(self._pack(b"".join(self._lines)))
        self._entry.bytes = file.size
        self.manifest.count(self._entry, self._events)
        self._grow(self._lines, types)
        self._lines, self._events, self.waiting = [], [], 0
        if self._is_full():
            self._next_part()
        elif time.monotonic() - self._saved_at >= _SAVE_EVERY:
            self._save()

    def close(self) -> None:
        """End the part and say so in the manifest. Raises ``OSError``; call it once."""
        self._end_part()
        self.manifest.closed = True
        self._save()

    def forget(self) -> None:
        """In the child of a fork: the files are the parent's."""
        if self._growing is not None:
            self._growing.abandon()
        if self._file is not None:
            self._file.close()
            self._file = None

    def _save(self) -> None:
        # Until it is saved.
        self._news = True
        save(self.manifest, self._names.manifest)
        self._saved_at = time.monotonic()
        self._news = False

    # Parts.

    def _open(self) -> AppendedFile:
        parquet = self._format == "parquet"
        path = (self._names.journal if parquet else self._names.part)(self._number)
        entry = next((one for one in self.manifest.files if one.name == path.name), None)
        if entry is None:
            entry = PartEntry(name=path.name)
        file = AppendedFile(path, entry.bytes)
        try:
            if self._format == "jsonl":
                _end_line(file)
            sync_directory(path.parent)
        except OSError:
            file.close()
            raise
        if entry not in self.manifest.files:
            self.manifest.files.append(entry)
        entry.bytes = file.size
        self._file, self._entry, self._begun = file, entry, time.monotonic()
        if parquet:
            unfinished = self._names.unfinished(self._number)
            self._growing = self._parquet.ParquetFile(unfinished, lambda: self.numbers)
        return file

    def _is_full(self) -> bool:
        size, seconds = self._rotation.bytes, self._rotation.seconds
        return (size is not None and self._entry.bytes >= size) or (
            seconds is not None and time.monotonic() - self._begun >= seconds
        )

    def _next_part(self) -> None:
        self._end_part()
        self._number += 1
        self._save()

    def _end_part(self) -> None:
        if self._file is None:
            return
        file, self._file = self._file, None
        file.close()
        if self._format == "parquet":
            growing, self._growing = self._growing, None
            self._make_parquet(self._number, growing)

    # Parquet files grow beside their journals, so that ending one is a matter of a moment; if
    # that does not work, one is made of the journal.

    def _grow(self, lines: Sequence[bytes], types: set[str]) -> None:
        if self._growing is None:
            return
        try:
            self._growing.add(b"".join(lines), types)
        except Exception as error:  # pyarrow's are of many kinds
            _log.warning(
                "the Parquet file of %s is made later, at its end, and recording goes on: %s",
                self._entry.name,
                error,
            )
            self._growing.abandon()
            self._growing = None

    def _make_parquet(self, number: int, growing: ParquetFile | None) -> None:
        """From a journal to a Parquet file; when that fails, the journal stays and is told."""
        names = self._names
        journal, part = names.journal(number), names.part(number)
        entry = next(one for one in self.manifest.files if one.name == journal.name)
        try:
            if entry.events:
                self._complete(number, growing, entry.events)
                entry.name, entry.bytes = part.name, part.stat().st_size
            else:
                self.manifest.files.remove(entry)
            journal.unlink()
            sync_directory(part.parent)
        except Exception as error:
            with suppress(OSError):
                names.unfinished(number).unlink(missing_ok=True)
            _log.error(
                "%s stays as it is, no Parquet file could be made of it: %s; read_recording() "
                "reads it. Make room, and record on to the same file",
                journal,
                error,
            )

    def _complete(self, number: int, growing: ParquetFile | None, events: int) -> None:
        unfinished = self._names.unfinished(number)
        if growing is None:
            growing = self._parquet.ParquetFile(unfinished, lambda: self.numbers)
            for chunk in chunks_of(self._names.journal(number)):
                growing.add(b"\n".join([*chunk.lines, b""]), self.manifest.counts)
        if (rows := growing.finish()) != events:
            raise RecordingError(f"{unfinished} has {rows} of {events} events")
        _sync(unfinished)
        unfinished.replace(self._names.part(number))


def _end_line(file: AppendedFile) -> None:
    """A last line that is whole but has no end gets one."""
    if not file.size:
        return
    with file.path.open("rb") as opened:
        opened.seek(file.size - 1)
        last = opened.read(1)
    if last != b"\n":
        file.append(b"\n")


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
