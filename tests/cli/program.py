"""The command line as a process: in a pipe, or in a terminal of its own."""

from __future__ import annotations

import codecs
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

from tests.conftest import PATIENCE

if TYPE_CHECKING:
    from typing_extensions import Self

COMMAND = (sys.executable, "-m", "upbit_stream")

# What a terminal understands as an order: colours, and everything else.
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_ORDER = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")

_NOT_INHERITED = (
    "UPBIT_STREAM_URL", "UPBIT_REST_URL", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES",
    "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLORTERM", "LC_ALL", "LC_MESSAGES", "LANG", "TMUX",
    "UPBIT_ACCESS_KEY", "UPBIT_SECRET_KEY",
)  # fmt: skip


def environment(**changes: str) -> dict[str, str]:
    """What the program finds, whatever the machine's own environment is."""
    inherited = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
    return {**inherited, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **changes}


def plain(text: str) -> str:
    """A terminal's text without the orders."""
    return _ORDER.sub("", text)


def colours(text: str) -> set[str]:
    """The orders that switch to a style."""
    return set(_COLOUR.findall(text))


class Collected:
    """A stream's text as far as it has come, read by a thread of its own."""

    def __init__(self, read: Callable[[], bytes], name: str) -> None:
        self._read = read
        # Guards _text and _ended.
        self._changed = threading.Condition()
        self._text = ""
        self._ended = False
        self._thread = threading.Thread(target=self._collect, name=name, daemon=True)
        self._thread.start()

    @property
    def text(self) -> str:
        with self._changed:
            return self._text

    def wait_for(self, wanted: Callable[[str], object]) -> str:
        """The text as soon as ``wanted(text)`` is true; fails when it will not be."""
        with self._changed:
            self._changed.wait_for(lambda: wanted(self._text) or self._ended, PATIENCE)
            assert wanted(self._text), f"not seen, but: {self._text[-3000:]!r}"
            return self._text

    def all(self) -> str:
        """The text up to the end of the stream."""
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "the stream has not ended"
        return self._text

    def _collect(self) -> None:
        # A sign of several bytes may come apart.
        decoder = codecs.getincrementaldecoder("utf-8")()
        while chunk := self._read():
            with self._changed:
                self._text += decoder.decode(chunk).replace("\r\n", "\n")
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()


class Program:
    """A running command whose output goes into pipes. A context manager."""

    def __init__(
        self, arguments: Sequence[str], *, program: Sequence[str] = COMMAND,
        directory: Path | None = None, **variables: str,
    ) -> None:  # fmt: skip
        self.process = subprocess.Popen(
            (*program, *arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(**variables),
            cwd=directory,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        self.out = _collected(self.process.stdout, "stdout")
        self.err = _collected(self.process.stderr, "stderr")

    def interrupt(self) -> None:
        """What Ctrl-C does. (On Windows only Ctrl-Break can be sent to one process group.)"""
        self.process.send_signal(getattr(signal, "CTRL_BREAK_EVENT", signal.SIGINT))

    def exit_code(self) -> int:
        """The exit code, as soon as there is one."""
        return self.process.wait(PATIENCE)

    def end(self) -> None:
        """Whatever happened: nothing stays behind."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.out.all()
        self.err.all()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.end()


def _collected(stream: IO[bytes] | None, name: str) -> Collected:
    assert stream is not None
    return Collected(lambda: os.read(stream.fileno(), 65536), name)
