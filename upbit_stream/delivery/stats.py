"""What is counted of a subscription."""

from __future__ import annotations

import msgspec

__all__ = ["SubscriptionStats"]


class SubscriptionStats(msgspec.Struct, frozen=True):
    """A subscription's counters at one moment. They start at zero and never go back."""

    #: Events that the connection handed over.
    received: int
    #: Events that reached a callback (each once, however many callbacks) or an iteration; where
    #: there is neither but a history, those that only it has kept.
    delivered: int
    #: Events that a full queue dropped.
    dropped: int
    #: Events that wait at this moment.
    queued: int
    #: Calls of callbacks that raised.
    errors: int
    #: Seconds since the newest event came; None before the first.
    last_event_age: float | None
