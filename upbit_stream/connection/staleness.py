"""Is a silent connection mute, or is its market quiet?"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Any

from upbit_stream.connection.router import AnyChannel, Decode, Routing
from upbit_stream.events import Event
from upbit_stream.protocol.decoding import Message

__all__ = ["Doubt", "Staleness", "Witness"]

# A silence is doubted when it is so many times the usual gap, and the longest one.
_USUAL_GAPS = 20.0
_LONGEST_GAPS = 3.0

# How much the newest gap weighs in the usual one; and how the longest one is forgotten.
_WEIGHT = 0.1
_FADING = 0.999

# Gaps that must have been seen before any of them is called usual.
_KNOWN_AFTER = 5

# Seconds between two looks.
_LOOK = 1.0

# Seconds that the exchange gets to answer, and in which realtime must follow a snapshot that tells
# of something missed. (An answer takes about 0.35 s.)
_ANSWER_WITHIN = 3.0


# Milliseconds above which a ping is slow, how many times slower than before, and how often in a
# row that must have been so.
_SLOW = 1000.0
_TIMES = 5.0
_NEWEST = 3


class Doubt(Enum):
    """What to do about a silence."""

    #: Ask the exchange for its list, and for new snapshots.
    ASK = "ask"
    #: Take a new connection.
    REPLACE = "replace"
    #: It was only quiet, or is so no more.
    DISMISS = "dismiss"


class Witness:
    """Stands before the router while a connection is in doubt, and looks at what comes.

    A snapshot that tells more than was delivered proves that something was missed; one that does
    not proves that the market is quiet.
    """

    def __init__(self, router: Routing, channels: Iterable[AnyChannel]) -> None:
        self.router = router
        self._known: dict[str, list[AnyChannel]] = {}
        for channel in channels:
            self._known.setdefault(channel.demand.type, []).append(channel)
        self.realtime = self.snapshots = self.missed = False

    def take(self, payloads: Sequence[Any], decode: Decode) -> list[Message]:
        """As the router's, which may leave out what another line has brought; here all of it
        counts.
        """
        self._look(decode(payloads))
        return self.router.take(payloads, decode)

    def _look(self, decoded: Sequence[Any]) -> None:
        for event in decoded:
            if isinstance(event, Event):
                if event.stream_type == "SNAPSHOT":
                    self.snapshots = True
                    self.missed = self.missed or self._tells_more(event)
                else:
                    self.realtime = True

    def _tells_more(self, event: Event) -> bool:
        known = [
            newest
            for channel in self._known.get(event.type or "", ())
            if channel.demand.realtime and (newest := channel.latest_of(event.code or ""))
        ]
        return bool(known) and all(_moment(newest) < _moment(event) for newest in known)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.router, name)


def _moment(event: Event) -> int:
    # A ticker's or a trade's own time may be that of the snapshot; that of the trade is not.
    traded = getattr(event, "trade_timestamp", None)
    return int(traded or event.timestamp or 0)


def slowed_down(latencies: Sequence[float]) -> bool:
    """Whether the newest pings took far longer than the ones before, all in milliseconds."""
    before, newest = latencies[:-_NEWEST], latencies[-_NEWEST:]
    if len(before) < _NEWEST:
        return False
    return min(newest) > max(_SLOW, _TIMES * statistics.median(before))


class Staleness:
    """Knows how often a connection has data, and doubts it when it has none for too long.

    Belongs to the I/O thread, which asks it once a second. Times are those of
    ``time.monotonic()``, in seconds; nothing here looks at a clock.
    """

    def __init__(self, stale_after: float) -> None:
        self._stale_after = stale_after
        self._busy_at: float | None = None
        self._gaps = 0
        self._usual = self._longest = 0.0
        self._asked_at: float | None = None
        #: Seconds that the last silence lasted that was judged, until it was learned from.
        self.silence = 0.0

    def restart(self) -> None:
        """There is a new socket, or the process was stopped: silence begins anew."""
        self._busy_at = self._asked_at = None

    def look(self, busy: bool, now: float, witness: Witness | None) -> Doubt | None:
        """What to do, given whether there were ``busy`` moments since the last look; ``witness``
        is that of the question, once it was asked.
        """
        if self._asked_at is not None and witness is not None:
            return self._judge(witness, now)
        if busy or self._busy_at is None:
            if self._busy_at is not None:
                self._learn(now - self._busy_at)
            self._busy_at = now
            return None
        limit = max(self._stale_after, _USUAL_GAPS * self._usual, _LONGEST_GAPS * self._longest)
        if self._gaps < _KNOWN_AFTER or now - self._busy_at <= limit:
            return None
        self._asked_at = now
        return Doubt.ASK

    def _judge(self, witness: Witness, now: float) -> Doubt | None:
        assert self._asked_at is not None
        assert self._busy_at is not None
        late = now - self._asked_at >= min(_ANSWER_WITHIN, self._stale_after)
        if witness.realtime or (late and witness.snapshots and not witness.missed):
            verdict = Doubt.DISMISS
        elif late:
            verdict = Doubt.REPLACE
        else:
            return None
        self.silence = now - self._busy_at
        if verdict is Doubt.DISMISS:
            self.bear_in_mind()
        self.restart()
        return verdict

    def bear_in_mind(self) -> None:
        """The last doubt was unfounded, or did not help: the next silence is given longer."""
        if self.silence:
            self._learn(self.silence)
            self.silence = 0.0

    def _learn(self, seconds: float) -> None:
        # Looks come once a second: what is busy at each of them has no gaps that could be seen.
        gap = max(0.0, seconds - _LOOK)
        self._usual = gap if self._gaps == 0 else (1 - _WEIGHT) * self._usual + _WEIGHT * gap
        self._longest = max(gap, self._longest * _FADING)
        self._gaps += 1
