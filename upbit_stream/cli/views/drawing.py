"""The picture: a frame, and the view inside."""

from __future__ import annotations

from rich.text import Text

from upbit_stream.cli.style import PALETTE, Palette
from upbit_stream.cli.views.book import draw_book
from upbit_stream.cli.views.chart import draw_chart
from upbit_stream.cli.views.helping import draw_help
from upbit_stream.cli.views.picture import Picture, footer, header, view_of
from upbit_stream.cli.views.table import draw_table
from upbit_stream.cli.views.tape import draw_tape

__all__ = ["draw"]

_OF_ONE_CODE = {"orderbook": draw_book, "trade": draw_tape, "candle": draw_chart}


def draw(picture: Picture, width: int, height: int, palette: Palette = PALETTE) -> list[Text]:
    """The picture, at most ``height`` lines of at most ``width`` cells."""
    below = footer(picture, width, palette)
    if picture.helping:
        view = draw_help
    elif picture.as_table or view_of(picture.type) == "ticker":
        view = draw_table
    else:
        view = _OF_ONE_CODE[view_of(picture.type)]
    inside = view(picture, width, max(1, height - 1 - len(below)), palette)
    lines = [header(picture, width, palette), *inside, *below][:height]
    for line in lines:
        line.truncate(width)
    return lines
