"""Make before break: a new socket takes over while the old one still serves."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from upbit_stream.connection.handover import Handover
from upbit_stream.connection.opening import Opening
from upbit_stream.connection.router import AnyChannel, Decode, Router
from upbit_stream.connection.session import Session
from upbit_stream.connection.waker import Waker
from upbit_stream.events import Event
from upbit_stream.protocol.decoding import Message
from upbit_stream.transport import BulkWebSocket

__all__ = ["Renewal"]

_log = logging.getLogger("upbit_stream")

# Seconds that the new socket has for its first data.
_PROVE = 5.0

# How many times as long as usual an old one that does not catch up is waited for.
_AT_MOST = 2.0

# Seconds for which what the old one had brought is remembered, for a new one that lags behind.
_REMEMBER = 5.0


class _Old:
    """Stands before the router for the old socket."""

    def __init__(self, router: Router, handover: Handover) -> None:
        self._router = router
        self._handover = handover

    def take(self, payloads: Sequence[Any], decode: Decode) -> list[Message]:
        return self.route(decode(payloads))

    def route(self, decoded: Sequence[Any]) -> list[Message]:
        events = [one for one in decoded if isinstance(one, Event)]
        self._handover.old(events)
        return [one for one in decoded if not isinstance(one, Event)]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._router, name)


class _New:
    """In the router's place for the new socket, as long as its events are held."""

    def __init__(self, handover: Handover) -> None:
        self._handover = handover

    def take(self, payloads: Sequence[Any], decode: Decode) -> list[Message]:
        return self.route(decode(payloads))

    def route(self, decoded: Sequence[Any]) -> list[Message]:
        self._handover.new([one for one in decoded if isinstance(one, Event)])
        return [one for one in decoded if not isinstance(one, Event)]

    @property
    def settled(self) -> bool:
        return True

    def part(self) -> bool:
        return False

    def outdone(self, now: float) -> bool:
        return False

    def update(self, channels: Iterable[AnyChannel], parked: Iterable[AnyChannel] = ()) -> bool:
        return False  # the old socket sees to the snapshots of newcomers

    def requested(self) -> None: ...
    def hand_over(self) -> bool:
        return True

    def lose_patience(self) -> None: ...
    def collect(self) -> bool:
        return False

    def tell_drops(self) -> None: ...
    def find_silent(self) -> list[tuple[AnyChannel, tuple[str, ...]]]:
        return []

    def expect_again(self, listed: set[tuple[str, str]]) -> None: ...


class _After:
    """Stands before the router for the new socket, until nothing can come twice any more."""

    def __init__(self, router: Router, handover: Handover, session: Session) -> None:
        self._router = router
        self._handover = handover
        self._session = session
        self._until = time.monotonic() + _REMEMBER

    def take(self, payloads: Sequence[Any], decode: Decode) -> list[Message]:
        return self.route(decode(payloads))

    def route(self, decoded: Sequence[Any]) -> list[Message]:
        self._handover.after([one for one in decoded if isinstance(one, Event)])
        if time.monotonic() >= self._until:
            self._session.reroute(self._router)
        return [one for one in decoded if not isinstance(one, Event)]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._router, name)


class Renewal:
    """One attempt to change the socket. Runs on the I/O thread; nothing is told to anyone.

    ``begin`` starts an attempt to connect (None: not yet), ``make`` a session on the new socket
    with the given router, ``closing`` says whether the connection is to be closed: then the old
    one is kept. For ``overlap`` seconds at least both serve: what the old one brings later than
    that, and the new one not at all, is lost. ``mute``: the old one has brought nothing for a
    while.
    """

    def __init__(
        self,
        old: Session,
        *,
        router: Router,
        waker: Waker,
        begin: Callable[[], Opening | None],
        make: Callable[[BulkWebSocket, Any], Session],
        closing: Callable[[], bool],
        timeout: float,
        overlap: float,
        mute: bool,
    ) -> None:
        self._old = old
        self._router = router
        self._waker = waker
        self._begin = begin
        self._make = make
        self._closing = closing
        self._timeout = timeout
        self._overlap = overlap
        self._mute = mute
        self._handover = Handover(router.route, router.newest)
        self._new: Session | None = None
        self._opened: BulkWebSocket | None = None

    @property
    def opened(self) -> BulkWebSocket:
        """The new socket, after a renewal."""
        assert self._opened is not None
        return self._opened

    def run(self) -> Session | None:
        """Do it; the session on the new socket, or None when the old one goes on, because the new
        one came to nothing or the connection is to be closed. Raises what ends the old socket.
        """
        self._old.reroute(_Old(self._router, self._handover))
        try:
            opened = self._open()
            if opened is None:
                return None
            self._opened = opened
            self._new = new = self._make(opened, _New(self._handover))
            if not self._prove(new):
                self._drop(new, opened)
                return None
        except BaseException:
            if self._new is not None and self._opened is not None:
                self._drop(self._new, self._opened)
            raise
        finally:
            self._old.reroute(self._router)
        self._switch(new)
        return new

    def _drop(self, new: Session, opened: BulkWebSocket) -> None:
        new.end()
        opened.shutdown()

    def _open(self) -> BulkWebSocket | None:
        deadline = time.monotonic() + self._timeout
        while (opening := self._begin()) is None:
            self._old.round()
            if self._closing() or time.monotonic() >= deadline:
                return None
        try:
            while not opening.done and not self._closing() and time.monotonic() < deadline:
                self._old.round()
        except BaseException:
            opening.abandon()
            raise
        if not opening.done or self._closing():
            opening.abandon()
            return None
        try:
            return opening.result()
        except Exception as error:
            _log.debug("no new socket: %s: %s", type(error).__name__, error)
            return None

    def _prove(self, new: Session) -> bool:
        """Let both serve until the new one delivers; whether it does."""
        handover = self._handover
        new.begin()
        began = time.monotonic()
        delivering_at: float | None = None
        while not self._closing():
            now = time.monotonic()
            if delivering_at is None and (handover.delivering or new.answers_only):
                delivering_at = now
            if delivering_at is None:
                if now - began >= _PROVE:
                    return False
            elif now - delivering_at >= self._overlap * (1 if handover.caught_up else _AT_MOST):
                return True
            try:
                wait = new.attend()
            except Exception as error:
                return self._failed(error)
            self._waker.wait(min(wait, self._old.attend(), 0.05))
            self._old.poll()
            try:
                new.poll()
            except Exception as error:
                return self._failed(error)
        return False

    def _failed(self, error: Exception) -> bool:
        _log.debug("the new socket came to nothing: %s: %s", type(error).__name__, error)
        return False

    def _switch(self, new: Session) -> None:
        """Everything that the old socket still has, then what was held."""
        self._old.reroute(_Old(self._router, self._handover))
        self._old.finish()
        # Unless the old one has brought all that came before what is held, something was missed.
        self._router.reset(lost=self._mute or not self._handover.caught_up)
        self._router.requested()
        self._handover.release()
        new.reroute(_After(self._router, self._handover, new))
