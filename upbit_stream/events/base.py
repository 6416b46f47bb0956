"""What all events share."""

from __future__ import annotations

import time
from datetime import datetime as _datetime
from datetime import timedelta, timezone
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias, TypeVar

import msgspec
from msgspec.structs import astuple

_S = TypeVar("_S", bound=msgspec.Struct)

# What a reader's type checker sees is the complete frame; what the decoder must accept is
# "anything may be missing or null". Hence two readings of the same names.
if TYPE_CHECKING:
    Number: TypeAlias = float
    Integer: TypeAlias = int
    Text: TypeAlias = str
    Flag: TypeAlias = bool
    StreamType: TypeAlias = Literal["SNAPSHOT", "REALTIME", "BACKFILL"]
    Side: TypeAlias = Literal["ASK", "BID"]
else:
    # Literals decode to one shared string each: cheaper than a new string per message. A value
    # that is not listed takes the decoder's slow path and passes through unchanged.
    Number = float | None
    Integer = int | None
    Text = str | None
    Flag = bool | None
    StreamType = Literal["SNAPSHOT", "REALTIME", "BACKFILL"] | None
    Side = Literal["ASK", "BID"] | None

_encode_json = msgspec.json.Encoder(decimal_format="number").encode
_EPOCH = _datetime(1970, 1, 1, tzinfo=timezone.utc)
# From here on, in milliseconds and as it is, nothing can be told in the zones east of UTC.
_LAST_DAY = _datetime(9999, 12, 31, tzinfo=timezone.utc)
_NO_TIME = (_LAST_DAY - _EPOCH) // timedelta(milliseconds=1)


def key(short: str) -> Any:
    """A field that is None when absent, with its key in the SIMPLE format."""
    return msgspec.field(default=None, name=short)


def utc(milliseconds: int | None) -> _datetime | None:
    """A timestamp of the exchange as an aware datetime; None for a number that is no time."""
    # One odd number must not end whoever shows the time of each event.
    if milliseconds is None or not 0 <= milliseconds < _NO_TIME:
        return None
    return _EPOCH + timedelta(milliseconds=milliseconds)


def utc_text(text: str | None) -> _datetime | None:
    """A time of the exchange in words, UTC, as an aware datetime; None for words that tell none."""
    try:
        moment = None if text is None else _datetime.fromisoformat(text + "+00:00")
    except ValueError:
        return None
    return moment if moment is None or _EPOCH <= moment < _LAST_DAY else None


def _restore(cls: type[_S], values: tuple[Any, ...]) -> _S:
    return cls(**dict(zip(cls.__struct_fields__, values, strict=True)))


class Record(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A value of the wire: an event, or a part of one."""

    #: The class that stands for this kind of value in public; the decoders of the other wire
    #: formats fill subclasses of it, which only differ in how they are read.
    _public: ClassVar[Any]  # a type[Record]; in subclasses ``type`` is a field

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not cls.__dict__.get("_is_wire_variant", False):
            cls._public = cls

    def to_dict(self) -> dict[str, Any]:
        """As plain values: a dict with the names of the DEFAULT format.

        Every field of the class is there (None where the exchange sent nothing), of events
        ``received_at``, too; what is inside is dicts and lists. Decimals stay what they are:
        ``json.dumps(event.to_dict(), default=str)``, or :meth:`to_json`.
        """
        return {name: _plain(getattr(self, name)) for name in self.__struct_fields__}

    def to_json(self) -> str:
        """:meth:`to_dict` as JSON. Decimals are numbers with every digit that they have:
        ``json.loads(text, parse_float=Decimal)`` reads them back.
        """
        return _encode_json(self.to_dict()).decode()

    def _identity(self) -> tuple[Any, ...]:
        return astuple(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Record):
            return NotImplemented
        return self._public is other._public and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash((self._public, *map(_hashable, self._identity())))

    def __reduce__(self) -> tuple[Any, ...]:
        # Pickles as the public class: the variants of the wire formats are not importable.
        return _restore, (self._public, astuple(self))


def _plain(value: Any) -> Any:
    if isinstance(value, Record):
        return value.to_dict()
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return value.copy()
    return value


def _hashable(value: Any) -> Any:
    return tuple(sorted(value.items())) if isinstance(value, dict) else value


class Event(Record, frozen=True, kw_only=True, gc=False):
    """What all events share. Immutable, equal when they tell the same (whenever it came), may be
    keys of a dict, and can be pickled.
    """

    # The fields of an event class stand in the order in which the exchange writes them: the decoder
    # looks for each key behind the one before it, and out of order it took a quarter longer.

    #: ``ticker``, ``trade``, ``orderbook``, ``candle.1m`` …
    type: str = key("ty")
    #: The market, such as ``KRW-BTC``; None for what is about no market.
    code: Text = key("cd")
    if TYPE_CHECKING:  # every event has them, each class at their place on its wire
        #: The exchange's time, in milliseconds since the epoch.
        timestamp: Integer = key("tms")
        #: ``SNAPSHOT`` (the state when it was asked for), ``REALTIME``, or ``BACKFILL`` (missed by
        #: a lost connection, and fetched over REST).
        stream_type: StreamType = key("st")
    #: When it came here, in nanoseconds since the epoch.
    # Never on the wire ("@" keeps the name apart from whatever the exchange may add): the
    # default is taken while the frame is decoded, right after the bytes came off the socket.
    received_at: int = msgspec.field(default_factory=time.time_ns, name="@received_at")

    @property
    def datetime(self) -> _datetime | None:
        """``timestamp`` as an aware datetime (UTC)."""
        return utc(self.timestamp)

    @property
    def received_datetime(self) -> _datetime:
        """``received_at`` as an aware datetime (UTC), to the microsecond."""
        return _EPOCH + timedelta(microseconds=self.received_at // 1000)

    def _repr_html_(self) -> str:
        from upbit_stream.notebook.cards import event_card

        return event_card(self)

    def _identity(self) -> tuple[Any, ...]:
        fields = self.__struct_fields__
        return tuple(getattr(self, name) for name in fields if name != "received_at")
