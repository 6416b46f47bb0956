"""Events of the public endpoint: tickers, trades, order books, candles."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from upbit_stream.events.base import (
    Event,
    Flag,
    Integer,
    Number,
    Record,
    Side,
    StreamType,
    Text,
    key,
    utc,
    utc_text,
)

if TYPE_CHECKING:
    Change: TypeAlias = Literal["RISE", "EVEN", "FALL"]
    MarketState: TypeAlias = Literal["PREVIEW", "ACTIVE", "DELISTED"]
else:
    Change = Literal["RISE", "EVEN", "FALL"] | None
    MarketState = Literal["PREVIEW", "ACTIVE", "DELISTED"] | None

CandleUnit: TypeAlias = Literal["1s", "1m", "3m", "5m", "10m", "15m", "30m", "60m", "240m"]
CandleType: TypeAlias = Literal[
    "candle.1s",
    "candle.1m",
    "candle.3m",
    "candle.5m",
    "candle.10m",
    "candle.15m",
    "candle.30m",
    "candle.60m",
    "candle.240m",
]


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
    acc_trade_price: Number = key("atp")
    change: Change = key("c")
    change_price: Number = key("cp")
    signed_change_price: Number = key("scp")
    change_rate: Number = key("cr")
    signed_change_rate: Number = key("scr")
    ask_bid: Side = key("ab")
    trade_volume: Number = key("tv")
    acc_trade_volume: Number = key("atv")
    trade_date: Text = key("tdt")
    trade_time: Text = key("ttm")
    trade_timestamp: Integer = key("ttms")
    acc_ask_volume: Number = key("aav")
    acc_bid_volume: Number = key("abv")
    highest_52_week_price: Number = key("h52wp")
    highest_52_week_date: Text = key("h52wdt")
    lowest_52_week_price: Number = key("l52wp")
    lowest_52_week_date: Text = key("l52wdt")
    market_state: MarketState = key("ms")
    #: An older field, still seen now and then.
    is_trading_suspended: Flag | None = key("its")
    delisting_date: dict[str, int] | None = key("dd")
    #: An older field, still seen now and then.
    market_warning: Text | None = key("mw")
    timestamp: Integer = key("tms")
    acc_trade_price_24h: Number | None = key("atp24h")
    acc_trade_volume_24h: Number | None = key("atv24h")
    stream_type: StreamType = key("st")

    @property
    def trade_datetime(self) -> datetime | None:
        """``trade_timestamp`` as an aware datetime (UTC)."""
        return utc(self.trade_timestamp)


class Trade(Event, frozen=True, kw_only=True, gc=False):
    """One trade.

    ``ask_bid`` is the side of the taker (``ASK``: a sell hit the bids). ``trade_date`` is
    ``yyyy-MM-dd`` and ``trade_time`` ``HH:mm:ss``, both UTC. ``change_price`` has no sign,
    ``change`` tells it. ``sequential_id`` is unique but not consecutive: equal ids show a
    duplicate, a distance between two ids shows nothing.
    """

    type: Literal["trade"] = key("ty")
    timestamp: Integer = key("tms")
    trade_date: Text = key("td")
    trade_time: Text = key("ttm")
    trade_timestamp: Integer = key("ttms")
    trade_price: Number = key("tp")
    trade_volume: Number = key("tv")
    ask_bid: Side = key("ab")
    prev_closing_price: Number = key("pcp")
    change: Change = key("c")
    change_price: Number = key("cp")
    sequential_id: Integer = key("sid")
    best_ask_price: Number | None = key("bap")
    best_ask_size: Number | None = key("bas")
    best_bid_price: Number | None = key("bbp")
    best_bid_size: Number | None = key("bbs")
    stream_type: StreamType = key("st")

    @property
    def trade_datetime(self) -> datetime | None:
        """``trade_timestamp`` as an aware datetime (UTC)."""
        return utc(self.trade_timestamp)


class OrderbookUnit(Record, frozen=True, kw_only=True, gc=False):
    """One row of an order book: the n-th best ask and the n-th best bid.

    A side with fewer orders than the book has rows is padded with price 0 and size 0.
    """

    ask_price: Number = key("ap")
    bid_price: Number = key("bp")
    ask_size: Number = key("as")
    bid_size: Number = key("bs")


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
    timestamp: Integer = key("tms")
    total_ask_size: Number = key("tas")
    total_bid_size: Number = key("tbs")
    orderbook_units: Units = key("obu")
    stream_type: StreamType = key("st")
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


class Candle(Event, frozen=True, kw_only=True, gc=False):
    """A candle as it stands: the same candle time is sent again with every change, the last
    one wins.

    ``type`` tells the unit (``candle.1m``), as does ``unit``. A period without a trade has no
    candle.
    """

    type: CandleType = key("ty")
    candle_date_time_utc: Text = key("cdttmu")
    candle_date_time_kst: Text = key("cdttmk")
    opening_price: Number = key("op")
    high_price: Number = key("hp")
    low_price: Number = key("lp")
    trade_price: Number = key("tp")
    candle_acc_trade_volume: Number = key("catv")
    candle_acc_trade_price: Number = key("catp")
    timestamp: Integer = key("tms")
    stream_type: StreamType = key("st")

    @property
    def unit(self) -> str:
        """The candle's length: ``1s``, ``1m`` … ``240m``."""
        return self.type.partition(".")[2]

    @property
    def candle_datetime(self) -> datetime | None:
        """The start of the candle as an aware datetime (UTC)."""
        return utc_text(self.candle_date_time_utc)
