"""Nothing lost: what a connection missed is found out, fetched, and put in before what is live.

A hole cannot be seen in the ids of trades: it follows from knowing when a connection did not carry
a code. So each code that the connection was lost for is *doubted*. Its first event afterwards (the
snapshot, or a live one) shows that nothing was missed, or else the stretch in between is
*repaired*: fetched on other threads, while live events of that code wait, and of that code only.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from ssl import SSLContext
from typing import Any, Protocol, TypeAlias

import msgspec

from upbit_stream.events import Event, Trade
from upbit_stream.recovery.gaps import Gap, GapTally
from upbit_stream.recovery.history import Found, History, Numbers, Stretch, TradeStretch
from upbit_stream.recovery.repairs import Repair, Repairs
from upbit_stream.recovery.rest import RestClient
from upbit_stream.recovery.tapes import (
    Phase,
    Tape,
    TradeTape,
    count_fetched,
    is_repairable,
    make_tape,
)
from upbit_stream.telling import tell
from upbit_stream.workers import Worker

__all__ = ["Outflow", "Recovery", "RecoveryCounters", "RecoverySettings"]

Sink: TypeAlias = Callable[[Any], None]
Key: TypeAlias = tuple[str, str]

# Seconds after a request in which the first event of a code should have come (0.35 were measured).
_PATIENCE = 3.0

# Seconds in which a trade should follow that a snapshot has told of, if none comes after it: where
# there is one line, what comes after it shows that it is missing. Another line may bring it yet.
_FOLLOWS = 2.0

# Seconds beyond its deadline for which a repair is waited for: it may be returning by then.
_GRACE = 1.0

# What live events of a code wait at most, in backfill_deadlines, if losses cut repairs short again
# and again: the time in which nothing could come anyway does not count.
_IN_ALL = 2

# Why nothing of these can be had afterwards.
_WHY_NOT = {
    "ticker": "of tickers there is only the present state, which a snapshot tells",
    "orderbook": "of order books there is only the present state, which a snapshot tells",
    "myOrder": "events of orders cannot be fetched afterwards; ask REST for your orders",
    "myAsset": "events of balances cannot be fetched afterwards; ask REST for your balances",
}
_WHY_NOT_OTHERS = "events of this type cannot be fetched afterwards; wait for the next ones"

_OFF = "backfill is off; set StreamConfig(backfill=True) to have it fetched"


class RecoverySettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a recovery must know of the configuration."""

    backfill: bool
    #: Seconds for which live events of a code may wait.
    deadline: float
    #: Events that wait, at most, over all codes.
    at_most: int
    #: Lines over which events come.
    lines: int = 1
    numbers: Numbers
    rest_url: str
    ssl_context: SSLContext | None = None


class RecoveryCounters(msgspec.Struct):
    """Written by whoever routes, read by anyone."""

    #: Trades that came again and were dropped, and such that came after younger ones.
    duplicates: int = 0
    late: int = 0
    #: Events that were fetched over REST and delivered.
    backfilled: int = 0


class Outflow(Protocol):
    """Where events go on, and what a recovery asks of there: the router."""

    def refresh(self, type_: str, code: str) -> None:
        """The sink of this code is another one now."""

    def release(self, tape: Tape, events: Sequence[Any]) -> None:
        """Deliver events that were held back, or fetched."""

    def newest_event(self, type_: str, code: str) -> Any | None:
        """The last one that was delivered."""

    def carried(self) -> Iterable[tuple[str, str, float, int]]:
        """What is wanted: type, code (empty where there are none), the moment since when, and when
        the last event came (milliseconds since the epoch; 0 if none did).
        """


class Recovery:
    """That of one connection. Belongs to whoever routes its events (the I/O thread), but for
    :attr:`counters` and :attr:`workers`, which anyone may look at.
    """

    def __init__(
        self,
        name: str,
        settings: RecoverySettings,
        *,
        tell: Callable[[Gap], None],
        when_done: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._tell = tell
        self._outflow: Outflow | None = None
        self._tapes: dict[Key, Tape] = {}
        self._tally = GapTally()
        # Of tapes that are gone.
        self._duplicates = self._late = 0
        self.counters = RecoveryCounters()
        #: Whether something is doubted or being repaired: otherwise there is nothing to look after.
        self.busy = False
        # When the connection was lost (monotonic), until the other types were told of.
        self._lost_at: float | None = None
        rest = RestClient(settings.rest_url, settings.ssl_context)
        self._rest = rest
        self._repairs = Repairs(name, rest, History(rest, settings.numbers), when_done)

    def attach(self, outflow: Outflow) -> None:
        """Deliver there. The first thing to call."""
        self._outflow = outflow

    @property
    def _out(self) -> Outflow:
        assert self._outflow is not None
        return self._outflow

    @property
    def workers(self) -> tuple[Worker, ...]:
        """The threads that fetch."""
        return self._repairs.workers

    def covers(self, type_: str) -> bool:
        """Whether what was missed of that type is fetched."""
        return self._settings.backfill and is_repairable(type_)

    # On the path of the events.

    def sink(self, type_: str, code: str, deliver: Sink) -> Sink:
        """Where live events of a code go which ``deliver`` would deliver."""
        if type_ != "trade" and not self.covers(type_):
            return deliver
        tape = self._tapes.get((type_, code))
        if tape is None:
            tape = self._tapes[type_, code] = make_tape(type_, code, self._settings.lines)
        if tape.phase is Phase.LIVE:
            if isinstance(tape, TradeTape) and tape.suspect is not None:
                return self._suspicious_sink(tape, tape.suspect, deliver)
            return tape.live_sink(deliver)
        if tape.phase is Phase.REPAIRING:
            return tape.held.append
        doubted = tape

        def first(event: Any) -> None:
            doubted.held.append(event)
            self._judge(doubted, event)

        return first

    def _suspicious_sink(self, tape: TradeTape, suspect: Trade, deliver: Sink) -> Sink:
        """Delivers what is older than a trade that a snapshot has told of, until that comes."""
        live = tape.live_sink(deliver)

        def sink(trade: Any) -> None:
            if (trade.sequential_id or 0) < (suspect.sequential_id or 0):
                live(trade)
                return
            tape.held.append(trade)
            if trade.sequential_id == suspect.sequential_id:
                tape.suspect = None
                merged = tape.merge((), True)
                tape.held.clear()
                tape.lost_at = time.monotonic()
                self._resume(tape, merged)
            elif self._settings.lines == 1:
                self._begin_suspected(tape)

        return sink

    def _begin_suspected(self, tape: TradeTape) -> None:
        stretch = tape.stretch(tape.suspect)
        tape.snapshot, tape.suspect = tape.suspect, None  # if REST fails, that much is known
        tape.lost_at = time.monotonic()
        self._begin(tape, stretch)

    def snapshot(self, event: Event) -> None:
        """A snapshot came: look at what it tells. (It may still be delivered to those who wait for
        one.)
        """
        tape = self._tapes.get((event.type, event.code))
        if tape is None:
            return
        if tape.phase is Phase.DOUBTED:
            tape.snapshot = event
            self._judge(tape, event)
        elif (
            isinstance(tape, TradeTape)
            and isinstance(event, Trade)
            and self.covers(tape.type)
            and tape.suspect is None
            and tape.is_ahead(event)
        ):
            self._suspect(tape, event)

    def _suspect(self, tape: TradeTape, snapshot: Trade) -> None:
        """A snapshot tells of a trade that did not come."""
        now = time.monotonic()
        if tape.phase is Phase.LIVE:
            tape.doubt(snapshot, now + _FOLLOWS)
            self.busy = True
            self._out.refresh(tape.type, tape.code)
        elif self._settings.lines == 1:
            # What is being repaired is not all.
            self.lose(now, [(tape.type, tape.code)])
            tape.snapshot = snapshot
            self._judge(tape, snapshot)

    def knows(self, trade: Trade) -> bool:
        """Whether it was delivered, as far as is remembered."""
        tape = self._tapes.get((trade.type, trade.code))
        return isinstance(tape, TradeTape) and tape.has(trade)

    def newest_id(self, type_: str, code: str) -> int:
        """The id of the newest trade that was delivered; 0 where there is none."""
        tape = self._tapes.get((type_, code))
        return tape.newest if isinstance(tape, TradeTape) else 0

    def began(self, event: Event, *, delivered: bool) -> None:
        """Of a code that has begun, the snapshot was ``delivered`` to everyone, or not."""
        tape = self._tapes.get((event.type, event.code))
        if (
            isinstance(tape, TradeTape)
            and isinstance(event, Trade)
            and tape.begin(event, delivered=delivered)
        ):
            self._out.refresh(event.type, event.code)

    def _judge(self, tape: Tape, event: Any) -> None:
        """``event`` is the first one of a doubted code."""
        earlier = [one for one in tape.held if one is not event]  # of a repair that was cut short
        if earlier or not tape.continues(event):
            self._begin(tape, tape.stretch(event))
            return
        tape.held.clear()
        self._resume(tape, [event] if tape.tells_news(event) else [])

    # Losing and repairing.

    def lose(self, now: float, keys: Iterable[Key] | None = None) -> None:
        """The connection was lost, or did not carry the codes ``keys``: doubt them."""
        if keys is None:
            self._lost_at = now if self._lost_at is None else self._lost_at
            keys = list(self._tapes)
        for key in keys:
            tape = self._tapes.get(key)
            if tape is None or not self.covers(tape.type):
                continue
            if tape.phase is Phase.LIVE:
                tape.lose(self._out.newest_event(*key))
                if not tape.known:
                    continue  # it has not begun
                tape.lost_at = now
            elif tape.repair is not None:
                tape.waited += now - tape.repair.begun_at
                tape.repair.dropped = True
                tape.repair = None
            tape.phase, tape.snapshot, tape.patience = Phase.DOUBTED, None, float("inf")
            self.busy = True

    def requested(self, now: float) -> None:
        """What is wanted has been asked for: first events should come."""
        routed = set()
        for type_, code, since, last in self._out.carried():
            routed.add((type_, code))
            if self._lost_at is not None and since <= self._lost_at and not self.covers(type_):
                self._tell_unrepairable(type_, code, last)
        self._lost_at = None
        for key, tape in self._tapes.items():
            if tape.phase is Phase.DOUBTED and key in routed:
                tape.patience = min(tape.patience, now + _PATIENCE)
        self._tell_gaps()

    def _tell_unrepairable(self, type_: str, code: str, last: int) -> None:
        why = _OFF if is_repairable(type_) else _WHY_NOT.get(type_, _WHY_NOT_OTHERS)
        now = time.time_ns() // 1_000_000
        self._tally.add(type_, code, last or now, now, count=0, why=why)

    def _begin(self, tape: Tape, stretch: Stretch) -> None:
        tape.phase = Phase.REPAIRING
        deadline = self._settings.deadline
        left = min(deadline, max(0.0, _IN_ALL * deadline - tape.waited))
        tape.repair = Repair(stretch=stretch, deadline=time.monotonic() + left)
        self.busy = True
        self._out.refresh(tape.type, tape.code)
        self._repairs.submit(tape.repair)

    def collect(self) -> bool:
        """Deliver what was fetched, and let go of what waits too long; whether there was any.
        Called in every round in which it is :attr:`busy`.
        """
        if not self.busy:  # another line was quicker
            return False
        done = list(self._repairs.collect())
        finished = {id(repair) for repair in done}
        for tape in self._repairing():
            if id(tape.repair) in finished:
                assert tape.repair is not None
                self._finish(tape, tape.repair.found)
        released = bool(done)
        waiting = sum(len(tape.held) for tape in self._repairing())
        while waiting > self._settings.at_most:
            released = True
            fullest = max(self._repairing(), key=lambda tape: len(tape.held))
            waiting -= len(fullest.held)
            why = f"more than {self._settings.at_most:,} live events waited for it"
            self._give_up(fullest, why)
        return released

    def _repairing(self) -> list[Tape]:
        return [tape for tape in self._tapes.values() if tape.phase is Phase.REPAIRING]

    def look(self, now: float) -> None:
        """See to what takes too long, and forget what is long past. Called once a second."""
        self._rest.look(now)
        for tape in self._tapes.values():
            # Not while something is fetched: that may reach back over what is remembered now.
            if isinstance(tape, TradeTape) and tape.phase is Phase.LIVE:
                tape.tidy()
        if not self.busy:
            return
        for tape in list(self._tapes.values()):
            if tape.phase is Phase.DOUBTED and now >= tape.patience:
                self._begin(tape, tape.stretch(None))
            elif tape.phase is Phase.REPAIRING:
                assert tape.repair is not None
                if now >= tape.repair.deadline + _GRACE:
                    seconds = self._settings.deadline
                    self._give_up(tape, f"it took longer than {seconds:g} s (backfill_deadline)")
            elif isinstance(tape, TradeTape) and tape.unfulfilled(now):
                self._begin_suspected(tape)
        self.busy = any(
            tape.phase is not Phase.LIVE or (isinstance(tape, TradeTape) and tape.suspect)
            for tape in self._tapes.values()
        )
        self._tell_gaps()
        if not self.busy:
            self._rest.rest()

    def _give_up(self, tape: Tape, why: str) -> None:
        assert tape.repair is not None
        tape.repair.dropped = True
        self._finish(tape, Found(why=why))

    def _finish(self, tape: Tape, found: Found) -> None:
        """Deliver what was found and what waits, and tell of it."""
        begin = tape.known_until
        first = found.events[0] if found.events else None
        merged = tape.merge(found.events, not found.why)
        fetched = count_fetched(merged)
        end = _end_of_gap(merged)
        if found.why:
            # What was found reaches back from the live ones without a hole.
            # (What waited may have holes of its own, if there were several losses.)
            if first is not None:
                end = max(begin, int(first.timestamp or end))
            elif tape.repair is not None and isinstance(tape.repair.stretch, TradeStretch):
                end = max(end, tape.repair.stretch.until)
            self._tally.add(tape.type, tape.code, begin, end, count=fetched, why=found.why)
        elif fetched:
            self._tally.add(tape.type, tape.code, begin, end, count=fetched)
        self.counters.backfilled += fetched
        tape.held.clear()
        self._resume(tape, merged)
        if not any(one.phase is not Phase.LIVE for one in self._tapes.values()):
            self._tell_gaps()

    def _resume(self, tape: Tape, events: Sequence[Any]) -> None:
        tape.phase, tape.repair, tape.snapshot = Phase.LIVE, None, None
        tape.patience, tape.waited = float("inf"), 0.0
        if events:
            self._out.release(tape, events)
        self._out.refresh(tape.type, tape.code)

    def _tell_gaps(self) -> None:
        for gap in self._tally.collect():
            loud = gap.type in ("trade", "myOrder") and not gap.recovered
            tell(logging.WARNING if loud else logging.INFO, "%s", gap)
            self._tell(gap)
        self._count()

    def _count(self) -> None:
        tapes = self._tapes.values()
        self.counters.duplicates = self._duplicates + sum(tape.duplicates for tape in tapes)
        self.counters.late = self._late + sum(tape.late for tape in tapes)

    # Changes and the end.

    def retain(self, keys: Iterable[Key]) -> None:
        """Forget every code but these."""
        gone = self._tapes.keys() - set(keys)
        for key in gone:
            tape = self._tapes.pop(key)
            self._duplicates += tape.duplicates
            self._late += tape.late
            if tape.repair is not None:
                tape.repair.dropped = True

    def end(self, why: str) -> None:
        """Deliver what waits, and fetch nothing any more: the connection has ended."""
        for tape in list(self._tapes.values()):
            if tape.phase is Phase.LIVE and not tape.held:
                continue
            if tape.repair is not None:
                tape.repair.dropped = True
            self._finish(tape, Found(why=why))
        self.busy = False
        self._tell_gaps()
        self._repairs.end()

    def disown(self) -> None:
        """In the child of a fork, where none of the threads exists."""
        self._repairs.disown()


def _end_of_gap(merged: Sequence[Any]) -> int:
    """When the first live event was made behind what was missed, in milliseconds; now, if none."""
    for event in merged:
        if event.stream_type != "BACKFILL":
            return int(getattr(event, "trade_timestamp", None) or event.timestamp or 0)
    return time.time_ns() // 1_000_000
