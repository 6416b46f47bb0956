"""Who does it."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from typing import Any

from tests.chaos.faults import FAULTS, Command
from tests.chaos.plan import Step
from tests.process import SimulatorProcess
from upbit_stream.simulator.history import IDS_PER_MS

__all__ = ["Culprit"]


class Culprit:
    """The simulator's process: does the faults, and knows when REST was made to fail."""

    def __init__(self, sim: SimulatorProcess) -> None:
        self._sim = sim
        #: From and to, by ``time.monotonic()``.
        self.rest_failed: list[tuple[float, float]] = []
        self._rest_since = 0.0
        # When (milliseconds since the epoch) what was done.
        self._done: list[tuple[int, str]] = []

    def step(self, step: Step) -> None:
        """Begin a fault, or end it."""
        fault = FAULTS[step.fault]
        if fault.hold == "rest" and step.begins:
            self._rest_since = time.monotonic()
        aim: dict[str, Any] = {}
        if step.rank is not None:
            there = self._sim.do("connections")
            if there:
                aim = {"connection": there[step.rank % len(there)]}
        what = f"{step.fault}{'' if step.begins else ' (end)'}{f' of {aim}' if aim else ''}"
        self._done.append((int(time.time() * 1000), what))
        for command in fault.begin if step.begins else fault.end:
            self.tell(command, aim)
        if fault.hold == "rest" and not step.begins:
            self._use_up_planned_answers()
            self.rest_failed.append((self._rest_since, time.monotonic()))

    def before(self, sequential_id: int) -> str:
        """The last things done before a trade was made, and how many seconds before."""
        when = sequential_id // IDS_PER_MS
        done = [(when - at, what) for at, what in self._done if at <= when][-4:]
        return ", ".join(f"{what} ({ago / 1000:.2f} s)" for ago, what in done)

    def tell(self, command: Command, aim: dict[str, Any] | None = None) -> Any:
        """One command."""
        return self._sim.do(**command, **(aim or {}))

    def _use_up_planned_answers(self) -> None:
        # There is no other way to take them back. Another group than that of trades.
        url = f"http://127.0.0.1:{self._sim.port}/v1/market/all"
        for _ in range(10):
            try:
                with urllib.request.urlopen(url, timeout=5):
                    return
            except urllib.error.HTTPError as error:
                error.close()
