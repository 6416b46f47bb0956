"""How the files of a recording are called, and in which format they are.

The recording ``trades.jsonl.zst`` consists of ``trades.jsonl.zst``, then ``trades.0002.jsonl.zst``,
``trades.0003.jsonl.zst`` …, and ``trades.jsonl.zst.manifest.json``. A Parquet file is complete or
is not there: until then its events are in a journal beside it, ``trades.0002.parquet.journal``,
which is lines in compressed frames.
"""

from __future__ import annotations

import re
from os import PathLike
from pathlib import Path
from typing import Literal, TypeAlias, get_args

__all__ = ["Names", "RecordingFormat", "choose_format", "format_of"]

#: Lines of JSON; the same in compressed frames; Parquet.
RecordingFormat: TypeAlias = Literal["jsonl", "zstd", "parquet"]

_FORMATS: dict[str, RecordingFormat] = {
    ".jsonl.zst": "zstd",
    ".jsonl.zstd": "zstd",
    ".zst": "zstd",
    ".zstd": "zstd",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}
_JOURNAL = ".journal"
_UNFINISHED = ".unfinished"

_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_PARQUET_MAGIC = b"PAR1"
#: Bytes that tell a format.
BEGIN = len(_ZSTD_MAGIC)


def choose_format(path: str | PathLike[str], wanted: RecordingFormat | None) -> RecordingFormat:
    """The format that was asked for, or else the one that the name tells; ``ValueError`` for a
    name that tells none, or another one.
    """
    name = Path(path).name
    told = next((one for end, one in _FORMATS.items() if name.lower().endswith(end)), None)
    if wanted is not None and wanted not in get_args(RecordingFormat):
        known = ", ".join(get_args(RecordingFormat))
        raise ValueError(f"format={wanted!r}: choose one of {known}")
    if told is None and wanted is None:
        raise ValueError(
            f"{name!r} does not tell its format: end it with .jsonl.zst, .jsonl or .parquet, or "
            "say which format it shall have"
        )
    if told is not None and wanted is not None and told != wanted:
        raise ValueError(
            f"{name!r} is the name of a {told} file, not of format={wanted!r}: leave format "
            "out, or "
            "choose another name"
        )
    return wanted or told or "zstd"


def format_of(path: Path) -> RecordingFormat:
    """The format that a file's first bytes tell."""
    with path.open("rb") as file:
        return format_told_by(file.read(BEGIN))


def format_told_by(begin: bytes) -> RecordingFormat:
    """The format of a file that begins with these (:data:`BEGIN`) bytes."""
    if begin == _PARQUET_MAGIC:
        return "parquet"
    # Also of a frame of which only the first byte was written.
    return "zstd" if begin and _ZSTD_MAGIC.startswith(begin) else "jsonl"


class Names:
    """The names of one recording's files."""

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = Path(path)
        name = self.path.name
        end = next((end for end in _FORMATS if name.lower().endswith(end)), self.path.suffix)
        self._suffix = name[len(name) - len(end) :]
        self._stem = name[: len(name) - len(end)]
        self._numbered = re.compile(
            rf"{re.escape(self._stem)}\.(\d{{4,}}){re.escape(self._suffix)}({re.escape(_JOURNAL)})?"
        )
        self.manifest = self.path.with_name(f"{name}.manifest.json")
        self.lock = self.path.with_name(f"{name}.lock")

    def part(self, number: int) -> Path:
        """The file of the n-th part, counted from 1."""
        if number == 1:
            return self.path
        return self.path.with_name(f"{self._stem}.{number:04}{self._suffix}")

    def journal(self, number: int) -> Path:
        """Where the events of the n-th part are until its Parquet file is complete."""
        part = self.part(number)
        return part.with_name(part.name + _JOURNAL)

    def unfinished(self, number: int) -> Path:
        """A Parquet file that is being written."""
        part = self.part(number)
        return part.with_name(part.name + _UNFINISHED)

    def parts(self) -> list[int]:
        """The numbers of the parts that there are, the oldest first.

        Raises ``OSError`` when the directory cannot be read.
        """
        names = {entry.name for entry in self.path.parent.iterdir()}
        first = {self.part(1).name, self.journal(1).name} & names
        matches = filter(None, map(self._numbered.fullmatch, names))
        return sorted({int(match[1]) for match in matches} | ({1} if first else set()))

    def current(self, number: int) -> Path:
        """The file that has the n-th part's events now: a journal gives way to the Parquet file
        that was made of it.
        """
        part, journal = self.part(number), self.journal(number)
        return journal if journal.exists() and not part.exists() else part
