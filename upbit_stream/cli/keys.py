"""Keys as they are pressed, without echo and without Enter.

There is no thread: whoever draws waits here between two drawings. Ctrl-C stays a signal.
"""

from __future__ import annotations

import os
import sys
import time
from types import TracebackType
from typing import Any, TextIO

if sys.platform == "win32":
    import msvcrt
else:
    import select
    import termios

__all__ = ["KeyDecoder", "Keys"]

# Seconds for the rest of a sequence whose beginning has come: over a slow line it comes apart.
_REST_OF_SEQUENCE = 0.05
# Windows tells of no key by itself.
_POLL = 0.02

_SEQUENCES = {
    b"\x1b[A": "up", b"\x1b[B": "down", b"\x1b[C": "right", b"\x1b[D": "left",
    b"\x1bOA": "up", b"\x1bOB": "down", b"\x1bOC": "right", b"\x1bOD": "left",
    b"\x1b[H": "home", b"\x1b[F": "end", b"\x1bOH": "home", b"\x1bOF": "end",
    b"\x1b[1~": "home", b"\x1b[4~": "end", b"\x1b[5~": "page up", b"\x1b[6~": "page down",
    b"\x1b[Z": "back tab", b"\t": "tab", b"\r": "enter", b"\n": "enter", b"\x0c": "ctrl-l",
}  # fmt: skip
_WINDOWS = {"H": "up", "P": "down", "M": "right", "K": "left", "G": "home", "O": "end",
            "I": "page up", "Q": "page down"}  # fmt: skip

# The keys of a keyboard that is set to Hangul, by what is printed beside them.
_HANGUL = {
    **dict(zip("ㅂㅈㄷㄱㅅㅛㅕㅑㅐㅔ", "qwertyuiop", strict=True)),
    **dict(zip("ㅁㄴㅇㄹㅎㅗㅓㅏㅣ", "asdfghjkl", strict=True)),
    **dict(zip("ㅋㅌㅊㅍㅠㅜㅡ", "zxcvbnm", strict=True)),
}


class KeyDecoder:
    """From the bytes of a terminal to the names of keys."""

    def __init__(self) -> None:
        self._pending = b""

    @property
    def waits(self) -> bool:
        """Whether the last bytes are the beginning of something."""
        return bool(self._pending)

    def feed(self, data: bytes, *, final: bool = False) -> list[str]:
        """The keys that are complete now. ``final``: nothing more comes of what has begun."""
        self._pending += data
        keys: list[str] = []
        while self._pending:
            key, length = self._first(final)
            if not length:
                break
            self._pending = self._pending[length:]
            if key:
                keys.append(key)
        return keys

    def _first(self, final: bool) -> tuple[str, int]:
        data = self._pending
        for sequence, key in _SEQUENCES.items():
            if data.startswith(sequence):
                return key, len(sequence)
        if data[:1] == b"\x1b":
            return self._escape(data, final)
        size = next((n for n, top in ((4, 0xF0), (3, 0xE0), (2, 0xC0)) if data[0] >= top), 1)
        if len(data) < size and not final:
            return "", 0
        letter = data[:size].decode(errors="replace")
        return _HANGUL.get(letter, letter), size

    def _escape(self, data: bytes, final: bool) -> tuple[str, int]:
        if len(data) == 1:
            return ("escape", 1) if final else ("", 0)
        if data[1:2] not in (b"[", b"O"):
            return "escape", 1
        # A sequence of no meaning here goes as a whole, up to its last letter.
        for place in range(2, len(data)):
            if 0x40 <= data[place] <= 0x7E:
                return "", place + 1
        return ("", len(data)) if final else ("", 0)


class Keys:
    """The keyboard of the terminal that ``source`` is; nothing ever comes where it is none.

    A context manager: the terminal is as before when it ends. Of the main thread.
    """

    def __init__(self, source: TextIO) -> None:
        self._source = source
        self._decoder = KeyDecoder()
        self._before: Any = None
        self._reads = False

    def __enter__(self) -> Keys:
        self._reads = _is_our_terminal(self._source)
        if self._reads and sys.platform != "win32":
            self._before = termios.tcgetattr(self._source.fileno())
            self.resume()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()
        self._reads = False

    @property
    def come(self) -> bool:
        """Whether there is a keyboard."""
        return self._reads

    def resume(self) -> None:
        """Take single keys, as after :meth:`__enter__`."""
        if self._before is None or sys.platform == "win32":
            return
        mode = [*self._before]
        mode[6] = [*mode[6]]
        mode[3] &= ~(termios.ICANON | termios.ECHO)
        mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
        termios.tcsetattr(self._source.fileno(), termios.TCSANOW, mode)

    def release(self) -> None:
        """Give the terminal back as it was. What was typed and not read is not for the shell."""
        if self._before is None or sys.platform == "win32":
            return
        try:
            termios.tcflush(self._source.fileno(), termios.TCIFLUSH)
            termios.tcsetattr(self._source.fileno(), termios.TCSANOW, self._before)
        except termios.error:
            pass  # the terminal is gone

    def read(self, seconds: float) -> list[str]:
        """The keys that were pressed; waits for the first so many seconds.

        ``"hang up"`` when the terminal is gone.
        """
        if not self._reads:
            time.sleep(seconds)
            return []
        if sys.platform == "win32":
            return _read_windows(seconds)
        keys = self._decoder.feed(self._read(seconds))
        if self._decoder.waits:
            more = self._read(_REST_OF_SEQUENCE)
            keys += self._decoder.feed(more, final=not more)
        return keys if self._reads else [*keys, "hang up"]

    def _read(self, seconds: float) -> bytes:
        if sys.platform == "win32":
            return b""
        descriptor = self._source.fileno()
        if not select.select([descriptor], [], [], seconds)[0]:
            return b""
        try:
            data = os.read(descriptor, 1024)
        except OSError:
            data = b""
        if not data:
            self._reads = False
        return data


def _is_our_terminal(source: TextIO) -> bool:
    """Whether keys come from there, to us: a job in the background would be stopped for asking."""
    try:
        if not source.isatty():
            return False
        return sys.platform == "win32" or os.tcgetpgrp(source.fileno()) == os.getpgrp()
    except (OSError, ValueError):
        return False


def _read_windows(seconds: float) -> list[str]:
    keys: list[str] = []
    if sys.platform == "win32":
        deadline = time.monotonic() + seconds
        while not keys and time.monotonic() < deadline:
            while msvcrt.kbhit():
                letter = msvcrt.getwch()
                if letter in ("\x00", "\xe0"):
                    keys.append(_WINDOWS.get(msvcrt.getwch(), ""))
                else:
                    name = _SEQUENCES.get(letter.encode()) or {"\x1b": "escape"}.get(letter)
                    keys.append(name or _HANGUL.get(letter, letter))
            if not keys:
                time.sleep(_POLL)
    return [key for key in keys if key]
