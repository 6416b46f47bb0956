"""What the clients did, for tests to ask. Safe from any thread."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

__all__ = ["Closed", "ErrorSent", "Handshake", "Journal", "RequestSeen", "RestCall"]

# A predicate may look at things that notify nobody, so it is asked this often in any case.
_LOOK_AGAIN = 0.02
# Entries of one kind that are kept.
_KEPT = 20_000

_T = TypeVar("_T")


@dataclass(frozen=True)
class Handshake:
    """One upgrade request and how it was answered. ``at`` is ``time.monotonic()``."""

    at: float
    connection: int
    endpoint: str
    status: int
    headers: dict[str, str]


@dataclass(frozen=True)
class RequestSeen:
    """One message of a client: ``parsed`` is its JSON, or its text where it is none."""

    at: float
    connection: int
    endpoint: str
    parsed: Any
    size: int


@dataclass(frozen=True)
class ErrorSent:
    """One error frame."""

    at: float
    connection: int
    name: str


@dataclass(frozen=True)
class Closed:
    """One connection's end; ``reason`` is ``client``, ``idle``, ``error``, ``buffer`` …"""

    at: float
    connection: int
    reason: str


@dataclass(frozen=True)
class RestCall:
    """One REST call."""

    at: float
    path: str
    query: dict[str, str]
    status: int


class Journal:
    """Lists of what happened, and a way to wait for it."""

    def __init__(self) -> None:
        # Guards everything below; also what `wait_for` sleeps on.
        self._changed = threading.Condition()
        # The newest of each kind, so that a simulator that runs for weeks stays small.
        self._entries: dict[type, deque[Any]] = {}
        self._counters: Counter[str] = Counter()

    def add(self, entry: Any) -> None:
        """Write down what happened."""
        with self._changed:
            entries = self._entries.setdefault(type(entry), deque(maxlen=_KEPT))
            entries.append(entry)
            self._changed.notify_all()

    def count(self, name: str, amount: int = 1) -> None:
        """Count what is too frequent to be written down."""
        with self._changed:
            self._counters[name] += amount
            self._changed.notify_all()

    def of(self, kind: type[_T]) -> list[_T]:
        """The entries of one kind, in the order in which they came."""
        with self._changed:
            return list(self._entries.get(kind, ()))

    def counters(self) -> dict[str, int]:
        """The counters."""
        with self._changed:
            return dict(self._counters)

    def clear(self) -> None:
        """Forget everything."""
        with self._changed:
            self._entries.clear()
            self._counters.clear()

    def wait_for(self, predicate: Callable[[], object], timeout: float) -> bool:
        """Wait until ``predicate()`` is true; False when ``timeout`` seconds did not do."""
        deadline = time.monotonic() + timeout
        while not predicate():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            with self._changed:
                self._changed.wait(min(left, _LOOK_AGAIN))
        return True
