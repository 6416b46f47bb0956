"""What can be wrong with a recording: torn, foreign, damaged, no room, nobody's, closed."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import eventually
from tests.recording.conftest import NAMES, trades
from tests.recording.test_recorder import ids, manifest_of
from upbit_stream import Recorder, RecordingError, Trade, UpbitStream, read_recording
from upbit_stream.simulator import Simulator

APPENDED = NAMES[:2]


@pytest.fixture(params=NAMES)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / str(request.param)


def record(path: Path, first: int, count: int, **settings: Any) -> None:
    """So many trades, five in each piece that is written."""
    with Recorder(path, flush_interval=60, **settings) as recorder:
        for number in range(first, first + count, 5):
            for event in trades(5, number):
                recorder(event)
            recorder.flush()


@pytest.mark.parametrize("name", APPENDED)
@pytest.mark.parametrize("with_manifest", [True, False])
def test_cut_at_any_byte_it_reads_back_whole_and_is_gone_on_with(
    tmp_path: Path, name: str, with_manifest: bool
) -> None:
    source = tmp_path / "source" / name
    source.parent.mkdir()
    record(source, 1, 15)
    whole = source.read_bytes()
    manifest = (source.parent / f"{name}.manifest.json").read_bytes()
    path = tmp_path / name
    read_before = 0
    for size in range(0, len(whole) + 1, 1 if name.endswith("zst") else 7):
        path.write_bytes(whole[:size])
        if with_manifest:
            # As of before the crash: it is ahead of no file, so here it is not fitting at all.
            (tmp_path / f"{name}.manifest.json").write_bytes(manifest)
        else:
            (tmp_path / f"{name}.manifest.json").unlink(missing_ok=True)
        read = ids(read_recording(path))
        assert read == list(range(1, len(read) + 1))
        assert len(read) >= read_before
        read_before = len(read)
        if size % 15 == 0:
            record(path, 101, 5)
            assert ids(read_recording(path)) == [*read, *range(101, 106)]
            assert manifest_of(path)["events"] == len(read) + 5
    assert read_before == 15


def test_a_manifest_that_is_behind_is_caught_up(path: Path) -> None:
    before = Recorder(path, flush_interval=60)
    for event in trades(5):
        before(event)
    before.flush()
    # Has the manifest written again.
    before.on_gap({"type": "trade"})
    before.flush()
    behind = (path.parent / f"{path.name}.manifest.json").read_bytes()
    assert json.loads(behind)["events"] == 5
    for event in trades(5, 6):
        before(event)
    before.close()
    (path.parent / f"{path.name}.manifest.json").write_bytes(behind)
    record(path, 11, 5)
    assert ids(read_recording(path)) == list(range(1, 16))
    manifest = manifest_of(path)
    assert manifest["counts"] == {"trade": {"KRW-BTC": 15}}
    assert sum(file["events"] for file in manifest["files"]) == manifest["events"] == 15
    assert manifest["first_timestamp"] == 1_700_000_000_001
    assert manifest["last_timestamp"] == 1_700_000_000_015


@pytest.mark.parametrize("tail", [b"\0" * 500, b"\xff\xfe", b"{"])
@pytest.mark.parametrize("name", APPENDED)
def test_what_a_loss_of_power_may_leave(tmp_path: Path, name: str, tail: bytes) -> None:
    path = tmp_path / name
    record(path, 1, 10)
    with path.open("ab") as file:
        file.write(tail)
    assert ids(read_recording(path)) == list(range(1, 11))
    record(path, 11, 5)
    assert ids(read_recording(path)) == list(range(1, 16))


def test_damage_in_the_middle_is_told_and_nothing_is_cut(tmp_path: Path) -> None:
    for name in APPENDED:
        path = tmp_path / name
        record(path, 1, 50)
        damaged = bytearray(path.read_bytes())
        middle = len(damaged) // 2
        damaged[middle : middle + 20] = b"\n" + b"\x55" * 18 + b"\n"
        path.write_bytes(damaged)
        with pytest.raises(RecordingError, match=name):
            list(read_recording(path))
        (tmp_path / f"{name}.manifest.json").unlink()
        with pytest.raises(RecordingError, match=name):
            Recorder(path)
        assert path.read_bytes() == damaged
        assert not (tmp_path / f"{name}.lock").exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("notes.jsonl", b"a few notes\nof mine"),
        ("notes.jsonl", b"a few notes"),
        ("notes.jsonl", b'{"a": 1}\n'),
        ("notes.jsonl", b'{"type": "shopping list"}\n'),
        ("notes.jsonl.zst", b"a few notes"),
        ("notes.parquet", b"a few notes"),
    ],
)
def test_a_file_that_is_no_recording_stays_as_it_is(
    tmp_path: Path, name: str, content: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=name):
        Recorder(path)
    assert path.read_bytes() == content


def test_a_second_recorder_is_refused(path: Path) -> None:
    with Recorder(path) as recorder:
        with pytest.raises(RecordingError, match="another recorder"):
            Recorder(path)
        recorder(trades(1)[0])
    with Recorder(path) as recorder:
        recorder(trades(1, 2)[0])
    assert ids(read_recording(path)) == [1, 2]


@pytest.mark.parametrize(
    "settings",
    [
        {"flush_interval": 0},
        {"flush_interval": float("nan")},
        {"rotate_bytes": -1},
        {"rotate_seconds": 0},
        {"buffer_size": 0},
        {"format": "csv"},
        {"format": "parquet"},
    ],
)
def test_impossible_settings(tmp_path: Path, settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(settings))}="):
        Recorder(tmp_path / "events.jsonl", **settings)
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_tells_no_format(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\.jsonl\.zst"):
        Recorder(tmp_path / "events")
    with Recorder(tmp_path / "events", format="parquet", rotate_bytes=1) as recorder:
        for event in trades(2):
            recorder(event)
            recorder.flush()
    assert (tmp_path / "events.0002").exists()
    assert ids(read_recording(tmp_path / "events")) == [1, 2]


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="cannot record to"):
        Recorder(tmp_path / "no" / "such" / "directory.jsonl")


def test_a_closed_one_says_so_to_on_error(path: Path, sim: Simulator, config: Any) -> None:
    recorder = Recorder(path)
    recorder.close()
    errors: list[Exception] = []
    stream = UpbitStream(config=config)
    stream.on_error(errors.append)
    stream.trade("KRW-BTC", callback=recorder)
    with stream:
        eventually(lambda: errors)
    assert isinstance(errors[0].__cause__, RecordingError)
    assert "it is closed" in str(errors[0].__cause__)
    assert recorder.stats.lost >= 1


def test_what_is_no_event(path: Path) -> None:
    with Recorder(path) as recorder:
        with pytest.raises(TypeError, match="str"):
            recorder("KRW-BTC")  # type: ignore[arg-type]
        # An event that JSON cannot hold: made by somebody, not by the exchange.
        recorder(trades(1)[0])
        recorder(Trade(type="trade", code=object()))  # type: ignore[arg-type]
        recorder(trades(1, 2)[0])
        recorder.flush()
        assert (recorder.stats.recorded, recorder.stats.lost, recorder.stats.queued) == (2, 1, 0)
    assert ids(read_recording(path)) == [1, 2]
    assert manifest_of(path)["lost"] == 1


@pytest.mark.parametrize(
    ("library", "name"), [("zstandard", "events.jsonl.zst"), ("pyarrow", "events.parquet")]
)
def test_without_the_extra_it_says_what_to_install(tmp_path: Path, library: str, name: str) -> None:
    script = f"""
import sys
sys.modules[{library!r}] = None
from upbit_stream import Recorder, read_recording
with Recorder("plain.jsonl"):
    pass
assert list(read_recording("plain.jsonl")) == []
Recorder({name!r})
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=30,
        check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert f'need the {library} package: pip install "upbit-stream[recording]"' in done.stderr
    assert not (tmp_path / f"{name}.lock").exists()


_FULL = """
import json, resource, sys, time
from tests.recording.conftest import trades
from upbit_stream import Recorder, RecordingError
limit = resource.getrlimit(resource.RLIMIT_FSIZE)

def fill(recorder, first):
    refused = 0
    for event in trades(500, first):
        try:
            recorder(event)
        except RecordingError:
            refused += 1
    return refused

recorder = Recorder(sys.argv[1], flush_interval=0.05, buffer_size=100)
for event in trades(50):
    recorder(event)
recorder.flush()
# No file may grow beyond this: the disk is full in the middle of the next piece.
resource.setrlimit(resource.RLIMIT_FSIZE, (recorder.stats.bytes + 10, limit[1]))
for event in trades(50, 51):
    recorder(event)
while recorder.failure is None:
    time.sleep(0.01)
# As many as fit into the buffer are kept.
refused = fill(recorder, 101)
assert refused == 400, refused
assert recorder.stats.lost == refused, recorder.stats
assert recorder.stats.queued == 150, recorder.stats
try:
    recorder.flush()
except RecordingError as error:
    print(error)
if sys.argv[2] == "room again":
    resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    while recorder.failure is not None:
        time.sleep(0.01)
    recorder.flush()
    for event in trades(10, 1001):
        recorder(event)
    recorder.close()
else:
    try:
        recorder.close()
    except RecordingError as error:
        print(error)
        assert error.lost == 550 == recorder.stats.lost
print(recorder.stats.recorded, recorder.stats.lost)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
@pytest.mark.parametrize("end", ["room again", "never"])
def test_a_full_disk_is_told_counted_and_tried_again(path: Path, end: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _FULL, str(path), end], capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    *told, counters = done.stdout.splitlines()
    assert "cannot be written: File too large" in told[0]
    assert done.stderr.count("is tried again every 0.05 s") == 1
    recorded, lost = map(int, counters.split())
    read = ids(read_recording(path))
    assert read[:50] == list(range(1, 51))
    if end == "never":
        assert "550 events are lost" in told[1]
        assert len(read) == 50
    else:
        assert (len(read), lost) == (recorded, 400) == (210, 400)
        assert read[-10:] == list(range(1001, 1011))
        assert read == sorted(set(read))
        assert manifest_of(path)["lost"] == lost
        assert "can be written again" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pipe with a name")
def test_a_disk_that_hangs_makes_the_callback_wait_and_close_return(tmp_path: Path) -> None:
    """The manifest of the next piece goes to a pipe that nobody reads."""
    import os
    import threading

    path = tmp_path / "events.jsonl"
    recorder = Recorder(path, flush_interval=60, buffer_size=10)
    recorder(trades(1)[0])
    recorder.flush()
    pipe = tmp_path / "events.jsonl.manifest.json.unfinished"
    os.mkfifo(pipe)
    recorder.on_gap({"type": "trade"})
    with pytest.raises(TimeoutError):
        recorder.flush(0.2)
    for event in trades(10, 2):
        recorder(event)
    refused: list[RecordingError] = []

    def one_more() -> None:
        try:
            recorder(trades(1, 12)[0])
        except RecordingError as error:
            refused.append(error)

    waiting = threading.Thread(target=one_more)
    waiting.start()
    waiting.join(0.3)
    assert waiting.is_alive()
    assert recorder.stats.queued == 10
    assert not recorder.close(0.2)
    waiting.join(5)
    assert not waiting.is_alive()
    assert "it is closed" in str(refused[0])
    # The pipe is read: what hung goes on, and fails, because a pipe is no file.
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:  # for as long as it tries
        eventually(lambda: not recorder._worker.alive)
    finally:
        os.close(reader)
    assert len(ids(read_recording(path))) >= 1


def test_a_crash_between_the_parquet_file_and_the_end_of_its_journal(tmp_path: Path) -> None:
    path = tmp_path / "events.parquet"
    journal = tmp_path / "events.parquet.journal"
    recorder = Recorder(path)
    for event in trades(5):
        recorder(event)
    recorder.flush()
    left = journal.read_bytes()
    recorder.close()
    journal.write_bytes(left)
    (tmp_path / "events.parquet.unfinished").write_bytes(b"PAR1")
    assert ids(read_recording(path)) == [1, 2, 3, 4, 5]
    record(path, 6, 5)
    assert ids(read_recording(path)) == list(range(1, 11))
    assert manifest_of(path)["events"] == 10
    assert not journal.exists()


def test_a_parquet_file_that_cannot_be_made(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The journal stays, reads back, and becomes a file when it can."""
    path = tmp_path / "events.parquet"
    recorder = Recorder(path)
    recorder(trades(1)[0])
    (tmp_path / "events.parquet.unfinished").mkdir()
    with caplog.at_level(logging.ERROR, "upbit_stream"):
        recorder.close()
    assert "stays as it is, no Parquet file could be made of it" in caplog.text
    assert ids(read_recording(path)) == [1]
    (tmp_path / "events.parquet.unfinished").rmdir()
    record(path, 2, 5)
    assert ids(read_recording(path)) == list(range(1, 7))
    assert {one.name for one in tmp_path.iterdir()} == {
        "events.parquet", "events.0002.parquet", "events.parquet.manifest.json",
    }  # fmt: skip
