"""Asking the exchange what it believes: ``LIST_SUBSCRIPTIONS``."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from upbit_stream.limiter import RateLimiter
from upbit_stream.protocol.limits import INQUIRIES

__all__ = ["Inquirer", "Inquiry", "Rows"]

#: The list as the exchange tells it: its type objects, with the keys of the DEFAULT format.
Rows: TypeAlias = Sequence[Mapping[str, Any]]


class Inquiry:
    """A question for a connection's list. Any thread asks and waits, the I/O thread answers."""

    def __init__(self) -> None:
        # Written before the event is set, read after it.
        self._rows: Rows | None = None
        self._done = threading.Event()

    @property
    def done(self) -> bool:
        """Whether it was answered, or will not be."""
        return self._done.is_set()

    def answer(self, rows: Rows | None) -> None:
        """The answer; None when there will be none, because the connection has ended."""
        self._rows = rows
        self._done.set()

    def wait(self, seconds: float) -> bool:
        """Wait for the answer; whether it is there."""
        return self._done.wait(seconds)

    @property
    def rows(self) -> Rows | None:
        """The answer."""
        return self._rows


class Inquirer:
    """The questions on one socket. Belongs to the I/O thread.

    One question of the wire answers all that were asked before it was sent. ``limiter`` is that
    of all requests on the socket.
    """

    def __init__(self, limiter: RateLimiter) -> None:
        self._limiter = limiter
        self._share = RateLimiter(INQUIRIES)
        self._waiting: list[Inquiry] = []
        self._sent: dict[str | None, list[Inquiry]] = {}
        self._due_at = float("inf")

    def want(self, inquiry: Inquiry, now: float) -> None:
        """Have ``inquiry`` answered; it may be wanted again and again."""
        known = inquiry in self._waiting or any(inquiry in sent for sent in self._sent.values())
        if not known and not inquiry.done:
            self._waiting.append(inquiry)
            self._due_at = min(self._due_at, now)

    def due_in(self, now: float) -> float:
        """Seconds until :meth:`take` may have something."""
        return self._due_at - now

    def take(self, now: float) -> str | None:
        """The ticket of a question to send now, which counts as sent; None for none."""
        if now < self._due_at:
            return None
        wait = self._share.take() or self._limiter.take()
        if wait > 0:
            self._due_at = now + wait
            return None
        ticket = str(uuid.uuid4())
        self._sent[ticket], self._waiting = self._waiting, []
        self._due_at = float("inf")
        return ticket

    def answer(self, ticket: str | None, rows: Rows) -> None:
        """Give the inquiries that were sent with ``ticket`` their answer."""
        for inquiry in self._sent.pop(ticket, []):
            inquiry.answer(rows)
