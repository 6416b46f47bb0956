"""Lines as a Parquet file: a column for each field of the types that were recorded.

Numbers are doubles, or with ``numbers="decimal"`` texts with every digit, because no decimal type
of Parquet holds both the integers and the fractions of a balance.

Importing this module needs pyarrow, and says so where it is missing. pyarrow has no types, hence
the ``Any`` in here, which does not leave it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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

__all__ = ["count_rows", "heads", "rows", "write_parquet"]

# Bytes of lines that become a row group: what is held in memory at a time.
_GROUP = 16 << 20
_ROWS = 10_000


def write_parquet(
    lines: Iterable[bytes], path: Path, types: Iterable[str], numbers: Numbers | None
) -> None:
    """Write chunks of whole lines as one complete file. ``types`` are those that occur."""
    schema = _schema(types, numbers)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for group in _groups(lines):
            table = pj.read_json(
                pa.BufferReader(group),
                # One block: a line must not straddle two.
                pj.ReadOptions(use_threads=False, block_size=len(group)),
                pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
            )
            writer.write_table(table)


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


def _groups(lines: Iterable[bytes]) -> Iterator[bytes]:
    group, size = list[bytes](), 0
    for chunk in lines:
        group.append(chunk)
        size += len(chunk)
        if size >= _GROUP:
            yield b"".join(group)
            group, size = [], 0
    if size:
        yield b"".join(group)


def _schema(types: Iterable[str], numbers: Numbers | None) -> Any:
    present = {type_.partition(".")[0] for type_ in types}
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
