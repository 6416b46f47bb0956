"""Texts from outside, which are shown and never obeyed.

A name on a server's list, the code in a recording, the words of an error: each may hold a sequence
by which a terminal changes its title, its colours, or what stands on it; or a sign that turns the
direction of writing, so that a line reads as another one. Such signs become question marks, one for
one, so that whatever counts signs stays right; in JSON they are escaped, so that nothing is lost.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

__all__ = ["harmless", "harmless_json", "harmless_lines"]

# Those that turn the direction of writing, and those that end a line or paragraph in some places.
_TURNING = "\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
# C0, DEL and C1: of the latter some are as good as ESC and the letter behind it.
_CONTROLS = re.compile(f"[\x00-\x1f\x7f-\x9f{_TURNING}]")
_BUT_LINES = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f{_TURNING}]")

# Exact decimals are JSON numbers with every digit, not strings.
_ENCODER = msgspec.json.Encoder(decimal_format="number")


def harmless(text: str) -> str:
    """``text``, for a place in a line: without any control character."""
    return _CONTROLS.sub("?", text)


def harmless_lines(text: str) -> str:
    """``text`` that may have lines and tabs of its own."""
    return _BUT_LINES.sub("?", text)


def harmless_json(value: Any) -> bytes:
    """``value`` as JSON on one line, the same to whoever reads it, without any such character."""
    # JSON itself escapes what is below the space, and has nothing but ASCII outside of strings.
    data = _ENCODER.encode(value)
    if data.isascii() and b"\x7f" not in data:
        return data
    return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", data.decode()).encode()
