"""Trades that get lost, come twice or in the wrong order on their way to the sockets."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass

from upbit_stream.simulator.market import Fill

__all__ = ["TradeFaults"]


@dataclass
class _Fault:
    """How many trades it still meets, and which share of them all."""

    count: int = 0
    ratio: float = 0.0

    def strikes(self, chance: random.Random) -> bool:
        """Whether it meets this trade."""
        if self.count > 0:
            self.count -= 1
            return True
        return self.ratio > 0 and chance.random() < self.ratio


class TradeFaults:
    """Owned by the loop's thread."""

    def __init__(self) -> None:
        self._random = random.Random("misdelivery")
        self._faults = {"drop": _Fault(), "duplicate": _Fault(), "reorder": _Fault()}
        # Trades that wait for the next one of their market.
        self._held: dict[str, Fill] = {}
        #: Whether anything is to be done at all.
        self.active = False

    def set(self, name: str, count: int, ratio: float) -> None:
        """Choose what one fault does from now on."""
        self._faults[name] = _Fault(count, ratio)
        self.active = True

    def apply(self, fills: Iterable[Fill]) -> list[Fill]:
        """What is sent instead of these trades."""
        sent: list[Fill] = []
        for fill in fills:
            if self._faults["drop"].strikes(self._random):
                continue
            held = self._held.pop(fill.code, None)
            if held is None and self._faults["reorder"].strikes(self._random):
                self._held[fill.code] = fill
                continue
            sent.append(fill)
            if self._faults["duplicate"].strikes(self._random):
                sent.append(fill)
            if held is not None:
                sent.append(held)
        self.active = bool(self._held) or any(
            fault.count or fault.ratio for fault in self._faults.values()
        )
        return sent
