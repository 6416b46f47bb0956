"""A terminal as people have it: what stands on it, key by key."""

from __future__ import annotations

import itertools
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.cli.program import COMMAND, environment
from tests.conftest import eventually

__all__ = ["Tmux", "needs_tmux"]

needs_tmux = pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux")

_SETTINGS = """
set -g status off
set -g default-terminal tmux-256color
set -g escape-time 0
"""
_ENDED = re.compile(r"^\[(\d+)\]$", re.MULTILINE)
_numbers = itertools.count(1)


class Tmux:
    """A command in a tmux of its own, ``width`` × ``height``."""

    def __init__(
        self, arguments: Sequence[str], place: Path, *, width: int = 80, height: int = 24,
        program: Sequence[str] = COMMAND, **variables: str,
    ) -> None:  # fmt: skip
        settings = place / "tmux.conf"
        settings.write_text(_SETTINGS)
        self._tmux = ("tmux", "-u", "-L", f"upbit-{os.getpid()}-{next(_numbers)}", "-f", settings)
        self._environment = environment(LC_ALL="C.UTF-8")
        changes = {"LC_ALL": "C.UTF-8", **variables}
        inside = ["env", "-u", "NO_COLOR", "-u", "UPBIT_STREAM_URL"]
        inside += [f"{name}={value}" for name, value in changes.items()]
        self._run(
            "new-session", "-d", "-x", str(width), "-y", str(height),
            # tmux 3.3 forgets now and then how a command has ended.
            f"{shlex.join([*inside, *program, *arguments])}; printf '[%d]' $?; exec sleep 3600",
        )  # fmt: skip

    def _run(self, *order: str) -> str:
        done = subprocess.run(
            (*self._tmux, *order),
            env=self._environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=20,
        )
        return done.stdout

    def text(self, *, styled: bool = False) -> str:
        """What stands on it, line by line; with the orders for its style if ``styled``."""
        return self._run("capture-pane", "-p", *(["-e"] if styled else []))

    def lines(self) -> list[str]:
        """The lines without what is empty below them."""
        return self.text().rstrip("\n").split("\n")

    def wait_for(self, *wanted: str, without: str | None = None) -> list[str]:
        """The lines, as soon as all of that stands there."""
        seen = ""

        def fits() -> bool:
            nonlocal seen
            seen = self.text()
            return all(one in seen for one in wanted) and (without is None or without not in seen)

        try:
            eventually(fits)
        except AssertionError:
            raise AssertionError(f"{wanted} not seen, but:\n{seen}") from None
        return seen.rstrip("\n").split("\n")

    def wait_until(self, condition: Callable[[list[str]], object]) -> list[str]:
        """The lines, as soon as ``condition(lines)`` is true."""
        eventually(lambda: condition(self.lines()))
        return self.lines()

    def press(self, *keys: str) -> None:
        """Press keys, by tmux's names for them."""
        self._run("send-keys", *keys)

    def resize(self, width: int, height: int) -> None:
        """As if somebody dragged the window's corner."""
        self._run("resize-window", "-x", str(width), "-y", str(height))

    def on_alternate_screen(self) -> bool:
        """Whether the normal screen is put aside."""
        return self._run("display-message", "-p", "#{alternate_on}").strip() == "1"

    def exit_code(self) -> int:
        """The exit code, as soon as there is one; it stands behind the last line."""
        eventually(lambda: _ENDED.search(self.text().rstrip()))
        ended = _ENDED.search(self.text().rstrip())
        assert ended is not None
        return int(ended[1])

    def end(self) -> None:
        """Whatever happened: nothing stays behind."""
        subprocess.run((*self._tmux, "kill-server"), env=self._environment, check=False,
                       capture_output=True, timeout=20)  # fmt: skip
