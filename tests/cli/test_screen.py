"""Keys from bytes, and only what has changed onto the screen."""

from __future__ import annotations

import io
import os
import sys

import pytest
from rich.console import Console
from rich.text import Text

from upbit_stream.cli.keys import KeyDecoder, Keys
from upbit_stream.cli.screen import Screen

# Keys.


@pytest.mark.parametrize(
    ("data", "keys"),
    [
        (b"q", ["q"]),
        (b"12?", ["1", "2", "?"]),
        (b"\t\x1b[Z", ["tab", "back tab"]),
        (b"\x1b[A\x1bOB\x1b[5~", ["up", "down", "page up"]),
        (b"\r\n", ["enter", "enter"]),
        ("ㅂㅅ".encode(), ["q", "t"]),
        ("é가".encode(), ["é", "가"]),
        # Of no meaning here: gone as a whole, not letter by letter.
        (b"\x1b[15~q\x1b[1;5Cq", ["q", "q"]),
    ],
)
def test_bytes_are_keys_however_they_come_apart(data: bytes, keys: list[str]) -> None:
    assert KeyDecoder().feed(data) == keys
    decoder = KeyDecoder()
    assert [key for place in range(len(data)) for key in decoder.feed(data[place : place + 1])] == (
        keys
    )
    assert not decoder.waits


def test_escape_is_a_key_once_nothing_follows() -> None:
    decoder = KeyDecoder()
    assert decoder.feed(b"\x1b") == []
    assert decoder.waits
    assert decoder.feed(b"", final=True) == ["escape"]
    assert decoder.feed(b"\x1bq") == ["escape", "q"]
    assert decoder.feed(b"\x1b[", final=True) == []
    assert not decoder.waits


def test_what_is_no_terminal_has_no_keys() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"q")
    with os.fdopen(reading) as source, os.fdopen(writing, "wb"), Keys(source) as keys:
        assert not keys.come
        assert keys.read(0.0) == []


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
def test_a_terminal_of_somebody_else_is_left_alone() -> None:
    import pty

    master, slave = pty.openpty()
    try:
        # It is not the one that controls this process, as for a job in the background.
        with os.fdopen(slave) as source, Keys(source) as keys:
            assert not keys.come
    finally:
        os.close(master)


# The screen.


class Drawn:
    """A screen whose orders can be read."""

    def __init__(self, width: int = 20, height: int = 4) -> None:
        self.out = io.StringIO()
        self.console = Console(file=self.out, width=width, height=height, force_terminal=True,
                               color_system="256", no_color=False)  # fmt: skip
        self.taken = True
        self.screen = Screen(
            self.console, write=self.write, release=lambda: None, resume=lambda: None
        )

    def write(self, data: bytes) -> bool:
        self.out.write(data.decode())
        return self.taken

    def show(self, *lines: str | Text) -> str:
        """Show lines; the orders for it."""
        before = len(self.out.getvalue())
        self.screen.show([Text(line) if isinstance(line, str) else line for line in lines])
        return self.out.getvalue()[before:]


BEGIN, END = "\x1b[?2026h", "\x1b[?2026l"


def test_only_lines_that_have_changed_are_written() -> None:
    drawn = Drawn()
    first = drawn.show("one", "two", "three")
    assert first == (f"{BEGIN}\x1b[2J\x1b[1;1Hone\x1b[K\x1b[2;1Htwo\x1b[K\x1b[3;1Hthree\x1b[K{END}")
    assert drawn.show("one", "two", "three") == ""
    assert drawn.show("one", "2", "three") == f"{BEGIN}\x1b[2;1H2\x1b[K{END}"
    assert drawn.show("one", "2") == f"{BEGIN}\x1b[3;1H\x1b[K{END}"
    # The colour is a part of the line.
    assert "\x1b[31mone\x1b[0m" in drawn.show(Text("one", style="red"), "2")


def test_a_full_line_is_not_wiped_at_its_end() -> None:
    drawn = Drawn(width=4)
    assert drawn.show("abcd", "호가") == f"{BEGIN}\x1b[2J\x1b[1;1Habcd\x1b[2;1H호가{END}"
    assert drawn.show("abc", "호가").endswith(f"\x1b[1;1Habc\x1b[K{END}")


def test_a_screen_that_is_full_to_its_last_line() -> None:
    drawn = Drawn(height=2)
    drawn.show("one", "two", "three")
    assert "three" not in drawn.out.getvalue()


def test_another_size_is_drawn_anew() -> None:
    drawn = Drawn()
    drawn.show("one")
    drawn.console.width = 30
    assert drawn.show("one") == f"{BEGIN}\x1b[2J\x1b[1;1Hone\x1b[K{END}"
    drawn.screen.forget()
    assert drawn.show("one") == f"{BEGIN}\x1b[2J\x1b[1;1Hone\x1b[K{END}"


def test_nothing_more_is_written_to_nobody() -> None:
    drawn = Drawn()
    drawn.taken = False
    assert drawn.show("one") != ""
    assert drawn.screen.gone
    assert drawn.show("two") == ""
    drawn.screen.leave_behind([Text("three")])
    assert "three" not in drawn.out.getvalue()
