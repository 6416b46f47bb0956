"""What stands on a terminal as a picture: cell by cell, as a terminal places them."""

from __future__ import annotations

import html
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from rich.ansi import AnsiDecoder
from rich.cells import cell_len
from rich.color import Color
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from tests.png import shrink

__all__ = ["CHROMIUM", "DARK", "LIGHT", "Look", "draw_png", "page_of"]

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

# Pixels of a cell. The blocks of the font meet in it without a gap.
_WIDTH, _HEIGHT, _FONT = 9, 18, 15
_MARGIN = 14
# In two cells there is room for a little more.
_HANGUL = 17
# The fonts that have the blocks and the lines, then those with Hangul.
_FAMILY = "'DejaVu Sans Mono', 'Noto Sans Mono CJK KR', 'Noto Sans CJK KR', monospace"


@dataclass(frozen=True)
class Look:
    """The colours of a terminal."""

    background: str
    foreground: str
    theme: TerminalTheme


_DARK = [(24, 26, 31), (224, 108, 117), (152, 195, 121), (229, 192, 123), (97, 175, 239),
         (198, 120, 221), (86, 182, 194), (220, 223, 228)]  # fmt: skip
DARK = Look("#181a1f", "#dcdfe4", TerminalTheme((24, 26, 31), (220, 223, 228), _DARK, _DARK))
_LIGHT = [(56, 58, 66), (228, 86, 73), (80, 161, 79), (193, 132, 1), (1, 132, 188),
          (166, 38, 164), (9, 151, 179), (250, 250, 250)]  # fmt: skip
LIGHT = Look("#fafafa", "#383a42", TerminalTheme((250, 250, 250), (56, 58, 66), _LIGHT, _LIGHT))


def page_of(screen: str, look: Look) -> tuple[str, int, int]:
    """A page that shows the screen (with its orders), and its size in pixels."""
    # Whole, because tmux tells of a style only where it changes.
    lines = list(AnsiDecoder().decode(screen.rstrip("\n")))
    columns = max(line.cell_len for line in lines)
    drawn = [
        _span(run, row, column, style, look)
        for row, line in enumerate(lines)
        for run, column, style in _runs(line)
    ]
    width = columns * _WIDTH + 2 * _MARGIN
    height = len(lines) * _HEIGHT + 2 * _MARGIN
    page = (
        f"<!doctype html><meta charset=utf-8><style>body{{margin:0;background:{look.background};"
        f"color:{look.foreground};font:{_FONT}px/{_HEIGHT}px {_FAMILY}}}"
        f"span{{position:absolute;height:{_HEIGHT}px;white-space:pre;overflow:visible}}"
        f"</style>{''.join(drawn)}"
    )
    return page, width, height


def _runs(line: Text) -> list[tuple[str, int, Style]]:
    """Pieces of one style, each with its column; what is not a plain letter stands alone, so that
    no font's own widths matter.
    """
    runs: list[tuple[str, int, Style]] = []
    column = 0
    for place, letter in enumerate(line.plain):
        style = Style()
        for span in line.spans:
            if span.start <= place < span.end and isinstance(span.style, Style):
                style += span.style
        last = runs[-1] if runs else None
        if last and letter.isascii() and last[0].isascii() and last[2] == style:
            runs[-1] = (last[0] + letter, last[1], style)
        else:
            runs.append((letter, column, style))
        column += cell_len(letter)
    return runs


def _span(run: str, row: int, column: int, style: Style, look: Look) -> str:
    front = _colour(style.color, look, look.foreground)
    back = _colour(style.bgcolor, look, "")
    if style.reverse:
        front, back = back or look.background, front
    if not run.strip() and not back:
        return ""
    cells = cell_len(run)
    css = [
        f"left:{_MARGIN + column * _WIDTH}px",
        f"top:{_MARGIN + row * _HEIGHT}px",
        f"width:{cells * _WIDTH}px",
        f"color:{front}",
    ]
    if back:
        css.append(f"background:{back}")
    if style.bold:
        css.append("font-weight:bold")
    if style.dim:
        css.append("opacity:.6")
    if not run.isascii() and cells == 2:
        css.append(f"text-align:center;font-size:{_HANGUL}px")
    return f'<span style="{";".join(css)}">{html.escape(run)}</span>'


def _colour(colour: Color | None, look: Look, default: str) -> str:
    if colour is None or colour.is_default:
        return default
    return colour.get_truecolor(look.theme).hex


def draw_png(page: str, width: int, height: int, path: Path, place: Path) -> None:
    """The page as a PNG, by a browser without a window."""
    assert CHROMIUM is not None
    file = place / "page.html"
    file.write_text(page, encoding="utf-8")
    subprocess.run(
        (
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
            "--no-first-run", "--disable-background-networking", "--disable-component-update",
            "--disable-sync", "--hide-scrollbars", "--disable-lcd-text",
            "--force-device-scale-factor=1.5",
            f"--user-data-dir={place / 'profile'}", f"--window-size={width},{height}",
            f"--screenshot={path}", file.as_uri(),
        ),
        check=True,
        capture_output=True,
        timeout=60,
    )  # fmt: skip
    shrink(path)
