"""Who gets which event. Belongs to the I/O thread: no lock anywhere.

The exchange knows one list for the whole connection and sends a new snapshot of everything with
each change of it. The router makes that look, to each subscription, as if it were alone: its own
snapshot once, then realtime, and no one else's snapshots.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

import msgspec

from upbit_stream.delivery.channel import Channel
from upbit_stream.errors import DecodingError
from upbit_stream.events import Announcement, Event, MyAsset, Trade
from upbit_stream.protocol.decoding import Message, Undecodable

__all__ = ["AnyChannel", "Router", "Routing"]

if TYPE_CHECKING:
    AnyChannel: TypeAlias = Channel[Any]
else:
    AnyChannel = Channel

_Sink: TypeAlias = Callable[[Any], None]

_WITHOUT_CODE = (MyAsset, Announcement)

# The decoder's own string, so that an identity tells almost every event; any other is compared.
_REALTIME: Final = "REALTIME"

# Seconds after its request in which a code's snapshot should have come (measured: 0.35); after
# it, a newcomer is given realtime without one.
_SNAPSHOT_PATIENCE = 3.0

# Seconds after it in which nothing at all has come of a code that the exchange does not know.
_SILENCE = 10.0


class Routing(Protocol):
    """What a session needs of a router, or of who stands in for it."""

    def route(self, decoded: Sequence[Any]) -> list[Message]: ...
    def update(self, channels: Iterable[AnyChannel]) -> bool: ...
    def requested(self) -> None: ...
    def expect_again(self, listed: set[tuple[str, str]]) -> None: ...
    def hand_over(self) -> bool: ...
    def lose_patience(self) -> None: ...
    def find_silent(self) -> list[tuple[AnyChannel, tuple[str, ...]]]: ...
    def tell_drops(self) -> None: ...


class _Newcomer(msgspec.Struct):
    """A code that joined a stream under way, and begins with its snapshot."""

    #: The moment from which on the snapshot is not waited for any more.
    until: float = float("inf")
    #: Realtime events that came meanwhile; those newer than the snapshot follow it.
    held: list[Any] = msgspec.field(default_factory=list)


class _Outlet:
    """A channel's place in the router: the part of the batch that is its own."""

    def __init__(self, channel: AnyChannel) -> None:
        self.channel = channel
        self.batch: list[Any] = []
        self.sink = channel.demand.sieve(self.batch.append)
        self.newcomers: dict[str, _Newcomer] = {}
        #: Codes that are new on the wire. They get the snapshot if it tells them something, and
        #: nothing is held back for it: every event since the request is theirs. With each the
        #: time (of ``time.time_ns()``) since when what they have been given counts as known.
        self.starting: dict[str, int] = {}
        #: Codes that have joined before, so that a changed list does not start them again.
        self.joined: set[str] = set()
        #: Codes whose snapshot was asked for, with that time (of ``time.time_ns()``), and from
        #: which moment on their silence is to be told.
        self.asked: dict[str, tuple[int, float]] = {}


class _Route:
    """Who is concerned by the events of one type and code."""

    __slots__ = ("outlets", "snapshots")

    def __init__(self) -> None:
        self.outlets: list[_Outlet] = []
        #: Whether this type has snapshots, which are not for everyone.
        self.snapshots = False

    def live(self, code: str | None) -> _Sink:
        """What leads realtime to those who want it; for newcomers it is held back."""
        sinks = [
            outlet.newcomers[code].held.append if code in outlet.newcomers else outlet.sink
            for outlet in self.outlets
            if outlet.channel.demand.realtime
        ]
        return sinks[0] if len(sinks) == 1 else _fan_out(tuple(sinks))


def _fan_out(sinks: tuple[_Sink, ...]) -> _Sink:
    def sink(event: Any) -> None:
        for one in sinks:
            one(event)

    return sink


class _Routes:
    """The routes of a type by code. Some types have no codes, or are wanted for every code."""

    def __init__(self) -> None:
        self._by_code: dict[str | None, _Route] = {}
        # Who wants the events of all codes, also of those without a route of their own.
        self._general: _Route | None = None
        #: Where the realtime events of each code go: usually the ``append`` of one batch.
        self.live: dict[str | None, _Sink] = {}

    def add(self, outlet: _Outlet) -> None:
        if outlet.channel.demand.every_code:
            self._general = self._general or _Route()
            self._general.outlets.append(outlet)
        for code in outlet.channel.demand.codes:
            self._by_code.setdefault(code, _Route()).outlets.append(outlet)

    def connect(self) -> None:
        """All outlets have been added: find out where each code's events go."""
        everyone = self._general.outlets if self._general is not None else []
        for route in self._by_code.values():
            route.outlets += everyone
        for route in (*self._by_code.values(), *filter(None, [self._general])):
            route.snapshots = any(one.channel.demand.has_snapshots for one in route.outlets)
        self.live = {code: route.live(code) for code, route in self._by_code.items()}

    def find(self, code: str | None) -> _Route | None:
        return self._by_code.get(code, self._general)


class Router:
    """Sorts decoded events into the channels' batches, and hands these over."""

    def __init__(self, when_room: Callable[[], None]) -> None:
        self._when_room = when_room
        self._outlets: dict[AnyChannel, _Outlet] = {}
        self._routes: dict[str, _Routes] = {}
        # Their ``live``, by type.
        self._live: dict[str, dict[str | None, _Sink]] = {}

    # Changes of what is wanted.

    def update(self, channels: Iterable[AnyChannel]) -> bool:
        """Serve these channels, and those only; whether some wait for a snapshot that only a
        new request can bring.
        """
        previous = self._outlets
        self._outlets = {channel: previous.get(channel) or _Outlet(channel) for channel in channels}
        on_wire = {
            _wire_key(outlet, code) for outlet in previous.values() for code in outlet.joined
        }
        wanting = False
        for channel, outlet in self._outlets.items():
            codes = set(channel.demand.codes)
            for gone in outlet.joined - codes:
                outlet.newcomers.pop(gone, None)
                outlet.starting.pop(gone, None)
                outlet.asked.pop(gone, None)
            if channel.demand.snapshot:
                for code in [one for one in channel.demand.codes if one not in outlet.joined]:
                    wanting = True
                    if _wire_key(outlet, code) in on_wire:
                        outlet.newcomers[code] = _Newcomer()
                    else:
                        outlet.starting[code] = time.time_ns()
            outlet.joined = codes
        self._rebuild()
        return wanting

    def reset(self) -> None:
        """The connection was made anew: everything starts again, and knows what it had."""
        for outlet in self._outlets.values():
            for code in list(outlet.newcomers):
                self._begin_without_snapshot(outlet, code)
            outlet.asked.clear()
            if outlet.channel.demand.snapshot:
                outlet.starting = dict.fromkeys(outlet.joined, 0)
        self._rebuild()

    def expect_again(self, listed: set[tuple[str, str]]) -> None:
        """The exchange had lost all but the ``listed`` (type, code): the snapshots of what it lost
        are for those who were cut off.
        """
        for outlet in self._outlets.values():
            demand = outlet.channel.demand
            if demand.snapshot:
                lost = [code for code in outlet.joined if (demand.type, code) not in listed]
                for code in set(lost) - outlet.newcomers.keys():
                    outlet.starting.setdefault(code, 0)

    def requested(self) -> None:
        """The request that brings the snapshots has been sent: do not wait for ever."""
        now = time.monotonic()
        asked = time.time_ns(), now + _SILENCE
        for outlet in self._outlets.values():
            for newcomer in outlet.newcomers.values():
                newcomer.until = min(newcomer.until, now + _SNAPSHOT_PATIENCE)
            for code in (*outlet.newcomers, *outlet.starting):
                outlet.asked.setdefault(code, asked)

    def lose_patience(self) -> None:
        """Give realtime to the newcomers whose snapshot did not come: what was held back is in
        their batches then. Called now and then.
        """
        now = time.monotonic()
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

    def _begin_without_snapshot(self, outlet: _Outlet, code: str) -> None:
        for event in outlet.newcomers.pop(code).held:
            outlet.sink(event)
        # It may still come, and for a subscription of snapshots it is all there is.
        outlet.starting[code] = 0

    def _rebuild(self) -> None:
        routes: dict[str, _Routes] = {}
        for outlet in self._outlets.values():
            routes.setdefault(outlet.channel.demand.type, _Routes()).add(outlet)
        for of_type in routes.values():
            of_type.connect()
        self._routes = routes
        self._live = {type_: of_type.live for type_, of_type in routes.items()}

    # The path of the events.

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
            messages.append(Undecodable(DecodingError(f"nobody can be meant by {event!r}")))
        else:
            routes = self._routes.get(event.type)
            route = None if routes is None else routes.find(event.code)
            if routes is None or route is None:
                return  # a late one of a list that was replaced
            if event.stream_type == "SNAPSHOT" and route.snapshots:
                if self._snapshot(route, event):
                    routes.live[event.code] = route.live(event.code)
            else:
                route.live(event.code)(event)

    def _snapshot(self, route: _Route, event: Event) -> bool:
        """Give a snapshot to those who wait for one (the others had theirs); whether that makes
        newcomers ordinary.
        """
        code = event.code
        joined = False
        for outlet in route.outlets:
            demand = outlet.channel.demand
            if not demand.concerns(event):
                continue
            if code in outlet.newcomers:
                if not demand.is_complete(event):
                    continue  # that of an older request, for someone who wants fewer rows
                newcomer = outlet.newcomers.pop(code)
                joined = True
                outlet.sink(event)
                for held in newcomer.held:
                    if _follows(held, event):
                        outlet.sink(held)
            elif (since := outlet.starting.pop(code, None)) is not None and self._is_news(
                outlet, event, since
            ):
                outlet.sink(event)
        return joined

    def _is_news(self, outlet: _Outlet, event: Event, since: int) -> bool:
        """Whether a snapshot tells a channel more than it has been given ``since`` then."""
        pending = [known for known in outlet.batch if known.code == event.code]
        newest = pending[-1] if pending else outlet.channel.latest.get(event.code)
        if newest is None or newest.received_at < since:
            return True
        if isinstance(event, Trade):
            # A trade's snapshot is the last trade; in a quiet market that was delivered before.
            if newest.sequential_id == event.sequential_id:
                return False
            return (newest.trade_timestamp or 0) <= (event.trade_timestamp or 0)
        return (newest.timestamp or 0) <= (event.timestamp or 0)

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


def _wire_key(outlet: _Outlet, code: str) -> tuple[str, Hashable, str]:
    demand = outlet.channel.demand
    return demand.type, demand.group, code


def _follows(event: Event, snapshot: Event) -> bool:
    """Whether ``event`` is newer than the snapshot of its code."""
    if isinstance(event, Trade) and isinstance(snapshot, Trade):
        if event.sequential_id == snapshot.sequential_id:
            return False
        return (event.trade_timestamp or 0) >= (snapshot.trade_timestamp or 0)
    return (event.timestamp or 0) > (snapshot.timestamp or 0)
