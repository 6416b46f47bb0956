"""Frames of the public types, in the four formats of the wire, as ready-made bytes.

Each message is written once for each format that somebody asked for, whoever gets it. The order
of the fields and the spelling of the numbers are those that were seen on the wire; where nothing
was seen they differ from format to format on purpose, because a client must not care.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from functools import lru_cache

from upbit_stream.protocol.wire_format import WireFormat
from upbit_stream.simulator.book import ROWS, BookView, Row
from upbit_stream.simulator.digits import (
    Spelling,
    exact,
    fixed,
    java,
    plain,
    point,
    value_fixed,
    value_plain,
)
from upbit_stream.simulator.history import Bar
from upbit_stream.simulator.keys import NESTED, short_name
from upbit_stream.simulator.market import DAY_MS, Fill, Market

__all__ = [
    "BINARY",
    "CLOSE",
    "TEXT",
    "Encoder",
    "candle_times",
    "change_of",
    "encoders",
    "frame",
    "payload_of",
    "rate_of",
]

TEXT, BINARY, CLOSE = 0x1, 0x2, 0x8
KST = timezone(timedelta(hours=9))

# Which spelling a group of fields has, in the order of WireFormat.
_FORMATS = tuple(WireFormat)
_SPELLINGS: dict[str, tuple[Spelling, Spelling, Spelling, Spelling]] = {
    "trade": (fixed, plain, point, java),
    "trade volume": (fixed, java, plain, java),
    "trade close": (fixed, fixed, point, plain),
    "trade best": (plain, plain, point, java),
    "ticker": (point, plain, java, point),
    "ticker open": (fixed, plain, point, java),
    "ticker volume": (plain, java, fixed, plain),
    "ticker value": (value_fixed, value_plain, value_plain, value_fixed),
    "orderbook": (java, plain, point, plain),
    "orderbook size": (fixed, java, plain, plain),
    "orderbook total": (plain, plain, plain, java),
    "candle": (fixed, plain, point, java),
    "candle volume": (plain, java, fixed, plain),
    "candle value": (value_fixed, value_plain, value_plain, value_fixed),
}

_TRADE = (
    "type", "code", "timestamp", "trade_date", "trade_time", "trade_timestamp", "trade_price",
    "trade_volume", "ask_bid", "prev_closing_price", "change", "change_price", "sequential_id",
    "best_ask_price", "best_bid_price", "stream_type",
)  # fmt: skip
_TICKER = (
    "type", "code", "opening_price", "high_price", "low_price", "trade_price",
    "prev_closing_price", "acc_trade_price", "change", "change_price", "signed_change_price",
    "change_rate", "signed_change_rate", "ask_bid", "trade_volume", "acc_trade_volume",
    "trade_date", "trade_time", "trade_timestamp", "acc_ask_volume", "acc_bid_volume",
    "highest_52_week_price", "highest_52_week_date", "lowest_52_week_price",
    "lowest_52_week_date", "market_state", "is_trading_suspended", "delisting_date",
    "market_warning", "timestamp", "acc_trade_price_24h", "acc_trade_volume_24h", "stream_type",
)  # fmt: skip
_ORDERBOOK = (
    "type", "code", "timestamp", "total_ask_size", "total_bid_size", "orderbook_units",
    "stream_type", "level",
)  # fmt: skip
_UNIT = ("ask_price", "bid_price", "ask_size", "bid_size")
_CANDLE = (
    "type", "code", "candle_date_time_utc", "candle_date_time_kst", "opening_price",
    "high_price", "low_price", "trade_price", "candle_acc_trade_volume",
    "candle_acc_trade_price", "timestamp", "stream_type",
)  # fmt: skip
_STRINGS = {
    "type", "code", "trade_date", "trade_time", "ask_bid", "change", "stream_type",
    "highest_52_week_date", "lowest_52_week_date", "market_state", "market_warning",
    "candle_date_time_utc", "candle_date_time_kst",
}  # fmt: skip


def frame(payload: bytes, opcode: int = BINARY) -> bytes:
    """A WebSocket frame as a server sends it: whole, without a mask."""
    size = len(payload)
    if size < 126:
        return bytes((0x80 | opcode, size)) + payload
    if size < 65536:
        return bytes((0x80 | opcode, 126)) + size.to_bytes(2, "big") + payload
    return bytes((0x80 | opcode, 127)) + size.to_bytes(8, "big") + payload


def payload_of(whole: bytes) -> bytes:
    """The payload of a frame made by :func:`frame`."""
    return whole[{126: 4, 127: 10}.get(whole[1], 2) :]


class Encoder:
    """Writes the public messages in one format."""

    def __init__(self, wire_format: WireFormat) -> None:
        self.wire_format = wire_format
        place = _FORMATS.index(wire_format)
        spelled = {group: choices[place] for group, choices in _SPELLINGS.items()}
        # Prices and the numbers beside them repeat, so most are spelled once.
        cached = lru_cache(maxsize=65536)
        self._trade_template = self._template("trade", _TRADE)
        self._trade_volume = spelled["trade volume"]
        self._trade_prices = cached(_prices_of(spelled["trade"], spelled["trade close"]))
        # The size stands behind its price, so both are one text.
        self._best_ask = cached(self._best("best_ask_size", spelled["trade best"]))
        self._best_bid = cached(self._best("best_bid_size", spelled["trade best"]))
        self._ticker_template = self._template("ticker", _TICKER)
        self._ticker_price = cached(spelled["ticker"])
        self._ticker_open = cached(spelled["ticker open"])
        self._ticker_volume = spelled["ticker volume"]
        self._ticker_value = spelled["ticker value"]
        self._book_template = self._template("orderbook", _ORDERBOOK)
        self._unit_template = self._object(_UNIT, lambda name: NESTED["orderbook_units"][name])
        self._book_price = cached(spelled["orderbook"])
        self._book_size = cached(spelled["orderbook size"])
        self._book_total = spelled["orderbook total"]
        self._candle_template = self._template("candle", _CANDLE)
        self._candle_price = cached(spelled["candle"])
        self._candle_volume = spelled["candle volume"]
        self._candle_value = spelled["candle value"]

    def _template(self, kind: str, fields: tuple[str, ...]) -> str:
        whole = self._object(fields, lambda name: short_name(kind, name))
        return f"[{whole}]" if self.wire_format.is_list else whole

    def _object(self, fields: tuple[str, ...], short: Callable[[str], str]) -> str:
        parts = []
        for name in fields:
            key = short(name) if self.wire_format.short_keys else name
            parts.append(f'"{key}":"%s"' if name in _STRINGS else f'"{key}":%s')
        return "{" + ",".join(parts) + "}"

    def _best(self, size_name: str, spelling: Spelling) -> Callable[[Row], str]:
        key = short_name("trade", size_name) if self.wire_format.short_keys else size_name
        price = lru_cache(maxsize=65536)(spelling)

        def spell(row: Row) -> str:
            return f'{price(row[0])},"{key}":{spelling(row[1])}'

        return spell

    def trade(self, fill: Fill, stream_type: str) -> bytes:
        """A trade."""
        (code, sequential_id, traded_at, timestamp, price, volume, side, close, ask, bid) = fill
        date, time = _clock(traded_at // 1000)
        price_text, close_text, change, step_text = self._trade_prices(price, close)
        text = self._trade_template % (
            "trade", code, timestamp, date, time, traded_at, price_text,
            self._trade_volume(volume), side, close_text, change, step_text, sequential_id,
            self._best_ask(ask), self._best_bid(bid), stream_type,
        )  # fmt: skip
        return frame(text.encode())

    def ticker(self, market: Market, stream_type: str) -> bytes:
        """The state of a market after its newest trade."""
        fill = market.last
        market.forget_before(fill.timestamp - DAY_MS)
        price, opening = self._ticker_price, self._ticker_open
        volume, value = self._ticker_volume, self._ticker_value
        close = fill.prev_close
        step = fill.price - close
        rate = f"{rate_of(step, close):f}"
        date, time = _clock(fill.traded_at // 1000)
        text = self._ticker_template % (
            "ticker", fill.code, opening(market.open), price(market.high), price(market.low),
            price(fill.price), opening(close), value(market.acc_value),
            change_of(fill.price, close), opening(abs(step)), opening(step), rate.lstrip("-"),
            rate, fill.ask_bid, volume(fill.volume), volume(market.acc_ask + market.acc_bid),
            date.replace("-", ""), time.replace(":", ""), fill.traded_at, volume(market.acc_ask),
            volume(market.acc_bid), opening(market.highest_52w[0]), market.highest_52w[1],
            opening(market.lowest_52w[0]), market.lowest_52w[1], "ACTIVE", "false", "null",
            "NONE", fill.timestamp, value(market.value_24h), volume(market.volume_24h),
            stream_type,
        )  # fmt: skip
        return frame(text.encode())

    def orderbook(
        self, code: str, view: BookView, units: int, level: int, stream_type: str
    ) -> bytes:
        """A book of ``units`` rows; ``level`` (in units of 1E-8) groups its prices."""
        if level:
            view = view.grouped(level)
        asks, bids = view.asks[:units], view.bids[:units]
        template, price, size = self._unit_template, self._book_price, self._book_size
        rows = ",".join(
            template % (price(ask[0]), price(bid[0]), size(ask[1]), size(bid[1]))
            for ask, bid in zip(_padded(asks, units), _padded(bids, units), strict=True)
        )
        text = self._book_template % (
            "orderbook", code, view.timestamp, self._book_total(_total(view.asks)),
            self._book_total(_total(view.bids)), f"[{rows}]", stream_type, plain(level),
        )  # fmt: skip
        return frame(text.encode())

    def candle(self, kind: str, code: str, bar: Bar, stream_type: str) -> bytes:
        """A candle as it stands; ``kind`` is its type, such as ``candle.1m``."""
        price = self._candle_price
        utc, kst = candle_times(bar.start)
        text = self._candle_template % (
            kind, code, utc, kst, price(bar.open), price(bar.high), price(bar.low),
            price(bar.close), self._candle_volume(bar.volume), self._candle_value(bar.value),
            bar.timestamp, stream_type,
        )  # fmt: skip
        return frame(text.encode())


def encoders() -> Mapping[WireFormat, Encoder]:
    """One for each format."""
    return {wire_format: Encoder(wire_format) for wire_format in _FORMATS}


def candle_times(start: int) -> tuple[str, str]:
    """The start of a candle in UTC and in Korean time."""
    moment = datetime.fromtimestamp(start, timezone.utc)
    spelling = "%Y-%m-%dT%H:%M:%S"
    return moment.strftime(spelling), moment.astimezone(KST).strftime(spelling)


_EMPTY: Row = (0, 0)


def _prices_of(
    price_spelling: Spelling, close_spelling: Spelling
) -> Callable[[int, int], tuple[str, str, str, str]]:
    # What a trade says about its price and the last close: repeats from trade to trade.
    def spell(price: int, close: int) -> tuple[str, str, str, str]:
        return (
            price_spelling(price),
            close_spelling(close),
            change_of(price, close),
            close_spelling(abs(price - close)),
        )

    return spell


def _padded(rows: tuple[Row, ...], units: int) -> tuple[Row, ...]:
    return rows + (_EMPTY,) * (units - len(rows))


def _total(rows: tuple[Row, ...]) -> int:
    return sum(size for _, size in rows[:ROWS])


def change_of(price: int, close: int) -> str:
    """Whether a price is above or below the last close."""
    return "RISE" if price > close else "FALL" if price < close else "EVEN"


def rate_of(step: int, close: int) -> Decimal:
    """``step`` as a fraction of ``close``, to ten decimals: from integers, so always the same."""
    scaled = (abs(step) * 10**10 * 2 + close) // (2 * close) if close else 0
    return exact(-scaled if step < 0 else scaled, 10)


@lru_cache(maxsize=1024)
def _clock(seconds: int) -> tuple[str, str]:
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return moment.strftime("%Y-%m-%d"), moment.strftime("%H:%M:%S")
