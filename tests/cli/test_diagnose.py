"""``upbit-stream diagnose``: its report, its exit codes, its progress bar, and Ctrl-C."""

from __future__ import annotations

import json
import re
import socket
import sys
import time

import psutil
import pytest

from tests.cli.conftest import Call, Start, StartOnTerminal
from tests.cli.program import plain
from tests.conftest import our_threads
from upbit_stream.simulator import Simulator

SIMULATED = "upbit-stream: simulated data, not the exchange's\n"
PARTS = ("connectivity", "latency", "throughput", "stability", "snapshots", "verdict")


def test_json_is_all_that_comes(start: Start) -> None:
    program = start("diagnose", "--demo", "--json", "--seconds", "1.2")
    told = json.loads(program.out.all())
    assert program.exit_code() == 0
    assert program.err.all() == SIMULATED
    assert program.out.all().count("\n") == 1
    assert told["healthy"] is True
    assert set(PARTS) < set(told)
    assert told["codes"] == ["KRW-BTC", "KRW-ETH", "KRW-XRP"]
    assert 1.0 < told["throughput"]["seconds"] < 3
    assert [one["codes"] for one in told["snapshots"]["times"]] == [1, 10, 20]


def test_a_server_that_refuses_is_a_report_and_exit_code_1(
    call: Call, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    sim.fail_handshakes(503)
    exit_code, out, told = call("diagnose", "--url", sim.url)
    assert (exit_code, told) == (1, "")
    assert "HTTP 503; the exchange" in out
    assert "\x1b" not in out
    assert out.split("\n")[0] == f"{sim.url}: NOT healthy, 0 of 11 criteria met"
    assert "\nconnectivity\n" in out
    assert "\nCriterion  " in out
    assert "not reached" in out
    # Nobody knows of what was not measured; what is wrong stands last, once more.
    (latency,) = re.findall(r"ping latency, median .*", out)
    assert latency.split()[3:] == ["-", "below", "100", "ms", "not", "measured"]
    assert out.count("NOT MET") == 1
    assert out.splitlines()[-1].startswith("upgrade: FAILED after ")
    assert "HTTP 503" in out.splitlines()[-1]
    sim.fail_handshakes(404)
    monkeypatch.setenv("UPBIT_STREAM_URL", sim.url)
    exit_code, out, told = call("diagnose", "KRW-BTC", "--json")
    assert (exit_code, told) == (1, "")
    report = json.loads(out)
    assert report["healthy"] is False
    assert report["codes"] == ["KRW-BTC"]
    assert "HTTP 404" in report["connectivity"]["stages"][3]["explanation"]
    outcomes = [one["outcome"] for one in report["verdict"]]
    assert outcomes == ["not met", *["not measured"] * 10]
    assert our_threads() == []


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--url", "http://127.0.0.1/v1"], ["ws://"]),
        (["--demo", "--url", "ws://127.0.0.1/websocket/v1"], ["--demo", "--url"]),
        (["krw-btc"], ["'krw-btc'", "Did you mean 'KRW-BTC'?"]),
        (["--demo", "BTC-KRW"], ["'BTC-KRW'"]),
        (["--seconds", "0"], ["--seconds 0"]),
        (["--seconds", "inf"], ["--seconds inf"]),
        (["--region", "jp"], ["'jp'", "'kr'"]),
    ],
)
def test_wrong_usage_is_one_sentence_and_exit_code_2(
    call: Call, arguments: list[str], parts: list[str]
) -> None:
    exit_code, out, told = call("diagnose", *arguments)
    assert (exit_code, out) == (2, "")
    assert told.startswith("upbit-stream: ")
    assert told.count("\n") == 1
    for part in parts:
        assert part in told


def test_help_has_examples(call: Call) -> None:
    exit_code, out, told = call("diagnose", "--help")
    assert (exit_code, told) == (0, "")
    assert out.count("\n  upbit-stream diagnose") >= 3


INTERRUPTED = "upbit-stream: interrupted, so there is no verdict\n"


def test_ctrl_c_while_streams_run(start: Start, sim: Simulator) -> None:
    program = start("diagnose", "--url", sim.url, "--seconds", "60", "--json")
    # The probe's, which has left, and those of the three streams.
    assert sim.wait_for(lambda: len(sim.handshakes) == 4, 20)
    # What they have to say of it is for the report, not for the screen.
    sim.reset()
    assert sim.wait_for(lambda: len(sim.handshakes) >= 5, 20)
    program.interrupt()
    began = time.monotonic()
    assert program.exit_code() == 1
    assert time.monotonic() - began < 8
    assert program.out.all() == ""
    assert program.err.all() == INTERRUPTED
    assert sim.wait_for(lambda: not sim.connections)
    assert psutil.Process().children(recursive=True) == []


def test_ctrl_c_while_connecting(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        mute.settimeout(20)
        url = f"ws://127.0.0.1:{mute.getsockname()[1]}/websocket/v1"
        program = start("diagnose", "--url", url)
        with mute.accept()[0]:
            program.interrupt()
            program.interrupt()
            assert program.exit_code() == 1
    assert program.out.all() == ""
    assert program.err.all() == INTERRUPTED


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_on_a_terminal_a_bar_comes_first_and_goes(
    start_on_terminal: StartOnTerminal, sim: Simulator
) -> None:
    terminal = start_on_terminal("diagnose", "--url", sim.url, "--seconds", "0.4", width=100)
    terminal.screen.wait_for(lambda text: "snapshots" in text and "━" in text)
    exit_code = terminal.exit_code()
    text = terminal.screen.all()
    assert "observing" in text
    # It is wiped away, and the cursor is back, before the report is written.
    bar, _, report = text.rpartition("\x1b[?25h")
    assert "100%" in bar or "observing" in bar
    lines = [line.rstrip() for line in plain(report).strip().split("\n")]
    # In so short a run there may be no ping.
    health = "NOT healthy" if exit_code else "healthy"
    assert lines[0].startswith(f"{sim.url}: {health}, ")
    assert "━" not in report
    assert lines[lines.index("connectivity") + 1].split()[0] == "DNS"
    assert any(line.split() == ["Criterion", "Measured", "Limit", "Verdict"] for line in lines)
    assert any(line.startswith("reconnects ") and line.endswith("  met") for line in lines)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_no_bar_with_json_on_a_terminal(start_on_terminal: StartOnTerminal, sim: Simulator) -> None:
    sim.fail_handshakes(404)
    terminal = start_on_terminal("diagnose", "--url", sim.url, "--json", width=100)
    assert terminal.exit_code() == 1
    assert json.loads(terminal.screen.all())["healthy"] is False
