"""The live table: pure functions from a picture of the state to lines of text.

The lines are built by hand rather than by ``rich.table``: everything is one line high and one
cell a character, so it is a tenth of the work, and what does not fit is left out by rule
instead of being squeezed.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from rich.color import ColorSystem
from rich.text import Text

from upbit_stream.cli.board import Row
from upbit_stream.cli.columns import AGE_RANK, RATE_RANK, Cell, Column, Tone, columns_of
from upbit_stream.connection.states import ConnectionState

__all__ = ["ANSI_PALETTE", "PALETTE", "Palette", "Picture", "Status", "draw", "palette_for"]

_GAP = "  "
# Lines that are not rows: the title, the header, the status.
_FRAME = 3
_NOTICE_LINES = 2
# Narrower is not wrapped, only cut off.
_LEAST_WIDTH = 20


@dataclass(frozen=True)
class Status:
    """The stream at one moment."""

    state: ConnectionState
    #: Milliseconds of the newest answered ping; None before the first.
    latency: float | None
    #: Messages a second; None before there is anything to measure.
    rate: float | None
    dropped: int
    reconnects: int
    #: Seconds since the command began.
    elapsed: float


@dataclass(frozen=True)
class Picture:
    """Everything that the screen shows."""

    type: str
    rows: Sequence[Row]
    status: Status
    #: Where the data come from: a URL.
    source: str
    simulated: bool
    #: The library's last warning.
    notice: str | None = None


@dataclass(frozen=True)
class Palette:
    """Styles by meaning."""

    rise: str
    fall: str
    good: str
    warning: str


#: Colours of the 256 that have a contrast of about 4 with white and with black alike.
PALETTE = Palette(rise="color(160)", fall="color(27)", good="color(28)", warning="color(130)")
#: Terminals with 16 colours choose these themselves; plain blue is unreadable on most dark ones.
ANSI_PALETTE = Palette(rise="red", fall="bright_blue", good="green", warning="yellow")


def palette_for(color_system: str | None) -> Palette:
    """The palette for a console's ``color_system`` (None: no colours at all)."""
    few = (ColorSystem.STANDARD.name.lower(), ColorSystem.WINDOWS.name.lower())
    return ANSI_PALETTE if color_system in few else PALETTE


def draw(picture: Picture, width: int, height: int, palette: Palette = PALETTE) -> Text:
    """The picture, at most ``height`` lines of at most ``width`` characters."""
    notice = textwrap.wrap(
        picture.notice or "",
        max(width, _LEAST_WIDTH),
        max_lines=_NOTICE_LINES,
        placeholder=" ...",
    )
    room = max(1, height - _FRAME - len(notice))
    rows = picture.rows
    hidden = 0
    if len(rows) > room:
        # The line that says so takes a place, too.
        room = max(1, room - 1)
        rows, hidden = rows[:room], len(rows) - room
    lines = [_title(picture, palette), *_table(picture.type, rows, width, palette)]
    if hidden:
        lines.append(Text(f"... and {hidden} more; a taller window shows more", style="dim"))
    lines.append(_status(picture.status, palette))
    lines += [Text(line, style=palette.warning) for line in notice]
    for line in lines[:height]:
        line.truncate(width)
    return Text("\n", no_wrap=True, end="").join(lines[:height])


def _title(picture: Picture, palette: Palette) -> Text:
    codes = len(picture.rows)
    title = Text.assemble((f"upbit-stream {picture.type}", "bold"))
    if picture.simulated:
        title.append(_GAP).append("SIMULATED DATA", style=f"bold {palette.warning}")
    title.append(f"{_GAP}{codes} code{'s' * (codes != 1)}")
    title.append(f"{_GAP}{picture.source}", style="dim")
    return title


# The table.


@dataclass(frozen=True)
class _Strip:
    """A column with its cells, as wide as its widest one."""

    title: str
    cells: Sequence[Cell]
    width: int
    rank: int


def _table(type_: str, rows: Sequence[Row], width: int, palette: Palette) -> list[Text]:
    codes = [Cell(row.code) for row in rows]
    strips = [
        _strip("Code", codes, 8, 0),
        *(_column(column, rows) for column in columns_of(type_)),
        _strip("Age", [Cell(_age(row.age)) for row in rows], 5, AGE_RANK),
        _strip("Msg/s", [Cell(_rate(row)) for row in rows], 5, RATE_RANK),
    ]
    code, *others = _fitting(strips, width)
    header = code.title.ljust(code.width) + "".join(
        _GAP + strip.title.rjust(strip.width) for strip in others
    )
    lines = [Text(header.ljust(width)[:width], style="reverse")]
    styles = {Tone.PLAIN: "", Tone.RISE: palette.rise, Tone.FALL: palette.fall}
    for place, row in enumerate(rows):
        line = Text(row.code.ljust(code.width), style="" if row.event is not None else "dim")
        if row.event is None:
            line.append(f"{_GAP}waiting")
        else:
            for strip in others:
                cell = strip.cells[place]
                line.append(_GAP + cell.text.rjust(strip.width), style=styles[cell.tone])
        lines.append(line)
    return lines


def _column(column: Column, rows: Sequence[Row]) -> _Strip:
    cells = [Cell("") if row.event is None else column.cell(row.event) for row in rows]
    return _strip(column.title, cells, column.width, column.rank)


def _strip(title: str, cells: Sequence[Cell], least: int, rank: int) -> _Strip:
    width = max(least, len(title), *(len(cell.text) for cell in cells))
    return _Strip(title, cells, width, rank)


def _fitting(strips: list[_Strip], width: int) -> list[_Strip]:
    """The columns that fit: the highest rank goes first, of equals the rightmost."""
    left = list(strips)
    while sum(strip.width for strip in left) + len(_GAP) * (len(left) - 1) > width:
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


# Below the table.


def _status(status: Status, palette: Palette) -> Text:
    styles = {
        ConnectionState.CONNECTED: palette.good,
        ConnectionState.ERROR: palette.rise,
    }
    style = styles.get(status.state, palette.warning)
    latency = "-" if status.latency is None else f"{status.latency:.1f} ms"
    rate = "-" if status.rate is None else f"{status.rate:,.0f}"
    minutes, seconds = divmod(int(status.elapsed), 60)
    return Text.assemble(
        (status.state.value, f"bold {style}"),
        f"{_GAP}latency {latency}{_GAP}{rate} msg/s{_GAP}",
        (f"{status.dropped:,} dropped", f"bold {palette.warning}" if status.dropped else ""),
        f"{_GAP}{status.reconnects:,} reconnects{_GAP}{minutes}:{seconds:02}",
    )
