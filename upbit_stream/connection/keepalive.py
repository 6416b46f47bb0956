"""Pings: they keep the exchange from dropping a quiet connection, and they find a dead one."""

from __future__ import annotations

import itertools

__all__ = ["KeepAlive"]


class KeepAlive:
    """When to ping, and whether the pong is overdue. Times are those of ``time.monotonic()``,
    in seconds; nothing here looks at a clock.
    """

    def __init__(self, interval: float, timeout: float, now: float) -> None:
        self._interval = interval
        self._timeout = timeout
        self._numbers = itertools.count(1)
        self._waiting_for: bytes | None = None
        self._sent_at = now
        # The first ping goes out at once: the round trip is known from the beginning.
        self._next_at = now

    def due_in(self, now: float) -> float:
        """Seconds until there is something to do."""
        return (self._next_at if self._waiting_for is None else self._deadline) - now

    def ping(self, now: float) -> bytes | None:
        """The payload of the ping to send now; None when it is not time for one."""
        if self._waiting_for is not None or now < self._next_at:
            return None
        self._waiting_for = b"%d" % next(self._numbers)
        self._sent_at = now
        self._next_at = now + self._interval
        return self._waiting_for

    def pong(self, payload: bytes, now: float) -> float | None:
        """The round trip in seconds; None for a pong that answers no ping of ours."""
        if payload != self._waiting_for:
            return None
        self._waiting_for = None
        return now - self._sent_at

    def overdue(self, now: float) -> bool:
        """Whether the pong should have been here by now."""
        return self._waiting_for is not None and now >= self._deadline

    def forgive(self) -> None:
        """Nothing is being read, so no pong can be seen: do not wait for it, but go on pinging."""
        self._waiting_for = None

    def excuse(self, now: float) -> None:
        """Nothing was read for a while, so the pong could not be seen: ask again."""
        self._waiting_for = None
        self._next_at = now

    @property
    def _deadline(self) -> float:
        return self._sent_at + self._timeout
