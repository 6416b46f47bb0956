"""What one connection carries of a subscription whose codes are spread over several.

To a connection, a :class:`Part` is a channel with fewer codes: nothing below it knows of others.
When codes move from one connection to another, a :class:`Passage` stands between the two parts and
the channel, so that no event is missed, none comes twice and none out of order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from operator import attrgetter
from typing import Any, cast

import msgspec

from upbit_stream.connection.handover import Handover
from upbit_stream.connection.observer import ConnectionObserver, Link
from upbit_stream.connection.routes import AnyChannel
from upbit_stream.errors import UpbitStreamError
from upbit_stream.events import Event
from upbit_stream.recovery.gaps import Gap
from upbit_stream.telling import QuietLock

__all__ = ["Part", "Passage", "TellsOfWholes"]

_code = attrgetter("code")


class Part:
    """Some codes of a channel, on one connection. What is not about codes is the channel's own.

    Its owner calls the methods that change it, one at a time; the connection's I/O thread reads.
    Each attribute is replaced, never changed, so there is no lock.
    """

    def __init__(self, channel: AnyChannel, codes: tuple[str, ...]) -> None:
        self.channel = channel
        #: What the connection is to ask for.
        self.demand = msgspec.structs.replace(channel.demand, codes=codes)
        #: Events of each code, while someone counts them.
        self.census: Counter[str] | None = None
        #: Whether what it brings is held, because another part still delivers: the connection may
        #: yet come to nothing, and that is no matter of the channel's.
        self.on_trial = False
        self._passage: Callable[[Sequence[Any]], None] | None = None

    @property
    def as_channel(self) -> AnyChannel:
        """Itself, for a connection: it can all that a connection asks of a channel."""
        return cast(AnyChannel, self)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.channel, name)

    def want(self, codes: tuple[str, ...]) -> bool:
        """Want these codes from now on; whether that is a change."""
        demand = msgspec.structs.replace(self.channel.demand, codes=codes)
        changed = demand != self.demand
        self.demand = demand
        return changed

    def lead(self, passage: Callable[[Sequence[Any]], None] | None) -> None:
        """Have what comes go there, and not into the channel; None: into the channel."""
        self._passage = passage

    # What the I/O thread calls.

    def put(self, events: Sequence[Any], when_room: Callable[[], None]) -> Sequence[Any]:
        """See :meth:`Channel.put <upbit_stream.delivery.channel.Channel.put>`."""
        if (census := self.census) is not None:
            census.update(map(_code, events))
        if (passage := self._passage) is None:
            return self.channel.put(events, when_room)
        passage(events)
        return ()

    def put_last(self, events: Sequence[Any]) -> None:
        """See :meth:`Channel.put_last <upbit_stream.delivery.channel.Channel.put_last>`."""
        if (passage := self._passage) is None:
            self.channel.put_last(events)
        else:
            passage(events)

    def end(self, error: UpbitStreamError | None = None) -> None:
        """The connection has ended for good."""
        if not self.on_trial:
            self.channel.end(error)


class Passage:
    """Codes of one channel on their way from one connection (the old one) to another (the new one).

    First both carry them: what the old one brings is delivered, what the new one brings is held.
    Then :meth:`cross`: what was held and has not come over the old one follows, and from then on
    the new one delivers. It is for its owner to say when nothing is on its way any more that only
    the old one was sent (see :mod:`upbit_stream.shards`).
    """

    def __init__(self, channel: AnyChannel, codes: Collection[str]) -> None:
        self._channel = channel
        self._codes = frozenset(codes)
        # Guards what is below, and the order in which two I/O threads put into one channel; so it
        # is held while they do. Nobody asks for it who holds a stream's lock.
        self._lock = QuietLock()
        self._handover = Handover(self._put, self._newest)
        self._crossed = False
        # Of the codes: those that the old one goes on with.
        self._stayed: frozenset[str] = frozenset()
        # Whether what was held is being delivered.
        self._releasing = False
        # Set by the owner, without the lock.
        self._given_up = False

    def old(self, events: Sequence[Any]) -> None:
        """The old connection brought ``events``."""
        with self._lock:
            if not self._crossed:
                self._handover.old(events)
                return
            gone = self._codes - self._stayed
            self._put([event for event in events if event.code not in gone])

    def new(self, events: Sequence[Any]) -> None:
        """The new connection brought ``events``."""
        with self._lock:
            if self._given_up:
                return
            if self._crossed:
                events = [event for event in events if event.code not in self._stayed]
                self._handover.after(events)
            else:
                self._handover.new(events)

    @property
    def caught_up(self) -> bool:
        """Whether the old one has brought all that comes before what is held."""
        return self._handover.caught_up

    def cross(self, codes: Collection[str]) -> None:
        """Have the new one deliver ``codes`` from now on; the others stay with the old one."""
        with self._lock:
            self._stayed = self._codes - frozenset(codes)
            self._releasing = True
            self._handover.release()
            self._releasing = False
            self._crossed = True

    def give_up(self) -> None:
        """Have the old one go on with all of them; what was held is dropped."""
        self._given_up = True

    def _put(self, events: Sequence[Event]) -> None:
        if self._releasing:
            events = [event for event in events if self._is_wanted(event)]
        if events:
            self._channel.put(events, _nobody_waits)

    def _is_wanted(self, event: Event) -> bool:
        if event.code in self._stayed:
            return False
        # A snapshot is what the old one had brought event by event; where it brought nothing at
        # all, it is the beginning.
        begun = self._channel.latest_of(event.code or "") is not None
        return not (begun and event.stream_type == "SNAPSHOT")

    def _newest(self, type_: str, code: str | None) -> int:
        newest = self._channel.latest_of(code or type_)
        return 0 if newest is None else newest.timestamp or 0


def _nobody_waits() -> None:
    """There is room: only channels that block are told, and these are never spread."""


class TellsOfWholes:
    """Passes on what connections tell, of channels where they speak of parts."""

    def __init__(self, observer: ConnectionObserver) -> None:
        self._observer = observer

    def connection_changed(self, connection: Link) -> None:
        """See :class:`~upbit_stream.connection.observer.ConnectionObserver`."""
        self._observer.connection_changed(connection)

    def connection_error(self, error: UpbitStreamError) -> None:
        """See :class:`~upbit_stream.connection.observer.ConnectionObserver`."""
        self._observer.connection_error(error)

    def connection_gap(self, gap: Gap) -> None:
        """See :class:`~upbit_stream.connection.observer.ConnectionObserver`."""
        self._observer.connection_gap(gap)

    def channel_refused(self, channel: AnyChannel | Part, error: UpbitStreamError) -> None:
        """See :class:`~upbit_stream.connection.observer.ConnectionObserver`."""
        if not isinstance(channel, Part):
            self._observer.channel_refused(channel, error)
        elif not channel.on_trial:  # otherwise it goes on where it is
            self._observer.channel_refused(channel.channel, error)

    def codes_silent(self, channel: AnyChannel | Part, codes: tuple[str, ...]) -> None:
        """See :class:`~upbit_stream.connection.observer.ConnectionObserver`."""
        whole = channel.channel if isinstance(channel, Part) else channel
        self._observer.codes_silent(whole, codes)
