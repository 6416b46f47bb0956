"""A recording through its life: written, rotated, gone on with, read while it is written."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.conftest import ACCESS_KEY, SECRET_KEY, eventually, our_threads
from tests.recording.conftest import NAMES, corpus, trades
from upbit_stream import (
    Drop,
    Event,
    Gap,
    OverflowPolicy,
    Recorder,
    RecordingError,
    StreamConfig,
    Ticker,
    Trade,
    UpbitStream,
    read_recording,
)
from upbit_stream.recording.lines import Numbers
from upbit_stream.recording.reading import read_lines
from upbit_stream.simulator import Simulator


@pytest.fixture(params=NAMES)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / str(request.param)


def manifest_of(path: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((path.parent / f"{path.name}.manifest.json").read_text())
    return manifest


def ids(events: Iterator[Event] | list[Event]) -> list[int]:
    return [event.sequential_id for event in events if isinstance(event, Trade)]


@pytest.mark.parametrize("numbers", ["float", "decimal"])
def test_every_kind_of_event_reads_back_equal(path: Path, numbers: Numbers) -> None:
    events = corpus(numbers)
    with Recorder(path) as recorder:
        for event in events:
            recorder(event)
    assert recorder.stats.recorded == len(events)
    back = list(read_recording(path))
    assert back == events
    assert [repr(one.to_dict()) for one in back] == [repr(one.to_dict()) for one in events]
    manifest = manifest_of(path)
    assert (manifest["events"], manifest["numbers"], manifest["closed"]) == (
        len(events), numbers, True,
    )  # fmt: skip
    assert manifest["counts"]["myAsset"] == {"myAsset": manifest["counts"]["myAsset"]["myAsset"]}
    assert sum(sum(codes.values()) for codes in manifest["counts"].values()) == len(events)
    stamps = [event.timestamp for event in events if event.timestamp is not None]
    assert manifest["first_timestamp"] == min(stamps)
    assert manifest["last_timestamp"] == max(stamps)
    assert manifest["files"][0]["bytes"] == path.stat().st_size


def test_as_a_callback_of_several_subscriptions(path: Path, sim: Simulator, config: Any) -> None:
    seen: list[Event] = []
    # Each subscription has its thread.
    guard = threading.Lock()
    with Recorder(path, flush_interval=0.1) as recorder:

        def both(event: Event) -> None:
            with guard:
                recorder(event)
                seen.append(event)

        stream = UpbitStream(config=config)
        stream.trade(["KRW-BTC", "KRW-ETH"], callback=both)
        stream.ticker("KRW-BTC", callback=both)
        stream.orderbook("KRW-BTC", callback=both)
        stream.candle("KRW-BTC", callback=both)
        stream.on_drop(recorder.on_drop)
        with stream:
            # Realtime begins behind the snapshots.
            eventually(lambda: len({(event.type, event.code) for event in list(seen)}) >= 4)
            sim.burst(200, ["KRW-BTC", "KRW-ETH"])
            eventually(lambda: sum(event.type == "trade" for event in list(seen)) == 202)
            eventually(lambda: any(event.type == "candle.1s" for event in list(seen)))
    assert {event.type for event in seen} == {"trade", "ticker", "orderbook", "candle.1s"}
    assert list(read_recording(path)) == seen


def test_from_many_threads_nothing_is_lost(path: Path) -> None:
    with Recorder(path, buffer_size=100) as recorder:
        parts = [trades(2000, first=1 + 2000 * number) for number in range(4)]

        def record(events: list[Trade]) -> None:
            for event in events:
                recorder(event)

        threads = [threading.Thread(target=record, args=(part,)) for part in parts]
        begun = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # Who waits for room is told of it.
        assert time.monotonic() - begun < 10
    read = ids(read_recording(path))
    assert sorted(read) == list(range(1, 8001))
    for number in range(4):  # each thread's in its order
        mine = [one for one in read if (one - 1) // 2000 == number]
        assert mine == sorted(mine)


def test_a_recording_is_gone_on_with(path: Path) -> None:
    for part in (trades(10), trades(10, 11), trades(10, 21)):
        with Recorder(path) as recorder:
            for event in part:
                recorder(event)
    assert ids(read_recording(path)) == list(range(1, 31))
    manifest = manifest_of(path)
    assert manifest["events"] == 30
    assert manifest["counts"] == {"trade": {"KRW-BTC": 30}}
    # What is complete cannot be appended to.
    assert len(manifest["files"]) == (3 if path.suffix == ".parquet" else 1)


def test_it_is_read_while_it_is_written(path: Path) -> None:
    with Recorder(path, flush_interval=60) as recorder:
        for event in trades(10):
            recorder(event)
        assert recorder.stats.recorded == 0
        assert recorder.stats.queued == 10
        recorder.flush()
        assert (recorder.stats.recorded, recorder.stats.queued) == (10, 0)
        assert ids(read_recording(path)) == list(range(1, 11))
        for event in trades(10, 11):
            recorder(event)
        assert len(ids(read_recording(path))) == 10
    assert len(ids(read_recording(path))) == 20


def test_the_interval_writes_without_another_event(path: Path) -> None:
    with Recorder(path, flush_interval=0.05) as recorder:
        recorder(trades(1)[0])
        eventually(lambda: recorder.stats.recorded == 1)
        assert len(ids(read_recording(path))) == 1


def test_rotation_by_size(path: Path) -> None:
    with Recorder(path, rotate_bytes=500, flush_interval=60) as recorder:
        for number in range(0, 300, 20):
            for event in trades(20, 1 + number):
                recorder(event)
            recorder.flush()
    assert ids(read_recording(path)) == list(range(1, 301))
    manifest = manifest_of(path)
    names = [file["name"] for file in manifest["files"]]
    assert len(names) > 3
    assert names[0] == path.name
    assert names[1] == path.name.replace("events.", "events.0002.")
    left = {one.name for one in path.parent.iterdir()}
    assert left == {*names, f"{path.name}.manifest.json"}
    assert sum(file["events"] for file in manifest["files"]) == 300
    # Each file alone is a recording, too.
    assert ids(read_recording(path.parent / names[-1]))[-1] == 300


def test_rotation_by_time(path: Path) -> None:
    with Recorder(path, rotate_seconds=0.1, flush_interval=0.02) as recorder:
        many = iter(trades(100_000))

        def is_rotated() -> bool:
            recorder(next(many))
            return recorder.stats.files >= 3

        eventually(is_rotated)
    assert recorder.stats.recorded == next(many).sequential_id - 1
    assert ids(read_recording(path)) == list(range(1, recorder.stats.recorded + 1))


def test_a_parquet_file_grows_with_its_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By row groups; a type that comes later, for which it has no columns, begins another."""
    monkeypatch.setattr("upbit_stream.recording.parquet._GROUP", 5000)
    path = tmp_path / "events.parquet"
    unfinished = tmp_path / "events.parquet.unfinished"
    ticker = Ticker(
        type="ticker",
        code="KRW-BTC",
        trade_price=1.5,
        delisting_date={"year": 2026, "month": 12, "day": 1},
        received_at=1,
    )
    with Recorder(path, flush_interval=60) as recorder:
        for event in trades(100):
            recorder(event)
            recorder.flush()
        size = unfinished.stat().st_size
        assert size > 1000
        assert ids(read_recording(path)) == list(range(1, 101))
        recorder(ticker)
        recorder.flush()
        assert (recorder.stats.files, path.exists()) == (2, True)
        recorder(trades(1, 101)[0])
    assert pq.read_metadata(path).num_row_groups > 2
    assert pq.read_table(path).column("sequential_id").to_pylist() == list(range(1, 101))
    assert list(read_recording(path)) == [*trades(100), ticker, *trades(1, 101)]


def test_gaps_and_drops_are_in_the_manifest(path: Path) -> None:
    gap = Gap(
        type="trade",
        codes=("KRW-BTC",),
        recovered=False,
        by_code={},
        from_timestamp=1,
        to_timestamp=2,
        ranges={"KRW-BTC": (1, 2)},
        why="no answer",
    )
    drop = Drop(
        type="trade",
        policy=OverflowPolicy.DROP_OLDEST,
        count=3,
        by_code={"KRW-BTC": 3},
        first_timestamp=1,
        last_timestamp=2,
        ranges={"KRW-BTC": (1, 2)},
    )
    with Recorder(path) as recorder:
        recorder.on_gap(gap)
        recorder.on_gap({"type": "ticker", "codes": ["KRW-ETH"]})
        recorder.on_drop(drop)
        recorder.flush()
        assert (recorder.stats.gaps, recorder.stats.drops) == (2, 1)
        manifest = manifest_of(path)
        assert manifest["gaps"] == [
            {
                "type": "trade",
                "codes": ["KRW-BTC"],
                "recovered": False,
                "by_code": {},
                "from_timestamp": 1,
                "to_timestamp": 2,
                "ranges": {"KRW-BTC": [1, 2]},
                "why": "no answer",
            },
            {"type": "ticker", "codes": ["KRW-ETH"]},
        ]
        assert manifest["drops"][0]["by_code"] == {"KRW-BTC": 3}
        assert manifest["drops"][0]["policy"] == "drop_oldest"
        for number in range(1500):
            recorder.on_gap({"number": number})
    manifest = manifest_of(path)
    assert (manifest["gaps_told"], len(manifest["gaps"])) == (1502, 1000)
    assert manifest["gaps"][-1] == {"number": 1499}


def test_no_key_is_in_a_recording(path: Path) -> None:
    with Simulator(rate=0) as sim, Recorder(path) as recorder:
        stream = UpbitStream(
            access_key=ACCESS_KEY, secret_key=SECRET_KEY,
            config=StreamConfig(url=sim.url, rest_url=sim.rest_url, numbers="decimal"),
        )  # fmt: skip
        stream.my_order(callback=recorder)
        stream.my_asset(callback=recorder)
        with stream:
            assert sim.wait_for_subscription("myAsset")
            sim.emit("myOrder", {"code": "KRW-BTC", "uuid": "1", "identifier": "mine"})
            sim.emit("myAsset", {"assets": [{"currency": "KRW", "balance": 1, "locked": 0}]})
            eventually(lambda: recorder.stats.queued + recorder.stats.recorded == 2)
    written = b"".join(read_lines(path)) + json.dumps(manifest_of(path)).encode()
    written += b"".join(one.read_bytes() for one in path.parent.iterdir())
    assert b"mine" in written
    for secret in (ACCESS_KEY, SECRET_KEY, "Bearer"):
        assert secret.encode() not in written


def test_it_ends_with_all_that_it_had(path: Path) -> None:
    recorder = Recorder(path)
    assert [name for name in our_threads() if name.startswith("upbit-recorder")]
    recorder(trades(1)[0])
    assert recorder.close()
    assert recorder.close()
    assert recorder.closed
    assert not our_threads()
    assert not (path.parent / f"{path.name}.lock").exists()
    recorder.flush()


def test_a_script_that_forgets_to_close(path: Path, sim: Simulator) -> None:
    """What a slow callback has not had yet goes from the stream to the recorder, and from there
    to the disk: in this order.
    """
    script = f"""
import time
from upbit_stream import Recorder, StreamConfig, UpbitStream

def slowly(event):
    time.sleep(0.001)
    recorder(event)

stream = UpbitStream(config=StreamConfig(url={sim.url!r}, rest_url={sim.rest_url!r}))
recorder = Recorder({str(path)!r}, flush_interval=60)
subscription = stream.trade("KRW-BTC", callback=slowly)
stream.start()
for count in (1, 501):
    while subscription.stats.received < count:
        time.sleep(0.005)
    print(count, flush=True)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        # Realtime begins behind the snapshot.
        assert process.stdout.readline() == "1\n"
        sim.burst(500, ["KRW-BTC"])
        _, told = process.communicate(timeout=30)
    finally:
        process.kill()
        process.communicate()
    assert (process.returncode, told) == (0, "")
    assert ids(read_recording(path))[1:] == sim.ledger("KRW-BTC")
    assert manifest_of(path)["closed"] is True


def test_a_gap_of_a_stream_and_its_repair(path: Path) -> None:
    with Simulator(rate=300, codes=["KRW-BTC"]) as sim, Recorder(path) as recorder:
        stream = UpbitStream(config=StreamConfig(url=sim.url, rest_url=sim.rest_url))
        subscription = stream.trade("KRW-BTC", callback=recorder)
        stream.on_gap(recorder.on_gap)
        with stream:
            eventually(lambda: recorder.stats.queued + recorder.stats.recorded > 50)
            sim.reset()
            eventually(lambda: recorder.stats.gaps)
            sim.rate = 0
            last = sim.ledger("KRW-BTC")[-1]
            eventually(lambda: subscription.latest["KRW-BTC"].sequential_id == last)
        ledger = sim.ledger("KRW-BTC")
    recorded = ids(read_recording(path))[1:]  # the first is a snapshot
    assert recorded == ledger[-len(recorded) :]
    kinds = Counter(event.stream_type for event in read_recording(path))
    (gap,) = manifest_of(path)["gaps"]
    assert gap["recovered"] is True
    assert gap["by_code"]["KRW-BTC"] == kinds["BACKFILL"] > 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
def test_a_fork_leaves_the_recording_to_the_parent(path: Path) -> None:
    script = f"""
import os
from tests.recording.conftest import trades
from upbit_stream import Recorder, RecordingError
with Recorder({str(path)!r}) as recorder:
    recorder(trades(1)[0])
    child = os.fork()
    if not child:
        try:
            recorder(trades(1)[0])
        except RecordingError:
            os._exit(0 if recorder.close() else 2)
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    recorder(trades(2)[1])
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", script], check=True, timeout=30)
    assert ids(read_recording(path)) == [1, 2]


def test_what_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_recording(tmp_path / "no.jsonl")
    with Recorder(tmp_path / "empty.parquet"):
        pass
    assert list(read_recording(tmp_path / "empty.parquet")) == []


def test_numbers_can_be_chosen_when_reading(path: Path) -> None:
    with Recorder(path) as recorder:
        recorder(trades(1)[0])
    (event,) = read_recording(path, numbers="decimal")
    assert repr(event.to_dict()["trade_price"]) == "Decimal('1000.5')"


def test_raising_in_the_block_is_what_is_raised(path: Path) -> None:
    def record_and_fail() -> None:
        with Recorder(path) as recorder:
            recorder(trades(1)[0])
            raise KeyError

    with pytest.raises(KeyError):
        record_and_fail()
    assert ids(read_recording(path)) == [1]


def test_a_mixture_of_numbers_is_refused(path: Path) -> None:
    decimal = next(event for event in corpus("decimal") if event.type == "trade")
    with Recorder(path) as recorder:
        recorder(trades(1)[0])
        with pytest.raises(RecordingError, match=r"'float'.*'decimal'"):
            recorder(decimal)
        assert recorder.stats.lost == 1
    with Recorder(path) as recorder, pytest.raises(RecordingError, match="'float'"):
        recorder(decimal)
    assert ids(read_recording(path)) == [1]
