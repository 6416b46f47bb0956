"""The keys, and what they do."""

from __future__ import annotations

from rich.text import Text

from upbit_stream.cli import cells
from upbit_stream.cli.style import TITLE, Palette
from upbit_stream.cli.texts import text
from upbit_stream.cli.views.picture import GAP, Picture, Playing, view_of

__all__ = ["draw_help"]

_KEYS = (
    ("1 2 3 4", "keys.view"),
    ("Tab", "keys.next_view"),
    ("↑ ↓ ← →", "keys.code"),
    ("t Enter", "keys.table"),
    ("a", "keys.all"),
    ("u", "keys.unit"),
    ("?", "keys.help"),
    ("q Ctrl-C", "keys.quit"),
)
_REPLAY_KEYS = (("Space", "keys.pause"), ("+ -", "keys.speed"))


def draw_help(picture: Picture, width: int, height: int, palette: Palette) -> list[Text]:
    """The keys, at most ``height`` lines."""
    keys = list(_KEYS)
    if len({view_of(one) for one in picture.types}) == 1:
        del keys[:2]
    if isinstance(picture.status, Playing):
        keys[-2:-2] = _REPLAY_KEYS
    lines = [Text(text("keys.title"), style=TITLE), Text("")]
    size = max(cells.width(key) for key, _ in keys)
    for key, what in keys:
        if not picture.blocks:
            key = {"↑ ↓ ← →": text("keys.arrows")}.get(key, key)
        words = cells.left(key, size)
        lines.append(Text.assemble(GAP, (words, palette.accent), GAP, text(what)))
    lines += [Text(""), Text(f"{GAP}{picture.source}")]
    return lines[:height]
