"""Two lines of which only one at a time is hit: nobody notices anything.

The default suite has a few faults; ``pytest -m soak -s tests/chaos/test_apart.py`` has five
hundred, and shows how long the longest pause was.
"""

from __future__ import annotations

import random
import statistics
import threading
from typing import Any

import pytest

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
        #: Seconds from a trade to its arrival.
        self.lags: list[float] = []
        self.gaps: list[Gap] = []
        self.states: list[ConnectionState] = []
        stream.on_gap(self.gaps.append)
        stream.on_state(self.states.append)
        stream.trade(codes, self)

    def __call__(self, trade: Trade) -> None:
        self.ids[trade.code].append(trade.sequential_id)
        if trade.stream_type != "SNAPSHOT":
            self.kinds.add(trade.stream_type)
            self.lags.append(trade.received_at / 1e9 - trade.trade_timestamp / 1e3)

    @property
    def longest_pause(self) -> float:
        """Seconds by which the latest arrival was later than the usual one."""
        return max(self.lags) - statistics.median(self.lags)


def both_carry(stream: UpbitStream) -> None:
    """Wait until trades come over both lines again."""
    eventually(lambda: {one.state for one in stream.connections} == {ConnectionState.CONNECTED})
    before = {one.name: one.messages for one in stream.connections}
    eventually(lambda: all(one.messages > before[one.name] + 40 for one in stream.connections))


@pytest.mark.parametrize(
    "faults", [15, pytest.param(500, marks=[pytest.mark.soak, pytest.mark.timeout(3600)])]
)
def test_one_line_at_a_time(faults: int) -> None:
    chance = random.Random(faults)
    with SimulatorProcess("--rate", str(RATE), "--codes", "5") as sim:
        codes: list[str] = sim.do("codes")
        config = StreamConfig(
            url=sim.url,
            redundancy=2,
            ping_interval=0.5,
            ping_timeout=1.0,
            reconnect=ReconnectPolicy(min_interval=0.05),
        )
        with UpbitStream(config=config) as stream:
            witness = Witness(stream, codes)
            eventually(lambda: len(sim.do("connections")) == 2)
            for _ in range(faults):
                both_carry(stream)
                victim = chance.choice(sim.do("connections"))
                name = chance.choice(list(HITS))
                before = stream.stats.reconnects
                sim.do(**HITS[name], connection=victim)
                if name == "a slow line":
                    threading.Event().wait(chance.random())
                    sim.do("slow_down", connection=victim)
                else:
                    eventually(lambda: stream.stats.reconnects > before)  # noqa: B023
                    sim.do("reset", connection=victim)  # what is stalled does not see that it ended
            both_carry(stream)
            sim.do("rate", value=0)
            newest = {code: sim.do("trade", code=code) for code in codes}
            eventually(lambda: all(newest[code] in witness.ids[code] for code in codes))
            reconnects = stream.stats.reconnects
        for code in codes:
            verdict = judge(sim.do("ledger", code=code), witness.ids[code], newest[code], ())
            assert (verdict.lost, verdict.doubled, verdict.out_of_order) == ([], 0, []), code
        assert witness.gaps == []
        assert witness.kinds == {"REALTIME"}
        assert ConnectionState.RECONNECTING not in witness.states
        assert sim.do("rest_calls") == []
        print(
            f"\n{faults} faults, {reconnects} reconnects, {len(witness.lags):,} trades; "
            f"the longest pause beyond the market's own: {1000 * witness.longest_pause:.0f} ms"
        )
