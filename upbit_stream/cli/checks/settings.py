"""The environment's variables, of which only the names are told, and the terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from rich.console import Console

from upbit_stream.cli.checks.check import Check
from upbit_stream.cli.screen import can_draw
from upbit_stream.cli.texts import language, text
from upbit_stream.cli.views.picture import blocks_of

__all__ = ["check_settings", "check_terminal"]

_KEYS = ("UPBIT_ACCESS_KEY", "UPBIT_SECRET_KEY")
_ADDRESSES = ("UPBIT_STREAM_URL", "UPBIT_REST_URL")
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
# Narrower tables leave out more than they show.
_NARROW = 60


def check_settings(environ: Mapping[str, str] = os.environ) -> Iterator[Check]:
    """What is set, and what contradicts itself."""
    keys = [name for name in _KEYS if environ.get(name)]
    half = len(keys) == 1
    yield Check(
        "settings",
        "keys",
        "warn" if half else "ok" if keys else "note",
        text("doctor.set", names=", ".join(keys)) if keys else text("doctor.no_keys"),
        text("advice.half_keys", missing=next(one for one in _KEYS if one not in keys))
        if half
        else None,
    )
    addresses = [name for name in _ADDRESSES if environ.get(name)]
    if addresses:
        told = text("doctor.set", names=", ".join(addresses))
        yield Check("settings", "addresses", "note", told, text("advice.addresses"))
    for name in _CERTIFICATES:
        if path := environ.get(name):
            there = Path(path).exists()
            told = text("doctor.is_set")
            advice = None if there else text("advice.certificates", name=name)
            yield Check("settings", name, "note" if there else "fail", told, advice)


def check_terminal(console: Console) -> Iterator[Check]:
    """What ``watch`` may draw here."""
    drawn = can_draw(sys.stdout)
    term = os.environ.get("TERM", "-")
    if not drawn:
        yield Check("terminal", "screen", "note", text("doctor.no_terminal", term=term))
    else:
        width, height = console.size
        narrow = width < _NARROW
        yield Check(
            "terminal",
            "screen",
            "warn" if narrow else "ok",
            f"{width} x {height}, TERM={term}",
            text("advice.narrow", width=_NARROW) if narrow else None,
        )
        colours = text("doctor.no_colours") if console.no_color else console.color_system or "-"
        yield Check("terminal", "colours", "ok", colours)
        typed = sys.stdin.isatty()
        told = text("doctor.keyboard" if typed else "doctor.no_keyboard")
        yield Check("terminal", "keyboard", "ok" if typed else "note", told)
    encoding = getattr(sys.stdout, "encoding", None) or "-"
    wide = blocks_of(encoding)
    yield Check(
        "terminal",
        "encoding",
        "ok" if wide else "warn",
        encoding,
        None if wide else text("advice.encoding"),
    )
    yield Check("terminal", "language", "ok", text("doctor.language", name=language()))
