"""The whole terminal as a surface that is drawn on, and given back as it was."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType, TracebackType
from typing import Any, TextIO

from rich.color import ColorSystem
from rich.console import Console
from rich.style import Style
from rich.text import Text

from upbit_stream.cli.harmless import harmless

__all__ = ["Screen", "can_draw"]

_ENTER = "\x1b[?1049h\x1b[?25l\x1b[2J"
_LEAVE = "\x1b[0m\x1b[?25h\x1b[?1049l"
_COLOURS = {
    "standard": ColorSystem.STANDARD, "256": ColorSystem.EIGHT_BIT,
    "truecolor": ColorSystem.TRUECOLOR, "windows": ColorSystem.WINDOWS,
}  # fmt: skip
# What is between them appears at once, where the terminal knows of it.
_BEGIN, _END = "\x1b[?2026h", "\x1b[?2026l"


def can_draw(output: TextIO) -> bool:
    """Whether it is a terminal, and one that understands more than lines."""
    return output.isatty() and os.environ.get("TERM", "").lower() not in ("dumb", "unknown")


class Screen:
    """The alternate screen of ``console``'s terminal.

    Only lines that have changed are written, each at its place: nothing flickers, and a slow line
    carries little. A context manager; the terminal is as before when it ends, however that comes.
    Ctrl-Z gives it back, too, until the program goes on.
    """

    def __init__(
        self,
        console: Console,
        *,
        write: Callable[[bytes], bool],
        release: Callable[[], None],
        resume: Callable[[], None],
    ) -> None:
        self._console = console
        # Onto the terminal; False once nobody takes it any more.
        self._write_out = write
        # The keyboard, which is given back and taken again with the screen.
        self._release_keys = release
        self._resume_keys = resume
        # What is on the terminal, each line with its orders, for which size.
        self._shown: list[str] = []
        self._size = (0, 0)
        #: Whether nobody takes what is written.
        self.gone = False
        # Set by the signal handler.
        self._suspended = False
        self._old_handler: Any = None

    def __enter__(self) -> Screen:
        if hasattr(signal, "SIGTSTP") and signal.getsignal(signal.SIGTSTP) is not signal.SIG_IGN:
            self._old_handler = signal.signal(signal.SIGTSTP, self._on_suspend)
        self._write(_ENTER)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._old_handler is not None:
            signal.signal(signal.SIGTSTP, self._old_handler)
        self._write(_LEAVE)

    @property
    def size(self) -> tuple[int, int]:
        """Columns and lines, as they are now."""
        return self._console.size

    def forget(self) -> None:
        """Draw everything anew the next time: something else has written on the terminal."""
        self._shown = []

    def show(self, lines: Sequence[Text]) -> None:
        """Let these lines, which fit, be what is seen."""
        if self._suspended:
            self._suspend()
        columns, rows = size = self._console.size
        parts = []
        if size != self._size or not self._shown:
            self._shown, self._size = [""] * rows, size
            parts.append("\x1b[2J")
        lines = [_harmless(line, columns) for line in lines[:rows]]
        written = self._rendered(lines)
        for row, line in enumerate(written):
            if line != self._shown[row]:
                # In the last column the cursor stands on what was written: nothing to wipe there.
                wipe = "\x1b[K" if lines[row].cell_len < columns else ""
                parts.append(f"\x1b[{row + 1};1H{line}{wipe}")
        for row in range(len(written), rows):
            if self._shown[row]:
                parts.append(f"\x1b[{row + 1};1H\x1b[K")
        if parts:
            self._write(_BEGIN + "".join(parts) + _END)
        self._shown = [*written, *[""] * (rows - len(written))]

    def leave_behind(self, lines: Sequence[Text]) -> None:
        """Write lines on the normal screen, after the end."""
        told = [_harmless(line, self._console.width) for line in lines]
        self._write("".join(f"{line}\n" for line in self._rendered(told)))

    def _rendered(self, lines: Sequence[Text]) -> list[str]:
        """The lines with the orders for their styles. (The console's own printing wraps and
        measures first, which takes three times as long.)
        """
        console = self._console
        name = console.color_system
        colours = None if name is None else _COLOURS[name]
        rendered = []
        for line in lines:
            parts = []
            # Without spans it yields its words alone.
            whole = None if line.spans else console.get_style(line.style)
            for words, of_span, _ in line.render(console):
                style = of_span or whole or Style.null()
                told = style.without_color if console.no_color else style
                parts.append(told.render(words, color_system=colours))
            rendered.append("".join(parts))
        return rendered

    def _write(self, orders: str) -> None:
        if not self.gone:
            self.gone = not self._write_out(orders.encode(self._console.encoding, "replace"))

    def _on_suspend(self, number: int, frame: FrameType | None) -> None:
        self._suspended = True

    def _suspend(self) -> None:
        """Stop as if nobody had caught the signal; returns when the program goes on."""
        self._suspended = False
        if sys.platform == "win32":
            return
        self._write(_LEAVE)
        self._release_keys()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, self._on_suspend)
        self._resume_keys()
        self._write(_ENTER)
        self.forget()


def _harmless(line: Text, columns: int) -> Text:
    """What is shown of a line that may hold texts from outside; it fits into ``columns``."""
    plain = harmless(line.plain)
    if plain == line.plain:
        return line
    line = line.copy()
    line.plain = plain  # sign for sign, so that styles stay at their places
    # What they replace took no cell.
    line.truncate(columns)
    return line
