"""What the subscriptions want of a connection: changed by any thread, read by the I/O thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from upbit_stream.connection.inquiries import Inquiry
from upbit_stream.connection.router import AnyChannel
from upbit_stream.errors import UpbitStreamError

__all__ = ["Wishes"]


class Wishes:
    """The channels that a connection is to serve, with a number that grows at each change.

    The I/O thread compares :attr:`version` in every round, without a lock, and fetches the
    channels only when it has changed. ``when_changed`` wakes it.
    """

    def __init__(self, when_changed: Callable[[], None]) -> None:
        self._when_changed = when_changed
        # Guards all but `closing`.
        self._lock = threading.Lock()
        self._channels: tuple[AnyChannel, ...] = ()
        self._inquiries: tuple[Inquiry, ...] = ()
        self._error: UpbitStreamError | None = None
        self._ended = False
        self.version = 0
        #: The moment (of ``time.monotonic()``) from which on nobody will need the connection,
        #: unless someone leases it before. Set by the pool, under its lock.
        self.expires_at = float("inf")
        # Why every socket is to be replaced that was opened before that moment. Set at once.
        self._renewal = ("", float("-inf"))
        #: Set once, by anyone: the connection is to be closed.
        self.closing = False

    @property
    def channels(self) -> tuple[AnyChannel, ...]:
        """The channels at this moment."""
        return self._channels

    def add(self, channel: AnyChannel) -> None:
        """Serve ``channel``, too; on a connection that has failed it ends at once."""
        with self._lock:
            self._channels = (*self._channels, channel)
            self.version += 1
            error = self._error
        if error is None:
            self._when_changed()
        else:
            channel.end(error)

    def remove(self, channel: AnyChannel) -> None:
        """Serve ``channel`` no more."""
        with self._lock:
            self._channels = tuple(one for one in self._channels if one is not channel)
            self.version += 1
        self._when_changed()

    def touch(self) -> None:
        """A channel's own demand has changed."""
        with self._lock:
            self.version += 1
        self._when_changed()

    def renew(self, reason: str) -> None:
        """Have the socket replaced by a new one."""
        self._renewal = reason, time.monotonic()
        self._when_changed()

    def renewal(self, since: float) -> str | None:
        """Why a socket is to be replaced that was opened at that moment; None if it is not."""
        reason, moment = self._renewal
        return reason if moment > since else None

    def inquire(self, inquiry: Inquiry) -> None:
        """Have the exchange asked for its list; answered with None when nobody is there to ask."""
        with self._lock:
            ended = self._ended
            if not ended:
                self._inquiries = (*(one for one in self._inquiries if not one.done), inquiry)
                self.version += 1
        if ended:
            inquiry.answer(None)
        else:
            self._when_changed()

    @property
    def inquiries(self) -> tuple[Inquiry, ...]:
        """The questions at this moment, the answered ones perhaps among them."""
        return self._inquiries

    def end(self) -> None:
        """Nobody serves these wishes any more: answer the open questions."""
        with self._lock:
            self._ended = True
            inquiries, self._inquiries = self._inquiries, ()
        for inquiry in inquiries:
            if not inquiry.done:
                inquiry.answer(None)

    def fetch(self) -> tuple[int, tuple[AnyChannel, ...]]:
        """The version with the channels that belong to it."""
        with self._lock:
            return self.version, self._channels

    def fail(self, error: UpbitStreamError) -> None:
        """Nothing can be served any more: end every channel, also those that still come."""
        with self._lock:
            self._error = error
            channels = self._channels
        for channel in channels:
            channel.end(error)

    def close(self) -> None:
        """Want nothing any more. Waits for no lock: it may be called from a finalizer."""
        self.closing = True
        self._when_changed()

    def disown(self) -> None:
        """In the child of a fork, where the lock may be one that nobody will ever give back."""
        self._lock = threading.Lock()
        self._channels, self._inquiries = (), ()
        self._ended = self.closing = True
