"""When which fault begins and ends: the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from tests.chaos.faults import FAULTS

__all__ = ["Step", "plan"]

# A part of the faults comes right after another, so that a recovery is met in its first moments.
_CLOSE = 0.25


@dataclass(frozen=True)
class Step:
    """A fault begins, or ends."""

    #: Seconds from the start.
    at: float
    number: int
    fault: str
    begins: bool
    #: Which of the open connections, by rank; None: all of them.
    rank: int | None = None


def plan(faults: int, seed: int, pace: float) -> list[Step]:
    """``faults`` faults, ``pace`` seconds apart on average."""
    return sorted(_steps(faults, random.Random(f"chaos:{seed}"), pace), key=lambda step: step.at)


def _steps(faults: int, chance: random.Random, pace: float) -> Iterator[Step]:
    at = 0.0
    held_until: dict[str, float] = {}
    for number in range(faults):
        at += 0.02 if chance.random() < _CLOSE else chance.expovariate(1 / pace)
        free = [
            name
            for name, fault in FAULTS.items()
            if not fault.hold or held_until.get(fault.hold, 0.0) < at
        ]
        name = chance.choices(free, [FAULTS[one].weight for one in free])[0]
        fault = FAULTS[name]
        rank = chance.randrange(2) if fault.aimed and chance.random() < 0.6 else None
        yield Step(at, number, name, True, rank)
        ends = at + chance.uniform(*fault.lasts)
        if fault.hold:
            # Ends take time, too.
            held_until[fault.hold] = ends + 0.1
            yield Step(ends, number, name, False)
