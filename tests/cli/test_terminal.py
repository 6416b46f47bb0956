"""The views in a real terminal: what they show, what keys do, and that nothing of them stays."""

from __future__ import annotations

import re
import signal
import sys

import pytest

from tests.cli.conftest import StartInTmux, StartOnTerminal
from tests.cli.program import colours
from tests.cli.tmux import needs_tmux
from tests.conftest import eventually
from upbit_stream.simulator import Simulator
from upbit_stream.simulator.listing import DEFAULT_CODES

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows has no pseudo-terminals that Python can open"
)

CTRL_C = b"\x03"


@needs_tmux
def test_keys_lead_through_the_views(start_in_tmux: StartInTmux) -> None:
    terminal = start_in_tmux("watch", "--demo")
    lines = terminal.wait_for("connected", " ms  ", "SIMULATED DATA", without="waiting")
    assert lines[0].startswith("upbit-stream  1 Prices  2 Book  3 Trades  4 Candles ")
    assert [line.split()[0] for line in lines[2:22]] == list(DEFAULT_CODES)
    assert terminal.on_alternate_screen()
    # From the third market to its order book, which fills the screen.
    terminal.press("Down", "Down", "Enter")
    lines = terminal.wait_for("Depth", "█", "spread", "of it bids")
    assert lines[1] == "KRW-XRP  3/20"
    assert len(lines) == 24
    prices = [float(line.split()[0].replace(",", "")) for line in lines[3:22]]
    assert prices == sorted(prices, reverse=True)
    # Another market, then a table of all.
    terminal.press("Right")
    assert terminal.wait_for("KRW-SOL  4/20", "Depth")
    terminal.press("t")
    assert terminal.wait_for("Bid size", "KRW-PEPE")
    terminal.press("t")
    # The trades of all markets, then of this one.
    terminal.press("Tab")
    lines = terminal.wait_until(lambda now: "20 codes" in now[1] and len(now) == 24)
    assert len({line.split()[0] for line in lines[3:23]}) > 3
    terminal.press("a")
    lines = terminal.wait_until(lambda now: now[1] == "KRW-SOL  4/20" and len(now) > 4)
    assert {line.split()[0] for line in lines[3:-1]} == {"KRW-SOL"}
    # The candles: the past of an hour is there at once.
    terminal.press("4")
    lines = terminal.wait_until(lambda now: len(candle_columns(now)) > 10)
    assert "4 Candles 1m" in lines[0]
    assert lines[1].startswith("KRW-SOL  4/20  Close ")
    terminal.press("u")
    terminal.wait_for("4 Candles 3m", "Close")
    # The keys, and back.
    terminal.press("?")
    assert terminal.wait_for("Shift-Tab")
    terminal.press("?")
    terminal.wait_for("Close", without="Shift-Tab")
    terminal.press("q")
    assert terminal.exit_code() == 0
    assert not terminal.on_alternate_screen()
    # The last picture stays, with a line for the prompt.
    lines = terminal.lines()
    assert "4 Candles 3m" in lines[0]
    assert lines[-2].startswith("connected")


def candle_columns(lines: list[str]) -> set[int]:
    """The columns in which candles stand."""
    return {place for line in lines for place, sign in enumerate(line) if sign in "┃╹╻│╵╷╿╽"}


@needs_tmux
def test_the_stream_carries_what_is_shown_and_no_more(
    start_in_tmux: StartInTmux, sim: Simulator
) -> None:
    terminal = start_in_tmux("watch", "KRW-BTC", "KRW-ETH", UPBIT_STREAM_URL=sim.url)

    def carried() -> set[tuple[str, str]]:
        return {(type_, code) for _, type_, code in sim.subscriptions()}

    for key, type_ in (("1", "ticker"), ("2", "orderbook"), ("4", "candle.1m"), ("3", "trade")):
        terminal.press(key)
        eventually(lambda type_=type_: carried() == {(type_, "KRW-BTC"), (type_, "KRW-ETH")})  # type: ignore[misc]
    # All of it over the connection that was there from the beginning.
    assert len(sim.handshakes) == 1
    terminal.press("q")
    assert terminal.exit_code() == 0
    assert sim.wait_for(lambda: not sim.connections)


@needs_tmux
def test_in_korean_it_follows_the_size_of_the_window(
    start_in_tmux: StartInTmux, sim: Simulator
) -> None:
    terminal = start_in_tmux("watch", "KRW-BTC", "KRW-ETH", UPBIT_STREAM_URL=sim.url,
                             LC_ALL="ko_KR.UTF-8")  # fmt: skip
    lines = terminal.wait_for("연결됨", "KRW-BTC    116,", without="기다리는 중")
    assert lines[0].startswith("upbit-stream  1 현재가  2 호가  3 체결  4 캔들")
    assert "경과" in lines[1]
    assert "고가" not in lines[1]
    terminal.resize(140, 30)
    terminal.wait_for("거래대금 24h", "고가")
    terminal.resize(40, 10)
    terminal.wait_for("현재가", without="거래대금 24h")
    terminal.resize(80, 24)
    # A keyboard that is set to Hangul: ㅂ is beside q.
    terminal.press("ㅂ")
    assert terminal.exit_code() == 0


@needs_tmux
def test_more_codes_than_lines_are_reached_by_arrows(start_in_tmux: StartInTmux) -> None:
    terminal = start_in_tmux("watch", "--demo", height=10)
    terminal.wait_for("... 14 more", "KRW-BTC")
    terminal.press("End")
    terminal.wait_for("KRW-PEPE", "... 14 more", without="KRW-BTC")
    terminal.press("Down")
    terminal.wait_for("KRW-BTC")
    terminal.press("C-c")
    assert terminal.exit_code() == 0


@needs_tmux
def test_warnings_are_shown_below_the_table(start_in_tmux: StartInTmux, sim: Simulator) -> None:
    terminal = start_in_tmux("watch", "KRW-BTC", UPBIT_STREAM_URL=sim.url)
    terminal.wait_for("connected", "KRW-BTC    11")
    sim.stop()
    lines = terminal.wait_for("reconnecting", "connection was refused")
    assert lines[3].startswith("reconnecting")
    assert "connection was refused; trying" in lines[4]
    terminal.press("q")
    assert terminal.exit_code() == 0


# That the terminal is as it was.


@pytest.mark.parametrize("end", ["keys", "Ctrl-C", "SIGTERM"])
def test_the_terminal_is_given_back(start_on_terminal: StartOnTerminal, end: str) -> None:
    terminal = start_on_terminal("watch", "--demo", "KRW-BTC")
    before = terminal.modes()
    terminal.screen.wait_for(lambda text: "connected" in text and "KRW-BTC" in text)
    assert terminal.modes() != before
    if end == "SIGTERM":
        terminal.process.send_signal(signal.SIGTERM)
    else:
        terminal.press(CTRL_C if end == "Ctrl-C" else b"q")
    assert terminal.exit_code() == 0
    assert terminal.modes() == before
    left = terminal.left_behind().strip().split("\n")
    assert left[0].startswith("upbit-stream  1 Prices")
    assert left[-1].startswith("connected")
    assert len(left) == 4


def test_also_after_a_fault_of_ours(start_on_terminal: StartOnTerminal) -> None:
    broken = """
import sys
from upbit_stream.cli import main, viewer
draw = viewer.draw
def break_at_the_third(picture, *rest):
    global left
    left -= 1
    if not left:
        raise ZeroDivisionError("of the test")
    return draw(picture, *rest)
left, viewer.draw = 3, break_at_the_third
sys.exit(main(["watch", "--demo", "KRW-BTC"]))
"""
    terminal = start_on_terminal(program=(sys.executable, "-c", broken))
    before = terminal.modes()
    assert terminal.exit_code() == 1
    assert terminal.modes() == before
    assert "ZeroDivisionError: of the test" in terminal.left_behind()


@needs_tmux
def test_ctrl_z_gives_the_terminal_back_until_it_goes_on(start_in_tmux: StartInTmux) -> None:
    # With a shell, because a program that nobody can wake again is not put to sleep.
    terminal = start_in_tmux(program=("bash", "--norc", "--noprofile"), PS1="ready> ")
    terminal.wait_for("ready>")
    terminal.press(f"{sys.executable} -m upbit_stream watch --demo KRW-BTC", "Enter")
    terminal.wait_for("connected", "KRW-BTC")
    terminal.press("C-z")
    terminal.wait_for("Stopped", "ready>", without="connected")
    assert not terminal.on_alternate_screen()
    terminal.press("echo seen", "Enter")
    terminal.wait_for("ready> echo seen")
    terminal.press("fg", "Enter")
    terminal.wait_for("connected", "KRW-BTC", without="ready>")
    terminal.press("q")
    terminal.wait_for("ready>", "KRW-BTC")
    assert not terminal.on_alternate_screen()


def test_a_fatal_error_is_one_sentence_after_the_table(
    start_on_terminal: StartOnTerminal, sim: Simulator
) -> None:
    terminal = start_on_terminal("watch", "KRW-BTC", UPBIT_STREAM_URL=f"{sim.url}/nowhere")
    assert terminal.exit_code() == 1
    (told,) = terminal.left_behind().strip().split("\n")
    assert told.startswith("upbit-stream: ")
    assert "404" in told


# How it is drawn.


def test_a_storm_is_drawn_ten_times_a_second_and_without_wiping(
    start_on_terminal: StartOnTerminal,
) -> None:
    with Simulator(rate=5000) as simulator:
        terminal = start_on_terminal(
            "watch", *simulator.codes, "--seconds", "2", NO_COLOR="1",
            UPBIT_STREAM_URL=simulator.url,
        )  # fmt: skip
        assert terminal.exit_code() == 0
    text = terminal.screen.all()
    # The first drawing wipes what was there before, and none of the others does.
    assert text.count("\x1b[2J") == 2
    assert 3 < text.count("\x1b[?2026h") <= 23
    # Bold, dim and reversed are no colours.
    assert all(re.fullmatch(r"\x1b\[[0127;]+m", order) for order in colours(text))
    lines = terminal.left_behind().rstrip("\n").split("\n")
    assert re.search(r"connected +latency .* msg/s +0 dropped", lines[-1])
    assert len(lines) == 23


def test_a_terminal_that_cannot_draw_gets_lines(start_on_terminal: StartOnTerminal) -> None:
    terminal = start_on_terminal("watch", "--demo", "KRW-BTC", TERM="dumb")
    terminal.screen.wait_for(lambda text: text.count(" KRW-BTC  price ") > 1)
    assert "\x1b" not in terminal.screen.text
    terminal.press(CTRL_C)
    assert terminal.exit_code() == 0
