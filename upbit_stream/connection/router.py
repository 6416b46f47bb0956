"""Who gets which event. Belongs to the I/O thread: no lock anywhere.

The exchange knows one list for the whole connection and sends a new snapshot of everything with
each change of it. The router makes that look, to each subscription, as if it were alone: its own
snapshot once, then realtime, and no one else's snapshots.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from upbit_stream.delivery.channel import Channel
from upbit_stream.errors import DecodingError
from upbit_stream.events import Event, Orderbook, Trade
from upbit_stream.protocol.decoding import Message, Undecodable
from upbit_stream.protocol.requests import FULL_DEPTH, Demand

__all__ = ["AnyChannel", "Router"]

if TYPE_CHECKING:
    AnyChannel: TypeAlias = Channel[Any]
else:
    AnyChannel = Channel

_Sink: TypeAlias = Callable[[Any], None]

# Seconds after its request in which a code's snapshot should have come (measured: 0.35); after
# it, a newcomer is given realtime without one.
_SNAPSHOT_PATIENCE = 3.0


class _Outlet:
    """A channel's place in the router: the part of the batch that is its own."""

    def __init__(self, channel: AnyChannel) -> None:
        self.channel = channel
        self.batch: list[Any] = []
        #: Codes that joined a stream under way, whose snapshot is still to come, with the moment
        #: from which on it is not waited for any more. Until then their realtime events are held
        #: back: this subscription begins with its snapshot.
        self.newcomers: dict[str, float] = {}
        #: Codes that are new on the wire. They get the snapshot if it tells them something, and
        #: nothing is held back for it: every event since the request is theirs. With each the
        #: time (of ``time.time_ns()``) since when what they have been given counts as known.
        self.starting: dict[str, int] = {}
        #: Codes that have joined before, so that a changed list does not start them again.
        self.joined: set[str] = set()


class _Route:
    """What happens to the events of one type and code."""

    __slots__ = ("live", "outlets")

    def __init__(self) -> None:
        #: Where realtime events go at once. Usually the ``append`` of one batch.
        self.live: tuple[_Sink, ...] = ()
        self.outlets: list[tuple[_Outlet, _Sink]] = []


class Router:
    """Sorts decoded events into the channels' batches, and hands these over."""

    def __init__(self, when_room: Callable[[], None]) -> None:
        self._when_room = when_room
        self._outlets: dict[AnyChannel, _Outlet] = {}
        self._routes: dict[str, dict[str, _Route]] = {}

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
            if channel.demand.snapshot:
                for code in codes - outlet.joined:
                    wanting = True
                    if _wire_key(outlet, code) in on_wire:
                        outlet.newcomers[code] = float("inf")
                    else:
                        outlet.starting[code] = time.time_ns()
            outlet.joined = codes
        self._rebuild()
        return wanting

    def reset(self) -> None:
        """The connection was made anew: everything starts again, and knows what it had."""
        for outlet in self._outlets.values():
            outlet.newcomers.clear()
            if outlet.channel.demand.snapshot:
                outlet.starting = dict.fromkeys(outlet.joined, 0)
        self._rebuild()

    def requested(self) -> None:
        """The request that brings the snapshots has been sent: do not wait for ever."""
        patience = time.monotonic() + _SNAPSHOT_PATIENCE
        for outlet in self._outlets.values():
            for code in outlet.newcomers:
                outlet.newcomers[code] = min(outlet.newcomers[code], patience)

    def lose_patience(self) -> None:
        """Give realtime to the newcomers whose snapshot did not come. Called now and then."""
        now = time.monotonic()
        changed = False
        for outlet in self._outlets.values():
            for code in [code for code, until in outlet.newcomers.items() if until <= now]:
                del outlet.newcomers[code]
                changed = True
        if changed:
            self._rebuild()

    def _rebuild(self) -> None:
        routes: dict[str, dict[str, _Route]] = {}
        for outlet in self._outlets.values():
            demand = outlet.channel.demand
            sink = _sink(demand, outlet.batch.append)
            of_type = routes.setdefault(demand.type, {})
            for code in demand.codes:
                route = of_type.setdefault(code, _Route())
                route.outlets.append((outlet, sink))
                if demand.realtime and code not in outlet.newcomers:
                    route.live = (*route.live, sink)
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
                elif event.type is None or event.code is None:
                    messages.append(Undecodable(DecodingError(f"nobody can be meant by {event!r}")))
                # Else a late one of a list that was replaced.
                continue
            if event.stream_type == "SNAPSHOT":
                self._snapshot(route, event)
            else:
                for sink in route.live:
                    sink(event)
        return messages

    def _snapshot(self, route: _Route, event: Event) -> None:
        """Give a snapshot to those who wait for one; the others had theirs."""
        code = event.code
        joined = False
        for outlet, sink in route.outlets:
            if not _concerns(outlet.channel.demand, event):
                continue
            if code in outlet.newcomers:
                del outlet.newcomers[code]
                joined = True
                sink(event)
            elif (since := outlet.starting.pop(code, None)) is not None and self._is_news(
                outlet, event, since
            ):
                sink(event)
        if joined:
            route.live = tuple(
                sink
                for outlet, sink in route.outlets
                if outlet.channel.demand.realtime and code not in outlet.newcomers
            )

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

    def tell_drops(self) -> None:
        """Have drops told that came too quickly after the last telling. Called now and then."""
        for channel in self._outlets:
            channel.tell_drops()


def _sink(demand: Demand, append: _Sink) -> _Sink:
    """Where a channel's events go: straight into its batch, unless an order book is shared with
    someone who wants more rows, or the same code comes in several levels.
    """
    if demand.type != "orderbook":
        return append
    depth = demand.depth

    def fitting(book: Orderbook) -> None:
        if not _concerns(demand, book):
            return
        units = book.orderbook_units
        if depth < FULL_DEPTH and units is not None and len(units) > depth:
            book = msgspec.structs.replace(book, orderbook_units=units[:depth])
        append(book)

    return fitting


def _wire_key(outlet: _Outlet, code: str) -> tuple[str, float, str]:
    demand = outlet.channel.demand
    return demand.type, demand.level, code


def _concerns(demand: Demand, event: Event) -> bool:
    """Whether an event of a demanded code is the demanded one: books come in several levels."""
    return not isinstance(event, Orderbook) or event.level is None or event.level == demand.level
