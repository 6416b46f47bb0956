"""Who listens: subscriptions that stay, and guests that come, change and go."""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Sequence

from upbit_stream import Gap, Subscription, Trade, UpbitStream

__all__ = ["Guests", "Listener", "Told"]


class Listener:
    """A callback that notes every trade; ``naps`` is how long it sleeps now and then (seconds)."""

    def __init__(self, name: str, naps: float = 0.0) -> None:
        self.name = name
        self._naps = naps
        # All written by the one dispatch thread of its subscription; read when it rests.
        self.ids: defaultdict[str, list[int]] = defaultdict(list)
        self.kinds: defaultdict[str, list[str]] = defaultdict(list)
        self.backfilled = 0
        self.longest_pause = 0.0
        self._count = 0
        self._at = 0.0

    def __call__(self, trade: Trade) -> None:
        now = time.monotonic()
        if self._at:
            self.longest_pause = max(self.longest_pause, now - self._at)
        self._at = now
        self.ids[trade.code].append(trade.sequential_id)
        self.kinds[trade.code].append(trade.stream_type)
        self.backfilled += trade.stream_type == "BACKFILL"
        self._count += 1
        if self._naps and self._count % 100 == 0:
            time.sleep(self._naps)

    @property
    def count(self) -> int:
        """Trades so far."""
        return self._count

    def around(self, code: str, sequential_id: int) -> str:
        """What came first of a code, and what came beside a trade that did not, or came late."""
        came = list(zip(self.ids[code], self.kinds[code], strict=True))
        place = next((n for n, (one, _) in enumerate(came) if one >= sequential_id), len(came))
        beside = came[max(0, place - 2) : place + 3]
        told = ", ".join(f"{one} {kind}" for one, kind in beside)
        return f"number {place} beside {told}; it began with {came[0][0]} {came[0][1]}"

    def has(self, code: str, sequential_id: int) -> bool:
        """Whether this trade, or a later one, has come."""
        return any(one >= sequential_id for one in self.ids.get(code, ())[-50:])


class Told:
    """The gaps of trades, and when each was told (``time.monotonic()``)."""

    def __init__(self) -> None:
        # Appended to by the thread of the notices alone.
        self.gaps: list[tuple[float, Gap]] = []

    def __call__(self, gap: Gap) -> None:
        if gap.type == "trade":
            self.gaps.append((time.monotonic(), gap))


class Guests:
    """Subscriptions that change while things go wrong. Each has a code only once, so that what is
    between its first and its last event must be whole.
    """

    def __init__(self, stream: UpbitStream, codes: Sequence[str], chance: random.Random) -> None:
        self._stream = stream
        self._codes = codes
        self._chance = chance
        self._present: list[tuple[Subscription[Trade], list[str]]] = []
        self.listeners: list[Listener] = []
        self.changes = 0

    def change(self) -> None:
        """One change: someone comes, takes one more code, does without one, or goes."""
        self.changes += 1
        if len(self._present) < 2:
            self._come()
            return
        subscription, fresh = guest = self._chance.choice(self._present)
        if fresh and self._chance.random() < 0.5:
            subscription.add(fresh.pop())
        elif len(subscription.codes) > 1:
            subscription.remove(self._chance.choice(subscription.codes))
        else:
            self._present.remove(guest)
            subscription.close()

    def leave(self) -> None:
        """Everybody goes."""
        for subscription, _ in self._present:
            subscription.close()
        self._present.clear()

    def _come(self) -> None:
        fresh = self._chance.sample(self._codes, len(self._codes))
        listener = Listener(f"guest {len(self.listeners) + 1}")
        first = [fresh.pop(), fresh.pop()]
        self.listeners.append(listener)
        self._present.append((self._stream.trade(first, listener), fresh))
