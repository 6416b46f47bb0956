"""What runs in the browser, from ``static/``."""

from __future__ import annotations

from pathlib import Path

__all__ = ["script", "style"]

_STATIC = Path(__file__).parent / "static"


def script(name: str) -> str:
    """The script of a widget that tells whether it is seen."""
    return _read("watch.js") + _read(name)


def style(name: str) -> str:
    """A style sheet."""
    return _read(name)


def _read(name: str) -> str:
    return (_STATIC / name).read_text(encoding="utf-8")
