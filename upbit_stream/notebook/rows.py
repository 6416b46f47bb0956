"""What the live view says of each code, from the newest events that there are."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from upbit_stream.events import Candle, Event, Orderbook, Ticker, Trade
from upbit_stream.notebook import figures

__all__ = ["Row", "Sparks", "price_of", "row_of"]

#: Code, price, change, turnover of a day, age, tone.
Row: TypeAlias = tuple[str, str, str, str, str, str]

# A sparkline: so many prices, one a second, drawn into a box of this width and height.
_POINTS = 60
_WIDTH, _HEIGHT = 100.0, 20.0


def price_of(events: Iterable[Event]) -> float | None:
    """The price that the newest of a code's events tells."""
    told = [(event.received_at, price) for event in events if (price := _price(event)) is not None]
    return max(told)[1] if told else None


def _price(event: Event) -> float | None:
    if isinstance(event, (Ticker, Trade, Candle)):
        return event.trade_price
    return event.mid if isinstance(event, Orderbook) else None


def row_of(code: str, events: Iterable[Event], now: int) -> Row:
    """A line of the table. ``now`` is nanoseconds since the epoch, as ``received_at``."""
    events = list(events)
    change, turnover = None, None
    for event in events:
        if isinstance(event, Ticker):
            change, turnover = event.signed_change_rate, event.acc_trade_price_24h
        elif isinstance(event, Trade) and change is None:
            change = _change(event)
    newest = max((event.received_at for event in events), default=None)
    # In whole seconds: a line in which nothing happens is not drawn ten times a second.
    age = "" if newest is None else f"{max(0, now - newest) // 1_000_000_000} s"
    tone = "" if not change else "rise" if change > 0 else "fall"
    shown = "" if change is None else figures.percent(change)
    volume = "" if turnover is None else figures.amount(turnover)
    return code, figures.price(price_of(events)), shown, volume, age, tone


def _change(trade: Trade) -> float | None:
    # Both are always told; yet what comes is what counts.
    if not (trade.trade_price and trade.prev_closing_price):
        return None
    return float(trade.trade_price / trade.prev_closing_price) - 1


class Sparks:
    """The prices of the last minute, as long as someone looks."""

    def __init__(self) -> None:
        self._prices: dict[str, deque[float]] = {}

    def sample(self, prices: Mapping[str, float | None]) -> dict[str, str]:
        """Note these prices; the lines of all codes, as the points of an SVG polyline."""
        for gone in self._prices.keys() - prices.keys():
            del self._prices[gone]
        for code, price in prices.items():
            if price is not None:
                self._prices.setdefault(code, deque(maxlen=_POINTS)).append(float(price))
        return {code: _line(known) for code, known in self._prices.items()}


def _line(prices: Iterable[Any]) -> str:
    prices = list(prices)
    low, high = min(prices), max(prices)
    step = _WIDTH / (_POINTS - 1)
    # The newest is at the right edge. A flat one lies in the middle.
    left = _WIDTH - step * (len(prices) - 1)
    scale = (_HEIGHT - 2) / (high - low) if high > low else 0.0
    base = _HEIGHT - 1 if high > low else _HEIGHT / 2
    return " ".join(
        f"{left + place * step:.1f},{base - (price - low) * scale:.1f}"
        for place, price in enumerate(prices)
    )
