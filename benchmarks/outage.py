"""One long outage: whether everything is repaired, how fast, and what it takes.

``python -m benchmarks.outage PLAN`` (JSON) measures in its own process, whose memory is looked at.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec
import psutil

from tests.process import SimulatorProcess
from upbit_stream import Gap, StreamConfig, Trade, UpbitStream

__all__ = ["Outcome", "Plan", "measure", "report"]

_MIB = 1 << 20
_LOOK = 0.02  # seconds between two looks

# Seconds: in which the market flows before the outage; after which a stream that has not begun, and
# a code that is not live again, is given up.
_BEFORE = 2.0
_PATIENCE = 60.0
_DEADLINE = 180.0


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is to happen."""

    #: Markets, the busiest first, and the trades a second that they share.
    codes: int = 50
    rate: float = 300.0
    #: The outage, and how many times faster the market and the clock on the wall go meanwhile: so
    #: many times as many trades a second, in so much less time. 1: nothing is shortened.
    seconds: float = 600.0
    speed: float = 1.0


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it, compared with the simulator's own ledger and journal."""

    #: Trades that were made while the door was shut, and altogether since the first one.
    missed: int
    made: int
    lost: int
    doubled: int
    disordered: int
    backfilled: int
    dropped: int
    unrepaired: int
    #: Seconds from the opened door to the first live trade of any code, and of the last of them.
    first_live: float
    all_live: float
    #: REST calls, the most within any second, and how they were answered.
    calls: int
    busiest_second: int
    statuses: dict[str, int]
    #: Events in the subscription's queue, at most; MiB resident before, at most, and at the end.
    queued: int
    before: float
    peak: float
    after: float


class _Taker:
    """A callback, and what it was given."""

    def __init__(self) -> None:
        # Written by the dispatch thread alone.
        self.ids: dict[str, list[int]] = {}
        self.live: dict[str, float] = {}
        self.opened_at = float("inf")

    def __call__(self, trade: Trade) -> None:
        assert trade.sequential_id is not None
        self.ids.setdefault(trade.code, []).append(trade.sequential_id)
        now = time.monotonic()
        if now > self.opened_at and trade.stream_type == "REALTIME":
            self.live.setdefault(trade.code, now)

    def seconds(self) -> list[float]:
        """From the opened door until each code was live, in that order."""
        return sorted(at - self.opened_at for at in [*self.live.values()])


class _Watch:
    """Looks at the process and at the queue, for as long as the ``with`` lasts."""

    def __init__(self, stream: UpbitStream) -> None:
        self._stream = stream
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.queued = 0
        self.resident = 0.0

    def __enter__(self) -> _Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(_LOOK):
            self.queued = max(self.queued, self._stream.stats.queued)
            self.resident = max(self.resident, _resident())


def measure(plan: Plan) -> Outcome:
    """Do it, in this process; the simulator is another."""
    arguments = ("--codes", str(plan.codes), "--rate", f"{plan.rate}", "--ledger-size", "1000000")
    with SimulatorProcess(*arguments) as sim:
        with UpbitStream(config=StreamConfig(url=sim.url)) as stream:
            taker, gaps = _Taker(), list[Gap]()
            stream.on_gap(gaps.append)
            codes: list[str] = sim.do("codes")
            stream.trade(codes, taker)
            _wait(lambda: len(taker.ids) == len(codes), _PATIENCE)
            time.sleep(_BEFORE)
            before = _resident()
            with _Watch(stream) as watch:
                missed = _cut_off(sim, plan, taker)
                _wait(lambda: len(taker.live) == len(codes), _DEADLINE)
            sim.do("rate", value=0)
            ledger = {code: sim.do("ledger", code=code) for code in codes}
            _wait(lambda: all(taker.ids[one][-1] == ledger[one][-1] for one in codes), _BEFORE)
            after, stats = _resident(), stream.stats
        calls = sim.do("rest_calls")
        wanted = {one: [id_ for id_ in ledger[one] if id_ >= taker.ids[one][0]] for one in codes}
        seconds = taker.seconds()
        return Outcome(
            missed=missed,
            made=sum(map(len, wanted.values())),
            lost=sum(len(set(wanted[one]) - set(taker.ids[one])) for one in codes),
            doubled=sum(len(ids) - len(set(ids)) for ids in taker.ids.values()),
            disordered=sum(_steps_back(ids) for ids in taker.ids.values()),
            backfilled=stats.backfilled,
            dropped=stats.dropped,
            unrepaired=sum(not gap.recovered for gap in gaps),
            first_live=seconds[0],
            all_live=seconds[-1] if len(seconds) == len(codes) else float("inf"),
            calls=len(calls),
            busiest_second=_most_within_a_second([call["at"] for call in calls]),
            statuses=dict(Counter(str(call["status"]) for call in calls)),
            queued=watch.queued,
            before=before,
            peak=watch.resident,
            after=after,
        )


def _cut_off(sim: SimulatorProcess, plan: Plan, taker: _Taker) -> int:
    """The outage; returns how many trades were made meanwhile."""
    sim.do("refuse")
    sim.do("reset")
    made = sim.do("stats")["trades"]
    sim.do("rate", value=plan.rate * plan.speed)
    time.sleep(plan.seconds / plan.speed)
    sim.do("rate", value=plan.rate)
    missed = int(sim.do("stats")["trades"] - made)
    taker.opened_at = time.monotonic()
    sim.do("accept")
    return missed


def _wait(condition: Callable[[], object], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(_LOOK)


def _steps_back(ids: Iterable[int]) -> int:
    newest = steps = 0
    for one in ids:
        steps += one < newest
        newest = max(newest, one)
    return steps


def _most_within_a_second(times: Sequence[float]) -> int:
    ordered = sorted(times)
    return max((bisect_left(ordered, at + 1.0) - n for n, at in enumerate(ordered)), default=0)


def _resident() -> float:
    return float(psutil.Process().memory_info().rss) / _MIB


def report(scale: float, circumstances: str) -> str:
    """The table: ten minutes, at ``scale`` 1.0."""
    plan = Plan(seconds=600 * scale)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.outage", msgspec.json.encode(plan).decode()],
        cwd=Path(__file__).parent.parent,
        stdout=subprocess.PIPE,
        check=True,
    )
    found = msgspec.json.decode(done.stdout.splitlines()[-1], type=Outcome)
    rows = {
        "trades made while the door was shut": f"{found.missed:,}",
        "trades made altogether": f"{found.made:,}",
        "lost": f"{found.lost:,}",
        "doubled": f"{found.doubled:,}",
        "out of order": f"{found.disordered:,}",
        "fetched over REST": f"{found.backfilled:,}",
        "dropped by the queue": f"{found.dropped:,}",
        "gaps told as not repaired": f"{found.unrepaired:,}",
        "seconds until the first code was live again": f"{found.first_live:.2f}",
        "seconds until every code was live again": f"{found.all_live:.1f}",
        "REST calls": f"{found.calls:,}",
        "most REST calls within any second": f"{found.busiest_second} (10 are allowed)",
        "their statuses": ", ".join(f"{name}: {n:,}" for name, n in found.statuses.items()),
        "most events in the queue": f"{found.queued:,} (100,000 are allowed)",
        "MiB resident before the outage": f"{found.before:.1f}",
        "MiB resident at most": f"{found.peak:.1f}",
        "MiB resident when it was over": f"{found.after:.1f}",
    }
    lines = [
        circumstances,
        "",
        f"An outage of {plan.seconds:g} s by the clock on the wall, nothing shortened: the door is "
        f"shut and every socket reset, while {plan.rate:g} trades a second go on over {plan.codes} "
        "codes, as they do before and afterwards. The defaults of StreamConfig. The simulator, in "
        "a process of its own, keeps the ledger and the journal that this is compared with. A code "
        "is live again when its first live trade after the outage is delivered, behind all that "
        "were fetched. What is resident holds the ids of all trades, too, which the measurement "
        "keeps.",
        "",
        "| what | |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in rows.items()),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    outcome = measure(msgspec.json.decode(sys.argv[1], type=Plan))
    print(msgspec.json.encode(outcome).decode(), flush=True)
