"""The order book of one code: sells above, buys below, a bar for the size that waits at a price."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from rich.text import Text

from upbit_stream.cli import cells
from upbit_stream.cli.columns import Tone, write_amount, write_price, write_sizes
from upbit_stream.cli.style import FAINT, HEADING, TITLE, Palette
from upbit_stream.cli.texts import text
from upbit_stream.cli.views.picture import GAP, Picture

__all__ = ["bar", "draw_book"]

# Lines that are no rows: the code, the heading, the spread, the sums.
_FRAME = 4
_EIGHTHS = " ▏▎▍▌▋▊▉█"
# The widest bar: beyond it they tell no more.
_LONGEST = 72
_SHORTEST = 6


class _Level(NamedTuple):
    price: Any
    size: Any
    #: The sizes up to here, from the best price on.
    total: Any


def draw_book(picture: Picture, width: int, height: int, palette: Palette) -> list[Text]:
    """The book, at most ``height`` lines."""
    row = picture.row
    place = f"{picture.chosen + 1}/{len(picture.rows)}"
    title = Text.assemble((row.code, TITLE), GAP, (place, FAINT))
    book = row.event
    if book is None:
        return [title, Text(text("table.waiting"))]
    room = max(1, (height - _FRAME) // 2)
    asks, bids = _levels(book.asks[:room]), _levels(book.bids[:room])
    every = [*asks, *bids]
    columns = [
        _column("price", [write_price(one.price, row.code) for one in every], 12),
        _column("size", write_sizes([one.size for one in every]), 10),
        _column("sum", write_sizes([one.total for one in every]), 10),
    ]
    if width < 50:
        del columns[2]
    used = sum(size + len(GAP) for _, _, size in columns)
    longest = max(_SHORTEST, min(_LONGEST, width - used))
    most = max((one.size for one in every), default=0)
    heading = GAP.join(cells.right(name, size) for name, _, size in columns)
    lines = [title, Text(cells.left(f"{heading}{GAP}{text('book.depth')}", width), style=HEADING)]
    drawn = [
        _line(
            [cells.right(filled[place], size) for _, filled, size in columns],
            bar(float(one.size / most) if most else 0.0, longest, picture.blocks),
            palette.tone(Tone.FALL if place < len(asks) else Tone.RISE),
        )
        for place, one in enumerate(every)
    ]
    lines += reversed(drawn[: len(asks)])
    lines.append(_middle(book, columns[0][2], palette))
    lines += drawn[len(asks) :]
    lines.append(_sums(book, width, palette))
    return lines


def _levels(side: Sequence[Any]) -> list[_Level]:
    levels: list[_Level] = []
    for price, size in side:
        size = size or 0  # not told
        levels.append(_Level(price, size, levels[-1].total + size if levels else size))
    return levels


def _column(key: str, filled: list[str], least: int) -> tuple[str, list[str], int]:
    title = text(f"column.{key}")
    return title, filled, max(least, cells.width(title), *map(cells.width, filled), 0)


def _line(filled: list[str], drawn: str, style: str) -> Text:
    return Text.assemble((filled[0], style), GAP, GAP.join(filled[1:]), GAP, (drawn, style))


def bar(part: float, longest: int, blocks: bool) -> str:
    """A bar for ``part`` (0 to 1) of ``longest`` cells, to an eighth of a cell where it may be
    drawn with ``blocks``.
    """
    part = min(1.0, max(0.0, part))
    if not blocks:
        return "#" * round(part * longest)
    whole, eighths = divmod(round(part * longest * 8), 8)
    return ("█" * whole + _EIGHTHS[eighths]).rstrip()


def _middle(book: Any, size: int, palette: Palette) -> Text:
    spread, mid = book.spread, book.mid
    if spread is None or not mid:
        return Text(cells.right("-", size), style=FAINT)
    return Text.assemble(
        (cells.right(write_price(mid, book.code), size), TITLE),
        (f"{GAP}{text('book.spread', spread=write_price(spread, book.code))}", FAINT),
        (f" ({spread / mid:.3%})", FAINT),
    )


def _sums(book: Any, width: int, palette: Palette) -> Text:
    """All that waits on both sides, as words and as one bar of two colours."""
    asks, bids = book.total_ask_size, book.total_bid_size
    if asks is None or bids is None or not asks + bids:
        return Text("")
    return Text.assemble(
        (text("book.bids", size=write_amount(bids)), palette.tone(Tone.RISE)),
        GAP,
        (text("book.asks", size=write_amount(asks)), palette.tone(Tone.FALL)),
        GAP,
        text("book.share", share=f"{bids / (asks + bids):.0%}"),
    )
