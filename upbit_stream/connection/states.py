"""The six states, and what a connection says of itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from enum import Enum

import msgspec

__all__ = ["ConnectionInfo", "ConnectionState", "overall_state"]


class ConnectionState(str, Enum):
    """Where a connection, or a whole stream, stands."""

    #: Nothing is open: not started, nothing subscribed, or closed.
    DISCONNECTED = "disconnected"
    #: The first connection is being made, for as many attempts as it takes.
    CONNECTING = "connecting"
    CONNECTED = "connected"
    #: The connection was lost and is being made again; the subscriptions will be restored.
    RECONNECTING = "reconnecting"
    #: ``close()`` was called.
    DISCONNECTING = "disconnecting"
    #: Ended by an error that trying again cannot heal.
    ERROR = "error"


class ConnectionInfo(msgspec.Struct, frozen=True):
    """A connection at one moment."""

    name: str
    url: str
    state: ConnectionState
    #: Round trip of the newest answered ping in milliseconds; None before the first.
    ping_latency: float | None
    #: How often the connection was lost.
    reconnects: int
    #: Messages, and bytes with the headers of frames, since the connection object was made.
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
    #: Since when the present socket is open (aware, UTC); None while there is none.
    connected_since: datetime | None
    #: How many streams use it; 0: it lingers for the next one.
    users: int = 1
    #: How often for which kind of reason; see :attr:`Reconnect.kind`.
    reconnects_by_kind: Counter[str] = msgspec.field(default_factory=Counter)


# From the one that a person must know of first. A stream with one lost and one good connection
# is reconnecting; one whose connections have all failed is in error.
_URGENCY = (
    ConnectionState.RECONNECTING,
    ConnectionState.CONNECTING,
    ConnectionState.CONNECTED,
    ConnectionState.DISCONNECTING,
    ConnectionState.ERROR,
)


def overall_state(states: Iterable[ConnectionState]) -> ConnectionState:
    """The state of a stream with connections in these ``states``."""
    present = set(states)
    return next((state for state in _URGENCY if state in present), ConnectionState.DISCONNECTED)
