"""Counting before sending: Upbit tells nobody what is left, it bans."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Sequence
from urllib.parse import urlsplit

from upbit_stream.protocol.limits import CONNECTS, REST_CALLS, RateLimit

__all__ = ["CallLimiter", "RateLimiter", "connect_limiter", "rest_limiter"]

# What was sent evenly may arrive in a bunch. A window counts as longer by this much, in seconds.
_SLACK = 0.1

# Seconds.
_LONGEST_HOLD = 86_400.0

# Seconds until one may ask again when every call that is allowed waits for its answer.
_LOOK = 0.05


class RateLimiter:
    """Keeps several limits at once; any thread may ask."""

    def __init__(self, limits: Sequence[RateLimit]) -> None:
        self._limits = tuple(limits)
        # Guards _taken (the moments of the last permissions, oldest first) and _held_until.
        self._lock = threading.Lock()
        self._taken: deque[float] = deque(maxlen=max(limit.count for limit in limits))
        self._held_until = float("-inf")

    def take(self) -> float:
        """Take a permission: 0 when it was given, else the seconds until it may be (and then it
        has to be asked for again).
        """
        with self._lock:
            now = time.monotonic()
            wait = max(self._wait(limit, now) for limit in self._limits)
            wait = max(wait, self._held_until - now)
            if wait <= 0:
                self._note(now)
                return 0.0
            return wait

    def hold(self, seconds: float) -> None:
        """Give no permission for so long: the other side has told us to wait."""
        with self._lock:
            # No longer than a day, whatever was told: nobody would come back from that.
            until = time.monotonic() + min(seconds, _LONGEST_HOLD)
            self._held_until = max(self._held_until, until)

    def disown(self) -> None:
        """In the child of a fork: go on counting, for the exchange counts by address; but the lock
        may be one that nobody will ever give back.
        """
        self._lock = threading.Lock()

    def _note(self, now: float) -> None:
        self._taken.append(now)

    def _wait(self, limit: RateLimit, now: float) -> float:
        if len(self._taken) < limit.count:
            return 0.0
        return self._taken[-limit.count] + limit.seconds + _SLACK - now


class CallLimiter(RateLimiter):
    """Of calls that are answered: each counts until one span after its answer.

    However long a call is under way, the other side has counted it before it answers. So its
    window never holds more than the limit, even where calls that were sent evenly arrive in a
    bunch; no slack is needed. Whoever was given a permission calls :meth:`answered`.
    """

    def __init__(self, limits: Sequence[RateLimit]) -> None:
        super().__init__(limits)
        # Calls without an answer until now. Guarded like what is counted.
        self._open = 0

    def answered(self) -> None:
        """A call has its answer, or will never have one."""
        with self._lock:
            self._open -= 1
            self._taken.append(time.monotonic())

    def disown(self) -> None:
        """The open calls are the parent's, who hears their answers."""
        super().disown()
        while self._open > 0:
            self.answered()

    def _note(self, now: float) -> None:
        self._open += 1

    def _wait(self, limit: RateLimit, now: float) -> float:
        free = limit.count - self._open
        if free <= 0:
            return _LOOK
        if len(self._taken) < free:
            return 0.0
        return self._taken[-free] + limit.seconds - now


# One limiter for each host (and, for REST, for each group of calls), for the whole process: the
# exchange counts by IP address.
_connects: dict[str, RateLimiter] = {}
_calls: dict[tuple[str, str], CallLimiter] = {}
_shared_lock = threading.Lock()


def connect_limiter(url: str) -> RateLimiter:
    """The limiter for handshakes with the host of ``url``."""
    with _shared_lock:
        return _connects.setdefault(urlsplit(url).netloc, RateLimiter(CONNECTS))


def rest_limiter(url: str, group: str) -> CallLimiter:
    """The limiter for REST calls of a ``group`` (``trade``, ``candle`` …) to the host of
    ``url``.
    """
    with _shared_lock:
        return _calls.setdefault((urlsplit(url).netloc, group), CallLimiter(REST_CALLS))


def _after_fork() -> None:
    global _shared_lock
    _shared_lock = threading.Lock()
    for limiter in [*_connects.values(), *_calls.values()]:
        limiter.disown()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
