"""Where the events of a type and code go: values of the router, which owns them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from upbit_stream.delivery.channel import Channel

__all__ = ["AnyChannel", "Newcomer", "Outlet", "Route", "Routes", "Sink"]

if TYPE_CHECKING:
    AnyChannel: TypeAlias = Channel[Any]
else:
    AnyChannel = Channel

Sink: TypeAlias = Callable[[Any], None]


class Newcomer(msgspec.Struct):
    """A code that joined a stream under way, and begins with its snapshot."""

    #: The moment from which on the snapshot is not waited for any more.
    until: float = float("inf")
    #: The id of the newest trade that others had been given when it joined: a snapshot of an older
    #: one is that of an earlier request, over the slower one of two lines.
    after: int = 0
    #: Realtime events that came meanwhile; those newer than the snapshot follow it.
    held: list[Any] = msgspec.field(default_factory=list)


class Outlet:
    """A channel's place in the router: the part of the batch that is its own."""

    def __init__(self, channel: AnyChannel) -> None:
        self.channel = channel
        #: What is asked for at present: the channel may want something else already.
        self.demand = channel.demand
        self.batch: list[Any] = []
        self.sink = self.demand.sieve(self.batch.append)
        self.newcomers: dict[str, Newcomer] = {}
        #: Codes that are new on the wire. They get the snapshot if it tells them something, and
        #: nothing is held back for it: every event since the request is theirs. With each the
        #: time (of ``time.time_ns()``) since when what they have been given counts as known.
        self.starting: dict[str, int] = {}
        #: Codes that have joined before, so that a changed list does not start them again, with the
        #: moments when they did.
        self.joined: dict[str, float] = {}
        #: Codes whose snapshot was asked for, with that time (of ``time.time_ns()``), and from
        #: which moment on their silence is to be told.
        self.asked: dict[str, tuple[int, float]] = {}


class Route:
    """Who is concerned by the events of one type and code."""

    __slots__ = ("outlets", "snapshots")

    def __init__(self) -> None:
        self.outlets: list[Outlet] = []
        #: Whether this type has snapshots, which are not for everyone.
        self.snapshots = False

    @property
    def streams(self) -> bool:
        """Whether anyone wants realtime."""
        return any(outlet.demand.realtime for outlet in self.outlets)

    def live(self, code: str | None) -> Sink:
        """What leads realtime to those who want it; for newcomers it is held back."""
        sinks = [
            outlet.newcomers[code].held.append if code in outlet.newcomers else outlet.sink
            for outlet in self.outlets
            if outlet.demand.realtime
        ]
        return sinks[0] if len(sinks) == 1 else _fan_out(tuple(sinks))


def _fan_out(sinks: tuple[Sink, ...]) -> Sink:
    def sink(event: Any) -> None:
        for one in sinks:
            one(event)

    return sink


class Routes:
    """The routes of a type by code. Some types have no codes, or are wanted for every code."""

    def __init__(self, type_: str, guard: Callable[[str, str, Sink], Sink]) -> None:
        self._type = type_
        # Stands before the sinks: what recovery does with the events of a code.
        self._guard = guard
        self._by_code: dict[str | None, Route] = {}
        # Who wants the events of all codes, also of those without a route of their own.
        self._general: Route | None = None
        #: Where the realtime events of each code go: usually the ``append`` of one batch.
        self.live: dict[str | None, Sink] = {}

    def add(self, outlet: Outlet) -> None:
        if outlet.demand.every_code:
            self._general = self._general or Route()
            self._general.outlets.append(outlet)
        for code in outlet.demand.codes:
            self._by_code.setdefault(code, Route()).outlets.append(outlet)

    def connect(self) -> None:
        """All outlets have been added: find out where each code's events go."""
        everyone = self._general.outlets if self._general is not None else []
        for route in self._by_code.values():
            route.outlets += everyone
        for route in (*self._by_code.values(), *filter(None, [self._general])):
            route.snapshots = any(one.demand.has_snapshots for one in route.outlets)
        for code in self._by_code:
            self.refresh(code)

    def refresh(self, code: str | None) -> None:
        """Find out anew where a code's events go."""
        route = self._by_code.get(code)
        if route is not None:
            sink = route.live(code)
            if code is not None and route.streams:
                sink = self._guard(self._type, code, sink)
            self.live[code] = sink

    def find(self, code: str | None) -> Route | None:
        return self._by_code.get(code, self._general)
