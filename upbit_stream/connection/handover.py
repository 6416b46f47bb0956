"""From an old socket to a new one: no event missed, none twice, none out of order.

For a while both carry the same events. Those of the old one go on being delivered; those of the new
one are held, until of every code the first held event has come over the old one, too: then nothing
is missing between the two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from upbit_stream.events import Candle, Event, Orderbook, Ticker, Trade

__all__ = ["Handover", "identity"]

_Key: TypeAlias = tuple[str, "str | None"]

# Not part of what was sent, or different on the two sockets.
_OWN = ("received_at", "stream_type")

# Of these only the newest one counts, and none may follow a newer one.
_STATES = (Orderbook, Ticker)


def identity(event: Event) -> Any:
    """What two copies of an event have in common, and two events have not."""
    if isinstance(event, Trade) and event.sequential_id is not None:
        return event.sequential_id
    return tuple(getattr(event, name) for name in event.__struct_fields__ if name not in _OWN)


class Handover:
    """Who delivers what. No socket, no clock: given the events, it says which ones to deliver.

    ``deliver`` is the way on: it takes a sequence of events. ``newest`` tells for a type and code
    up to which timestamp everyone has been given it. ``knows`` tells whether the trade of a
    snapshot has been delivered: with it, what a snapshot tells is waited for like a first event.
    """

    def __init__(
        self,
        deliver: Callable[[Sequence[Event]], object],
        newest: Callable[[str, str | None], int],
        knows: Callable[[Trade], bool] | None = None,
    ) -> None:
        self._deliver = deliver
        self._newest = newest
        self._knows = knows
        # By code, what came over the old socket since the handover began.
        self._seen: dict[_Key, set[Any]] = {}
        self._held: list[Event] = []
        # Of each code, the first event that the new socket brought, while the old one has not.
        self._awaited: dict[_Key, Any] = {}
        self._begun: set[_Key] = set()

    def old(self, events: Sequence[Event]) -> None:
        """The old socket brought ``events``: they are delivered."""
        for event in events:
            key, what = (event.type, event.code), identity(event)
            self._seen.setdefault(key, set()).add(what)
            if self._awaited.get(key) == what:
                del self._awaited[key]
        self._deliver(events)

    def new(self, events: Sequence[Event]) -> None:
        """The new socket brought ``events``: they are held."""
        self._held += events
        for event in events:
            key = event.type, event.code
            if self._knows is not None and isinstance(event, Trade) and key not in self._begun:
                # The new socket has everything from its snapshot on: that is where they meet.
                self._begun.add(key)
                what = identity(event)
                if what not in self._seen.get(key, ()) and not self._knows(event):
                    self._awaited[key] = what
            elif event.stream_type == "REALTIME" and key not in self._begun:
                self._begun.add(key)
                if (what := identity(event)) not in self._seen.get(key, ()):
                    self._awaited[key] = what

    @property
    def delivering(self) -> bool:
        """Whether the new socket has brought anything."""
        return bool(self._held)

    @property
    def caught_up(self) -> bool:
        """Whether the old socket has brought all that comes before what is held."""
        return not self._awaited

    def release(self) -> None:
        """The old socket has ended: deliver what is held and did not come over it."""
        held, self._held = self._held, []
        self._deliver([event for event in held if self._is_news(event)])

    def after(self, events: Sequence[Event]) -> None:
        """The new socket brought ``events``, after the release: what the old one had brought
        before is left out.
        """
        self._deliver([event for event in events if self._is_news(event)])

    def _is_news(self, event: Event) -> bool:
        key = event.type, event.code
        if event.stream_type == "SNAPSHOT" and isinstance(event, (Trade, Candle)):
            return True  # whether something was missed is told by it; the router knows what to do
        if event.stream_type == "SNAPSHOT" and (event.timestamp or 0) <= self._newest(*key):
            return False  # a state that is known
        if isinstance(event, _STATES) and (event.timestamp or 0) < self._newest(*key):
            return False  # one that the old socket left out, and that is past
        return identity(event) not in self._seen.get(key, ())
