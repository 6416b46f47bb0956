"""A stream's counters, over everything that it carries and has carried."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

from upbit_stream.config import OverflowPolicy
from upbit_stream.connection.states import ConnectionInfo
from upbit_stream.delivery.channel import Channel
from upbit_stream.recovery.gaps import Gap

__all__ = ["StreamStats", "Totals"]


class StreamStats(msgspec.Struct, frozen=True):
    """A stream's counters at one moment, over all its connections and subscriptions so far.

    Events that an iteration takes after its subscription was closed are not counted any more.
    """

    #: Messages that came over the sockets, and bytes with the headers of frames. A connection that
    #: streams share counts for each of them.
    messages: int
    bytes: int
    #: Frames that could not be decoded.
    undecodable: int
    #: Messages of types that this version does not know.
    unknown: int
    #: Trades that came again and were dropped, and such that came after younger ones.
    duplicates: int
    late: int
    #: Trades and candles that were missed, and fetched over REST.
    backfilled: int
    #: Events handed to subscriptions; one that two of them want counts twice.
    received: int
    delivered: int
    dropped: int
    #: Of the dropped ones: those whose subscriptions keep only the latest, on purpose.
    conflated: int
    queued: int
    #: Calls of callbacks that raised.
    errors: int
    reconnects: int
    #: How often for which kind of reason; see :attr:`~upbit_stream.Reconnect.kind`.
    reconnects_by_kind: Counter[str]
    #: Gaps that were told, by type: those that were repaired, and those that were not.
    gaps_recovered: Counter[str]
    gaps_unrecovered: Counter[str]


class Totals(msgspec.Struct):
    """Sums over channels and connections, also over those that are gone. Its owner holds a lock
    around every call.
    """

    messages: int = 0
    bytes: int = 0
    undecodable: int = 0
    unknown: int = 0
    duplicates: int = 0
    late: int = 0
    backfilled: int = 0
    received: int = 0
    delivered: int = 0
    dropped: int = 0
    conflated: int = 0
    queued: int = 0
    errors: int = 0
    reconnects: int = 0
    reconnects_by_kind: Counter[str] = msgspec.field(default_factory=Counter)
    gaps_recovered: Counter[str] = msgspec.field(default_factory=Counter)
    gaps_unrecovered: Counter[str] = msgspec.field(default_factory=Counter)

    def add(self, other: Totals) -> None:
        """Count in other sums."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def add_channel(self, channel: Channel[Any]) -> None:
        """Count in what a subscription did."""
        stats = channel.stats
        self.received += stats.received
        self.delivered += stats.delivered
        self.dropped += stats.dropped
        if channel.overflow is OverflowPolicy.LATEST:
            self.conflated += stats.dropped
        self.queued += stats.queued
        self.errors += stats.errors

    def add_gap(self, gap: Gap) -> None:
        """Count a gap that is told."""
        told = self.gaps_recovered if gap.recovered else self.gaps_unrecovered
        told[gap.type] += 1

    def add_connection(self, info: ConnectionInfo) -> None:
        """Count in what went over a connection."""
        self.messages += info.messages
        self.bytes += info.bytes
        self.undecodable += info.undecodable
        self.unknown += info.unknown
        self.duplicates += info.duplicates
        self.late += info.late
        self.backfilled += info.backfilled
        self.reconnects += info.reconnects
        self.reconnects_by_kind = self.reconnects_by_kind + info.reconnects_by_kind
