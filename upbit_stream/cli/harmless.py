"""Texts from outside, which are shown and never obeyed.

A name on a server's list, the code in a recording, the words of an error: each may hold a sequence
by which a terminal changes its title, its colours, or what stands on it. The signs that begin such
sequences become question marks, one for one, so that whatever counts signs stays right.
"""

from __future__ import annotations

import re

__all__ = ["harmless", "harmless_lines"]

# C0, DEL and C1: of the latter some are as good as ESC and the letter behind it.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_BUT_LINES = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def harmless(text: str) -> str:
    """``text``, for a place in a line: without any control character."""
    return _CONTROLS.sub("?", text)


def harmless_lines(text: str) -> str:
    """``text`` that may have lines and tabs of its own."""
    return _BUT_LINES.sub("?", text)
