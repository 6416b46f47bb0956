"""Two lines of which only one at a time is hit: nobody notices anything.

The default suite has a few faults; ``pytest -m soak -s tests/chaos/test_apart.py`` has five
hundred, and as long a time without any to compare with. Both show the longest pause beyond the
market's own: by how much a trade came later than to a bystander, who is never hit.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.chaos.bystander import Bystander
from tests.chaos.oracle import judge
from tests.conftest import eventually
from tests.process import SimulatorProcess
from upbit_stream import (
    ConnectionState,
    Gap,
    ReconnectPolicy,
    StreamConfig,
    Trade,
    UpbitStream,
)

# What is done to one line: commands of the simulator, each with the line's number.
HITS: dict[str, dict[str, Any]] = {
    **{f"close {code}": {"name": "close", "code": code} for code in (1000, 1001, 1011, 1012, 1013)},
    "reset": {"name": "reset"},
    "end without a close frame": {"name": "eof"},
    "half-open": {"name": "stall"},
    "mute": {"name": "mute"},
    "a protocol violation": {"name": "send_garbage", "kind": "rsv"},
    "a slow line": {"name": "slow_down", "delay": 0.2},
}

RATE = 200


class Witness:
    """What the callbacks of a stream see."""

    def __init__(self, stream: UpbitStream, codes: list[str]) -> None:
        self.ids: dict[str, list[int]] = {code: [] for code in codes}
        self.kinds: set[str] = set()
        #: When each live trade came, in nanoseconds since the epoch, by ``CODE id``.
        self.arrivals: dict[str, int] = {}
        self.gaps: list[Gap] = []
        self.states: list[ConnectionState] = []
        stream.on_gap(self.gaps.append)
        stream.on_state(self.states.append)
        stream.trade(codes, self)

    def __call__(self, trade: Trade) -> None:
        self.ids[trade.code].append(trade.sequential_id)
        if trade.stream_type != "SNAPSHOT":
            self.kinds.add(trade.stream_type)
            self.arrivals[f"{trade.code} {trade.sequential_id}"] = time.time_ns()

    def pauses(self, others: dict[str, int]) -> list[float]:
        """By how many seconds each trade came later here than there; negative: earlier."""
        return sorted((at - others[one]) / 1e9 for one, at in self.arrivals.items())


def both_carry(stream: UpbitStream) -> None:
    """Wait until trades come over both lines again."""
    eventually(lambda: {one.state for one in stream.connections} == {ConnectionState.CONNECTED})
    before = {one.name: one.messages for one in stream.connections}
    eventually(lambda: all(one.messages > before[one.name] + 40 for one in stream.connections))


@contextmanager
def market() -> Iterator[tuple[SimulatorProcess, UpbitStream, Witness, Bystander]]:
    """A stream over two lines, somebody who listens to it, and somebody else."""
    with SimulatorProcess("--rate", str(RATE), "--codes", "5") as sim:
        codes: list[str] = sim.do("codes")
        config = StreamConfig(
            url=sim.url,
            redundancy=2,
            ping_interval=0.5,
            ping_timeout=1.0,
            reconnect=ReconnectPolicy(min_interval=0.05),
        )
        with Bystander(sim.url, codes) as bystander, UpbitStream(config=config) as stream:
            witness = Witness(stream, codes)
            eventually(lambda: len(sim.do("connections")) == 3)
            yield sim, stream, witness, bystander


@pytest.mark.parametrize(
    "faults", [15, pytest.param(500, marks=[pytest.mark.soak, pytest.mark.timeout(3600)])]
)
def test_one_line_at_a_time(faults: int) -> None:
    chance = random.Random(faults)
    with market() as (sim, stream, witness, bystander):
        not_hit = min(sim.do("connections"))
        began = time.monotonic()
        for _ in range(faults):
            both_carry(stream)
            victim = chance.choice([one for one in sim.do("connections") if one != not_hit])
            name = chance.choice(list(HITS))
            before = stream.stats.reconnects
            sim.do(**HITS[name], connection=victim)
            if name == "a slow line":
                threading.Event().wait(chance.random())
                sim.do("slow_down", connection=victim)
            else:
                eventually(lambda: stream.stats.reconnects > before)  # noqa: B023
                sim.do("reset", connection=victim)  # what is stalled does not see that it ended
        seconds = time.monotonic() - began
        both_carry(stream)
        sim.do("rate", value=0)
        newest = {code: sim.do("trade", code=code) for code in witness.ids}
        eventually(lambda: all(newest[code] in ids for code, ids in witness.ids.items()))
        reconnects = stream.stats.reconnects
        for code, ids in witness.ids.items():
            verdict = judge(sim.do("ledger", code=code), ids, newest[code], ())
            assert (verdict.lost, verdict.doubled, verdict.out_of_order) == ([], 0, []), code
        assert witness.gaps == []
        assert witness.kinds == {"REALTIME"}
        assert ConnectionState.RECONNECTING not in witness.states
        assert sim.do("rest_calls") == []
        print(f"\n{faults} faults in {seconds:.0f} s, {reconnects} reconnects: ", end="")
        print(told(witness.pauses(bystander.arrivals())))


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_nobody_is_hit() -> None:
    with market() as (sim, stream, witness, bystander):
        both_carry(stream)
        threading.Event().wait(270)
        sim.do("rate", value=0)
        print(f"\nno faults: {told(witness.pauses(bystander.arrivals()))}")


def told(pauses: list[float]) -> str:
    """Of sorted ones."""
    last = len(pauses) - 1
    middle, late, longest = (1000 * pauses[int(last * part)] for part in (0.5, 0.999, 1))
    return (
        f"{len(pauses):,} trades, later than to a bystander by {middle:.1f} ms as a rule, "
        f"one in a thousand by {late:.0f}, the latest by {longest:.0f}"
    )
