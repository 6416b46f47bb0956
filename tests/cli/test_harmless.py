"""Texts from outside give the terminal no orders."""

from __future__ import annotations

import io
import json
import logging
from decimal import Decimal
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text

from tests.cli.conftest import Call
from upbit_stream import Recorder, Trade
from upbit_stream.cli import cells
from upbit_stream.cli.harmless import harmless, harmless_json, harmless_lines
from upbit_stream.cli.notices import NoticeBox, told_on_stderr
from upbit_stream.cli.screen import Screen
from upbit_stream.simulator import Simulator

# Another title for the window, in both ways of beginning it; another colour.
EVIL = "Bit\x1b]0;title\x07coin\x9d0;title\x9c\x7f\x1b[31m"
SHOWN = "Bit?]0;title?coin?0;title???[31m"


def test_what_begins_an_order_is_a_question_mark() -> None:
    assert harmless(EVIL) == SHOWN
    assert harmless("비트코인 é\u00a0") == "비트코인 é\u00a0"
    assert harmless("a\tb\nc\r") == "a?b?c?"
    assert harmless_lines(f"a\tb\n{EVIL}\r") == f"a\tb\n{SHOWN}?"


def test_what_turns_the_direction_of_writing_is_one_too() -> None:
    assert harmless("KRW-\u202eCTB\u2066 a\u2028b\u200f") == "KRW-?CTB? a?b?"
    # What scripts and pictures need stays.
    assert harmless("\u200d\u0645\u05d0\ufe0f") == "\u200d\u0645\u05d0\ufe0f"


def test_json_escapes_it_and_loses_nothing() -> None:
    value = {f"비트코인 {EVIL}": ["\u202e\u2028\x85", "é", 1.5, Decimal("0.10")]}
    told = harmless_json(value).decode()
    assert told.isprintable()
    assert "비트코인" in told
    assert "0.10]" in told
    assert json.loads(told) == {f"비트코인 {EVIL}": ["\u202e\u2028\x85", "é", 1.5, 0.1]}
    assert harmless_json({"a": 1}) == b'{"a":1}'


def test_every_command_that_writes_json_writes_it_so(
    call: Call, sim: Simulator, tmp_path: Path
) -> None:
    listed = {"market": "KRW-BTC", "korean_name": f"\u202e{EVIL}"}
    sim.fail_rest(200, body=json.dumps([listed]))
    _, out, _ = call("markets", "--json", "--url", sim.url)
    assert out[:-1].isprintable()
    assert json.loads(out)["korean_name"] == f"\u202e{EVIL}"
    path = tmp_path / "a.jsonl"
    with Recorder(path) as recorder:
        recorder(Trade(type="trade", code=f"KRW-{EVIL}", trade_price=1.0))
    _, out, _ = call("replay", "--json", str(path))
    assert out[:-1].isprintable()
    assert json.loads(out)["code"] == f"KRW-{EVIL}"


def test_a_screen_shows_it_at_its_place() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, color_system="standard",
                      width=20, height=3)  # fmt: skip
    written = io.BytesIO()
    screen = Screen(console, write=lambda data: bool(written.write(data)),
                    release=lambda: None, resume=lambda: None)  # fmt: skip
    line = Text.assemble((EVIL[:6], "red"), EVIL[6:])
    screen.show([line])
    # (What rich takes out by itself takes no place.) The signs have a width now, and do not wrap.
    assert written.getvalue().decode() == (
        "\x1b[?2026h\x1b[2J\x1b[1;1H\x1b[31mBit?]0\x1b[0m;titlecoin?0;t\x1b[?2026l"
    )
    assert "\x1b" in line.plain
    screen.leave_behind([Text("\x1b[2Jbye", style="red")])
    assert written.getvalue().endswith(b"\x1b[31m?[2Jbye\x1b[0m\n")


def test_the_list_of_markets(call: Call, sim: Simulator) -> None:
    listed = {"market": f"KRW-{EVIL}", "korean_name": EVIL, "english_name": EVIL,
              "market_event": {"caution": {EVIL: True}}}  # fmt: skip
    sim.fail_rest(200, body=json.dumps([listed]))
    exit_code, out, _ = call("markets", "--url", sim.url)
    assert (exit_code, out) == (0, f"KRW-{SHOWN}  {SHOWN}  {SHOWN}  {SHOWN}\n")


def test_the_lines_of_a_recording(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with Recorder(path) as recorder:
        recorder(Trade(type="trade", code=f"KRW-{EVIL}", trade_price=1.0))
    exit_code, out, _ = call("replay", str(path))
    assert exit_code == 0
    assert f" KRW-{SHOWN}  price 1" in out
    assert out.count("\n") == 1
    assert out[:-1].isprintable()


def test_what_a_server_says(call: Call, capfd: pytest.CaptureFixture[str]) -> None:
    log = logging.getLogger("upbit_stream")
    box = NoticeBox()
    with told_on_stderr(), box.receiving():
        try:
            raise ValueError(EVIL)
        except ValueError:
            log.exception("the server said %s", EVIL)
    assert box.last == f"the server said {SHOWN}"
    _, told = capfd.readouterr()
    # Once at once, once afterwards, each with its traceback.
    assert told.count(f"upbit-stream: the server said {SHOWN}\nTraceback ") == 2
    assert told.count(f"\nValueError: {SHOWN}\n") == 2
    assert EVIL not in told
    _, _, told = call("replay", f"no/such/{EVIL}")
    assert told.startswith(f"upbit-stream: cannot read no/such/{SHOWN}: ")


def test_what_is_wrapped() -> None:
    assert cells.wrap(f"{EVIL} \t\n b", 40) == [f"{SHOWN} b"]
    assert cells.wrap("", 40) == cells.wrap(" \n", 40) == []
