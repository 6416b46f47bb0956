"""``upbit-stream replay``: a recording as lines and on a screen, at its own speed."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.cli.conftest import Call, StartInTmux
from tests.cli.tmux import needs_tmux
from tests.conftest import eventually, our_threads
from upbit_stream import (
    Candle,
    Orderbook,
    OrderbookUnit,
    Recorder,
    Trade,
    read_recording,
)
from upbit_stream.cli.memory import Memory
from upbit_stream.cli.playing import Clockwork, RecordingFeed, contents_of, played
from upbit_stream.events import Event

SECOND = 1_000_000_000
BEGAN = 1_767_236_400 * SECOND


def trade(number: int, seconds: float, code: str = "KRW-BTC") -> Trade:
    return Trade(
        type="trade", code=code, trade_price=1000.0 + number, trade_volume=1.0, ask_bid="BID",
        sequential_id=number, timestamp=number, received_at=BEGAN + int(seconds * SECOND),
    )  # fmt: skip


def events() -> Iterator[Event]:
    for number in range(40):
        yield trade(number, number * 0.1, "KRW-ETH" if number % 4 == 0 else "KRW-BTC")
        yield Orderbook(
            type="orderbook", code="KRW-BTC", timestamp=number, total_ask_size=1.0,
            total_bid_size=1.0, received_at=BEGAN + number * SECOND // 10,
            orderbook_units=(OrderbookUnit(ask_price=1001.0, bid_price=1000.0 - number,
                                           ask_size=1.0, bid_size=2.0),),
        )  # fmt: skip
    for unit in ("1m", "3m"):
        yield Candle(
            type=f"candle.{unit}", code="KRW-BTC", opening_price=1.0, high_price=2.0,  # type: ignore[arg-type]
            low_price=1.0, trade_price=2.0, candle_date_time_utc="2026-01-01T03:00:00",
            received_at=BEGAN + 4 * SECOND,
        )  # fmt: skip


@pytest.fixture(params=["a.jsonl", "a.jsonl.zst", "a.parquet"])
def recording(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return recorded(tmp_path / str(request.param))


def recorded(path: Path) -> Path:
    with Recorder(path) as recorder:
        for event in events():
            recorder(event)
    return path


def test_into_a_pipe_it_goes_at_once_and_whole(call: Call, recording: Path) -> None:
    exit_code, out, told = call("replay", str(recording), "--json")
    assert (exit_code, told) == (0, "")
    lines = [json.loads(line, parse_float=Decimal) for line in out.splitlines()]
    assert lines == [
        json.loads(json.dumps(event.to_dict()), parse_float=Decimal)
        for event in read_recording(recording)
    ]


def test_plain_lines_of_some_codes_and_types(call: Call, tmp_path: Path) -> None:
    path = str(recorded(tmp_path / "a.jsonl"))
    exit_code, out, told = call("replay", path, "KRW-ETH")
    assert (exit_code, told) == (0, "")
    assert out.count("\n") == 10
    assert all(" KRW-ETH  price " in line for line in out.splitlines())
    _, out, _ = call("replay", path, "-t", "candle.3m", "-t", "orderbook", "--speed", "1000")
    assert out.count(" bid size ") == 40
    assert out.count(" open 1.00  high 2.00") == 1
    _, out, _ = call("replay", path, "--seconds", "0.2", "--speed", "1", "-t", "trade")
    assert 0 < out.count("\n") < 40


@pytest.mark.parametrize(
    ("arguments", "exit_code", "parts"),
    [
        (["no/such/file"], 2, ["cannot read no/such/file: No such file"]),
        ([__file__], 2, ["no event"]),
        (["{}", "-t", "trades"], 2, ["did you mean 'trade'?"]),
        (["{}", "btc-krw"], 2, ["'btc-krw'"]),
        (["{}", "--speed", "-1"], 2, ["--speed -1"]),
        (["{}", "-t", "ticker"], 1, ["trade (2), orderbook (1), candle.1m (1), candle.3m (1)"]),
        (["{}", "KRW-XRP"], 1, ["it has: trade (2)"]),
    ],
)
def test_what_cannot_be_shown(
    call: Call, tmp_path: Path, arguments: list[str], exit_code: int, parts: list[str]
) -> None:
    path = recorded(tmp_path / "a.jsonl")
    ended, out, told = call("replay", *(one.format(path) for one in arguments))
    assert (ended, out) == (exit_code, "")
    assert told.startswith("upbit-stream: ")
    assert told.count("\n") == 1
    for part in parts:
        assert part in told


@needs_tmux
def test_on_a_screen_with_the_keys_of_watch(start_in_tmux: StartInTmux, tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.jsonl.zst")
    terminal = start_in_tmux("replay", str(path), "-t", "orderbook", "--speed", "0.1", width=100)
    lines = terminal.wait_for("playing  0.1x", "Depth")
    assert lines[0].startswith("upbit-stream  2 Book  3 Trades  4 Candles")
    terminal.press("Space")
    terminal.wait_for("held  0.1x")
    terminal.press(*"++++++++++", "Space")
    terminal.wait_for("the end  102.4x", "82 / 82 events")
    terminal.press("3", "a")
    terminal.wait_for("KRW-BTC  1/2", "1,039")
    terminal.press("Right")
    terminal.wait_until(lambda now: now[1] == "KRW-ETH  2/2" and len(now) == 14)
    terminal.press("4", "Right")
    terminal.wait_for("4 Candles 1m", "KRW-BTC  1/2  Close 2.00")
    terminal.press("u")
    terminal.wait_for("4 Candles 3m", "Close 2.00")
    terminal.press("q")
    assert terminal.exit_code() == 0


@needs_tmux
def test_without_a_keyboard_the_end_is_the_end(start_in_tmux: StartInTmux, tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.jsonl")
    script = 'exec "$0" -m upbit_stream replay "$1" --speed 0 < /dev/null'
    terminal = start_in_tmux(program=("sh", "-c", script, sys.executable, str(path)), height=10)
    assert terminal.exit_code() == 0
    assert any(line.startswith("the end  at once") for line in terminal.lines())


# Time.


def test_events_come_when_it_is_their_time() -> None:
    """Two of one moment, one long after: it is waited for, until somebody hurries."""
    clockwork = Clockwork(1.0)
    seen: list[int] = []

    def play() -> None:
        for one in played([trade(1, 0), trade(2, 0), trade(3, 50)], clockwork):
            seen.append(one.sequential_id)

    thread = threading.Thread(target=play)
    thread.start()
    eventually(lambda: seen == [1, 2])
    clockwork.toggle()
    assert clockwork.paused
    held = clockwork.passed()
    for _ in range(12):
        clockwork.change_speed(2.0)
    assert clockwork.speed == 4096.0
    assert clockwork.passed() == held
    assert seen == [1, 2]
    clockwork.toggle()
    thread.join(20)
    assert seen == [1, 2, 3]
    assert clockwork.passed() >= 50


def test_long_pauses_are_left_out_and_order_is_kept() -> None:
    clockwork = Clockwork(100.0)
    night = 12 * 3600
    given = [trade(1, 0), trade(2, night), trade(3, night + 1), trade(4, night - 5)]
    began = time.monotonic()
    assert [one.sequential_id for one in played(given, clockwork)] == [1, 2, 3, 4]
    # A night at a hundred times the speed would be seven minutes.
    assert time.monotonic() - began < 60


def test_a_clockwork_that_is_stopped_lets_everyone_go() -> None:
    clockwork = Clockwork(1.0)
    clockwork.stop()
    assert list(played([trade(1, 0), trade(2, 9)], clockwork)) == []


def test_the_contents_are_counted_where_no_manifest_tells_them(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.jsonl")
    told = contents_of(path)
    (tmp_path / "a.jsonl.manifest.json").unlink()
    assert contents_of(path) == told
    assert told["trade"] == {"KRW-ETH": 10, "KRW-BTC": 30}


def test_closing_in_the_middle_leaves_no_thread(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.jsonl")
    memory = Memory(["KRW-BTC"])
    with RecordingFeed(path, contents_of(path), memory.take, 0.01, time.monotonic()) as feed:
        eventually(lambda: feed.messages > 0)
        assert not feed.over
        assert feed.types == ["trade", "orderbook", "candle.1m"]
        assert feed.units == ["candle.1m", "candle.3m"]
    assert our_threads() == []
    # A code that is not shown is no fault.
    assert memory.trades("KRW-ETH") != []
