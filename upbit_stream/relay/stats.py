"""What is counted of a relay."""

from __future__ import annotations

import msgspec

__all__ = ["RelayStats"]


class RelayStats(msgspec.Struct, frozen=True):
    """A relay's counters at one moment."""

    #: Events that the broker took.
    published: int
    #: Of those that it was sent: what it had already, from another relay or before a retry.
    duplicates: int
    #: Events that were dropped: by the buffer because the broker was away for too long, by a
    #: subscription's queue before the relay had them, or because the relay ended.
    dropped: int
    #: Trades that were fetched over REST, because the broker had not got them.
    backfilled: int
    #: Events that wait for the broker at this moment, and trades that wait for those before them.
    buffered: int
    #: How often the broker was lost.
    reconnects: int
    #: Whether the broker is there.
    connected: bool
