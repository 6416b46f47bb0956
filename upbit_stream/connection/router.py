"""Who gets which event. Belongs to the I/O thread: no lock anywhere.

The exchange knows one list for the whole connection and sends a new snapshot of everything with
each change of it. The router makes that look, to each subscription, as if it were alone: its own
snapshot once, then realtime, and no one else's snapshots.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import dropwhile
from typing import Any, Final, Protocol, TypeAlias

from upbit_stream.connection.routes import AnyChannel, Newcomer, Outlet, Route, Routes, Sink
from upbit_stream.errors import DecodingError
from upbit_stream.events import Announcement, Event, MyAsset, Trade
from upbit_stream.protocol.decoding import Message, Undecodable
from upbit_stream.recovery.recovery import Recovery, RecoveryCounters
from upbit_stream.recovery.tapes import Tape, trade_order
from upbit_stream.workers import Worker

__all__ = ["AnyChannel", "Decode", "Router", "Routing"]

_WITHOUT_CODE = (MyAsset, Announcement)

# The decoder's own string, so that an identity tells almost every event; any other is compared.
_REALTIME: Final = "REALTIME"

# Seconds after its request in which a code's snapshot should have come (measured: 0.35); after
# it, a newcomer is given realtime without one.
_SNAPSHOT_PATIENCE = 3.0

# Seconds after it in which nothing at all has come of a code that the exchange does not know.
_SILENCE = 10.0


Decode: TypeAlias = Callable[[Sequence[Any]], list[Any]]


class Routing(Protocol):
    """What a session needs of a router, or of who stands in for it."""

    @property
    def settled(self) -> bool: ...
    def part(self) -> bool: ...
    def take(self, payloads: Sequence[Any], decode: Decode) -> list[Message]: ...
    def route(self, decoded: Sequence[Any]) -> list[Message]: ...
    def outdone(self, now: float) -> bool: ...
    def update(self, channels: Iterable[AnyChannel], parked: Iterable[AnyChannel] = ()) -> bool: ...
    def requested(self) -> None: ...
    def expect_again(self, listed: set[tuple[str, str]]) -> None: ...
    def hand_over(self) -> bool: ...
    def lose_patience(self) -> None: ...
    def find_silent(self) -> list[tuple[AnyChannel, tuple[str, ...]]]: ...
    def collect(self) -> bool: ...
    def tell_drops(self) -> None: ...


class Router:
    """Sorts decoded events into the channels' batches, and hands these over.

    ``recovery`` sees to what was missed: it stands before the sinks.
    """

    def __init__(self, when_room: Callable[[], None], recovery: Recovery) -> None:
        self._when_room = when_room
        self._recovery = recovery
        recovery.attach(self)
        self._outlets: dict[AnyChannel, Outlet] = {}
        # Of channels that are wanted, but not asked for while a culprit is searched for.
        self._parked: dict[AnyChannel, Outlet] = {}
        self._routes: dict[str, Routes] = {}
        # Their ``live``, by type.
        self._live: dict[str, dict[str | None, Sink]] = {}

    # Changes of what is wanted.

    def update(self, channels: Iterable[AnyChannel], parked: Iterable[AnyChannel] = ()) -> bool:
        """Serve these channels, and those only; whether some wait for a snapshot that only a
        new request can bring. What ``parked`` ones have had is remembered meanwhile.
        """
        previous = self._outlets
        known = {**self._parked, **previous}
        self._outlets = {channel: known.get(channel) or Outlet(channel) for channel in channels}
        self._parked = {channel: known[channel] for channel in parked if channel in known}
        on_wire = {
            _wire_key(outlet, code) for outlet in previous.values() for code in outlet.joined
        }
        now = time.monotonic()
        wanting = False
        for channel, outlet in self._outlets.items():
            demand = outlet.demand = channel.demand
            for gone in outlet.joined.keys() - set(demand.codes):
                outlet.newcomers.pop(gone, None)
                outlet.starting.pop(gone, None)
                outlet.asked.pop(gone, None)
            if demand.snapshot:
                for code in [one for one in demand.codes if one not in outlet.joined]:
                    wanting = True
                    if _wire_key(outlet, code) in on_wire:
                        newest = self._recovery.newest_id(demand.type, code)
                        outlet.newcomers[code] = Newcomer(after=newest)
                    else:
                        outlet.starting[code] = time.time_ns()
            # Those for every code have joined the code "", for what is told of them.
            codes = demand.codes or ("",)
            outlet.joined = {code: outlet.joined.get(code, now) for code in codes}
        self._forget(on_wire, now)
        self._rebuild()
        return wanting

    def _forget(self, on_wire: set[tuple[str, Hashable, str]], now: float) -> None:
        """Have recovery forget what is wanted no more, and doubt what is not carried for now."""
        routed = {(type_, code) for type_, code, _, _ in self.carried()}
        parked = {
            (outlet.demand.type, code) for outlet in self._parked.values() for code in outlet.joined
        }
        self._recovery.retain(routed | parked)
        if self._parked:
            carried = {(type_, code) for type_, _, code in on_wire}
            self._recovery.lose(now, (parked & carried) - routed)

    def reset(self, *, lost: bool) -> None:
        """The connection was made anew: everything starts again, and knows what it had. ``lost``:
        there was a time in which nothing was carried.
        """
        if lost:
            self._recovery.lose(time.monotonic())
            self._join_again()
        for outlet in self._outlets.values():
            for code in list(outlet.newcomers):
                self._begin_without_snapshot(outlet, code)
            outlet.asked.clear()
            demand = outlet.demand
            if demand.snapshot:
                # Where recovery sees to what was missed, those who stream need no snapshot: what it
                # tells is among that.
                streaming = demand.realtime and self._recovery.covers(demand.type)
                outlet.starting = {
                    code: outlet.starting.get(code, 0)
                    for code in demand.codes
                    if not (streaming and self._has_begun(outlet, code))
                }
        self._rebuild()

    def _join_again(self) -> None:
        """Whoever has had nothing of a code yet begins after what was lost, not before it."""
        now = time.monotonic()
        for outlet in self._outlets.values():
            for code in (*outlet.newcomers, *outlet.starting):
                if self._newest_of(outlet, code) is None:
                    outlet.joined[code] = now

    def _has_begun(self, outlet: Outlet, code: str) -> bool:
        return code not in outlet.starting or self._newest_of(outlet, code) is not None

    def expect_again(self, listed: set[tuple[str, str]]) -> None:
        """The exchange had lost all but the ``listed`` (type, code): the snapshots of what it lost
        are for those who were cut off.
        """
        missing: set[tuple[str, str]] = set()
        for outlet in self._outlets.values():
            demand = outlet.demand
            lost = {code for code in demand.codes if (demand.type, code) not in listed}
            missing |= {(demand.type, code) for code in lost}
            if demand.snapshot and not (demand.realtime and self._recovery.covers(demand.type)):
                for code in lost - outlet.newcomers.keys():
                    outlet.starting.setdefault(code, 0)
        self._recovery.lose(time.monotonic(), missing)
        self._join_again()
        self._rebuild()

    def requested(self) -> None:
        """The request that brings the snapshots has been sent: do not wait for ever."""
        now = time.monotonic()
        asked = time.time_ns(), now + _SILENCE
        for outlet in self._outlets.values():
            for newcomer in outlet.newcomers.values():
                newcomer.until = min(newcomer.until, now + _SNAPSHOT_PATIENCE)
            for code in (*outlet.newcomers, *outlet.starting):
                outlet.asked.setdefault(code, asked)
        self._recovery.requested(now)

    def collect(self) -> bool:
        """Take what was fetched of the past into the batches; whether there was any."""
        return self._recovery.collect()

    def lose_patience(self) -> None:
        """Give realtime to the newcomers whose snapshot did not come, and to those who wait too
        long for what was missed: what was held back is in their batches then. Called now and then.
        """
        now = time.monotonic()
        self._recovery.look(now)
        changed = False
        for outlet in self._outlets.values():
            for code in [code for code, one in outlet.newcomers.items() if one.until <= now]:
                self._begin_without_snapshot(outlet, code)
                changed = True
        if changed:
            self._rebuild()

    def find_silent(self) -> list[tuple[AnyChannel, tuple[str, ...]]]:
        """The codes of which nothing has come since their snapshot was asked for, a while ago;
        each is told once. Called now and then.
        """
        now = time.monotonic()
        found = []
        for channel, outlet in self._outlets.items():
            silent = []
            for code in [code for code, (_, until) in outlet.asked.items() if until <= now]:
                asked_at, _ = outlet.asked.pop(code)
                newest = channel.latest_of(code)
                unanswered = code in outlet.starting or code in outlet.newcomers
                if unanswered and (newest is None or newest.received_at < asked_at):
                    silent.append(code)
            if silent:
                found.append((channel, tuple(silent)))
        return found

    def _begin_without_snapshot(self, outlet: Outlet, code: str) -> None:
        held = outlet.newcomers.pop(code).held
        # What was fetched before the first live one is not its.
        for event in dropwhile(lambda one: one.stream_type == "BACKFILL", held):
            outlet.sink(event)
        # It may still come, and for a subscription of snapshots it is all there is.
        outlet.starting[code] = 0

    def _rebuild(self) -> None:
        routes: dict[str, Routes] = {}
        for outlet in self._outlets.values():
            type_ = outlet.demand.type
            routes.setdefault(type_, Routes(type_, self._recovery.sink)).add(outlet)
        for of_type in routes.values():
            of_type.connect()
        self._routes = routes
        self._live = {type_: of_type.live for type_, of_type in routes.items()}

    # What a connection asks, which may be one of two lines (see :mod:`connection.pair`).

    @property
    def alone(self) -> bool:
        """Whether nobody else carries the same."""
        return True

    def part(self) -> bool:
        """Whether a socket that still serves may be replaced now."""
        return True

    @property
    def settled(self) -> bool:
        """Whether nothing is doubted or being fetched. For any thread."""
        return not self._recovery.busy

    @property
    def counters(self) -> RecoveryCounters:
        """What recovery has counted. For any thread."""
        return self._recovery.counters

    @property
    def workers(self) -> tuple[Worker, ...]:
        """The threads of recovery. For any thread."""
        return self._recovery.workers

    def knows(self, trade: Trade) -> bool:
        """Whether it was delivered, as far as is remembered; or is not to be, for nobody wants more
        than snapshots.
        """
        routes = self._routes.get(trade.type)
        route = None if routes is None else routes.find(trade.code)
        return route is None or not route.streams or self._recovery.knows(trade)

    def outdone(self, now: float) -> bool:
        """Whether another line delivers, and this one does not."""
        return False

    def finish(self) -> None:
        """Give every channel what is still waiting: the end."""
        self._recovery.end("the stream ended before it was fetched")
        self.hand_over_all()

    def disown(self) -> None:
        """In the child of a fork, where no thread goes on."""
        self._recovery.disown()

    # The path of the events.

    def take(self, payloads: Sequence[Any], decode: Decode) -> list[Message]:
        """:meth:`route` what ``decode`` makes of the payloads of one read."""
        return self.route(decode(payloads))

    def route(self, decoded: Sequence[Any]) -> list[Message]:
        """Sort a batch of events into the channels' batches; the messages among them are
        returned.
        """
        # A hot path: two look-ups for the usual event, and everything else elsewhere.
        live = self._live
        messages: list[Message] = []
        for event in decoded:
            try:
                usual = event.stream_type is _REALTIME
                sink = live[event.type][event.code]
            except (KeyError, AttributeError):
                usual = False
            if usual:
                sink(event)
            else:
                self._route_unusual(event, messages)
        return messages

    def _route_unusual(self, event: Any, messages: list[Message]) -> None:
        if not isinstance(event, Event):
            messages.append(event)
        elif event.type is None or (event.code is None and not isinstance(event, _WITHOUT_CODE)):
            messages.append(
                Undecodable(
                    DecodingError(
                        f"a message of type {event.type!r} without a code goes to nobody; it is "
                        "counted and left out, the stream goes on"
                    )
                )
            )
        else:
            routes = self._routes.get(event.type)
            route = None if routes is None else routes.find(event.code)
            if routes is None or route is None:
                return  # a late one of a list that was replaced
            if event.stream_type == "SNAPSHOT" and route.snapshots:
                self._recovery.snapshot(event)
                if self._snapshot(route, event):
                    routes.refresh(event.code)
            else:
                routes.live.get(event.code, route.live(event.code))(event)

    def _snapshot(self, route: Route, event: Event) -> bool:
        """Give a snapshot to those who wait for one (the others had theirs); whether that makes
        newcomers ordinary.
        """
        code = event.code
        joined = False
        streaming = [outlet for outlet in route.outlets if outlet.demand.realtime]
        given = 0
        for outlet in route.outlets:
            demand = outlet.demand
            if not demand.concerns(event):
                continue
            if (newcomer := outlet.newcomers.get(code)) is not None:
                if not demand.is_complete(event) or _precedes(event, newcomer.after):
                    continue  # that of an older request; the first, for someone with fewer rows
                del outlet.newcomers[code]
                joined = True
                outlet.sink(event)
                for held in newcomer.held:
                    if _follows(held, event):
                        outlet.sink(held)
            elif (since := outlet.starting.pop(code, None)) is not None and self._is_news(
                outlet, event, since
            ):
                outlet.sink(event)
                given += demand.realtime
        self._recovery.began(event, delivered=0 < given == len(streaming))
        return joined

    def _is_news(self, outlet: Outlet, event: Event, since: int) -> bool:
        """Whether a snapshot tells a channel more than it has been given ``since`` then."""
        newest = self._newest_of(outlet, event.code)
        streams = outlet.demand.realtime and self._recovery.covers(event.type)
        if newest is None or newest.received_at < since:
            # Not of a trade before others that have been routed already, which would be missing.
            known = self._recovery.newest_id(event.type, event.code or "") if streams else 0
            return not _precedes(event, known)
        if isinstance(event, Trade):
            # A trade's snapshot is the last trade; in a quiet market that was delivered before. Who
            # streams gets it live, or as one of those that were missed, behind the ones before it.
            return not streams and trade_order(newest) < trade_order(event)
        return (newest.timestamp or 0) <= (event.timestamp or 0)

    @staticmethod
    def _newest_of(outlet: Outlet, code: str | None) -> Any | None:
        """The last event of a code that a channel has been given, or is about to be."""
        key = code or outlet.demand.type
        return next(
            (one for one in reversed(outlet.batch) if (one.code or one.type) == key),
            outlet.channel.latest_of(key),
        )

    # What recovery asks for.

    def refresh(self, type_: str, code: str) -> None:
        """See :class:`~upbit_stream.recovery.recovery.Outflow`."""
        if (routes := self._routes.get(type_)) is not None:
            routes.refresh(code)

    def newest_event(self, type_: str, code: str) -> Any | None:
        """See :class:`~upbit_stream.recovery.recovery.Outflow`."""
        known = [
            newest
            for outlet in (*self._outlets.values(), *self._parked.values())
            if outlet.demand.type == type_
            and code in outlet.joined
            and (newest := self._newest_of(outlet, code)) is not None
        ]
        return max(known, key=lambda event: event.received_at, default=None)

    def carried(self) -> Iterable[tuple[str, str, float, int]]:
        """See :class:`~upbit_stream.recovery.recovery.Outflow`."""
        for outlet in self._outlets.values():
            for code, since in outlet.joined.items():
                newest = outlet.channel.latest_of(code or outlet.demand.type)
                last = 0 if newest is None else newest.received_at // 1_000_000
                yield outlet.demand.type, code, since, last

    def release(self, tape: Tape, events: Sequence[Any]) -> None:
        """See :class:`~upbit_stream.recovery.recovery.Outflow`."""
        routes = self._routes.get(tape.type)
        route = None if routes is None else routes.find(tape.code)
        for outlet in () if route is None else route.outlets:
            demand = outlet.demand
            if not demand.realtime:
                continue
            if (newcomer := outlet.newcomers.get(tape.code)) is not None:
                # Its snapshot may yet come over another line, and be older than all of this.
                newcomer.held += [one for one in events if one.stream_type != "SNAPSHOT"]
                continue
            # Who joined since the loss, or has had a snapshot that is ahead of the others, has a
            # beginning of its own, be it the first live event: what lies before it is not its.
            newest = self._newest_of(outlet, tape.code)
            joined_since = outlet.joined.get(tape.code, 0.0) >= tape.lost_at
            ahead = newest is not None and tape.is_behind(newest)
            own = joined_since or ahead
            for event in events:
                if event.stream_type == "SNAPSHOT" and (joined_since or not demand.snapshot):
                    continue
                if own and newest is None:
                    if event.stream_type == "BACKFILL":
                        continue
                    newest = event
                elif own and newest is not None and not _follows(event, newest):
                    continue
                outlet.sink(event)

    def newest(self, type_: str, code: str | None) -> int:
        """The timestamp up to which everyone who wants a code has been given it; 0 when someone has
        had nothing.
        """
        routes = self._routes.get(type_)
        route = None if routes is None else routes.find(code)
        known = []
        for outlet in () if route is None else route.outlets:
            pending = [one.timestamp for one in outlet.batch if one.code == code]
            latest = outlet.channel.latest_of(code or type_)
            known.append(pending[-1] if pending else latest and latest.timestamp)
        return min((stamp or 0 for stamp in known), default=0)

    def hand_over(self) -> bool:
        """Give every channel its batch; False when one of them has no room for all of it.

        What found no room stays in the batch, and the next call tries again.
        """
        everything = True
        for outlet in self._outlets.values():
            batch = outlet.batch
            if batch:
                rest = outlet.channel.put(batch.copy(), self._when_room)
                # In place: the sinks are bound to this very list.
                batch[:] = rest
                everything = everything and not rest
        return everything

    def hand_over_all(self) -> None:
        """Give every channel the rest of its batch, whether there is room or not: the end."""
        for outlet in self._outlets.values():
            if outlet.batch:
                outlet.channel.put_last(outlet.batch.copy())
                outlet.batch.clear()

    def tell_drops(self) -> None:
        """Have drops told that came too quickly after the last telling. Called now and then."""
        for channel in self._outlets:
            channel.tell_drops()


def _wire_key(outlet: Outlet, code: str) -> tuple[str, Hashable, str]:
    demand = outlet.demand
    return demand.type, demand.group, code


def _precedes(event: Event, id_: int) -> bool:
    return isinstance(event, Trade) and (event.sequential_id or 0) < id_


def _follows(event: Event, snapshot: Event) -> bool:
    """Whether ``event`` is newer than the snapshot of its code."""
    if isinstance(event, Trade) and isinstance(snapshot, Trade):
        return trade_order(event) > trade_order(snapshot)
    return (event.timestamp or 0) > (snapshot.timestamp or 0)
