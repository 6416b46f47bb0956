"""Which columns each type of event has, and how its numbers are written.

Everything is ASCII: consoles and pipes with old encodings exist, and signs whose width depends
on the terminal's language would shift the columns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from enum import Enum
from typing import Any, NamedTuple

from upbit_stream.protocol.demands import CANDLE_UNITS

__all__ = [
    "AGE_RANK",
    "RATE_RANK",
    "TYPES",
    "Cell",
    "Column",
    "Tone",
    "columns_of",
    "write_amount",
    "write_price",
]

#: The types that can be watched, as on the wire.
TYPES = ("ticker", "trade", "orderbook", *(f"candle.{unit}" for unit in CANDLE_UNITS))

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

    title: str
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
    text = f"{value:,.8f}".rstrip("0")
    whole, _, decimals = text.partition(".")
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


def write_amount(value: float | None) -> str:
    """A size or a turnover: all that matters of it in at most ten or so characters."""
    if value is None:
        return "-"
    for bound, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M")):
        if value >= bound:
            # Not through float(): a Decimal and a float must not be divided by each other.
            return f"{value / type(value)(bound):,.2f}{letter}"
    decimals = 1 if value >= 1000 else 3 if value >= 1 else 8
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if decimals == 8 else text


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
    sides = {"BID": Cell("buy", Tone.RISE), "ASK": Cell("sell", Tone.FALL)}
    return sides.get(event.ask_bid, Cell("-"))


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
        Column("Price", _ticker_price, 12),
        Column("Change", _ticker_change, 8),
        Column("Volume 24h", _amount("acc_trade_volume_24h"), 10, rank=1),
        Column("Value 24h", _amount("acc_trade_price_24h"), 9, rank=3),
        Column("High", _price("high_price"), 12, rank=5),
        Column("Low", _price("low_price"), 12, rank=5),
        Column("Last size", _amount("trade_volume"), 10, rank=6),
    ),
    "trade": (
        Column("Price", _trade_price, 12),
        Column("Change", _trade_change, 8, rank=3),
        Column("Volume", _amount("trade_volume"), 10),
        Column("Side", _trade_side, 4),
        Column("Time", lambda event: Cell(_clock(event.trade_datetime)), 8, rank=1),
        Column("Value", _trade_value, 9, rank=5),
        Column("Best bid", _price("best_bid_price"), 12, rank=6),
        Column("Best ask", _price("best_ask_price"), 12, rank=6),
    ),
    "orderbook": (
        Column("Bid size", lambda event: Cell(write_amount(_best(event, "bid_size"))), 8, rank=1),
        Column("Bid", lambda event: Cell(write_price(event.best_bid, event.code), Tone.RISE), 11),
        Column("Ask", lambda event: Cell(write_price(event.best_ask, event.code), Tone.FALL), 11),
        Column("Ask size", lambda event: Cell(write_amount(_best(event, "ask_size"))), 8, rank=1),
        Column("Spread", _spread, 7),
        Column("Spread %", _spread_share, 8, rank=5),
        Column("All bids", _amount("total_bid_size"), 10, rank=6),
        Column("All asks", _amount("total_ask_size"), 10, rank=6),
    ),
}
_CANDLE = (
    Column("Start", lambda event: Cell(_clock(event.candle_datetime)), 8, rank=3),
    Column("Open", _price("opening_price"), 11),
    Column("High", _price("high_price"), 11),
    Column("Low", _price("low_price"), 11),
    Column("Close", _close, 11),
    Column("Volume", _amount("candle_acc_trade_volume"), 8, rank=1),
    Column("Value", _amount("candle_acc_trade_price"), 9, rank=5),
)
