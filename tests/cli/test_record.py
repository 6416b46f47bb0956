"""``upbit-stream record``: what it writes, what it shows, how it ends."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Call, Start, StartOnTerminal
from tests.cli.program import plain
from tests.conftest import eventually
from upbit_stream import read_recording
from upbit_stream.cli.commands.record import rotation_of
from upbit_stream.cli.failures import WrongUsage
from upbit_stream.simulator import Simulator


def test_a_demo_into_each_format(call: Call, tmp_path: Path) -> None:
    for name in ("a.jsonl", "a.jsonl.zst", "a.parquet"):
        for seconds in (1, 5, 20):
            path = tmp_path / f"{seconds}-{name}"
            exit_code, out, told = call(
                "record", "--demo", "KRW-BTC", "-t", "trade", "--type", "orderbook", "--seconds",
                str(seconds), "--exact", "--out", str(path),
            )  # fmt: skip
            assert (exit_code, told) == (0, "upbit-stream: simulated data, not the exchange's\n")
            events = list(read_recording(path))
            # On a busy machine it may take longer until something comes.
            if {event.type for event in events} == {"trade", "orderbook"}:
                break
        else:
            pytest.fail("nothing has come")
        summary = out.splitlines()[-1]
        assert summary.startswith(f"{path}: {len(events):,} events recorded, ")
        assert re.search(r" in 1 file, 0 dropped, in \d+\.\d s$", summary)
        size = re.search(r"([\d.]+) kB", summary)
        assert size is not None
        assert abs(float(size[1]) - path.stat().st_size / 1000) < 0.1
        manifest = json.loads(path.with_name(f"{path.name}.manifest.json").read_text())
        assert (manifest["numbers"], manifest["closed"]) == ("decimal", True)


def test_no_time_at_all_is_nothing_to_warn_of(call: Call, tmp_path: Path) -> None:
    out = str(tmp_path / "a.jsonl")
    exit_code, _, told = call("record", "--demo", "KRW-BTC", "--seconds", "0.001", "--out", out)
    assert (exit_code, told) == (0, "upbit-stream: simulated data, not the exchange's\n")


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet"])
def test_a_file_that_exists_is_said_to_be_gone_on_with(
    call: Call, tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    demo = ("record", "--demo", "KRW-BTC", "-t", "orderbook", "--out", str(path))
    before: list[str] = []
    while len(before) < 2:  # on a busy machine it may take longer until something comes
        assert call(*demo, "--seconds", "1")[0] == 0
        before = [event.type for event in read_recording(path)]
    _, _, told = call(*demo, "--depth", "5", "--seconds", "0.2")
    file, rows, simulated = told.splitlines()
    moment = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
    assert re.fullmatch(
        rf"upbit-stream: {re.escape(str(path))} has {len(before)} events already, from {moment} to "
        rf"{moment}; what comes now is added behind them",
        file,
    )
    assert rows == "upbit-stream: the order books in it have 30 rows, those that come now 5"
    assert simulated == "upbit-stream: simulated data, not the exchange's"
    # The same rows, or no books, are nothing to tell of.
    _, _, told = call(*demo, "--seconds", "0.2")
    assert told.count("\n") == 2
    assert "rows" not in told
    # A manifest that is missing, as one that is behind, is made again.
    path.with_name(f"{name}.manifest.json").unlink()
    count = len(list(read_recording(path)))
    _, _, told = call(*demo[:3], "--out", str(path), "--json", "--seconds", "0.2")
    assert told.startswith(f"upbit-stream: {path} has {count} events already, from ")
    assert "rows" not in told


def test_a_file_with_numbers_of_the_other_kind_is_refused_at_once(
    call: Call, tmp_path: Path
) -> None:
    for first, other, words in (
        (["--exact"], [], "with --exact; give it again, or choose another file"),
        ([], ["--exact"], "without --exact; leave it out, or choose another file"),
    ):
        path = tmp_path / f"{len(first)}.jsonl"
        demo = ("record", "--demo", "KRW-BTC", "--out", str(path))
        while not path.exists() or not list(read_recording(path)):
            assert call(*demo, *first, "--seconds", "1")[0] == 0
        before = path.read_bytes()
        exit_code, out, told = call(*demo, *other, "--seconds", "1")
        assert (exit_code, out) == (2, "")
        assert told == f"upbit-stream: {path} was recorded {words}\n"
        assert path.read_bytes() == before


def test_ctrl_c_ends_it_with_all_that_came(start: Start, sim: Simulator, tmp_path: Path) -> None:
    path = tmp_path / "trades"
    program = start("record", "KRW-BTC", "--out", str(path), "--format", "zstd", "--rotate",
                    "1kB,1h", UPBIT_STREAM_URL=sim.url)  # fmt: skip
    eventually(lambda: path.exists() and list(read_recording(path)))
    for _ in range(3):
        sim.burst(100, ["KRW-BTC"])
        count = len(sim.ledger("KRW-BTC"))
        eventually(lambda count=count: len(list(read_recording(path))) > count)  # type: ignore[misc]
    sim.burst(100, ["KRW-BTC"])
    eventually(lambda: program.process.poll() is not None or sim.connections)
    program.interrupt()
    assert program.exit_code() == 0
    assert program.err.all() == ""
    out = program.out.all().splitlines()[-1]
    read = [event for event in read_recording(path) if event.stream_type == "REALTIME"]
    assert out.startswith(f"{path}: {len(read) + 1} events recorded, ")
    ledger = sim.ledger("KRW-BTC")
    assert [event.to_dict()["sequential_id"] for event in read] == ledger[: len(read)]
    assert (tmp_path / "trades.0002").exists()


def test_lines_in_a_pipe(start: Start, sim: Simulator, tmp_path: Path) -> None:
    program = start("record", "KRW-BTC", "-t", "trade", "-t", "ticker", "-o",
                    str(tmp_path / "a.jsonl"), UPBIT_STREAM_URL=sim.url)  # fmt: skip
    line = program.out.wait_for(lambda text: "\n" in text)
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d  connected  2 events recorded, [\d.]+ (kB|bytes) in 1 file  0/s"
        r"  0 dropped  \d+ s\n",
        line,
    )
    program.interrupt()
    assert program.exit_code() == 0


def test_json_tells_the_same(call: Call, tmp_path: Path) -> None:
    for seconds in ("0.5", "5", "20"):
        path = tmp_path / f"{seconds}.jsonl"
        exit_code, out, _ = call("record", "--demo", "KRW-BTC", "--json", "--seconds", seconds,
                                 "-o", str(path))  # fmt: skip
        told = json.loads(out)
        assert exit_code == 0
        # On a busy machine it may take longer until something comes.
        if told["recorded"]:
            break
    assert told["recorded"] == len(list(read_recording(path))) > 0
    assert (told["out"], told["bytes"]) == (str(path), path.stat().st_size)
    assert (told["files"], told["dropped"], told["lost"]) == (1, 0, 0)


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
def test_progress_on_a_terminal(start_on_terminal: StartOnTerminal, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.zst"
    terminal = start_on_terminal(
        "record", "--demo", "-t", "trade", "-t", "candle.1s", "-o", str(path), width=120
    )
    terminal.screen.wait_for(lambda text: re.search(r"candle\.1s +\d+ events +\d+/s", text))
    terminal.screen.wait_for(
        lambda text: re.search(r"connected  [1-9][\d,]* events recorded", text)
    )
    terminal.press(b"\x03")
    assert terminal.exit_code() == 0
    text = terminal.screen.all()
    assert "upbit-stream record  SIMULATED DATA  " in plain(text)
    # What stays is the summary.
    assert f"{path}: " in text.rstrip().splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["KRW-BTC", "--out", "x"], ["'x'", ".jsonl.zst"]),
        (["KRW-BTC", "--out", "x.jsonl", "--depth", "7"], ["depth=7"]),
        (["KRW-BTC", "--out", "x.jsonl", "--format", "csv"], ["csv", "parquet"]),
        (["KRW-BTC", "--out", "x.jsonl", "--format", "zstd"], ["x.jsonl", "'zstd'"]),
        (["KRW-BTC", "--out", "x.jsonl", "--rotate", "5 parsecs"], ["5 parsecs", "100MB"]),
        (["KRW-BTC", "--out", "x.jsonl", "-t", "trades"], ["did you mean 'trade'?"]),
        (["KRW-BTC", "--out", "x.jsonl", "-t", "orderbook", "--depth", "7"], ["depth=7"]),
        (["--out", "x.jsonl"], ["upbit-stream record KRW-BTC", "--demo"]),
        (["krw-btc", "--out", "x.jsonl"], ["Did you mean 'KRW-BTC'?"]),
    ],
)
def test_wrong_usage_makes_no_file(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str],
    parts: list[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    exit_code, out, told = call("record", *arguments)
    assert (exit_code, out) == (2, "")
    assert told.startswith("upbit-stream: ")
    assert told.count("\n") == 1
    for part in parts:
        assert part in told
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_can_be_written(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "no" / "a.jsonl"
    exit_code, out, told = call("record", "--demo", "--out", str(path))
    assert (exit_code, out) == (1, "")
    assert told.startswith(f"upbit-stream: cannot record to {path}: No such file or directory; ")
    assert told.count("\n") == 1


def test_a_wrong_address_says_what_was_recorded(
    call: Call, sim: Simulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("UPBIT_STREAM_URL", f"{sim.url}/nowhere")
    exit_code, out, told = call("record", "KRW-BTC", "--out", str(tmp_path / "a.jsonl"))
    assert exit_code == 1
    assert ": 0 events recorded, 0 bytes in 1 file, " in out
    assert told.count("\n") == 1
    assert "404" in told


@pytest.mark.parametrize(
    ("text", "size", "seconds"),
    [
        (None, None, None),
        ("500kB", 500_000, None),
        ("1.5gb", 1_500_000_000, None),
        ("90s", None, 90.0),
        ("15m", None, 900.0),
        ("1d, 2MB", 2_000_000, 86400.0),
    ],
)
def test_limits(text: str | None, size: int | None, seconds: float | None) -> None:
    assert rotation_of(text) == (size, seconds)


@pytest.mark.parametrize("text", ["", "0s", "1", "MB", "-1MB", "1h,", "1h;2MB"])
def test_limits_that_are_none(text: str) -> None:
    with pytest.raises(WrongUsage):
        rotation_of(text)
