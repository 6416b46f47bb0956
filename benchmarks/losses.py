"""What clients lose under the same faults: against the simulator, for real."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.clients.trades import CLIENTS
from tests.chaos.culprit import Culprit
from tests.chaos.oracle import Verdict, judge
from tests.chaos.plan import plan
from tests.process import SimulatorProcess

__all__ = ["Outcome", "measure", "report"]

# Trades a second, over so many codes.
_RATE = 50
_CODES = 3
_SEED = 1
# Seconds between two faults, on average.
_PACE = 1.5
# Seconds without a trade after which a client is taken for hung: more than an outage of REST, for
# which a client that repairs holds back what is live.
_HUNG = 30.0
# Seconds for everything to be well again after the last fault.
_CALM = 45.0


@dataclass
class Outcome:
    """Of one client."""

    verdict: Verdict
    #: How often its process ended, and how often it hung, and was started again.
    ended: int
    hung: int
    seconds: float


class _Supervised:
    """A client's process, which is started again when it ends or hangs."""

    def __init__(self, name: str, url: str, codes: Sequence[str]) -> None:
        self._arguments = (name, url, ",".join(codes))
        # Appended to by the reader of the process alone; there is one at a time.
        self.ids: defaultdict[str, list[int]] = defaultdict(list)
        self._heard_at = 0.0
        self.ended = self.hung = 0
        self._start()

    def _start(self) -> None:
        self._heard_at = time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.clients.trades", *self._arguments],
            cwd=Path(__file__).parent.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, args=(self._process,))
        self._reader.start()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            code, sequential_id = line.split()
            self.ids[code].append(int(sequential_id))
            self._heard_at = time.monotonic()

    def look_after(self) -> None:
        """Start it again, if there is need."""
        if self._process.poll() is not None:
            self.ended += 1
        elif time.monotonic() - self._heard_at > _HUNG:
            self.hung += 1
        else:
            return
        self.close()
        self._start()

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()


def measure(client: str, faults: int) -> Outcome:
    """One client under the first ``faults`` faults of the seed's plan."""
    steps = plan(faults, _SEED, _PACE)
    arguments = ("--codes", str(_CODES), "--rate", str(_RATE), "--seed", str(_SEED))
    with SimulatorProcess(*arguments) as sim:
        codes: list[str] = sim.do("codes")
        flowing = _Supervised(client, sim.url, codes)
        try:
            _wait_for_all(flowing, dict.fromkeys(codes, 0))
            culprit, began = Culprit(sim), time.monotonic()
            while steps:
                flowing.look_after()
                if steps[0].at <= time.monotonic() - began:
                    culprit.step(steps.pop(0))
                else:
                    time.sleep(0.01)
            for misdelivery in ("drop_trades", "duplicate_trades", "reorder_trades"):
                sim.do(misdelivery)
            _wait_for_all(flowing, {code: sim.do("trade", code=code) for code in codes})
            sim.do("rate", value=0)
            for _ in range(2):  # the first may be one that is held back
                last = {code: sim.do("trade", code=code) for code in codes}
            _wait_for_all(flowing, last)
        finally:
            flowing.close()
        total = Verdict()
        for code in codes:
            total.add(judge(sim.do("ledger", code=code), flowing.ids[code], last[code], ()))
    return Outcome(total, flowing.ended, flowing.hung, time.monotonic() - began)


def _wait_for_all(flowing: _Supervised, ids: dict[str, int]) -> None:
    deadline = time.monotonic() + _CALM
    while time.monotonic() < deadline:
        if all(max(flowing.ids[code], default=-1) >= last for code, last in ids.items()):
            return
        flowing.look_after()
        time.sleep(0.02)


def report(faults: int, clients: Sequence[str], circumstances: str) -> str:
    """The table."""
    lines = [
        circumstances,
        "",
        f"The same {faults} faults for each (seed {_SEED}, {_PACE:g} s apart on average; those of "
        f"`tests/chaos`), {_RATE} trades a second over {_CODES} codes. A client that ends is "
        f"started again at once, one that is silent for {_HUNG:g} s is killed and started again. "
        "Doubled: delivered more than once, also as the snapshot after a reconnect. "
        "Sent late: by the simulator on purpose. websocket-client: `run_forever` in a loop, with "
        "pings, a second between attempts. The clients ran side by side.",
        "",
        "| client | trades | lost | doubled | out of order | sent late | ended | hung |",
        "|---|---|---|---|---|---|---|---|",
    ]
    # Side by side, each with a simulator of its own: what is measured is not time.
    with ThreadPoolExecutor(len(clients)) as threads:
        outcomes = list(threads.map(lambda name: measure(name, faults), clients))
    for name, outcome in zip(clients, outcomes, strict=True):
        of = outcome.verdict
        lines.append(
            f"| {name} | {of.trades:,} | {len(of.lost):,} | {of.doubled:,} | "
            f"{len(of.out_of_order):,} | {of.late:,} | {outcome.ended} × | {outcome.hung} × |"
        )
    return "\n".join(lines) + "\n"


def everyone() -> list[str]:
    """The clients that are installed here."""
    from importlib.util import find_spec

    return [name for name in CLIENTS if name != "upbit-sdk" or find_spec("upbit") is not None]
