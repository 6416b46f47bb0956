"""kill -9 at random moments: what was on the disk reads back whole, and is gone on with.

``pytest -m soak tests/recording`` kills each format a hundred times.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import eventually
from tests.recording.conftest import NAMES
from tests.recording.test_recorder import ids, manifest_of
from upbit_stream import Event, StreamConfig, Trade, UpbitStream, read_recording
from upbit_stream.simulator import Simulator


class Recording:
    """A process that records, and what it has said of its progress."""

    def __init__(self, sim: Simulator, path: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.recording.crashing", sim.url, sim.rest_url, str(path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def kill(self, chance: random.Random) -> int:
        """Kill it some time after its first event; how many it had said were on the disk."""
        out = self._process.stdout
        assert out is not None
        said = 0
        while not said:
            line = out.readline()
            assert line, self._process.communicate()[1]
            said = int(line)
        # A moment, not a wait for anything.
        time.sleep(chance.uniform(0.0, 0.4))
        self._process.kill()
        text, told = self._process.communicate(timeout=20)
        assert told == ""
        # The last line may be torn, too.
        lines = text.splitlines()[: text.count("\n")]
        return int(lines[-1]) if lines else said


HUNDRED = pytest.param(100, marks=[pytest.mark.soak, pytest.mark.timeout(900)])


@pytest.mark.parametrize("kills", [3, HUNDRED])
@pytest.mark.parametrize("name", NAMES)
def test_what_was_on_the_disk_survives_a_kill(tmp_path: Path, name: str, kills: int) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    path = tmp_path / name
    before: list[int] = []
    with Simulator(codes=["KRW-BTC"], rate=2000, ledger_size=2_000_000, history=0) as sim:
        for _ in range(kills):
            said = Recording(sim, path).kill(chance)
            read = ids(read_recording(path))
            assert read[: len(before)] == before
            new = read[len(before) :]
            assert len(new) >= said > 0
            ledger = sim.ledger("KRW-BTC")
            begin = ledger.index(new[0])
            assert ledger[begin : begin + len(new)] == new
            assert not before or new[0] > before[-1]
            before = read
    # The manifest is behind, but never ahead.
    assert not manifest_of(path)["closed"]
    assert manifest_of(path)["events"] <= len(before)
    check_replay(path)


def check_replay(path: Path) -> None:
    """What a client of a simulator gets that replays it is what was recorded."""
    recorded = list(read_recording(path))
    seen: list[Event] = []
    with Simulator(codes=["KRW-BTC"], rate=0, replay=path) as sim:
        config = StreamConfig(url=sim.url, rest_url=sim.rest_url, queue_size=len(recorded) + 1)
        stream = UpbitStream(config=config)
        stream.trade("KRW-BTC", callback=seen.append, snapshot=False)
        with stream:
            eventually(lambda: len(seen) >= len(recorded), 120)
    assert all(isinstance(event, Trade) for event in seen)
    assert seen == recorded
