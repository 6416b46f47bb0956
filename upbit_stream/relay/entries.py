"""An event as an entry of a broker, and back; and what makes two entries the same event.

An entry is the event in msgpack, with the short keys of the SIMPLE format. It was measured against
SIMPLE JSON (see docs/scale.md): a quarter smaller, twice to four times as quick to write.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Any, Literal

import msgspec

from upbit_stream.errors import DecodingError
from upbit_stream.events import Event, Trade
from upbit_stream.protocol.decoding import EVENT_CLASSES, Decoder
from upbit_stream.protocol.variants import wire_variant
from upbit_stream.protocol.wire_format import WireFormat
from upbit_stream.recovery.history import IDS_PER_MS
from upbit_stream.relay.lanes import Lane

# As it is, for what the type checker takes for any struct.
_replace: Any = msgspec.structs.replace

__all__ = ["ORDER_DIGITS", "Entry", "EntryReader", "EntryWriter"]

#: Digits of an order, with leading zeros: so orders compare as texts, where numbers are floats.
ORDER_DIGITS = 20

# When it was received differs from publisher to publisher: the key, and a number of nine bytes.
_RECEIVED = b"@received_at"
_RECEIVED_LENGTH = len(_RECEIVED) + 9


class Entry(msgspec.Struct, frozen=True, gc=False):
    """An event on its way to a broker."""

    lane: Lane
    #: Of trades the ``sequential_id``, otherwise the exchange's timestamp.
    order: int
    #: Tells events of the same order apart; empty for trades, whose ids are unique.
    mark: str
    payload: bytes


class EntryWriter:
    """Makes entries of events."""

    def __init__(self) -> None:
        self._encode = msgspec.msgpack.Encoder().encode

    def write(self, event: Event) -> Entry:
        """The entry of an event of a public type."""
        kind = type(event)
        if kind is not kind._public:  # it came in another wire format, or with decimals
            event = _with_short_keys(event)
        if event.stream_type == "SNAPSHOT":
            # To who follows, it is news like any other.
            event = _replace(event, stream_type="REALTIME")
        payload = self._encode(event)
        lane = Lane(event.type, event.code)
        order = event.timestamp or 0
        if isinstance(event, Trade):
            if event.sequential_id is not None:
                return Entry(lane, event.sequential_id, "", payload)
            order *= IDS_PER_MS
        at = payload.index(_RECEIVED)
        content = zlib.crc32(payload[at + _RECEIVED_LENGTH :], zlib.crc32(payload[:at]))
        return Entry(lane, order, f"{content:08x}", payload)


def _with_short_keys(event: Event) -> Event:
    values = {name: _public_value(getattr(event, name)) for name in event.__struct_fields__}
    twin: Event = type(event)._public(**values)
    return twin


def _public_value(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_public_value(one) for one in value)
    if isinstance(value, msgspec.Struct):
        names = value.__struct_fields__
        return type(value)._public(  # type: ignore[attr-defined]
            **{name: _public_value(getattr(value, name)) for name in names}
        )
    return value


class EntryReader:
    """Makes events of entries' payloads, with the numbers that the reader wants."""

    def __init__(self, numbers: Literal["float", "decimal"]) -> None:
        decimals = numbers == "decimal"
        self._decoders: dict[str, Callable[[bytes], Any]] = {
            name: msgspec.msgpack.Decoder(wire_variant(cls, True, decimals), strict=False).decode
            for name, cls in EVENT_CLASSES.items()
        }
        # Reads what does not fit: values that this version does not know.
        self._patient = Decoder(WireFormat.SIMPLE, numbers)

    def read_all(
        self, lane: Lane, payloads: Sequence[bytes], tell: Callable[[DecodingError], object]
    ) -> list[Event]:
        """:meth:`read` each; what is none is told and left out."""
        try:
            decode = self._decoders[lane.type.partition(".")[0]]
            events = [decode(payload) for payload in payloads]
            if all(event.code == lane.code and event.type == lane.type for event in events):
                return events
        except (KeyError, msgspec.MsgspecError):
            pass
        events = []  # one of them is unusual
        for payload in payloads:
            try:
                events.append(self.read(lane, payload))
            except DecodingError as error:
                tell(error)
        return events

    def read(self, lane: Lane, payload: bytes) -> Event:
        """The event; :class:`DecodingError` for what is none of that lane. It was received when the
        publisher received it.
        """
        try:
            event: Any = self._decoders[lane.type.partition(".")[0]](payload)
        except (KeyError, msgspec.MsgspecError):
            event = self._read_patiently(payload)
        if event.code != lane.code or event.type != lane.type:
            raise _none_of_it(payload)
        found: Event = event
        return found

    def _read_patiently(self, payload: bytes) -> Event:
        try:
            document = msgspec.json.encode(msgspec.msgpack.decode(payload))
            events = self._patient.decode_all([document])
        except (msgspec.MsgspecError, TypeError, ValueError):
            events = []
        if len(events) == 1 and isinstance(event := events[0], Event):
            return event
        raise _none_of_it(payload)


def _none_of_it(payload: bytes) -> DecodingError:
    return DecodingError(
        f"an entry of {len(payload)} bytes is no event of its lane, and the stream goes on without "
        f"it; it begins with {payload[:60]!r}; check what else writes to that broker",
        excerpt=payload[:200],
    )
