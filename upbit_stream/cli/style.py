"""How the command line looks: every colour and style, by what it means.

As everywhere in Korea, red is up or buying, blue down or selling. Nothing is told by a colour
alone: signs and words say it, too, because of ``NO_COLOR`` and of people who see few colours.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

from rich.color import ColorSystem
from rich.console import Console

from upbit_stream.cli.columns import Tone

__all__ = [
    "ANSI_PALETTE",
    "FAINT",
    "HEADING",
    "PALETTE",
    "TITLE",
    "Palette",
    "console_of",
    "palette_for",
]

# Neither needs a colour. Dim is grey or nothing, and readable on both grounds.
FAINT = "dim"
HEADING = "reverse"
TITLE = "bold"


@dataclass(frozen=True)
class Palette:
    """Styles by meaning."""

    rise: str
    fall: str
    good: str
    warning: str
    bad: str
    accent: str

    def tone(self, tone: Tone) -> str:
        """The style of a cell of that tone."""
        return {Tone.PLAIN: "", Tone.RISE: self.rise, Tone.FALL: self.fall}[tone]


#: Colours of the 256 that have a contrast of about 4 with white and with black alike.
PALETTE = Palette(
    rise="color(160)",
    fall="color(27)",
    good="color(28)",
    warning="color(130)",
    bad="color(160)",
    accent="color(31)",
)
#: Terminals with 16 colours choose these themselves; plain blue is unreadable on most dark ones.
ANSI_PALETTE = Palette(
    rise="red", fall="bright_blue", good="green", warning="yellow", bad="red", accent="cyan"
)


def palette_for(color_system: str | None) -> Palette:
    """The palette for a console's ``color_system`` (None: no colours at all)."""
    few = (ColorSystem.STANDARD.name.lower(), ColorSystem.WINDOWS.name.lower())
    return ANSI_PALETTE if color_system in few else PALETTE


def console_of(*, stderr: bool = False) -> Console:
    """A console that changes nothing of a text by itself."""
    return Console(file=sys.stderr if stderr else sys.stdout, highlight=False, emoji=False,
                   markup=False)  # fmt: skip
