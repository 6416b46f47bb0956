"""Who may come in, and how often: rate limits, bans, tokens."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence

import jwt

from upbit_stream.protocol.limits import RateLimit
from upbit_stream.simulator.settings import Limits

__all__ = ["Accounts", "Bans", "Gate", "Window", "take_all"]

# Nonces that are remembered per account: more than a test or a day of reconnects needs.
_NONCES = 100_000


class Window:
    """Counts what happened within the last so many seconds."""

    __slots__ = ("_count", "_seconds", "_times")

    def __init__(self, limit: RateLimit, tolerance: float) -> None:
        self._count = limit.count
        self._seconds = max(limit.seconds - tolerance, 0.0)
        self._times: deque[float] = deque()

    def take(self, now: float) -> None:
        """Count one more."""
        self._times.append(now)

    def left(self, now: float) -> int:
        """How many more are allowed now."""
        self._forget(now)
        return self._count - len(self._times)

    def _forget(self, now: float) -> None:
        while self._times and self._times[0] <= now - self._seconds:
            self._times.popleft()


def take_all(windows: Sequence[Window], now: float) -> bool:
    """Count one more in every window; False, and nothing counted, when one has no room.

    What is refused does not count, as on the exchange.
    """
    if any(window.left(now) <= 0 for window in windows):
        return False
    for window in windows:
        window.take(now)
    return True


class Bans:
    """Addresses that went on asking after too many refusals."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._refusals: dict[str, deque[float]] = {}
        self._until: dict[str, float] = {}
        self._repeats: dict[str, int] = {}

    def left(self, who: str, now: float) -> int:
        """Seconds that a ban still lasts; 0 without one."""
        return max(0, math.ceil(self._until.get(who, 0.0) - now))

    def refused(self, who: str, now: float) -> None:
        """One refusal more; enough of them are a ban, twice as long as the last."""
        if self._limits.ban_after is None:
            return
        times = self._refusals.setdefault(who, deque())
        times.append(now)
        while times[0] < now - self._limits.ban_window:
            times.popleft()
        if len(times) >= self._limits.ban_after:
            times.clear()
            repeat = self._repeats.get(who, 0)
            self._repeats[who] = repeat + 1
            self._until[who] = now + self._limits.ban_seconds * 2**repeat


class Gate:
    """The limits that are counted per address or account."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._windows: dict[tuple[str, str], list[Window]] = {}
        self.bans = Bans(limits)

    def connect(self, who: str, now: float) -> bool:
        """One handshake more."""
        return self._take("websocket", who, self._limits.connects, now)

    def origin(self, who: str, now: float) -> bool:
        """One handshake with an Origin header more."""
        return self._take("origin", who, (self._limits.origin,), now)

    def rest(self, group: str, who: str, now: float) -> bool:
        """One REST call of a group more."""
        return self._take(group, who, (self._limits.rest,), now)

    def left(self, group: str, who: str, now: float) -> int:
        """How much is left of a group in this second."""
        return min((window.left(now) for window in self._windows.get((group, who), ())), default=0)

    def _take(self, group: str, who: str, limits: Iterable[RateLimit], now: float) -> bool:
        windows = self._windows.get((group, who))
        if windows is None:
            windows = [Window(limit, self._limits.tolerance) for limit in limits]
            self._windows[group, who] = windows
        return take_all(windows, now)


class Accounts:
    """Who has which secret, and which nonces were used."""

    def __init__(self, keys: Mapping[str, str]) -> None:
        self._keys = dict(keys)
        self._used: dict[str, dict[str, None]] = {}

    def check(self, authorization: str | None) -> str | None:
        """The access key of a good token, which is used up by this; None for a bad one."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme != "Bearer":
            return None
        try:
            claims = jwt.decode(token, options={"verify_signature": False})
            access_key, nonce = claims.get("access_key"), claims.get("nonce")
            if not isinstance(access_key, str) or not isinstance(nonce, str) or not nonce:
                return None
            jwt.decode(token, _filled(self._keys[access_key]), algorithms=["HS256", "HS512"])
        except (jwt.PyJWTError, KeyError):
            return None
        used = self._used.setdefault(access_key, {})
        if nonce in used:
            return None
        used[nonce] = None
        if len(used) > _NONCES:
            del used[next(iter(used))]
        return access_key


def _filled(secret: str) -> bytes:
    # As HMAC fills keys anyway; PyJWT warns of short ones.
    return secret.encode().ljust(64, b"\0")
