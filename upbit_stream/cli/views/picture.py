"""Everything that the screen shows at one moment, and the frame around the view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.text import Text

from upbit_stream.cli import cells
from upbit_stream.cli.board import Row
from upbit_stream.cli.style import FAINT, TITLE, Palette
from upbit_stream.cli.texts import text
from upbit_stream.connection.states import ConnectionState

__all__ = [
    "GAP",
    "VIEWS",
    "Picture",
    "Playing",
    "Status",
    "blocks_of",
    "footer",
    "header",
    "view_of",
]

GAP = "  "
#: The views in the order of their keys, 1 to 4.
VIEWS = ("ticker", "orderbook", "trade", "candle")
_NOTICE_LINES = 3
# Narrower is not wrapped, only cut off.
_LEAST_WIDTH = 20


def view_of(type_: str) -> str:
    """Which of :data:`VIEWS` shows events of that type."""
    return type_.partition(".")[0]


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
class Playing:
    """A recording that is shown, at one moment."""

    #: The time that it has come to, for people.
    moment: str
    #: How many times as fast as it was recorded; None: as fast as can be.
    speed: float | None
    #: Events so far, and in all, where that is known.
    events: int
    total: int | None
    paused: bool
    ended: bool
    #: Seconds since the command began.
    elapsed: float


@dataclass(frozen=True)
class Picture:
    """Everything that the screen shows."""

    #: The type that is shown, as on the wire.
    type: str
    rows: Sequence[Row]
    status: Status | Playing
    #: Where the data come from: a URL, or a file.
    source: str
    simulated: bool = False
    #: The views that there are.
    types: Sequence[str] = VIEWS
    #: Which of the rows is chosen.
    chosen: int = 0
    #: A row for each code, also where the type has a view of one code.
    as_table: bool = True
    #: The newest last: those of the chosen code, or of all.
    trades: Sequence[Any] = ()
    all_trades: bool = True
    #: Of the chosen code, the oldest first.
    candles: Sequence[Any] = ()
    #: The library's last warning.
    notice: str | None = None
    #: Whether the keys are shown.
    helping: bool = False
    #: Signs beyond ASCII may be drawn.
    blocks: bool = field(default=True, kw_only=True)

    @property
    def row(self) -> Row:
        """The chosen one."""
        return self.rows[self.chosen]


def blocks_of(encoding: str | None) -> bool:
    """Whether an output with that encoding can be given bars and lines."""
    try:
        "█┃▏".encode(encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        return False
    return True


def header(picture: Picture, width: int, palette: Palette) -> Text:
    """The first line: what is shown, what else can be, and where it comes from."""
    title = Text("upbit-stream", style=TITLE)
    title.append(" ")
    for number, view in enumerate(VIEWS, 1):
        if view not in map(view_of, picture.types):
            continue
        words = f" {number} {text(f'view.{view}')} "
        if view == view_of(picture.type):
            if view == "candle":
                words = f"{words}{picture.type.partition('.')[2]} "
            title.append(words, style=f"bold reverse {palette.accent}")
        else:
            title.append(words)
    for words, style in (
        (text("picture.simulated") if picture.simulated else "", f"bold {palette.warning}"),
        (picture.source, FAINT),
    ):
        # As a whole, or not at all.
        if words and title.cell_len + len(GAP) + cells.width(words) <= width:
            title.append(GAP).append(words, style=style)
    return title


def footer(picture: Picture, width: int, palette: Palette) -> list[Text]:
    """The last lines: how the stream is, and its last warning."""
    status = picture.status
    line = _playing(status, palette) if isinstance(status, Playing) else _status(status, palette)
    for hint in (text("picture.hint"), text("picture.hint_short")):
        room = width - line.cell_len - cells.width(hint)
        if room >= len(GAP):
            line.append(" " * room).append(hint, style=FAINT)
            break
    notice = cells.wrap(picture.notice or "", max(width, _LEAST_WIDTH), lines=_NOTICE_LINES)
    return [line, *(Text(one, style=palette.warning) for one in notice)]


def _status(status: Status, palette: Palette) -> Text:
    styles = {
        ConnectionState.CONNECTED: palette.good,
        ConnectionState.ERROR: palette.bad,
    }
    style = styles.get(status.state, palette.warning)
    latency = "-" if status.latency is None else f"{status.latency:.1f} ms"
    rate = "-" if status.rate is None else f"{status.rate:,.0f}"
    return Text.assemble(
        (text(f"state.{status.state.value}"), f"bold {style}"),
        f"{GAP}{text('status.latency', latency=latency)}{GAP}{text('status.rate', rate=rate)}{GAP}",
        (
            text("status.dropped", count=f"{status.dropped:,}"),
            f"bold {palette.warning}" if status.dropped else "",
        ),
        f"{GAP}{text('status.reconnects', count=f'{status.reconnects:,}')}"
        f"{GAP}{_clock(status.elapsed)}",
    )


def _playing(playing: Playing, palette: Palette) -> Text:
    if playing.ended:
        state = text("replay.ended")
    elif playing.paused:
        state = text("replay.paused")
    else:
        state = text("replay.playing")
    speed = text("replay.at_once") if playing.speed is None else f"{playing.speed:g}x"
    total = "" if playing.total is None else f" / {playing.total:,}"
    return Text.assemble(
        (state, f"bold {palette.warning if playing.paused or playing.ended else palette.good}"),
        f"{GAP}{speed}{GAP}{playing.moment}{GAP}",
        text("replay.events", count=f"{playing.events:,}{total}"),
        f"{GAP}{_clock(playing.elapsed)}",
    )


def _clock(elapsed: float) -> str:
    minutes, seconds = divmod(int(elapsed), 60)
    return f"{minutes}:{seconds:02}"
