"""Looks at the subscriptions of one stream: are their threads alive, do their callbacks return,
do their queues fill, has a code gone silent?
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from upbit_stream.config import OverflowPolicy
from upbit_stream.connection.clocks import Clocks
from upbit_stream.delivery.channel import Channel
from upbit_stream.errors import HealthWarning

__all__ = ["Lookout"]

# Seconds without progress after which a callback is called stuck.
_STUCK_AFTER = 10.0

# Parts of a queue's size at which it is told to fill, and at which that is forgotten.
_FILLING = 0.5
_EMPTIED = 0.1

# Seconds between two looks at what the codes did, which take a moment for many codes.
_CODES_EVERY = 5.0

# A code is silent when it has been so for so many times its usual gap, and its longest one.
_USUAL_GAPS = 20.0
_LONGEST_GAPS = 3.0

# Gaps that must have been seen before any of them is called usual.
_KNOWN_AFTER = 10

# How much the newest gap weighs in the usual one.
_WEIGHT = 0.1


class _Rhythm(msgspec.Struct):
    """How often events of a code come, in seconds."""

    #: When the newest came (nanoseconds since the epoch), and when that was seen (of
    #: ``time.monotonic()``, which no one sets).
    newest: int
    seen_at: float
    gaps: int = 0
    usual: float = 0.0
    longest: float = 0.0
    told: bool = False

    def heard(self, received_at: int, now: float) -> None:
        gap = (received_at - self.newest) / 1e9
        self.newest, self.seen_at = received_at, now
        self.told = False
        self.usual = gap if self.gaps == 0 else (1 - _WEIGHT) * self.usual + _WEIGHT * gap
        # What was long once is forgotten, slowly: a market has its hours.
        self.longest = max(gap, self.longest * 0.995)
        self.gaps += 1

    def silent(self, now: float, at_least: float) -> bool:
        known = self.gaps >= _KNOWN_AFTER
        limit = max(at_least, _USUAL_GAPS * self.usual, _LONGEST_GAPS * self.longest)
        return known and now - self.seen_at > limit


class _Watch(msgspec.Struct):
    """What was seen of a channel."""

    delivered: int = -1
    since: float = 0.0
    stuck_told: bool = False
    filling_told: bool = False
    rhythms: dict[str, _Rhythm] = msgspec.field(default_factory=dict)


class Lookout:
    """Belongs to the watchdog's thread. ``tell`` is given each warning."""

    def __init__(self, stale_after: float, tell: Callable[[HealthWarning], None]) -> None:
        self._stale_after = stale_after
        self._tell = tell
        self._watches: dict[Channel[Any], _Watch] = {}
        self._codes_due_at = 0.0
        self._clocks = Clocks()
        self._looked_at: float | None = None

    def look(self, channels: Iterable[Channel[Any]], now: float) -> None:
        """Look at these channels. ``now`` is of ``time.monotonic()``."""
        before = self._watches
        self._watches = {channel: before.get(channel) or _Watch() for channel in channels}
        if (
            self._clocks.jump(now, due=now if self._looked_at is None else self._looked_at)
            is not None
        ):
            # Suspended, or its clock set: how long the codes have been silent is not known.
            for watch in self._watches.values():
                watch.rhythms.clear()
        self._looked_at = now
        codes_due = now >= self._codes_due_at
        if codes_due:
            self._codes_due_at = now + _CODES_EVERY
        flowing = False
        silent: list[tuple[Channel[Any], list[str]]] = []
        for channel, watch in self._watches.items():
            if channel.revive():
                self._say(
                    "thread",
                    f"the dispatch thread of {_name(channel)} had died; it was replaced, and the "
                    "event it was at may not have reached every callback; look into the log for "
                    "what ended it",
                )
            self._look_at_callback(channel, watch, now)
            self._look_at_queue(channel, watch)
            if codes_due:
                late, heard = self._look_at_codes(channel, watch, now)
                flowing = flowing or heard
                if late:
                    silent.append((channel, late))
        if flowing:
            # With all of them silent it is the connection that is in doubt, not the codes.
            for channel, late in silent:
                self._say_silent(channel, late)

    def _look_at_callback(self, channel: Channel[Any], watch: _Watch, now: float) -> None:
        delivered = channel.progress
        if delivered != watch.delivered or channel.idle:
            watch.delivered, watch.since, watch.stuck_told = delivered, now, False
        elif not watch.stuck_told and now - watch.since >= _STUCK_AFTER:
            watch.stuck_told = True
            frame = None if channel.worker is None else channel.worker.stack
            stack = "" if frame is None else "".join(traceback.format_stack(frame))
            self._say(
                "callback",
                f"a callback of {_name(channel)} ({channel.callback_names}) has not returned for "
                f"{now - watch.since:.0f} s; its events wait, the others go on. Give its "
                f"waits a time limit. It is at\n"
                f"{stack}",
            )

    def _look_at_queue(self, channel: Channel[Any], watch: _Watch) -> None:
        if channel.overflow is OverflowPolicy.LATEST or channel.only_kept:
            return
        filled = channel.queue_length / channel.queue_size
        if filled < _EMPTIED:
            watch.filling_told = False
        elif filled >= _FILLING and not watch.filling_told:
            watch.filling_told = True
            self._say(
                "queue",
                f"the queue of {_name(channel)} is {filled:.0%} full ({channel.queue_length} "
                f"events): {channel.callback_names or 'whoever iterates'} is slower than the "
                f"market; when it is full, {channel.overflow.value} decides. "
                'Do less in it, or take overflow="latest"',
            )

    def _look_at_codes(
        self, channel: Channel[Any], watch: _Watch, now: float
    ) -> tuple[list[str], bool]:
        """The codes that have just gone silent; whether anything of the others came."""
        silent, heard = [], False
        wanted = set(channel.demand.codes)
        for code, event in channel.latest.items():
            if code not in wanted:
                continue
            rhythm = watch.rhythms.get(code)
            if rhythm is None:
                watch.rhythms[code] = _Rhythm(event.received_at, now)
            elif event.received_at != rhythm.newest:
                rhythm.heard(event.received_at, now)
                heard = True
            elif not rhythm.told and rhythm.silent(now, self._stale_after):
                rhythm.told = True
                silent.append(code)
        return silent, heard

    def _say_silent(self, channel: Channel[Any], codes: list[str]) -> None:
        named = ", ".join(codes[:10]) + (f" and {len(codes) - 10} more" if len(codes) > 10 else "")
        self._say(
            "silence",
            f"nothing has come of {channel.demand.type} {named} for longer than is usual there, "
            "while others flow; the market may be suspended, or the exchange may have lost it: "
            "call stream.list_subscriptions(), which asks for it again if so",
        )

    def _say(self, kind: str, text: str) -> None:
        self._tell(HealthWarning(text, kind=kind))


def _name(channel: Channel[Any]) -> str:
    return f"the subscription to {channel.demand.describe()}"
