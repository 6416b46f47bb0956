"""From events of one type to named columns: what a frame has, whichever library makes it.

Nothing of pandas or polars is known here.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any, Literal, TypeAlias, get_args, get_origin

import msgspec

from upbit_stream.events import (
    Asset,
    Candle,
    Event,
    Indicator,
    IndicatorSignal,
    MyAsset,
    Orderbook,
    Record,
    Trade,
)

__all__ = ["TIME", "Column", "Kind", "columns_of"]

#: The column of the times in which a frame is ordered; in pandas the index.
TIME = "time"


class Kind(Enum):
    """What a column holds. Values that are missing are None."""

    #: Nanoseconds since the epoch.
    MOMENT = "moment"
    FLOAT = "float"
    #: Numbers with every digit of the wire.
    DECIMAL = "decimal"
    INTEGER = "integer"
    #: Integers some of which need all 64 bits, and such as no 64 bits hold.
    UNSIGNED = "unsigned"
    HUGE = "huge"
    FLAG = "flag"
    #: One of a few texts.
    CATEGORY = "category"
    TEXT = "text"


class Column(msgspec.Struct, frozen=True):
    """Values of one kind under one name, one for each row."""

    name: str
    kind: Kind
    values: list[Any]
    #: Of a category: the texts that may come, in their order; those of the values are among them.
    categories: tuple[str, ...] = ()


Rows: TypeAlias = "Sequence[Any]"

# The time in which rows are ordered; ``timestamp`` where nothing is said.
_TIMES: dict[type[Event], str] = {
    Trade: "trade_timestamp",
    Candle: "candle_date_time_utc",
    Indicator: "candle_date_time_utc",
    IndicatorSignal: "candle_date_time_utc",
}
# What a frame leaves out: what is the same in each row, and what says in words what another
# column says as a time.
_LEFT_OUT = frozenset({"type", "trade_date", "trade_time", "candle_date_time_kst"})
_MOMENTS = frozenset({"candle_date_time_utc", "first_listed_at", "listed_at"})
_TEXTS = frozenset({"asset_uuid", "body", "identifier", "title", "trade_uuid", "url", "uuid"})
# Milliseconds from the epoch to the end of what 64 bits of nanoseconds can count, in 2262.
_FARTHEST = (2**63 - 1) // 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def columns_of(events: Iterable[Event], cls: type[Event] | None = None) -> list[Column]:
    """The columns of a frame of ``events``, rows in the order of their times; the first column is
    :data:`TIME`. ``cls`` is their public class, for when there are none.

    Raises ``ValueError`` for events of several types, which have no columns in common.
    """
    kept = list(events)
    types = dict.fromkeys(event.type for event in kept)
    if len(types) > 1:
        raise ValueError(
            f"a frame has events of one type, and these are {', '.join(types)}: choose, as in "
            f"(event for event in events if event.type == {next(iter(types))!r})"
        )
    if kept:
        cls = kept[0]._public
    if cls is None:
        return [Column(TIME, Kind.MOMENT, [])]
    by = _TIMES.get(cls, "timestamp")
    # Stable: events of one moment stay in the order in which they came. Without a time: at the end.
    timed = [(_nanoseconds(getattr(event, by)), event) for event in kept]
    timed.sort(key=lambda one: (one[0] is None, one[0] or 0))
    if cls is MyAsset:  # a row for each currency
        rows = [
            (time, event, asset)
            for time, event in timed
            if isinstance(event, MyAsset)
            for asset in event.assets or ()
        ]
        return [
            Column(TIME, Kind.MOMENT, [time for time, _, _ in rows]),
            *_fields(Asset, [asset for _, _, asset in rows]),
            *_fields(cls, [event for _, event, _ in rows], but={by, "code", "assets"}),
        ]
    ordered = [event for _, event in timed]
    columns = [Column(TIME, Kind.MOMENT, [time for time, _ in timed])]
    columns += _fields(cls, ordered, but={by, "orderbook_units"})
    return columns + _book(ordered) if cls is Orderbook else columns


def _fields(cls: type[Record], rows: Rows, but: Container[str] = ()) -> list[Column]:
    """A column for each field of ``cls``, those of what is inside among them."""
    fields = [field for field in msgspec.structs.fields(cls) if field.name not in but]
    # The code is what a person looks for first, and when it came is ours.
    fields.sort(key=lambda field: (field.name != "code", field.name == "received_at"))
    columns: list[Column] = []
    for field in fields:
        if issubclass(cls, Event) and field.name in _LEFT_OUT:
            continue
        values = [getattr(row, field.name, None) for row in rows]
        inside = _inside(field.type)
        if inside is None:
            columns.append(_column(field.name, field.type, values))
            continue
        for column in _fields(inside, values):
            # Of what each indicator uses some: what none has used is no column.
            if any(value is not None for value in column.values):
                name = f"{field.name}_{column.name}"
                columns.append(msgspec.structs.replace(column, name=name))
    return columns


def _inside(annotation: Any) -> type[Record] | None:
    """The class of what is inside a field; None for a plain value."""
    for kind in get_args(annotation):
        if isinstance(kind, type) and issubclass(kind, Record):
            return kind
    return None


def _column(name: str, annotation: Any, values: list[Any]) -> Column:
    kinds = get_args(annotation) or (annotation,)
    if name == "received_at":
        return Column(name, Kind.MOMENT, values)
    if name in _MOMENTS or name.endswith("timestamp"):
        return Column(name, Kind.MOMENT, [_nanoseconds(value) for value in values])
    if float in kinds:
        return _numbers(name, values)
    if bool in kinds:
        return Column(name, Kind.FLAG, values)
    if int in kinds:
        return _integers(name, values)
    if name in _TEXTS:
        return Column(name, Kind.TEXT, values)
    if name == "delisting_date":
        values = [_date(value) for value in values]
    known = [text for kind in kinds if get_origin(kind) is Literal for text in get_args(kind)]
    others = sorted({value for value in values if value is not None}.difference(known))
    return Column(name, Kind.CATEGORY, values, categories=(*known, *others))


def _numbers(name: str, values: list[Any]) -> Column:
    exact = any(isinstance(value, Decimal) for value in values)
    return Column(name, Kind.DECIMAL if exact else Kind.FLOAT, values)


def _integers(name: str, values: list[Any]) -> Column:
    given = [value for value in values if value is not None]
    least, most = min(given, default=0), max(given, default=0)
    if least >= -(2**63) and most < 2**63:
        return Column(name, Kind.INTEGER, values)
    return Column(name, Kind.UNSIGNED if least >= 0 and most < 2**64 else Kind.HUGE, values)


def _book(books: Sequence[Any]) -> list[Column]:
    """What order books are asked for, and their rows beside each other."""
    columns = [
        _numbers(name, [getattr(book, name) for book in books])
        for name in ("best_bid", "best_ask", "spread", "mid")
    ]
    sides = {"bid": [book.bids for book in books], "ask": [book.asks for book in books]}
    depth = max((len(levels) for side in sides.values() for levels in side), default=0)
    for row in range(depth):
        for side, each in sides.items():
            # Where a side has fewer rows, there is nothing.
            here = [levels[row] if row < len(levels) else (None, None) for levels in each]
            columns.append(_numbers(f"{side}_price_{row + 1}", [price for price, _ in here]))
            columns.append(_numbers(f"{side}_size_{row + 1}", [size for _, size in here]))
    return columns


def _nanoseconds(value: int | str | None) -> int | None:
    """A time of the exchange, in milliseconds or in words; None for what no frame can hold."""
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value.replace("Z", "+00:00"))
        except ValueError:
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=timezone.utc)
        value = (moment - _EPOCH) // timedelta(milliseconds=1)
    return None if value is None or abs(value) > _FARTHEST else value * 1_000_000


def _date(value: dict[str, int] | None) -> str | None:
    if value is None:
        return None
    return "-".join(f"{value[part]:02}" for part in ("year", "month", "day") if part in value)
