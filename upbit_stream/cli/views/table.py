"""A row for each code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from upbit_stream.cli import cells
from upbit_stream.cli.board import Row
from upbit_stream.cli.columns import AGE_RANK, RATE_RANK, Cell, Column, columns_of
from upbit_stream.cli.style import FAINT, HEADING, Palette
from upbit_stream.cli.texts import text
from upbit_stream.cli.views.picture import GAP, Picture

__all__ = ["draw_table"]


def draw_table(picture: Picture, width: int, height: int, palette: Palette) -> list[Text]:
    """The table, at most ``height`` lines: around the chosen row, when there are more."""
    room = max(1, height - 1)
    rows = picture.rows
    first = 0
    if len(rows) > room:
        # The line that says so takes a place, too.
        room = max(1, room - 1)
        first = min(max(0, picture.chosen - room // 2), len(rows) - room)
    shown = rows[first : first + room]
    lines = _lines(picture, shown, first, width, palette)
    if hidden := len(rows) - len(shown):
        lines.append(Text(text("table.more", count=hidden), style=FAINT))
    return lines


@dataclass(frozen=True)
class _Strip:
    """A column with its cells, as wide as its widest one."""

    title: str
    cells: Sequence[Cell]
    width: int
    rank: int


def _lines(
    picture: Picture, rows: Sequence[Row], first: int, width: int, palette: Palette
) -> list[Text]:
    codes = [Cell(row.code) for row in rows]
    strips = [
        _strip("code", codes, 8, 0),
        *(_column(column, rows) for column in columns_of(picture.type)),
        _strip("age", [Cell(_age(row.age)) for row in rows], 5, AGE_RANK),
        _strip("rate", [Cell(_rate(row)) for row in rows], 5, RATE_RANK),
    ]
    code, *others = _fitting(strips, width)
    header = cells.left(code.title, code.width) + "".join(
        GAP + cells.right(strip.title, strip.width) for strip in others
    )
    lines = [Text(cells.left(header, width), style=HEADING)]
    for place, row in enumerate(rows):
        chosen = first + place == picture.chosen
        line = Text(style="bold" if chosen else "")
        line.append(row.code.ljust(code.width), style="" if row.event is not None else FAINT)
        if chosen:
            line.stylize(f"reverse {palette.accent}")
        if row.event is None:
            line.append(f"{GAP}{text('table.waiting')}")
        else:
            for strip in others:
                cell = strip.cells[place]
                line.append(GAP + cells.right(cell.text, strip.width), palette.tone(cell.tone))
        lines.append(line)
    return lines


def _column(column: Column, rows: Sequence[Row]) -> _Strip:
    filled = [Cell("") if row.event is None else column.cell(row.event) for row in rows]
    return _strip(column.key, filled, column.width, column.rank)


def _strip(key: str, filled: Sequence[Cell], least: int, rank: int) -> _Strip:
    title = text(f"column.{key}")
    widths = (cells.width(cell.text) for cell in filled)
    return _Strip(title, filled, max(least, cells.width(title), *widths), rank)


def _fitting(strips: list[_Strip], width: int) -> list[_Strip]:
    """The columns that fit: the highest rank goes first, of equals the rightmost."""
    left = list(strips)
    while sum(strip.width for strip in left) + len(GAP) * (len(left) - 1) > width:
        droppable = [place for place, strip in enumerate(left) if strip.rank]
        if not droppable:
            # What remains is cut off at the right.
            break
        del left[max(droppable, key=lambda place: (left[place].rank, place))]
    return left


def _age(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 10:
        return f"{seconds:.1f}s"
    for unit, size, bound in (("s", 1, 60), ("m", 60, 3600), ("h", 3600, 86400)):
        if seconds < bound:
            return f"{seconds // size:.0f}{unit}"
    return f"{seconds // 86400:.0f}d"


def _rate(row: Row) -> str:
    if row.event is None or row.rate is None:
        return ""
    return f"{row.rate:,.1f}" if row.rate < 100 else f"{row.rate:,.0f}"
