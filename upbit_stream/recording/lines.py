"""An event as a line of JSON with the names of the DEFAULT format, and back.

``{"type":"trade","code":"KRW-BTC",…,"stream_type":"REALTIME","received_at":1787728554853000000}``

What the exchange left out is not written. Numbers keep their value to the last digit.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from functools import cache
from itertools import groupby
from typing import Annotated, Any, Literal, TypeAlias, get_args, get_origin

import msgspec

from upbit_stream.errors import RecordingError
from upbit_stream.events import Event, Record
from upbit_stream.protocol.decoding import EVENT_CLASSES, Decoder
from upbit_stream.protocol.variants import wire_variant
from upbit_stream.protocol.wire_format import WireFormat

__all__ = ["Head", "LineReader", "LineWriter", "Numbers", "class_of", "numbers_of", "part_of"]

#: What the numbers of an event are: floats, or exact decimals.
Numbers: TypeAlias = Literal["float", "decimal"]

_BEGIN = b'{"type":"'


class Head(msgspec.Struct, gc=False):
    """What is counted of a line."""

    type: str
    code: str | None = None
    timestamp: int | None = None


def part_of(annotation: Any) -> tuple[type[Record] | None, bool]:
    """The class of what is inside a field, None for a plain value; and whether it is many."""
    for kind in get_args(annotation) or (annotation,):
        many = get_origin(kind) is tuple
        inner = get_args(kind)[0] if many else kind
        if isinstance(inner, type) and issubclass(inner, Record):
            return inner, many
    return None, False


def class_of(type_: str) -> type[Event] | None:
    """The class of a type on the wire."""
    return EVENT_CLASSES.get("candle" if type_.startswith("candle.") else type_)


# From events to lines.


@cache
def _written(cls: type[Record]) -> Any:
    """A struct with the fields of ``cls`` as they are written; values are taken as they come."""
    fields = []
    for field in msgspec.structs.fields(cls):
        part, many = part_of(field.type)
        kind: Any = Any
        if part is not None:
            kind = tuple[_written(part), ...] if many else _written(part)  # type: ignore[misc]
            kind = kind | None
        fields.append((field.name, kind, None))
    # When it came is ours, and stands behind what is the exchange's.
    fields.sort(key=lambda one: one[0] == "received_at")
    return msgspec.defstruct(
        cls.__name__, fields, kw_only=True, gc=False, frozen=True, omit_defaults=True
    )


class LineWriter:
    """Writes events as lines.

    ``exact``: how decimals are written, as JSON numbers or (for a reader that has no others than
    floats) as texts.
    """

    def __init__(self, exact: Literal["number", "string"] = "number") -> None:
        self._encode = msgspec.json.Encoder(decimal_format=exact).encode_lines

    def write(self, events: Iterable[Event]) -> bytes:
        """``events`` as lines, each with its end; raises what an impossible value raises."""
        return b"".join(
            self._encode(msgspec.convert(list(some), list[_written(cls)], from_attributes=True))  # type: ignore[misc]
            for cls, some in groupby(events, type)
        )


@cache
def _numbered_fields(cls: type[Record]) -> tuple[tuple[str, bool], ...]:
    """The fields that hold a number, and (True) those that hold something with numbers."""
    fields = []
    for field in msgspec.structs.fields(cls):
        kinds = get_args(field.type) or (field.type,)
        nested = part_of(field.type)[0] is not None
        if nested or float in kinds or Decimal in kinds:
            fields.append((field.name, nested))
    return tuple(fields)


def numbers_of(record: Record) -> Numbers | None:
    """What the numbers of an event are; None when it has none."""
    for name, nested in _numbered_fields(type(record)):
        value = getattr(record, name)
        if value is None:
            continue
        if not nested:
            return "decimal" if isinstance(value, Decimal) else "float"
        for one in value if isinstance(value, tuple) else (value,):
            inside = numbers_of(one)
            if inside is not None:
                return inside
    return None


# From lines to events.


# What does not fit into 64 bits is no time, and no clock can show it.
_Moment = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


@cache
def _read(cls: type[Event], decimals: bool) -> Any:
    """The class to decode a line into: its twin on the wire of long names, which is told when it
    was received.
    """
    variant = wire_variant(cls, False, decimals)
    fields = []
    for field in msgspec.structs.fields(variant):
        if field.name == "received_at":
            declared = msgspec.field(default_factory=field.default_factory, name="received_at")
            fields.append((field.name, _Moment, declared))
        else:
            declared = msgspec.field(default=field.default, name=field.encode_name)
            fields.append((field.name, field.type, declared))
    return msgspec.defstruct(
        cls.__name__,
        fields,
        bases=(variant,),
        module=cls.__module__,
        namespace={"_is_wire_variant": True, "__doc__": cls.__doc__},
        frozen=True,
        kw_only=True,
        gc=False,
    )


class LineReader:
    """Reads lines, and rows of a table, as typed events."""

    def __init__(self, numbers: Numbers) -> None:
        decimals = numbers == "decimal"
        self._classes = {name: _read(cls, decimals) for name, cls in EVENT_CLASSES.items()}
        self._decoders = {
            name.encode(): msgspec.json.Decoder(cls).decode for name, cls in self._classes.items()
        }
        # Reads what does not fit: values that this version does not know.
        self._patient = Decoder(WireFormat.DEFAULT, numbers)

    def read(self, line: bytes) -> Event:
        """The event of a line; :class:`RecordingError` for a line that is none."""
        try:
            start = len(_BEGIN)
            kind = line[start : line.index(b'"', start)].partition(b".")[0]
            event: Event = self._decoders[kind](line)
        except (ValueError, KeyError, msgspec.MsgspecError):
            return self._read_patiently(line)
        return event

    def read_row(self, row: dict[str, Any]) -> Event:
        """The event of a row with the names of the DEFAULT format."""
        try:
            cls = self._classes[row["type"].partition(".")[0]]
            event: Event = msgspec.convert(row, cls, strict=False)
        except (KeyError, AttributeError, msgspec.MsgspecError):
            return self._read_patiently(msgspec.json.encode(row))
        return event

    def _read_patiently(self, line: bytes) -> Event:
        events = self._patient.decode_all([line])
        if len(events) == 1 and isinstance(event := events[0], Event):
            return event
        raise RecordingError(f"a line is no event; it begins with {bytes(line[:60])!r}")
