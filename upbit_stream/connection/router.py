"""Who gets which event. Belongs to the I/O thread: no lock anywhere.

The exchange knows one list for the whole connection and sends a new snapshot of everything with
each change of it. The router makes that look, to each subscription, as if it were alone: its own
snapshot once, then realtime, and no one else's snapshots.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from upbit_stream.delivery.channel import Channel
from upbit_stream.errors import DecodingError
from upbit_stream.events import Announcement, Event, MyAsset, Trade
from upbit_stream.protocol.decoding import Message, Undecodable

__all__ = ["AnyChannel", "Router"]

if TYPE_CHECKING:
    AnyChannel: TypeAlias = Channel[Any]
else:
    AnyChannel = Channel

_Sink: TypeAlias = Callable[[Any], None]

_WITHOUT_CODE = (MyAsset, Announcement)

# Seconds after its request in which a code's snapshot should have come (measured: 0.35); after
# it, a newcomer is given realtime without one.
_SNAPSHOT_PATIENCE = 3.0

# Seconds after it in which nothing at all has come of a code that the exchange does not know.
_SILENCE = 10.0


@dataclass
class _Newcomer:
    """A code that joined a stream under way, and begins with its snapshot."""

    #: The moment from which on the snapshot is not waited for any more.
    until: float = float("inf")
    #: Realtime events that came meanwhile; those newer than the snapshot follow it.
    held: list[Any] = field(default_factory=list)


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
    """What happens to the events of one type and code."""

    __slots__ = ("live", "outlets", "snapshots")

    def __init__(self) -> None:
        #: Where realtime events go at once. Usually the ``append`` of one batch.
        self.live: tuple[_Sink, ...] = ()
        self.outlets: list[_Outlet] = []
        #: Whether this type has snapshots, which are not for everyone.
        self.snapshots = False

    def connect(self, code: str | None) -> None:
        """Lead realtime to those who want it; to newcomers it is held back."""
        self.live = tuple(
            outlet.newcomers[code].held.append if code in outlet.newcomers else outlet.sink
            for outlet in self.outlets
            if outlet.channel.demand.realtime
        )
        self.snapshots = any(outlet.channel.demand.has_snapshots for outlet in self.outlets)


class _Routes(dict[str | None, _Route]):
    """The routes of a type by code. Some types have no codes, or are wanted for every code."""

    def __init__(self) -> None:
        super().__init__()
        #: Who wants the events of all codes, also of those without a route of their own.
        self.general: _Route | None = None

    def add(self, outlet: _Outlet) -> None:
        if outlet.channel.demand.every_code:
            self.general = self.general or _Route()
            self.general.outlets.append(outlet)
        for code in outlet.channel.demand.codes:
            self.setdefault(code, _Route()).outlets.append(outlet)

    def connect(self) -> None:
        for code, route in self.items():
            if self.general is not None:
                route.outlets += self.general.outlets
            route.connect(code)
        if self.general is not None:
            self.general.connect(None)

    def __missing__(self, code: str | None) -> _Route:
        if self.general is None:
            raise KeyError(code)
        return self.general


class Router:
    """Sorts decoded events into the channels' batches, and hands these over."""

    def __init__(self, when_room: Callable[[], None]) -> None:
        self._when_room = when_room
        self._outlets: dict[AnyChannel, _Outlet] = {}
        self._routes: dict[str, _Routes] = {}

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

    # The path of the events.

    def route(self, decoded: Sequence[Any]) -> list[Message]:
        """Sort a batch of events into the channels' batches; the messages among them are
        returned.
        """
        routes = self._routes
        messages: list[Message] = []
        for event in decoded:
            try:
                route = routes[event.type][event.code]
            except (KeyError, AttributeError):
                if not isinstance(event, Event):
                    messages.append(event)
                elif event.type is None or (
                    event.code is None and not isinstance(event, _WITHOUT_CODE)
                ):
                    messages.append(Undecodable(DecodingError(f"nobody can be meant by {event!r}")))
                # Else a late one of a list that was replaced.
                continue
            if event.stream_type == "SNAPSHOT" and route.snapshots:
                self._snapshot(route, event)
            else:
                for sink in route.live:
                    sink(event)
        return messages

    def _snapshot(self, route: _Route, event: Event) -> None:
        """Give a snapshot to those who wait for one; the others had theirs."""
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
        if joined:
            route.connect(code)

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
