"""The candles of one code: a chart of prices with volumes below, and the newest in figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.text import Text

from upbit_stream.cli import cells
from upbit_stream.cli.columns import Tone, write_amount, write_price
from upbit_stream.cli.style import FAINT, TITLE, Palette
from upbit_stream.cli.texts import text
from upbit_stream.cli.views.picture import GAP, Picture

__all__ = ["draw_chart"]

# Lines that are no chart: the code with its figures, the times.
_FRAME = 2
# The volumes' lines, where there is room for more than prices.
_VOLUME = 3
_ROOMY = 14
# Columns for each candle.
_STEP = 2
# Half a cell is the finest that prices are told apart.
_HALVES = 2
_EIGHTHS = " ▁▂▃▄▅▆▇█"
# (upper half, lower half) of a cell → its sign. Nothing, a thin wick, a thick body.
_NONE, _WICK, _BODY = range(3)
_SIGNS = {
    (_NONE, _NONE): " ", (_WICK, _NONE): "╵", (_BODY, _NONE): "╹",
    (_NONE, _WICK): "╷", (_WICK, _WICK): "│", (_BODY, _WICK): "╿",
    (_NONE, _BODY): "╻", (_WICK, _BODY): "╽", (_BODY, _BODY): "┃",
}  # fmt: skip
# Lines between two prices at the side, at least.
_LABELS = 3


def draw_chart(picture: Picture, width: int, height: int, palette: Palette) -> list[Text]:
    """The chart, at most ``height`` lines."""
    code = picture.row.code
    candles = [one for one in picture.candles if _is_whole(one)]
    if not candles:
        place = f"{picture.chosen + 1}/{len(picture.rows)}"
        return [Text.assemble((code, TITLE), GAP, (place, FAINT)), Text(text("table.waiting"))]
    title = _figures(picture, candles[-1], width, palette)
    room = height - _FRAME
    if room < 3:
        return [title]
    volumes = _VOLUME if room >= _ROOMY else 0
    scale_width = 1 + max(len(write_price(one.high_price, code)) for one in candles)
    count = max(1, (width - scale_width - 1) // _STEP)
    candles = candles[-count:]
    lines = [title, *_prices(candles, code, room - volumes, palette, picture.blocks)]
    if volumes:
        lines += _volumes(candles, volumes, palette, picture.blocks)
    lines.append(_times(candles))
    return lines


def _is_whole(candle: Any) -> bool:
    prices = (candle.opening_price, candle.high_price, candle.low_price, candle.trade_price)
    return all(price is not None for price in prices) and candle.candle_datetime is not None


def _figures(picture: Picture, candle: Any, width: int, palette: Palette) -> Text:
    code = picture.row.code
    place = f"{picture.chosen + 1}/{len(picture.rows)}"
    title = Text.assemble((code, TITLE), GAP, (place, FAINT))
    style = palette.tone(_tone(candle))
    figures = [
        ("column.close", candle.trade_price, style),
        ("column.open", candle.opening_price, ""),
        ("column.high", candle.high_price, ""),
        ("column.low", candle.low_price, ""),
    ]
    parts = [(text(key), write_price(price, code), style) for key, price, style in figures]
    parts.append((text("column.volume"), write_amount(candle.candle_acc_trade_volume), ""))
    for name, words, style in parts:
        if title.cell_len + len(GAP) + cells.width(name) + 1 + len(words) > width:
            break
        title.append(f"{GAP}{name} ", style=FAINT).append(words, style=style)
    return title


def _tone(candle: Any) -> Tone:
    change = candle.trade_price - candle.opening_price
    return Tone.PLAIN if not change else Tone.RISE if change > 0 else Tone.FALL


def _prices(
    candles: Sequence[Any], code: str, rows: int, palette: Palette, blocks: bool
) -> list[Text]:
    low = float(min(one.low_price for one in candles))
    high = float(max(one.high_price for one in candles))
    if high == low:
        # One price: in the middle of the chart.
        low, high = low - (abs(low) * 1e-4 or 1.0), high + (abs(high) * 1e-4 or 1.0)
    span = high - low
    marks = _marks(low, high, rows)
    halves = rows * _HALVES

    def place(price: Any) -> int:
        # Counted from the top.
        return min(halves - 1, int((high - float(price)) / span * halves))

    columns = []
    for candle in candles:
        top, bottom = place(candle.high_price), place(candle.low_price)
        ends = sorted((place(candle.opening_price), place(candle.trade_price)))
        fill = [_NONE] * halves
        fill[top : bottom + 1] = [_WICK] * (bottom + 1 - top)
        fill[ends[0] : ends[1] + 1] = [_BODY] * (ends[1] + 1 - ends[0])
        columns.append(fill)
    lines = []
    for row in range(rows):
        line = Text()
        for candle, fill in zip(candles, columns, strict=True):
            upper, lower = fill[row * _HALVES], fill[row * _HALVES + 1]
            sign = _SIGNS[upper, lower] if blocks else _ascii(upper, lower)
            line.append(sign.ljust(_STEP), style=palette.tone(_tone(candle)))
        if row in marks:
            line.append(f" {write_price(marks[row], code)}", style=FAINT)
        lines.append(line)
    return lines


def _marks(low: float, high: float, rows: int) -> dict[int, float]:
    """Line → the round price that is told beside it."""
    span = high - low
    least = span * _LABELS / rows
    power = 10.0 ** math.floor(math.log10(least))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least)
    marks = {}
    for number in range(math.ceil(low / step), math.floor(high / step) + 1):
        # Rounded, because ten times 0.1 is not 1.
        price = float(f"{number * step:.12g}")
        marks[min(rows - 1, int((high - price) / span * rows))] = price
    return marks


def _ascii(upper: int, lower: int) -> str:
    thickest = max(upper, lower)
    return "#" if thickest == _BODY else "|" if thickest == _WICK else " "


def _volumes(candles: Sequence[Any], rows: int, palette: Palette, blocks: bool) -> list[Text]:
    sizes = [float(one.candle_acc_trade_volume or 0) for one in candles]
    most = max(sizes) or 1.0
    lines = []
    for row in range(rows):
        line = Text()
        for candle, size in zip(candles, sizes, strict=True):
            # However little it was, it was traded.
            whole = max(1 if size else 0, round(size / most * rows * 8))
            eighths = min(8, max(0, whole - (rows - 1 - row) * 8))
            sign = _EIGHTHS[eighths] if blocks else ("#" if eighths >= 4 else " ")
            line.append(sign.ljust(_STEP), style=palette.tone(_tone(candle)))
        if row == 0:
            line.append(f" {write_amount(most)}", style=FAINT)
        lines.append(line)
    return lines


def _times(candles: Sequence[Any]) -> Text:
    """The local times below some of the candles."""
    line = ""
    for place, candle in enumerate(candles):
        start = place * _STEP
        if len(line) > start or (line and start - len(line.rstrip()) < 4):
            continue
        words = _time(candle)
        # Not beyond the last candle.
        if start + len(words) <= len(candles) * _STEP:
            line = line.ljust(start) + words + "  "
    return Text(line.rstrip(), style=FAINT)


def _time(candle: Any) -> str:
    moment: datetime = candle.candle_datetime.astimezone()
    if candle.unit.endswith("s"):
        return f"{moment:%H:%M:%S}"
    return f"{moment:%m-%d}" if candle.unit == "240m" else f"{moment:%H:%M}"
