"""What the recorder before this one has left, after its end or after a crash.

A manifest is never ahead of the files; what was written since it was is counted here. Nothing is
cut off or overwritten that is not known for a recording of ours.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from upbit_stream.errors import RecordingError
from upbit_stream.recording.lines import Head, class_of
from upbit_stream.recording.manifest import Manifest, PartEntry, load
from upbit_stream.recording.names import Names, RecordingFormat, format_of
from upbit_stream.recording.reading import chunks_of

__all__ = ["recover"]

_BEGIN = b'{"type":"'

_head = msgspec.json.Decoder(Head).decode


def recover(names: Names, format_: RecordingFormat) -> Manifest:
    """The manifest of what is there, up to the last whole event; a new one for nothing.

    Its last entry is the part to go on with. Raises :class:`RecordingError` for files that are
    no recording of this format, ``OSError`` for what cannot be read.
    """
    numbers = names.parts()
    for number in numbers:
        _clean(names, number)
    before = load(names.manifest) if numbers else None
    if before is None or before.version != 1 or not _fits(before, names, numbers):
        told = before or Manifest(format=format_)
        before = msgspec.structs.replace(
            Manifest(format=format_),
            numbers=told.numbers,
            lost=told.lost,
            gaps=told.gaps,
            gaps_told=told.gaps_told,
            drops=told.drops,
            drops_told=told.drops_told,
        )
    if numbers and before.format != format_:
        raise RecordingError(
            f"{names.path} is a recording of format {before.format!r}; go on in that, or choose "
            "another "
            "file"
        )
    for number in numbers:
        path = names.current(number)
        entry = _entry(before, names, number)
        if entry is None:
            entry = PartEntry(name=path.name)
            before.files.append(entry)
        entry.name = path.name
        _catch_up(before, entry, path, format_)
    before.closed = False
    return before


def _clean(names: Names, number: int) -> None:
    names.unfinished(number).unlink(missing_ok=True)
    if names.part(number).exists():
        # A journal is kept until its Parquet file is complete.
        names.journal(number).unlink(missing_ok=True)


def _entry(manifest: Manifest, names: Names, number: int) -> PartEntry | None:
    wanted = (names.part(number).name, names.journal(number).name)
    return next((entry for entry in manifest.files if entry.name in wanted), None)


def _fits(manifest: Manifest, names: Names, numbers: list[int]) -> bool:
    """Whether each file has at least what the manifest says."""
    for number in numbers:
        entry = _entry(manifest, names, number)
        path = names.current(number)
        if entry is not None and entry.name == path.name and path.stat().st_size < entry.bytes:
            return False
    return True


def _catch_up(manifest: Manifest, entry: PartEntry, path: Path, format_: RecordingFormat) -> None:
    """Count what was written since the manifest was."""
    size = path.stat().st_size
    if not size:
        return
    kind = format_of(path)
    if kind == "parquet" and format_ == "parquet":
        from upbit_stream.recording.parquet import count_rows, heads

        if count_rows(path) != entry.events:
            manifest.count(entry, heads(path, entry.events))
        entry.bytes = size
        return
    if kind != ("zstd" if format_ == "parquet" else format_):
        raise RecordingError(
            f"{path} is no recording of format {format_!r}, it has {kind}; choose another file"
        )
    for chunk in chunks_of(path, entry.bytes):
        manifest.count(entry, [_known(line, path) for line in chunk.lines])
        entry.bytes = chunk.end
    if not entry.bytes and kind == "jsonl":
        # Not one line is whole: the beginning of a first one, or something else altogether?
        with path.open("rb") as file:
            begin = file.read(len(_BEGIN))
        if not _BEGIN.startswith(begin):
            raise RecordingError(
                f"{path} is no recording, it begins with {begin!r}; choose another file"
            )


def _known(line: bytes, path: Path) -> Head:
    try:
        head = _head(line)
    except msgspec.MsgspecError as error:
        raise RecordingError(
            f"{path} has a line that is no event: {line[:60]!r}; choose another file"
        ) from error
    if class_of(head.type) is None:
        raise RecordingError(
            f"{path} has events of an unknown type: {head.type!r}; use the version that "
            "recorded them, "
            "or choose another file"
        )
    return head
