"""Which columns each type of event has, and how its numbers are written.

Numbers are ASCII (and in Korean the units of ten thousands): consoles and pipes with old encodings
exist, and signs whose width depends on the terminal's language would shift the columns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from enum import Enum
from typing import Any, NamedTuple

from upbit_stream.cli.texts import language, text
from upbit_stream.protocol.demands import CANDLE_UNITS

__all__ = [
    "AGE_RANK",
    "CANDLES",
    "RATE_RANK",
    "TYPES",
    "Cell",
    "Column",
    "Tone",
    "columns_of",
    "write_amount",
    "write_price",
    "write_sizes",
]

#: The types of candles, and all that can be watched, as on the wire.
CANDLES = tuple(f"candle.{unit}" for unit in CANDLE_UNITS)
TYPES = ("ticker", "trade", "orderbook", *CANDLES)

# The ranks of the columns that every table has: the age of the event, the code's messages a
# second. Plain lines have the columns that rank before the latter.
AGE_RANK = 2
RATE_RANK = 4


class Tone(Enum):
    """What a colour says. As everywhere in Korea, red is up or buying, blue down or selling."""

    PLAIN = "plain"
    RISE = "rise"
    FALL = "fall"


class Cell(NamedTuple):
    """A text and its tone."""

    text: str
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True)
class Column:
    """A column: from an event to a cell."""

    #: Of its title among the texts.
    key: str
    cell: Callable[[Any], Cell]
    #: The least width, so that columns do not dance when a digit is added.
    width: int
    #: Where there is no room, the highest ranks go first; 0 always stays.
    rank: int = 0


def columns_of(type_: str) -> Sequence[Column]:
    """The columns of ``type_``, one of :data:`TYPES`, between the code and the age."""
    return _CANDLE if type_.startswith("candle") else _COLUMNS[type_]


# Numbers.


def write_price(value: float | None, code: str) -> str:
    """A price with its thousands, and at least as many decimals as its market's steps have, so
    that prices stand below each other.
    """
    if value is None:
        return "-"
    whole, _, decimals = f"{value:,.8f}".rstrip("0").partition(".")
    decimals = decimals.ljust(_least_decimals(abs(value), code.partition("-")[0]), "0")
    return f"{whole}.{decimals}" if decimals else whole


def _least_decimals(value: float, quote: str) -> int:
    if quote == "BTC":
        return 8
    if quote not in ("KRW", "IDR"):
        return 2
    # In won the step is a hundredth to a thousandth of the price, down to whole won.
    steps = (100, 10, 1, 0.1, 0.01, 0.001, 0.0001, 0.00001)
    return next((place for place, step in enumerate(steps) if value >= step), 0)


# From where on amounts are written in a unit, its size, its decimals, and its name. A million is
# a hundred of the Korean unit, so that needs none.
_UNITS = {
    "en": ((1e12, 1e12, 2, "T"), (1e9, 1e9, 2, "B"), (1e6, 1e6, 2, "M")),
    "ko": ((1e12, 1e12, 2, "조"), (1e8, 1e8, 2, "억"), (1e6, 1e4, 0, "만")),
}


def write_amount(value: float | None) -> str:
    """A size or a turnover: all that matters of it in at most ten or so characters."""
    if value is None:
        return "-"
    for bound, size, places, unit in _UNITS[language()]:
        if value >= bound:
            # Not through float(): a Decimal and a float must not be divided by each other.
            return f"{value / type(value)(size):,.{places}f}{unit}"
    decimals = 1 if value >= 1000 else 3 if value >= 1 else 8
    written = f"{value:,.{decimals}f}"
    return written.rstrip("0").rstrip(".") if decimals == 8 else written


def write_sizes(values: Sequence[float]) -> list[str]:
    """Sizes that stand below each other, with the same decimals: those that the largest needs."""
    most = max(map(abs, values), default=0)
    decimals = 0 if most >= 1e6 else 1 if most >= 1e3 else 4 if most >= 1 else 8
    return [f"{value:,.{decimals}f}" for value in values]


def _percent(fraction: float | None) -> str:
    return "-" if fraction is None else f"{fraction:+.2%}"


def _tone(change: float | None) -> Tone:
    if not change:
        return Tone.PLAIN
    return Tone.RISE if change > 0 else Tone.FALL


def _clock(moment: datetime | None, zone: tzinfo | None = None) -> str:
    """The time of day, here unless ``zone`` says where."""
    return "-" if moment is None else moment.astimezone(zone).strftime("%H:%M:%S")


# Tickers.


def _ticker_price(event: Any) -> Cell:
    return Cell(write_price(event.trade_price, event.code), _tone(event.signed_change_rate))


def _ticker_change(event: Any) -> Cell:
    return Cell(_percent(event.signed_change_rate), _tone(event.signed_change_rate))


# Trades.


def _signed_change(trade: Any) -> float | None:
    """By which fraction the price differs from yesterday's close."""
    if not trade.prev_closing_price or trade.trade_price is None:
        return None
    return float(trade.trade_price / trade.prev_closing_price - 1)


def _trade_price(event: Any) -> Cell:
    return Cell(write_price(event.trade_price, event.code), _tone(_signed_change(event)))


def _trade_change(event: Any) -> Cell:
    change = _signed_change(event)
    return Cell(_percent(change), _tone(change))


def _trade_side(event: Any) -> Cell:
    # The taker's side: BID is someone who bought at the asking price.
    sides = {"BID": ("buy", Tone.RISE), "ASK": ("sell", Tone.FALL)}
    if event.ask_bid not in sides:
        return Cell("-")
    side, tone = sides[event.ask_bid]
    return Cell(text(f"side.{side}"), tone)


def _trade_value(event: Any) -> Cell:
    if event.trade_price is None or event.trade_volume is None:
        return Cell("-")
    return Cell(write_amount(event.trade_price * event.trade_volume))


# Order books.


def _best(event: Any, name: str) -> Any:
    """A field of the best row; None when that side of the book is empty (padded with zeros)."""
    return (getattr(event.orderbook_units[0], name) or None) if event.orderbook_units else None


def _spread(event: Any) -> Cell:
    # A handful of steps, so without the decimals that a price has at the least.
    spread = event.spread
    return Cell("-" if spread is None else f"{spread:,.8f}".rstrip("0").rstrip("."))


def _spread_share(event: Any) -> Cell:
    spread, mid = event.spread, event.mid
    return Cell("-" if spread is None or not mid else f"{spread / mid:.3%}")


# Candles.


def _close(event: Any) -> Cell:
    rise = None
    if event.trade_price is not None and event.opening_price is not None:
        rise = event.trade_price - event.opening_price
    return Cell(write_price(event.trade_price, event.code), _tone(rise))


def _price(name: str) -> Callable[[Any], Cell]:
    return lambda event: Cell(write_price(getattr(event, name), event.code))


def _amount(name: str) -> Callable[[Any], Cell]:
    return lambda event: Cell(write_amount(getattr(event, name)))


_COLUMNS: dict[str, Sequence[Column]] = {
    "ticker": (
        Column("price", _ticker_price, 12),
        Column("change", _ticker_change, 8),
        Column("volume_24h", _amount("acc_trade_volume_24h"), 10, rank=1),
        Column("value_24h", _amount("acc_trade_price_24h"), 9, rank=3),
        Column("high", _price("high_price"), 12, rank=5),
        Column("low", _price("low_price"), 12, rank=5),
        Column("last_size", _amount("trade_volume"), 10, rank=6),
    ),
    "trade": (
        Column("price", _trade_price, 12),
        Column("change", _trade_change, 8, rank=3),
        Column("volume", _amount("trade_volume"), 10),
        Column("side", _trade_side, 4),
        Column("time", lambda event: Cell(_clock(event.trade_datetime)), 8, rank=1),
        Column("value", _trade_value, 9, rank=5),
        Column("best_bid", _price("best_bid_price"), 12, rank=6),
        Column("best_ask", _price("best_ask_price"), 12, rank=6),
    ),
    "orderbook": (
        Column("bid_size", lambda event: Cell(write_amount(_best(event, "bid_size"))), 8, rank=1),
        Column("bid", lambda event: Cell(write_price(event.best_bid, event.code), Tone.RISE), 11),
        Column("ask", lambda event: Cell(write_price(event.best_ask, event.code), Tone.FALL), 11),
        Column("ask_size", lambda event: Cell(write_amount(_best(event, "ask_size"))), 8, rank=1),
        Column("spread", _spread, 7),
        Column("spread_share", _spread_share, 8, rank=5),
        Column("all_bids", _amount("total_bid_size"), 10, rank=6),
        Column("all_asks", _amount("total_ask_size"), 10, rank=6),
    ),
}
_CANDLE = (
    Column("start", lambda event: Cell(_clock(event.candle_datetime)), 8, rank=3),
    Column("open", _price("opening_price"), 11),
    Column("high", _price("high_price"), 11),
    Column("low", _price("low_price"), 11),
    Column("close", _close, 11),
    Column("volume", _amount("candle_acc_trade_volume"), 8, rank=1),
    Column("value", _amount("candle_acc_trade_price"), 9, rank=5),
)
