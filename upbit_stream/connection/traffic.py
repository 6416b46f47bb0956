"""What went over a connection: its counters, and what its health is told from."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import NamedTuple

import msgspec

__all__ = ["RECONNECT_KINDS", "Reconnect", "Sample", "Traffic"]

#: What :attr:`Reconnect.kind` may be: closed by the server with a close frame, lost without one,
#: half-open, too slow, against the rules of WebSocket, ended by an error of the exchange, replaced
#: by another socket that took over.
RECONNECT_KINDS = (
    "closed",
    "lost",
    "half_open",
    "timeout",
    "protocol",
    "refused",
    "replaced",
    "other",
)

# Seconds: how far back the samples reach, one a second.
_SAMPLED = 60


class Reconnect(msgspec.Struct, frozen=True):
    """A connection was lost, or replaced."""

    #: When (aware, UTC).
    at: datetime
    #: Why, in words.
    cause: str
    #: The same moment on ``time.monotonic()``.
    moment: float
    #: Why, in one of a few words: closed (with a close frame), lost (without), half_open, timeout,
    #: protocol (it broke the rules), refused (an error of the exchange), replaced (by another
    #: socket that took over), other.
    kind: str = "other"


class Sample(NamedTuple):
    """Counters at a moment of ``time.monotonic()``."""

    at: float
    messages: int
    undecodable: int


class Traffic(msgspec.Struct):
    """Written by the I/O thread alone, read by anyone.

    (Copying a deque is one step of the interpreter, so a reader needs no lock for it.)
    """

    messages: int = 0
    #: Received since the upgrades, the headers of frames included.
    bytes: int = 0
    undecodable: int = 0
    unknown: int = 0
    reconnects: int = 0
    #: The same, by :attr:`Reconnect.kind`.
    reconnects_by_kind: Counter[str] = msgspec.field(default_factory=Counter)
    #: Milliseconds; None before the first pong.
    ping_latency: float | None = None
    #: The round trips with the moments of their pongs.
    latencies: deque[tuple[float, float]] = msgspec.field(default_factory=lambda: deque(maxlen=240))
    recent_reconnects: deque[Reconnect] = msgspec.field(default_factory=lambda: deque(maxlen=100))
    samples: deque[Sample] = msgspec.field(default_factory=lambda: deque(maxlen=_SAMPLED + 1))
    #: The moment of the newest message, as exact as the samples are; None before the first.
    last_message_at: float | None = None
    last_error_at: datetime | None = None
    #: Of what comes over a broker: milliseconds from the publisher's receipt of the newest event to
    #: its arrival; None otherwise.
    lag: float | None = None
    #: Likewise: of each type the codes that publishers have brought to it; None: not known.
    published: Mapping[str, frozenset[str]] | None = None

    def sample(self, now: float) -> bool:
        """Note the counters, once a second; whether there were messages since the last time."""
        before = self.samples[-1].messages if self.samples else 0
        if (busy := self.messages > before) or not self.samples:
            self.last_message_at = now if self.messages else None
        self.samples.append(Sample(now, self.messages, self.undecodable))
        return busy

    def note_latency(self, round_trip: float, now: float) -> None:
        """A ping was answered after ``round_trip`` seconds."""
        self.ping_latency = round_trip * 1000
        self.latencies.append((now, self.ping_latency))

    def note_error(self) -> None:
        """Something went wrong."""
        self.last_error_at = datetime.now(timezone.utc)

    def note_reconnect(self, cause: str, kind: str = "other") -> None:
        """The socket was lost, or is to be replaced."""
        self.note_error()
        self.reconnects += 1
        self.reconnects_by_kind[kind] += 1
        at = datetime.now(timezone.utc)
        self.recent_reconnects.append(Reconnect(at, cause, time.monotonic(), kind))
