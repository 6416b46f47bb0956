"""When to send the request for what is wanted: soon, seldom, and within the limits."""

from __future__ import annotations

from upbit_stream.limiter import RateLimiter
from upbit_stream.protocol.requests import TypeRequest

__all__ = ["RequestSchedule"]

# Seconds for which the wishes must have been still: a loop that subscribes a hundred times
# makes one request. Longer when one was sent a moment ago, because then the loop is a slow one;
# and never longer than the last, whatever happens.
_SETTLE = 0.03
_SETTLE_AGAIN = 0.25
_SETTLE_AT_MOST = 1.0
_A_MOMENT = 1.0


class RequestSchedule:
    """Gathers changes of what is wanted into as few requests as possible.

    Times are those of ``time.monotonic()``; only the limiter looks at the clock itself.
    """

    def __init__(self, limiter: RateLimiter) -> None:
        self._limiter = limiter
        self._wanted: tuple[TypeRequest, ...] = ()
        self._asked: tuple[TypeRequest, ...] = ()
        # Whether a request is due even if it says the same again.
        self._again = False
        self._asked_at = float("-inf")
        # Of the changes that no request has carried yet.
        self._first_change = float("inf")
        self._due_at = float("inf")

    @property
    def asked(self) -> tuple[TypeRequest, ...]:
        """The connection's list, as it was asked for last."""
        return self._asked

    @property
    def idle(self) -> bool:
        """Whether everything that is wanted was asked for."""
        return self._due_at == float("inf")

    def want(self, requests: tuple[TypeRequest, ...], *, again: bool, now: float) -> None:
        """Have ``requests`` as the connection's list; ``again``: ask even if it is that already
        (a newcomer needs its snapshot).
        """
        self._wanted = requests
        self._again = self._again or again
        if not self._wanted or (self._wanted == self._asked and not self._again):
            # Nothing to say. An empty list cannot be asked for: the connection will be closed.
            self._due_at = self._first_change = float("inf")
            return
        self._first_change = min(self._first_change, now)
        lately = now - self._asked_at < _A_MOMENT
        settled_at = now + (_SETTLE_AGAIN if lately else _SETTLE)
        self._due_at = min(settled_at, self._first_change + _SETTLE_AT_MOST)

    def due_in(self, now: float) -> float:
        """Seconds until :meth:`take` may have something."""
        return self._due_at - now

    def take(self, now: float) -> tuple[TypeRequest, ...] | None:
        """The request to send now, which counts as sent; None when it is not time yet."""
        if now < self._due_at:
            return None
        wait = self._limiter.take()
        if wait > 0:
            self._due_at = now + wait
            return None
        self._asked, self._asked_at, self._again = self._wanted, now, False
        self._due_at = self._first_change = float("inf")
        return self._asked
