"""The trades as they come, the newest first."""

from __future__ import annotations

from typing import Any

from rich.text import Text

from upbit_stream.cli import cells
from upbit_stream.cli.columns import Column, columns_of
from upbit_stream.cli.style import FAINT, HEADING, TITLE, Palette
from upbit_stream.cli.texts import text
from upbit_stream.cli.views.book import bar
from upbit_stream.cli.views.picture import GAP, Picture

__all__ = ["draw_tape"]

_ORDER = ("time", "price", "change", "side", "volume", "value")
# Where there is no room these go, the first first.
_GOING = ("value", "change", "time")
_LONGEST = 40
_SHORTEST = 4


def draw_tape(picture: Picture, width: int, height: int, palette: Palette) -> list[Text]:
    """The tape, at most ``height`` lines: a bar for the value of each trade."""
    if picture.all_trades:
        codes = len(picture.rows)
        title = Text(text("codes.one" if codes == 1 else "codes.many", count=codes), style=TITLE)
    else:
        place = f"{picture.chosen + 1}/{len(picture.rows)}"
        title = Text.assemble((picture.row.code, TITLE), GAP, (place, FAINT))
    trades = list(reversed(picture.trades[-max(1, height - 2) :]))
    if not trades:
        return [title, Text(text("table.waiting"))]
    known = {column.key: column for column in columns_of("trade")}
    columns = [known[key] for key in _ORDER]
    filled = {column.key: [column.cell(one) for one in trades] for column in columns}
    sizes = {column.key: _size(column, [cell.text for cell in filled[column.key]])
             for column in columns}  # fmt: skip
    code_size = max(8, *(len(one.code or "") for one in trades))
    for going in _GOING:
        if code_size + sum(len(GAP) + sizes[column.key] for column in columns) > width:
            columns = [column for column in columns if column.key != going]
    used = code_size + sum(len(GAP) + sizes[column.key] for column in columns)
    longest = min(_LONGEST, width - used - len(GAP))
    heading = cells.left(text("column.code"), code_size) + "".join(
        GAP + cells.right(text(f"column.{column.key}"), sizes[column.key]) for column in columns
    )
    lines = [title, Text(cells.left(heading, width), style=HEADING)]
    most = max(map(_value, trades))
    for number, trade in enumerate(trades):
        line = Text((trade.code or "-").ljust(code_size))
        for column in columns:
            cell = filled[column.key][number]
            line.append(
                GAP + cells.right(cell.text, sizes[column.key]), style=palette.tone(cell.tone)
            )
        if longest >= _SHORTEST and most:
            side = known["side"].cell(trade).tone
            drawn = bar(_value(trade) / most, longest, picture.blocks)
            line.append(GAP + drawn, style=palette.tone(side))
        lines.append(line)
    return lines


def _size(column: Column, filled: list[str]) -> int:
    title = text(f"column.{column.key}")
    return max(column.width, cells.width(title), *map(cells.width, filled))


def _value(trade: Any) -> float:
    if trade.trade_price is None or trade.trade_volume is None:
        return 0.0
    return float(trade.trade_price * trade.trade_volume)
