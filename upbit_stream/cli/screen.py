"""Whether an output is a terminal that can be drawn on."""

from __future__ import annotations

import os
from typing import TextIO

__all__ = ["can_draw"]


def can_draw(output: TextIO) -> bool:
    """Whether it is a terminal, and one that understands more than lines."""
    return output.isatty() and os.environ.get("TERM", "").lower() not in ("dumb", "unknown")
