"""HTML out of parts: a card, facts, tables. Whatever is put in is escaped here, and nowhere else.

Styles are inline, so that nothing outside of a card changes. Colours are either the page's own or
such that can be read on white and on black.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from html import escape
from typing import TypeAlias

__all__ = ["Row", "Text", "Tone", "card", "facts", "fields", "folded", "note", "table"]

_LINE = "rgba(128,128,128,.3)"
_CARD = (
    "display:inline-block;box-sizing:border-box;min-width:22em;max-width:100%;margin:2px 0;"
    f"padding:8px 12px;border:1px solid {_LINE};border-radius:6px;font-size:13px;"
    "line-height:1.5;color:inherit;background:transparent;font-variant-numeric:tabular-nums"
)
_HEAD = "display:flex;align-items:baseline;gap:10px;margin-bottom:4px"
_QUIET = "opacity:.65"
_BADGE = "border-radius:9px;padding:0 8px;font-size:11px;color:#fff;white-space:nowrap"
_TABLE = (
    "border-collapse:collapse;margin:4px 0 0;border:0;font-size:inherit;color:inherit;"
    "background:transparent;width:auto;table-layout:auto"
)
_ROW = "background:transparent;border:0"
_CELL = "padding:1px 14px 1px 0;border:0;vertical-align:baseline;background:transparent"
_MONO = "font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:12px"


class Tone(Enum):
    """What a colour says. As everywhere in Korea, red is up or buying, blue down or selling."""

    PLAIN = ""
    QUIET = "quiet"
    GOOD = "#179a50"
    WARNING = "#b7791f"
    BAD = "#d6455d"
    #: What is over, as it was meant to be.
    OVER = "#75829a"
    RISE = "#dc4a5a"
    FALL = "#3f83e0"


@dataclass(frozen=True)
class Text:
    """A text with a tone."""

    text: str
    tone: Tone = Tone.PLAIN


Row: TypeAlias = "Sequence[str | Text]"


def card(title: str, badge: Text | None, *parts: str) -> str:
    """A box with a headline, and the parts one below the other."""
    mark = ""
    if badge is not None:
        mark = f'<span style="{_BADGE};background:{badge.tone.value}">{escape(badge.text)}</span>'
    head = f'<div style="{_HEAD}"><strong>{escape(title)}</strong>{mark}</div>'
    return f'<div style="{_CARD}">{head}{"".join(parts)}</div>'


def facts(rows: Iterable[tuple[str, str | Text]]) -> str:
    """Labels, each with what it is beside it."""
    return _table(f"<tr>{_label(label)}{_cell(value)}</tr>" for label, value in rows)


def fields(rows: Iterable[tuple[str, str | Text]]) -> str:
    """The same for names of the code, which may be typed as they stand there."""
    return _table(
        f"<tr>{_cell(Text(label, Tone.QUIET), more=_MONO)}{_cell(value)}</tr>"
        for label, value in rows
    )


def table(titles: Sequence[str], rows: Iterable[Row]) -> str:
    """Columns with titles. All but the first are numbers, and stand to the right."""
    head = "".join(_label(one, right=place > 0) for place, one in enumerate(titles))
    lines = ("".join(_cell(one, right=place > 0) for place, one in enumerate(row)) for row in rows)
    return _table([f"<tr>{head}</tr>", *(f"<tr>{line}</tr>" for line in lines)])


def note(text: str, tone: Tone = Tone.QUIET) -> str:
    """A sentence."""
    return f'<div style="{_colour(tone)};margin-top:4px">{escape(text)}</div>'


def folded(title: str, inside: str) -> str:
    """What is shown when it is clicked."""
    summary = f'<summary style="cursor:pointer;{_QUIET}">{escape(title)}</summary>'
    return f'<details style="margin-top:4px">{summary}{inside}</details>'


def _table(lines: Iterable[str]) -> str:
    body = "".join(lines).replace("<tr>", f'<tr style="{_ROW}">')
    return f'<table style="{_TABLE}"><tbody>{body}</tbody></table>'


def _label(text: str, *, right: bool = False) -> str:
    side = "right" if right else "left"
    style = f"{_CELL};{_QUIET};font-weight:normal;text-align:{side};white-space:nowrap"
    return f'<th style="{style}">{escape(text)}</th>'


def _cell(value: str | Text, *, right: bool = False, more: str = "") -> str:
    said = Text(value) if isinstance(value, str) else value
    styles = (_CELL, f"text-align:{'right' if right else 'left'}", _colour(said.tone), more)
    return f'<td style="{";".join(filter(None, styles))}">{escape(said.text)}</td>'


def _colour(tone: Tone) -> str:
    if tone is Tone.PLAIN:
        return ""
    return _QUIET if tone is Tone.QUIET else f"color:{tone.value}"
