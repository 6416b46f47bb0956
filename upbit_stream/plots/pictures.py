"""What a market looks like: the price line, the candlesticks, the depth of the book.

A picture knows nothing of threads and notebooks: it makes the traces of a figure once, and fills
them with events as often as it is asked to. Colours are those of Korea: red is up or buying, blue
down or selling.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Protocol

import numpy as np
import plotly.graph_objects as go  # type: ignore[import-untyped]

from upbit_stream.events import Candle, Orderbook, PriceLevel, Trade

__all__ = ["Candlesticks", "Depth", "Picture", "PriceLine"]

_RISE, _FALL = "#dc4a5a", "#3f83e0"
_PALE = {_RISE: "rgba(220, 74, 90, 0.25)", _FALL: "rgba(63, 131, 224, 0.25)"}
# All digits, in thousands: 116,543,000 and not 116.543M.
_DIGITS = ",.12~g"
# Of texts, and of lines in the background: in between light and dark.
_INK, _GRID = "#75829a", "rgba(128, 140, 160, 0.22)"
# The part of the height that the volumes have.
_VOLUMES = 0.2


class Picture(Protocol):
    """How events of one code are drawn."""

    def traces(self) -> list[Any]:
        """The empty traces."""
        ...

    def layout(self) -> dict[str, Any]:
        """The layout around them."""
        ...

    def draw(self, figure: go.Figure, events: Sequence[Any]) -> None:
        """Show ``events``, oldest first; there is at least one."""
        ...


def _layout(title: str, **more: Any) -> dict[str, Any]:
    return {
        "template": "plotly_white",
        # So that it is readable in light and dark notebooks alike.
        "paper_bgcolor": "rgba(0, 0, 0, 0)",
        "plot_bgcolor": "rgba(0, 0, 0, 0)",
        "font": {"color": _INK},
        "title": {"text": title, "x": 0.02, "y": 0.97, "yanchor": "top"},
        "height": 380,
        "margin": {"l": 12, "r": 12, "t": 48, "b": 12},
        "showlegend": False,
        "hovermode": "x",
        # What a person has zoomed into stays as it is when something new comes.
        "uirevision": "kept",
        **more,
    }


def _axis(**more: Any) -> dict[str, Any]:
    return {"gridcolor": _GRID, "zerolinecolor": _GRID, **more}


def _numbers(**more: Any) -> dict[str, Any]:
    return _axis(tickformat=_DIGITS, hoverformat=_DIGITS, **more)


def _times(**more: Any) -> dict[str, Any]:
    return _axis(title={"text": "UTC", "standoff": 4}, **more)


def _title(what: str, *numbers: object) -> str:
    told = " / ".join(_text(number) for number in numbers)
    return f"<b>{what}</b>  {told}"


def _text(number: Any) -> str:
    """A number with all its digits, and nothing behind them."""
    if number is None:
        return "–"
    text = format(Decimal(str(number)), ",f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _floats(values: Iterable[Any]) -> Any:
    """As an array, which plotly sends as it is: of a list it looks at each number."""
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


class PriceLine:
    """The price of trades or tickers."""

    def __init__(self, code: str) -> None:
        self._code = code

    def traces(self) -> list[Any]:
        # A price holds until the next one.
        line = {"width": 1.6, "color": _RISE, "shape": "hv"}
        return [go.Scatter(x=[], y=[], mode="lines", line=line)]

    def layout(self) -> dict[str, Any]:
        return _layout(_title(self._code), yaxis=_numbers(side="right"), xaxis=_times())

    def draw(self, figure: go.Figure, events: Sequence[Any]) -> None:
        times = [
            event.trade_datetime if isinstance(event, Trade) else event.datetime for event in events
        ]
        prices = _floats(event.trade_price for event in events)
        known = prices[~np.isnan(prices)]
        with figure.batch_update():
            line = figure.data[0]
            line.x, line.y = [_moment(time) for time in times], prices
            line.mode = "lines" if len(prices) > 1 else "markers"
            line.line.color = _FALL if len(known) and known[-1] < known[0] else _RISE
            figure.layout.title.text = _title(self._code, events[-1].trade_price)


class Candlesticks:
    """Candles with their volumes below."""

    def __init__(self, code: str, unit: str) -> None:
        self._name = f"{code} {unit}"

    def traces(self) -> list[Any]:
        # Of two colours each bar has the number: plotly looks at a list of names one by one.
        scale = [[0, _PALE[_FALL]], [1, _PALE[_RISE]]]
        volumes = {"colorscale": scale, "cmin": 0, "cmax": 1, "line": {"width": 0}}
        return [
            go.Candlestick(
                x=[],
                open=[],
                high=[],
                low=[],
                close=[],
                increasing={"line": {"color": _RISE, "width": 1}, "fillcolor": _RISE},
                decreasing={"line": {"color": _FALL, "width": 1}, "fillcolor": _FALL},
                name="",
            ),
            go.Bar(x=[], y=[], yaxis="y2", marker=volumes, name="volume"),
        ]

    def layout(self) -> dict[str, Any]:
        return _layout(
            _title(self._name),
            xaxis=_times(rangeslider={"visible": False}, anchor="y2"),
            yaxis=_numbers(side="right", domain=[_VOLUMES + 0.03, 1]),
            yaxis2=_numbers(side="right", domain=[0, _VOLUMES], nticks=3),
        )

    def draw(self, figure: go.Figure, events: Sequence[Candle]) -> None:
        begins = [_moment(candle.candle_datetime) for candle in events]
        opens = _floats(candle.opening_price for candle in events)
        closes = _floats(candle.trade_price for candle in events)
        with figure.batch_update():
            candles, volumes = figure.data
            candles.x, candles.open, candles.close = begins, opens, closes
            candles.high = _floats(candle.high_price for candle in events)
            candles.low = _floats(candle.low_price for candle in events)
            volumes.x = begins
            volumes.y = _floats(candle.candle_acc_trade_volume for candle in events)
            volumes.marker.color = (closes >= opens).astype(np.float64)
            figure.layout.title.text = _title(self._name, events[-1].trade_price)


class Depth:
    """How much waits up to each price of the newest book, in steps from the middle outwards."""

    def __init__(self, code: str) -> None:
        self._code = code

    def traces(self) -> list[Any]:
        return [
            go.Scatter(
                x=[],
                y=[],
                mode="lines",
                name=name,
                line={"color": colour, "width": 1.6, "shape": "hv"},
                fill="tozeroy",
                fillcolor=_PALE[colour],
            )
            for name, colour in (("bids", _RISE), ("asks", _FALL))
        ]

    def layout(self) -> dict[str, Any]:
        sizes = _numbers(side="right", rangemode="tozero", title={"text": "size up to here"})
        return _layout(_title(self._code), xaxis=_numbers(nticks=7), yaxis=sizes)

    def draw(self, figure: go.Figure, events: Sequence[Orderbook]) -> None:
        book = events[-1]
        with figure.batch_update():
            for trace, levels in zip(figure.data, (book.bids, book.asks), strict=True):
                trace.x, trace.y = _steps(levels)
            figure.layout.title.text = _title(self._code, book.best_bid, book.best_ask)


def _steps(levels: Sequence[PriceLevel]) -> tuple[Any, Any]:
    return (
        _floats(level.price for level in levels),
        np.cumsum(_floats(level.size for level in levels)),
    )


def _moment(time: Any) -> str | None:
    """As a text that says UTC without saying so: plotly shows times as they stand."""
    return None if time is None else time.strftime("%Y-%m-%d %H:%M:%S.%f")


def picture_of(type_: str, code: str) -> Picture | None:
    """How events of a type on the wire are drawn; None: not at all."""
    if type_.startswith("candle."):
        return Candlesticks(code, type_.partition(".")[2])
    if type_ == "orderbook":
        return Depth(code)
    return PriceLine(code) if type_ in ("ticker", "trade") else None
