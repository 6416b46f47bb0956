"""The live table in a real terminal: what it shows, and that nothing of it stays."""

from __future__ import annotations

import sys

import pytest

from tests.cli.conftest import StartOnTerminal
from tests.cli.program import colours
from upbit_stream.simulator import Simulator
from upbit_stream.simulator.listing import DEFAULT_CODES

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows has no pseudo-terminals that Python can open"
)

CTRL_C = b"\x03"


def test_a_live_table_until_ctrl_c(start_on_terminal: StartOnTerminal) -> None:
    terminal = start_on_terminal("watch", "--demo", width=80, height=30)
    # Before anything has come every code has its row, and later its price.
    lines = terminal.frame("connected", "msg/s  0 dropped", "SIMULATED DATA")
    assert lines[0].startswith("upbit-stream ticker  SIMULATED DATA  20 codes  ws://127.0.0.1:")
    assert [line.split()[0] for line in lines[2:22]] == list(DEFAULT_CODES)
    lines = terminal.frame("connected", " ms  ", without="waiting")
    assert lines[1].split()[-2:] == ["Age", "Msg/s"]
    assert all(float(line.split()[5].rstrip("s")) < 60 for line in lines[2:22])
    terminal.press(CTRL_C)
    assert terminal.exit_code() == 0
    left = terminal.left_behind().strip().split("\n")
    assert left[0].startswith("upbit-stream ticker  SIMULATED DATA")
    assert left[-1].startswith("connected")
    assert len(left) == 23


def test_seconds_end_it_and_the_last_picture_stays(start_on_terminal: StartOnTerminal) -> None:
    terminal = start_on_terminal("watch", "--demo", "--seconds", "0.3", width=140, height=10)
    assert terminal.exit_code() == 0
    lines = terminal.left_behind().rstrip("\n").split("\n")
    assert "Last size" in lines[1]
    assert lines[7] == "... and 15 more; a taller window shows more"
    assert "reconnects" in lines[8]
    # One line is left for the prompt.
    assert len(lines) == 9


def test_it_follows_the_size_of_the_window(
    start_on_terminal: StartOnTerminal, sim: Simulator
) -> None:
    terminal = start_on_terminal("watch", "KRW-BTC", width=80, UPBIT_STREAM_URL=sim.url)
    assert "Last size" not in terminal.frame("connected")[1]
    terminal.resize(140, 30)
    terminal.frame("connected", "Last size")
    terminal.press(CTRL_C)
    assert terminal.exit_code() == 0


def test_no_color_has_no_colours(start_on_terminal: StartOnTerminal) -> None:
    terminal = start_on_terminal("watch", "--demo", NO_COLOR="1")
    terminal.frame("%")
    terminal.press(CTRL_C)
    assert terminal.exit_code() == 0
    text = terminal.screen.all()
    # Bold, dim and reversed are not colours.
    assert colours(text) <= {"\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[7m"}


def test_a_terminal_that_cannot_draw_gets_lines(start_on_terminal: StartOnTerminal) -> None:
    terminal = start_on_terminal("watch", "--demo", "KRW-BTC", TERM="dumb")
    terminal.screen.wait_for(lambda text: text.count(" KRW-BTC  price ") > 1)
    assert "\x1b" not in terminal.screen.text
    terminal.press(CTRL_C)
    assert terminal.exit_code() == 0


def test_warnings_are_shown_below_the_table(
    start_on_terminal: StartOnTerminal, sim: Simulator
) -> None:
    terminal = start_on_terminal("watch", "KRW-BTC", UPBIT_STREAM_URL=sim.url)
    terminal.frame("connected", "KRW-BTC    11")
    sim.stop()
    lines = terminal.frame("reconnecting", "connection was refused")
    assert lines[3].startswith("reconnecting")
    assert "connection was refused; trying" in lines[4]
    # Nothing was written between the drawings.
    assert terminal.screen.text.count("upbit-stream:") == 0
    terminal.press(CTRL_C)
    assert terminal.exit_code() == 0


def test_a_fatal_error_is_one_sentence_after_the_table(
    start_on_terminal: StartOnTerminal, sim: Simulator
) -> None:
    terminal = start_on_terminal("watch", "KRW-BTC", UPBIT_STREAM_URL=f"{sim.url}/nowhere")
    assert terminal.exit_code() == 1
    (told,) = terminal.left_behind().strip().split("\n")
    assert told.startswith("upbit-stream: ")
    assert "404" in told
