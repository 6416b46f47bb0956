"""From a frame's payload to an event or a message.

The fast path looks at one byte of the payload, which tells the type (``{"ty":"trade"…``), and
decodes straight into that type's class. Whatever does not fit, because it is an error, an old
frame, an unknown type or value, or garbage, takes the slow path, which reads any JSON, knows
both spellings of every key, and never raises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, TypeAlias, get_args, get_origin

import msgspec

from upbit_stream.errors import DecodingError
from upbit_stream.events import (
    Announcement,
    Candle,
    Event,
    Indicator,
    IndicatorSignal,
    MyAsset,
    MyOrder,
    Orderbook,
    Record,
    Ticker,
    Trade,
)
from upbit_stream.protocol.endpoints import Endpoint
from upbit_stream.protocol.variants import wire_variant
from upbit_stream.protocol.wire_format import WireFormat

__all__ = [
    "EVENT_CLASSES",
    "Decoder",
    "Message",
    "Payload",
    "ServerError",
    "Status",
    "SubscriptionList",
    "Undecodable",
    "UnknownType",
]

Payload: TypeAlias = "bytes | bytearray | memoryview"

#: The class of each type on the wire. Candle units share one.
EVENT_CLASSES: Mapping[str, type[Event]] = {
    "ticker": Ticker,
    "trade": Trade,
    "orderbook": Orderbook,
    "candle": Candle,
    "myOrder": MyOrder,
    "myAsset": MyAsset,
    "announcement": Announcement,
    "indicator": Indicator,
    "indicator_signal": IndicatorSignal,
}

# What the fast path knows on each endpoint: types whose third letters differ. (Signals are rare,
# and take the slow path.)
_FAST = {
    Endpoint.PUBLIC: ("ticker", "trade", "orderbook", "candle"),
    Endpoint.PRIVATE: ("myOrder", "myAsset", "announcement"),
    Endpoint.INFO: ("indicator",),
}

# The old frames of 2018 name no type; these fields give it away.
_TELLTALES = (
    ("sequential_id", "trade"),
    ("orderbook_units", "orderbook"),
    ("acc_trade_price", "ticker"),
)
# The keys that one field had over the years.
_OLD_KEYS = {"code": ("mk", "market")}

_EXCERPT = 200

# Digits of an integer field; 1E99999999 is a short text, but not a number to work out.
_INTEGER_DIGITS = 40


class ServerError(msgspec.Struct, frozen=True):
    """``{"error": …}``: the server will close the connection right after it."""

    name: str
    message: str


class Status(msgspec.Struct, frozen=True):
    """``{"status": "UP"}``: the answer to a text ``PING``."""

    status: str


class SubscriptionList(msgspec.Struct, frozen=True):
    """The answer to ``LIST_SUBSCRIPTIONS``, with the keys of the DEFAULT format."""

    ticket: str | None
    result: tuple[Mapping[str, Any], ...]


class UnknownType(msgspec.Struct, frozen=True):
    """A well-formed message of a type that this version does not know."""

    type: str


class Undecodable(msgspec.Struct, frozen=True):
    """A frame that is nothing that Upbit documents."""

    error: DecodingError


Message: TypeAlias = ServerError | Status | SubscriptionList | UnknownType | Undecodable


class Decoder:
    """Decodes what one connection carries. It holds no state: any thread may use it."""

    def __init__(
        self,
        wire_format: WireFormat = WireFormat.SIMPLE,
        numbers: Literal["float", "decimal"] = "float",
        endpoint: Endpoint = Endpoint.PUBLIC,
    ) -> None:
        self._decimals = numbers == "decimal"
        self._generic = msgspec.json.Decoder(float_hook=Decimal if self._decimals else None)
        # '{"type":"trade"' or '{"ty":"trade"', in a list one byte later: the third letter of
        # the type is a different one for each that comes from this endpoint.
        start = len('{"ty":"' if wire_format.short_keys else '{"type":"')
        self._telling = start + 2 + wire_format.is_list
        self._fast: dict[int, Callable[[Payload], Any]] = {
            ord(name[2]): msgspec.json.Decoder(
                wire_variant(EVENT_CLASSES[name], wire_format.short_keys, self._decimals)
            ).decode
            for name in _FAST[endpoint]
        }
        #: All payloads of a batch as events and messages, in their order. Never raises.
        self.decode_all = self._decode_lists if wire_format.is_list else self._decode_objects

    def _decode_objects(self, payloads: Iterable[Payload]) -> list[Event | Message]:
        fast, telling = self._fast, self._telling
        try:
            return [fast[payload[telling]](payload) for payload in payloads]
        except Exception:  # whatever it was, the slow path finds out
            return self._decode_each(payloads, slice(None))

    def _decode_lists(self, payloads: Iterable[Payload]) -> list[Event | Message]:
        fast, telling = self._fast, self._telling
        try:
            # Almost always a list of one: its brackets aside, it is an object.
            return [fast[payload[telling]](payload[1:-1]) for payload in payloads]
        except Exception:
            return self._decode_each(payloads, slice(1, -1))

    def _decode_each(self, payloads: Iterable[Payload], inside: slice) -> list[Event | Message]:
        """One of them is unusual: fast for each that is not."""
        decoded: list[Event | Message] = []
        for payload in payloads:
            try:
                decoded.append(self._fast[payload[self._telling]](payload[inside]))
            except Exception:
                decoded += self._decode_slowly(payload)
        return decoded

    def _decode_slowly(self, payload: Payload) -> list[Event | Message]:
        try:
            document = self._generic.decode(payload)
            items = document if isinstance(document, list) else [document]
            return [self._interpret(item) for item in items]
        except Exception as error:  # what JSON can hold, nobody can list
            excerpt = bytes(payload[:_EXCERPT])
            told = DecodingError(
                f"a frame of {len(payload)} bytes could not be decoded ({error}); "
                f"it begins with {excerpt[:60]!r}; it is counted and left out, the stream goes on",
                excerpt=excerpt,
            )
            return [Undecodable(told)]

    def _interpret(self, item: Any) -> Event | Message:
        if not isinstance(item, dict):
            raise DecodingError(f"a JSON object was expected, not {type(item).__name__}")
        if isinstance(error := item.get("error"), dict):
            return ServerError(str(error.get("name")), str(error.get("message")))
        if "method" in item or "mthd" in item:
            return _subscription_list(item)
        type_ = item.get("type", item.get("ty"))
        if type_ is None:
            if "status" in item:
                return Status(str(item["status"]))
            type_ = _guess_type(item)
        if not isinstance(type_, str):
            raise DecodingError("a message without a type")
        cls = EVENT_CLASSES.get("candle" if type_.startswith("candle.") else type_)
        if cls is None:
            return UnknownType(type_)
        event: Event = self._build(cls, {**item, "type": type_})
        return event

    def _build(self, cls: type[msgspec.Struct], item: dict[str, Any]) -> Any:
        """``cls`` from a mapping with long or short keys, values made to fit where they can."""
        values = {}
        for field in msgspec.structs.fields(cls):
            for name in (field.name, field.encode_name, *_OLD_KEYS.get(field.name, ())):
                if item.get(name) is not None:
                    values[field.name] = self._fit(field, item[name])
                    break
        return cls(**values)

    def _fit(self, field: msgspec.structs.FieldInfo, value: Any) -> Any:
        kinds = set(get_args(field.type)) or {field.type}
        part, many = _nested(kinds)
        try:
            if part is not None:
                if many and isinstance(value, list):
                    return tuple(self._build(part, one) for one in value)
                if not many and isinstance(value, dict):
                    return self._build(part, value)
            elif float in kinds and not isinstance(value, bool):
                return Decimal(value) if self._decimals else float(value)
            elif int in kinds and not isinstance(value, bool):
                exact = Decimal(value)
                if exact.adjusted() < _INTEGER_DIGITS and exact == exact.to_integral_value():
                    return int(exact)
            elif bool in kinds:
                if isinstance(value, bool):
                    return value
            elif dict[str, int] in kinds:
                if isinstance(value, dict):
                    return value
            elif isinstance(value, str):
                # Those with a set of known values let others through.
                return value
        except (ValueError, TypeError, AttributeError, OverflowError, InvalidOperation):
            pass
        raise DecodingError(f"{field.name}={value!r} is not what that field holds")


def _nested(kinds: set[Any]) -> tuple[type[Record] | None, bool]:
    """The class of what is inside a field of these kinds, and whether there are many of it."""
    for kind in kinds:
        many = get_origin(kind) is tuple
        inner = get_args(kind)[0] if many else kind
        if isinstance(inner, type) and issubclass(inner, Record):
            return inner, many
    return None, False


def _guess_type(item: dict[str, Any]) -> str | None:
    for long, type_ in _TELLTALES:
        short = next(
            field.encode_name
            for field in msgspec.structs.fields(EVENT_CLASSES[type_])
            if field.name == long
        )
        if long in item or short in item:
            return type_
    return None


def _subscription_list(item: dict[str, Any]) -> SubscriptionList:
    long = {"ty": "type", "cds": "codes", "lv": "level", "tf": "timeframe", "ind": "indicators"}
    rows = item.get("result", item.get("rslt")) or []
    ticket = item.get("ticket", item.get("tckt"))
    result = tuple(
        {long.get(str(name), str(name)): value for name, value in row.items()}
        for row in rows
        if isinstance(row, dict)
    )
    return SubscriptionList(ticket if isinstance(ticket, str) else None, result)
