"""Standard output is a pipe: one line for each event, and an end that nobody has to see."""

from __future__ import annotations

import json
import os
import re
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import psutil
import pytest

from tests.cli.conftest import Start
from tests.cli.program import COMMAND, Program, environment
from tests.conftest import PATIENCE, eventually
from upbit_stream import Recorder, Trade
from upbit_stream.simulator import Simulator
from upbit_stream.simulator.listing import DEFAULT_CODES

if sys.platform != "win32":
    import fcntl
    import pty
    import termios

SIMULATED = "upbit-stream: simulated data, not the exchange's\n"


def lines(count: int) -> Callable[[str], object]:
    return lambda text: text.count("\n") >= count


def ended_quietly(program: Program, told: str = "") -> None:
    assert program.exit_code() == 0
    assert program.err.all() == told
    assert psutil.Process().children(recursive=True) == []


def test_a_plain_line_for_each_event(start: Start) -> None:
    program = start("watch", "--demo", "KRW-BTC")
    program.out.wait_for(lines(1))
    program.interrupt()
    ended_quietly(program, SIMULATED)
    first = program.out.all().split("\n")[0]
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d\.\d{3} KRW-BTC  price [\d,]+  change [+-][\d.]+%  volume 24h [\d.,]+"
        r"  value 24h [\d.,]+[MBT]?",
        first,
    )


def test_demo_has_twenty_codes_by_default(start: Start) -> None:
    program = start("watch", "--demo", "--json")
    program.out.wait_for(lines(20))
    program.interrupt()
    ended_quietly(program, SIMULATED)
    events = [json.loads(line) for line in program.out.all().splitlines()]
    assert {event["code"] for event in events} == set(DEFAULT_CODES)
    assert {event["type"] for event in events} == {"ticker"}


@pytest.mark.parametrize(
    ("type_", "options", "fields"),
    [
        ("orderbook", ("--depth", "5"), {"orderbook_units", "total_ask_size", "level"}),
        ("candle.1s", (), {"opening_price", "high_price", "candle_acc_trade_volume"}),
    ],
)
def test_json_has_every_field(
    start: Start, type_: str, options: tuple[str, ...], fields: set[str]
) -> None:
    program = start("watch", "--demo", "KRW-BTC", "KRW-ETH", "-t", type_, "--json", *options)
    program.out.wait_for(lines(2))
    program.interrupt()
    ended_quietly(program, SIMULATED)
    for line in program.out.all().splitlines():
        event = json.loads(line)
        assert event["type"] == type_
        assert fields | {"code", "timestamp", "stream_type", "received_at"} <= event.keys()
        assert len(event.get("orderbook_units", [None] * 5)) == 5


def test_each_event_is_written_at_once_with_every_digit_if_wanted(
    start: Start, sim: Simulator
) -> None:
    program = start("watch", "KRW-BTC", "-t", "trade", "--json", "--exact",
                    UPBIT_STREAM_URL=sim.url)  # fmt: skip
    program.out.wait_for(lines(1))
    for count, volume in enumerate(("0.10000001", "0.10000002"), start=2):
        sim.trade("KRW-BTC", volume=volume)
        text = program.out.wait_for(lines(count))
        event = json.loads(text.splitlines()[-1], parse_float=Decimal)
        assert event["trade_volume"] == Decimal(volume)
    program.interrupt()
    ended_quietly(program)


@pytest.mark.parametrize(
    "arguments", [["watch", "--demo", "--json"], ["replay", "{}"], ["doctor", "--offline"],
                  ["markets", "--demo"], ["--help"]],
)  # fmt: skip
def test_a_reader_that_has_enough_ends_it_quietly(arguments: list[str], tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with Recorder(path) as recorder:
        for number in range(10_000 if "replay" in arguments else 0):
            recorder(Trade(type="trade", code="KRW-BTC", sequential_id=number, timestamp=number))
    reader = "import sys; [sys.stdin.readline() for _ in range(3)]"
    with (
        subprocess.Popen(
            (*COMMAND, *(one.format(path) for one in arguments)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
        ) as program,
        subprocess.Popen((sys.executable, "-c", reader), stdin=program.stdout) as head,
    ):
        # The reader alone shall have the pipe, as in a shell.
        assert program.stdout is not None
        program.stdout.close()
        program.stdout = None
        try:
            _, told = program.communicate(timeout=PATIENCE)
        finally:
            program.kill()
        head.wait(PATIENCE)
    assert program.returncode == 0
    assert told.decode().replace("\r\n", "\n") == (SIMULATED if "--demo" in arguments else "")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot tell how full a pipe is")
def test_ctrl_c_gets_out_of_a_pipe_that_nobody_empties() -> None:
    told = interrupted_when_stuck(*os.pipe(), "--json")
    assert told == SIMULATED


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
def test_ctrl_c_gets_out_of_a_terminal_that_nobody_reads() -> None:
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", 50, 140, 0, 0))
    told = interrupted_when_stuck(master, slave)
    assert told == ""


def interrupted_when_stuck(reading: int, writing: int, *options: str) -> str:
    """Have it write where nobody reads at the other end, and press Ctrl-C when nothing goes there
    any more; what it says when it has ended.
    """
    with subprocess.Popen(
        (*COMMAND, "watch", "--demo", "-t", "orderbook", *options),
        stdin=subprocess.DEVNULL,
        stdout=writing,
        stderr=subprocess.PIPE,
        env=environment(),
    ) as program:
        os.close(writing)
        try:
            eventually(Still(reading))
            eventually(lambda: interrupted(program))
            _, told = program.communicate(timeout=PATIENCE)
        finally:
            program.kill()
            os.close(reading)
    assert program.returncode == 0
    return told.decode()


def interrupted(program: subprocess.Popen[bytes]) -> bool:
    """Press Ctrl-C, maybe again: the first one lets the write finish, the next one does not."""
    program.send_signal(signal.SIGINT)
    return program.poll() is not None


class Still:
    """Whether nothing has been added to a pipe for a while, though there is much to add."""

    def __init__(self, reading: int) -> None:
        self._reading = reading
        self._before = b""
        self._since = 0.0

    def __call__(self) -> bool:
        held = fcntl.ioctl(self._reading, termios.FIONREAD, b"\0" * 4)
        now = time.monotonic()
        if held != self._before or not any(held):
            self._before, self._since = held, now
        return now - self._since > 0.3


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a full disk")
def test_a_full_disk_is_one_sentence() -> None:
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            (*COMMAND, "simulate"),
            stdout=full,
            stderr=subprocess.PIPE,
            env=environment(),
            timeout=PATIENCE,
            check=False,
        )
    assert ended.returncode == 1
    assert ended.stderr.decode() == (
        "upbit-stream: cannot write the output: No space left on device\n"
    )
