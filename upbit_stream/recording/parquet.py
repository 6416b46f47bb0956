"""Lines as a Parquet file: a column for each field of the types that were recorded.

Numbers are doubles, or with ``numbers="decimal"`` texts with every digit, because no decimal type
of Parquet holds both the integers and the fractions of a balance.

Importing this module needs pyarrow, and says so where it is missing. pyarrow has no types, hence
the ``Any`` in here, which does not leave it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import msgspec

from upbit_stream.events import Record
from upbit_stream.protocol.decoding import EVENT_CLASSES
from upbit_stream.recording.lines import Head, Numbers, part_of

try:
    import pyarrow as pa
    import pyarrow.json as pj
    import pyarrow.parquet as pq
except ModuleNotFoundError as error:
    raise ImportError(
        'recordings in Parquet need the pyarrow package: pip install "upbit-stream[recording]"'
    ) from error

__all__ = ["ParquetFile", "count_rows", "heads", "rows"]

# Bytes of lines that become a row group: what is held in memory at a time.
_GROUP = 16 << 20
_ROWS = 10_000


class ParquetFile:
    """A file that grows by row groups and is complete, and readable, when it is finished.

    Its columns are those of the types that came before the first group was written. What fails
    raises whatever pyarrow raises, and then the file is of no use.
    """

    def __init__(self, path: Path, numbers: Callable[[], Numbers | None]) -> None:
        self._path = path
        self._numbers = numbers
        self._writer: Any = None
        self._schema: Any = None
        self._types: set[str] = set()
        self._group: list[bytes] = []
        self._size = 0

    def takes(self, types: Iterable[str]) -> bool:
        """Whether there are columns for these types, or can be."""
        return self._writer is None or self._types.issuperset(map(_base, types))

    def add(self, lines: bytes, types: Iterable[str]) -> None:
        """Whole lines, of types that it :meth:`takes`."""
        if self._writer is None:
            self._types.update(map(_base, types))
        self._group.append(lines)
        self._size += len(lines)
        if self._size >= _GROUP:
            self._write_group()

    def finish(self) -> int:
        """Complete the file; the number of its rows."""
        if self._size:
            self._write_group()
        self._writer.close()
        return int(pq.read_metadata(self._path).num_rows)

    def abandon(self) -> None:
        """Let go of it without another byte, also in the child of a fork, where the file is the
        parent's. What is left is to be removed.
        """
        if self._writer is not None:
            # Its finalizer would complete the file.
            self._writer.is_open = False

    def _write_group(self) -> None:
        if self._writer is None:
            self._schema = _schema(self._types, self._numbers())
            self._writer = pq.ParquetWriter(self._path, self._schema, compression="zstd")
        group = b"".join(self._group)
        self._group, self._size = [], 0
        table = pj.read_json(
            pa.BufferReader(group),
            # One block: a line must not straddle two.
            pj.ReadOptions(use_threads=False, block_size=len(group)),
            pj.ParseOptions(explicit_schema=self._schema, unexpected_field_behavior="ignore"),
        )
        self._writer.write_table(table)


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """Every row, with the names of the DEFAULT format."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(_ROWS):
            yield from batch.to_pylist()


def heads(path: Path, skip: int) -> Iterator[Head]:
    """What is counted of the rows behind the first ``skip``."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(_ROWS, columns=list(Head.__struct_fields__)):
            here = max(0, min(skip, batch.num_rows))
            skip -= here
            yield from msgspec.convert(batch.slice(here).to_pylist(), list[Head])


def count_rows(path: Path) -> int:
    """How many events a file has."""
    return int(pq.read_metadata(path).num_rows)


def _base(type_: str) -> str:
    return type_.partition(".")[0]


def _schema(types: Iterable[str], numbers: Numbers | None) -> Any:
    present = set(types)
    fields: dict[str, Any] = {}
    for name, cls in EVENT_CLASSES.items():
        if name in present:
            # A name means the same in all of them.
            fields.update(_fields(cls, numbers))
    received_at = fields.pop("received_at", pa.int64())
    return pa.schema({**fields, "received_at": received_at})


def _fields(cls: type[Record], numbers: Numbers | None) -> dict[str, Any]:
    return {field.name: _kind(field.type, numbers) for field in msgspec.structs.fields(cls)}


def _kind(annotation: Any, numbers: Numbers | None) -> Any:
    part, many = part_of(annotation)
    if part is not None:
        inside = pa.struct(_fields(part, numbers))
        return pa.list_(inside) if many else inside
    kinds = set(get_args(annotation)) or {annotation}
    if kinds & {float, Decimal}:
        return pa.string() if numbers == "decimal" else pa.float64()
    if int in kinds:
        return pa.int64()
    if bool in kinds:
        return pa.bool_()
    if dict[str, int] in kinds:  # a date
        return pa.struct({name: pa.int64() for name in ("year", "month", "day")})
    return pa.string()
