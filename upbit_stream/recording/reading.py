"""Every event of a recording, over all of its parts, in the order in which they were recorded.

Whoever reads needs no manifest, no lock and no repair: a torn tail is left out, and a recording
may be read while it is written.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import msgspec

from upbit_stream.errors import RecordingError
from upbit_stream.events import Event
from upbit_stream.recording.lines import LineReader, LineWriter, Numbers
from upbit_stream.recording.manifest import load
from upbit_stream.recording.names import BEGIN, Names, format_of, format_told_by

__all__ = ["Chunk", "chunks_of", "read_lines", "read_recording"]

_PIECE = 1 << 20


class Chunk(NamedTuple):
    """Whole lines, and where in the file they end."""

    lines: list[bytes]
    end: int


def read_recording(path: str | PathLike[str], *, numbers: Numbers | None = None) -> Iterator[Event]:
    """The events of the recording ``path``, equal to those that were recorded.

    ``path`` is the one that :class:`Recorder` was given; rotated parts follow by themselves.
    ``numbers`` is ``"float"`` or ``"decimal"``; by default what was recorded.

    Raises ``FileNotFoundError`` when there is no such recording, and, while iterating,
    :class:`RecordingError` when a file is damaged. The torn tail of a crash is not damage.
    """
    names = Names(path)
    parts = _existing(names)
    manifest = load(names.manifest)
    told = manifest.numbers if manifest is not None else None
    reader = LineReader(numbers or told or "float")
    return (event for number in parts for event in _events(names, number, reader))


def read_lines(path: str | PathLike[str]) -> Iterator[bytes]:
    """The lines of the recording ``path``, or of any file of lines, compressed or not."""
    names = Names(path)
    parts = _existing(names)
    manifest = load(names.manifest)
    numbers = (manifest.numbers if manifest is not None else None) or "float"
    reader, writer = LineReader(numbers), LineWriter()
    for number in parts:
        current = names.current(number)
        if current != names.part(number) or format_of(current) == "parquet":
            # What is in there is not written as it is on the wire.
            yield from (writer.write([event]) for event in _events(names, number, reader))
        else:
            for chunk in chunks_of(current):
                yield from chunk.lines


def _existing(names: Names) -> list[int]:
    parts = names.parts()
    if not parts and not names.manifest.exists():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(names.path))
    return parts


def _events(names: Names, number: int, reader: LineReader) -> Iterator[Event]:
    path = names.current(number)
    try:
        kind = format_of(path)
    except FileNotFoundError:
        # A journal that has become a Parquet file between our two looks.
        path, kind = names.part(number), "parquet"
    try:
        if kind == "parquet":
            from upbit_stream.recording.parquet import rows

            yield from map(reader.read_row, rows(path))
        else:
            for chunk in chunks_of(path):
                yield from map(reader.read, chunk.lines)
    except RecordingError as error:
        raise RecordingError(
            f"{path} cannot be read on: {error}; what came before it is whole. Check that it is a "
            "recording of this package"
        ) from error


def chunks_of(path: Path, offset: int = 0) -> Iterator[Chunk]:
    """The lines of a file from ``offset``, where one (or a frame) begins; a torn tail is left out.

    Raises :class:`RecordingError` for a file that is damaged in the middle.
    """
    with path.open("rb") as file:
        begin = file.read(BEGIN)
        if not begin:
            return  # what is written to it from now on may be of either format
        if format_told_by(begin) == "zstd":
            from upbit_stream.recording.frames import frames_of

            for frame in frames_of(path, offset):
                yield Chunk(frame.content.splitlines(), frame.end)
            return
        file.seek(offset)
        rest = b""
        while piece := file.read(_PIECE):
            whole, newline, rest = (rest + piece).rpartition(b"\n")
            if newline:
                offset += len(whole) + 1
                yield Chunk([line for line in whole.split(b"\n") if line.strip()], offset)
        if _is_whole(rest):
            yield Chunk([rest], offset + len(rest))


def _is_whole(line: bytes) -> bool:
    """Whether a line without its end is torn, or only not ended."""
    try:
        return isinstance(msgspec.json.decode(line), (dict, list))
    except msgspec.MsgspecError:
        return False
