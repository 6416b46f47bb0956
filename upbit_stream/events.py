"""The typed events: one class for each kind of message, whatever the wire format.

A field has the name of Upbit's ``DEFAULT`` format and the short key of its ``SIMPLE`` format
beside it, so that this module is also the table of the wire's keys::

    trade_price: Number = key("tp")

What holds for every event:

* It is immutable. Two events are equal when the exchange said the same in both
  (``received_at`` is not compared).
* **A field that the exchange left out, or sent as null, is None**, whatever its annotation.
  The annotations say what is there in a complete frame, so that
  ``trade.trade_price * trade.trade_volume`` type-checks without ceremony; fields that are
  often absent are annotated ``| None``.
* Numbers are ``float``, or :class:`decimal.Decimal` with every digit of the wire when the
  stream's configuration says ``numbers="decimal"``.
* ``…timestamp`` fields are integers, milliseconds since the epoch (UTC); ``received_at`` is in
  nanoseconds since the epoch. Each has a twin that is an aware :class:`datetime.datetime`.

Source of the fields: Upbit's developer pages of 2026 and frames seen on the wire.
"""

from __future__ import annotations

import time
from datetime import datetime as _datetime
from datetime import timedelta, timezone
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, TypeAlias, TypeVar

import msgspec
from msgspec.structs import asdict, astuple

__all__ = [
    "Candle",
    "Event",
    "Orderbook",
    "OrderbookUnit",
    "PriceLevel",
    "StreamType",
    "Ticker",
    "Trade",
]

# What a reader's type checker sees is the complete frame; what the decoder must accept is
# "anything may be missing or null". Hence two readings of the same names.
if TYPE_CHECKING:
    Number: TypeAlias = float
    Integer: TypeAlias = int
    Text: TypeAlias = str
    Flag: TypeAlias = bool
    StreamType: TypeAlias = Literal["SNAPSHOT", "REALTIME", "BACKFILL"]
    Side: TypeAlias = Literal["ASK", "BID"]
    Change: TypeAlias = Literal["RISE", "EVEN", "FALL"]
    MarketState: TypeAlias = Literal["PREVIEW", "ACTIVE", "DELISTED"]
else:
    # Literals decode to one shared string each: cheaper than a new string per message. A value
    # that is not listed takes the decoder's slow path and passes through unchanged.
    Number = float | None
    Integer = int | None
    Text = str | None
    Flag = bool | None
    StreamType = Literal["SNAPSHOT", "REALTIME", "BACKFILL"] | None
    Side = Literal["ASK", "BID"] | None
    Change = Literal["RISE", "EVEN", "FALL"] | None
    MarketState = Literal["PREVIEW", "ACTIVE", "DELISTED"] | None

CandleUnit: TypeAlias = Literal["1s", "1m", "3m", "5m", "10m", "15m", "30m", "60m", "240m"]

_EPOCH = _datetime(1970, 1, 1, tzinfo=timezone.utc)


def key(short: str) -> Any:
    """A field that is None when absent, with its key in the SIMPLE format."""
    return msgspec.field(default=None, name=short)


def _utc(milliseconds: int | None) -> _datetime | None:
    return None if milliseconds is None else _EPOCH + timedelta(milliseconds=milliseconds)


def _restore(cls: type[_E], values: tuple[Any, ...]) -> _E:
    return cls(**dict(zip(cls.__struct_fields__, values, strict=True)))


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What all events share."""

    #: The class that stands for this kind of event in public; the decoders of the other wire
    #: formats fill subclasses of it, which only differ in how they are read.
    _public: ClassVar[Any]  # type[Event]; here ``type`` is a field

    type: str = key("ty")
    code: Text = key("cd")
    timestamp: Integer = key("tms")
    stream_type: StreamType = key("st")
    # Never on the wire ("@" keeps the name apart from whatever the exchange may add): the
    # default is taken while the frame is decoded, right after the bytes came off the socket.
    received_at: int = msgspec.field(default_factory=time.time_ns, name="@received_at")

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not cls.__dict__.get("_is_wire_variant", False):
            cls._public = cls

    @property
    def datetime(self) -> _datetime | None:
        """``timestamp`` as an aware datetime (UTC)."""
        return _utc(self.timestamp)

    @property
    def received_datetime(self) -> _datetime:
        """``received_at`` as an aware datetime (UTC), to the microsecond."""
        return _EPOCH + timedelta(microseconds=self.received_at // 1000)

    def to_dict(self) -> dict[str, Any]:
        """The event as plain values: a dict with the names of the DEFAULT format.

        Every field of the class is there (None where the exchange sent nothing), nested
        units are dicts, and ``received_at`` is included.
        """
        return asdict(self)

    def _identity(self) -> tuple[Any, ...]:
        fields = self.__struct_fields__
        return tuple(getattr(self, name) for name in fields if name != "received_at")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Event):
            return NotImplemented
        return self._public is other._public and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash((self._public, self._identity()))

    def __reduce__(self) -> tuple[Any, ...]:
        # Pickles as the public class: the variants of the wire formats are not importable.
        return _restore, (self._public, astuple(self))


_E = TypeVar("_E", bound=Event)


class Ticker(Event, frozen=True, kw_only=True, gc=False):
    """The state of a market, sent whenever a trade changes it.

    ``trade_date`` is ``yyyyMMdd`` and ``trade_time`` ``HHmmss``, both UTC. ``change_rate`` is a
    fraction (0.01 is one percent). ``acc_…`` count since 00:00 UTC, ``acc_…_24h`` over 24 hours.
    """

    type: Literal["ticker"] = key("ty")
    opening_price: Number = key("op")
    high_price: Number = key("hp")
    low_price: Number = key("lp")
    trade_price: Number = key("tp")
    prev_closing_price: Number = key("pcp")
    change: Change = key("c")
    change_price: Number = key("cp")
    signed_change_price: Number = key("scp")
    change_rate: Number = key("cr")
    signed_change_rate: Number = key("scr")
    trade_volume: Number = key("tv")
    acc_trade_volume: Number = key("atv")
    acc_trade_volume_24h: Number | None = key("atv24h")
    acc_trade_price: Number = key("atp")
    acc_trade_price_24h: Number | None = key("atp24h")
    trade_date: Text = key("tdt")
    trade_time: Text = key("ttm")
    trade_timestamp: Integer = key("ttms")
    ask_bid: Side = key("ab")
    acc_ask_volume: Number = key("aav")
    acc_bid_volume: Number = key("abv")
    highest_52_week_price: Number = key("h52wp")
    highest_52_week_date: Text = key("h52wdt")
    lowest_52_week_price: Number = key("l52wp")
    lowest_52_week_date: Text = key("l52wdt")
    market_state: MarketState = key("ms")
    delisting_date: dict[str, int] | None = key("dd")
    #: Older fields, still seen now and then.
    is_trading_suspended: Flag | None = key("its")
    market_warning: Text | None = key("mw")

    @property
    def trade_datetime(self) -> _datetime | None:
        """``trade_timestamp`` as an aware datetime (UTC)."""
        return _utc(self.trade_timestamp)


class Trade(Event, frozen=True, kw_only=True, gc=False):
    """One trade.

    ``ask_bid`` is the side of the taker (``ASK``: a sell hit the bids). ``trade_date`` is
    ``yyyy-MM-dd`` and ``trade_time`` ``HH:mm:ss``, both UTC. ``change_price`` has no sign,
    ``change`` tells it. ``sequential_id`` is unique but not consecutive: equal ids show a
    duplicate, a distance between two ids shows nothing.
    """

    type: Literal["trade"] = key("ty")
    trade_price: Number = key("tp")
    trade_volume: Number = key("tv")
    ask_bid: Side = key("ab")
    prev_closing_price: Number = key("pcp")
    change: Change = key("c")
    change_price: Number = key("cp")
    trade_date: Text = key("td")
    trade_time: Text = key("ttm")
    trade_timestamp: Integer = key("ttms")
    sequential_id: Integer = key("sid")
    best_ask_price: Number | None = key("bap")
    best_ask_size: Number | None = key("bas")
    best_bid_price: Number | None = key("bbp")
    best_bid_size: Number | None = key("bbs")

    @property
    def trade_datetime(self) -> _datetime | None:
        """``trade_timestamp`` as an aware datetime (UTC)."""
        return _utc(self.trade_timestamp)


class OrderbookUnit(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One row of an order book: the n-th best ask and the n-th best bid.

    A side with fewer orders than the book has rows is padded with price 0 and size 0.
    """

    ask_price: Number = key("ap")
    bid_price: Number = key("bp")
    ask_size: Number = key("as")
    bid_size: Number = key("bs")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, OrderbookUnit):
            return NotImplemented
        return astuple(self) == astuple(other)

    def __hash__(self) -> int:
        return hash(astuple(self))

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (OrderbookUnit, astuple(self))


if TYPE_CHECKING:
    Units: TypeAlias = tuple[OrderbookUnit, ...]
else:
    Units = tuple[OrderbookUnit, ...] | None


class PriceLevel(NamedTuple):
    """A price and the size that waits there."""

    price: float
    size: float


class Orderbook(Event, frozen=True, kw_only=True, gc=False):
    """A whole order book: every frame carries all of it, there are no deltas.

    ``orderbook_units`` is as sent, best first, with the zero padding; ``bids`` and ``asks``
    are the sides without it. ``level`` is the price grouping asked for (0: none).
    """

    type: Literal["orderbook"] = key("ty")
    total_ask_size: Number = key("tas")
    total_bid_size: Number = key("tbs")
    orderbook_units: Units = key("obu")
    level: Number = key("lv")

    @property
    def asks(self) -> list[PriceLevel]:
        """The sell side, lowest price first."""
        units = self.orderbook_units or ()
        return [PriceLevel(unit.ask_price, unit.ask_size) for unit in units if unit.ask_price]

    @property
    def bids(self) -> list[PriceLevel]:
        """The buy side, highest price first."""
        units = self.orderbook_units or ()
        return [PriceLevel(unit.bid_price, unit.bid_size) for unit in units if unit.bid_price]

    @property
    def best_ask(self) -> float | None:
        """The lowest price at which someone sells; None when nobody does."""
        return (self.orderbook_units[0].ask_price or None) if self.orderbook_units else None

    @property
    def best_bid(self) -> float | None:
        """The highest price at which someone buys; None when nobody does."""
        return (self.orderbook_units[0].bid_price or None) if self.orderbook_units else None

    @property
    def spread(self) -> float | None:
        """``best_ask - best_bid``; None when a side is empty."""
        ask, bid = self.best_ask, self.best_bid
        return None if ask is None or bid is None else ask - bid

    @property
    def mid(self) -> float | None:
        """The middle between the best prices; None when a side is empty."""
        ask, bid = self.best_ask, self.best_bid
        return None if ask is None or bid is None else (ask + bid) / 2

    def to_dict(self) -> dict[str, Any]:
        """As :meth:`Event.to_dict`, with each unit as a dict."""
        plain = super().to_dict()
        if self.orderbook_units is not None:
            plain["orderbook_units"] = [asdict(unit) for unit in self.orderbook_units]
        return plain


class Candle(Event, frozen=True, kw_only=True, gc=False):
    """A candle as it stands: the same candle time is sent again with every change, the last
    one wins.

    ``type`` tells the unit (``candle.1m``), as does ``unit``. A period without a trade has no
    candle.
    """

    type: Literal[
        "candle.1s",
        "candle.1m",
        "candle.3m",
        "candle.5m",
        "candle.10m",
        "candle.15m",
        "candle.30m",
        "candle.60m",
        "candle.240m",
    ] = key("ty")
    candle_date_time_utc: Text = key("cdttmu")
    candle_date_time_kst: Text = key("cdttmk")
    opening_price: Number = key("op")
    high_price: Number = key("hp")
    low_price: Number = key("lp")
    trade_price: Number = key("tp")
    candle_acc_trade_volume: Number = key("catv")
    candle_acc_trade_price: Number = key("catp")

    @property
    def unit(self) -> str:
        """The candle's length: ``1s``, ``1m`` … ``240m``."""
        return self.type.partition(".")[2]

    @property
    def candle_datetime(self) -> _datetime | None:
        """The start of the candle as an aware datetime (UTC)."""
        start = self.candle_date_time_utc
        return None if start is None else _datetime.fromisoformat(start + "+00:00")
