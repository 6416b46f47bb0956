"""What was sent a short while ago: a broker that comes back without its memory gets it again."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable

from upbit_stream.relay.entries import Entry
from upbit_stream.relay.lanes import Lane

__all__ = ["Kept"]

# Seconds for which trades are kept after they were sent: consumers may not have read them yet.
_SECONDS = 60.0


class Kept:
    """The trades of the last minute, ``size`` of them at most, and the newest state of each other
    lane. Belongs to the relay's thread.
    """

    def __init__(self, size: int) -> None:
        # With the moments (monotonic) when they were sent.
        self._trades: deque[tuple[float, Entry]] = deque(maxlen=size)
        self._states: dict[Lane, Entry] = {}

    def add(self, sent: Iterable[Entry]) -> None:
        """These were sent at this moment."""
        now = time.monotonic()
        for entry in sent:
            if entry.lane.type == "trade":
                self._trades.append((now, entry))
            else:
                self._states[entry.lane] = entry

    def forget_before(self, moment: float) -> None:
        """At that moment (monotonic) the broker was there: what was old then need not be kept."""
        until = moment - _SECONDS
        while self._trades and self._trades[0][0] < until:
            self._trades.popleft()

    def clear(self) -> None:
        """Keep nothing."""
        self._trades.clear()
        self._states.clear()

    @property
    def entries(self) -> list[Entry]:
        """What is kept, that of each lane in its order."""
        return [entry for _, entry in self._trades] + list(self._states.values())
