"""A terminal for the command line to draw on, and a look at what it drew."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from tests.cli.program import COMMAND, Collected, environment, plain
from tests.conftest import PATIENCE

if sys.platform != "win32":
    import fcntl
    import pty
    import termios

_ALTERNATE_ON, _ALTERNATE_OFF = "\x1b[?1049h", "\x1b[?1049l"
_CURSOR_OFF, _CURSOR_ON = "\x1b[?25l", "\x1b[?25h"


class Terminal:
    """A command that runs in a pseudo-terminal of ``width`` × ``height``."""

    def __init__(
        self, arguments: Sequence[str], *, width: int = 80, height: int = 30,
        program: Sequence[str] = COMMAND, **variables: str,
    ) -> None:  # fmt: skip
        self._master, slave = pty.openpty()
        try:
            self.resize(width, height)
            self.process = subprocess.Popen(
                (*program, *arguments),
                stdin=slave,
                stdout=slave,
                stderr=slave,
                env=environment(**variables),
                # A session of its own, whose terminal this is: so its Ctrl-C reaches it.
                start_new_session=True,
                preexec_fn=_own_terminal,
            )
        finally:
            os.close(slave)
        self.screen = Collected(self._read, "terminal")

    def _read(self) -> bytes:
        try:
            return os.read(self._master, 65536)
        except OSError:
            # Linux says so when nobody has the terminal open any more.
            return b""

    def resize(self, width: int, height: int) -> None:
        """As if somebody dragged the window's corner."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("4H", height, width, 0, 0))

    def press(self, keys: bytes) -> None:
        """Type something."""
        os.write(self._master, keys)

    def modes(self) -> list[Any]:
        """How the terminal treats what is typed."""
        return termios.tcgetattr(self._master)

    def exit_code(self) -> int:
        """The exit code, as soon as there is one."""
        return self.process.wait(PATIENCE)

    def left_behind(self) -> str:
        """What stands on the normal screen after the end; the terminal must be as it was."""
        text = self.screen.all()
        assert text.count(_ALTERNATE_ON) == text.count(_ALTERNATE_OFF) == 1
        assert text.rindex(_CURSOR_ON) > text.rindex(_CURSOR_OFF)
        return plain(text.rpartition(_ALTERNATE_OFF)[2])

    def end(self) -> None:
        """Whatever happened: nothing stays behind."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.screen.all()
        os.close(self._master)


def _own_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
