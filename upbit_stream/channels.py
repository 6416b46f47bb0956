"""The channels of one stream: what carries each, which still deliver, what they counted."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from typing import Any

from upbit_stream.delivery.channel import Channel
from upbit_stream.errors import UpbitStreamError
from upbit_stream.leases import Carrier
from upbit_stream.protocol.demands import Demand
from upbit_stream.recovery.gaps import Gap, narrow
from upbit_stream.totals import Totals

__all__ = ["Channels", "end_all"]


class Channels:
    """The present ones, and those that have been closed. Its owner holds a lock around every
    call.
    """

    def __init__(self) -> None:
        # With what carries them; None before the stream is started.
        self._present: dict[Channel[Any], Carrier | None] = {}
        # Those that were closed, whose dispatch threads may still deliver what was queued.
        self._leaving: tuple[Channel[Any], ...] = ()
        self._retired = Totals()

    def __bool__(self) -> bool:
        return bool(self._present)

    def __contains__(self, channel: Channel[Any]) -> bool:
        return channel in self._present

    def add(self, channel: Channel[Any]) -> None:
        """One more, which nothing carries yet."""
        self._present[channel] = None

    def withdraw(self, channel: Channel[Any]) -> None:
        """It came to nothing: as if it had never been added."""
        del self._present[channel]

    def close(self, channel: Channel[Any]) -> Carrier | None:
        """One of them has been closed; what has carried it."""
        carrier = self._present.pop(channel)
        leaving = (*self._leaving, channel)
        self._leaving = tuple(one for one in leaving if one.worker is not None and one.worker.alive)
        for gone in leaving:
            if gone not in self._leaving:
                self._retired.add_channel(gone)
                # What nobody has taken yet may still be taken, but is not the stream's any more.
                self._retired.queued = 0
        return carrier

    def carry(self, channel: Channel[Any], carrier: Carrier) -> None:
        """That is what carries it."""
        self._present[channel] = carrier

    def carrier_of(self, channel: Channel[Any]) -> Carrier | None:
        """What carries it."""
        return self._present[channel]

    def carried_by(self, carrier: Carrier | None) -> list[Channel[Any]]:
        """Those that it carries; those that nothing carries."""
        return [channel for channel, its in self._present.items() if its is carrier]

    @property
    def open(self) -> tuple[Channel[Any], ...]:
        """Those that have not ended."""
        return tuple(channel for channel in self._present if not channel.ended)

    @property
    def all(self) -> tuple[Channel[Any], ...]:
        """The present ones, and those that may still deliver."""
        return (*self._present, *self._leaving)

    def demands(self, but: Channel[Any] | None = None) -> list[Demand]:
        """What is wanted at present, ``but`` for one of them."""
        return [one.demand for one in self.open if one is not but]

    def concern(self, gap: Gap) -> Gap | None:
        """What of a gap is theirs, which is counted; None if it is not their matter."""
        own = [one.demand for one in self._present if one.demand.type == gap.type]
        mine = narrow(gap, {code for demand in own for code in demand.codes})
        if not own or mine is None:
            return None
        self._retired.add_gap(mine)
        return mine

    def count(self) -> Totals:
        """What all of them did so far."""
        totals = copy(self._retired)
        for channel in self.all:
            totals.add_channel(channel)
        return totals

    def disown(self, error: UpbitStreamError) -> None:
        """In the child of a fork: have all of them end with ``error``."""
        for channel in self.all:
            channel.disown(error)
        self._present, self._leaving = {}, ()


def end_all(channels: Iterable[Channel[Any]], deadline: float) -> bool:
    """End channels and wait until they have delivered what they have; whether none of them was cut
    short. No lock is held.
    """
    delivered = True
    channels = tuple(channels)
    for channel in channels:
        channel.end()
    for channel in channels:
        if channel.worker is not None and not channel.worker.join(deadline):
            channel.discard()
            delivered = False
    return delivered
