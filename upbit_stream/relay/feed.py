"""A broker in place of a connection to the exchange.

To streams, pool and watchdog a :class:`Feed` is a connection: it has wishes, a router, a state, and
an I/O thread. What it brings was published by a relay, perhaps long ago.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import msgspec

from upbit_stream.config import StreamConfig, reconnect_delay
from upbit_stream.connection.base import BaseConnection
from upbit_stream.connection.observer import ConnectionObserver
from upbit_stream.connection.router import Router
from upbit_stream.connection.states import ConnectionInfo, ConnectionState
from upbit_stream.errors import ConnectionFailedError, UpbitStreamError
from upbit_stream.protocol.endpoints import Endpoint
from upbit_stream.relay.brokers import BrokerRefused, BrokerUnavailable, open_source, public_url
from upbit_stream.relay.following import Following
from upbit_stream.relay.identity import identity
from upbit_stream.relay.place import RelaySource

__all__ = ["Feed"]

_log = logging.getLogger("upbit_stream")

# Seconds for which a read waits for an entry, which nothing can end.
_READ = 0.1

# Seconds between two looks at what needs no hurry.
_HOUSEKEEPING = 1.0

# Seconds between two looks at how far a named consumer has come.
_COMMIT = 0.2

# Seconds for which the end waits for callbacks, so that a named consumer notes what they got.
_LAST_WORDS = 1.0

# Seconds between what nobody thought of and the next attempt; how often in a row it may happen
# before that is the end; and seconds of service after which it is a row no more.
_AFTER_STUMBLING = 1.0
_STUMBLES = 3
_STEADY = 10.0


class _Renewal(BrokerUnavailable):
    """Nothing is wrong: it was asked for."""


class Feed(BaseConnection):
    """What a broker brings."""

    def __init__(
        self,
        place: RelaySource,
        config: StreamConfig,
        observer: ConnectionObserver,
        make_router: Callable[[Callable[[], None]], Router],
        *,
        may_end: Callable[[Feed], bool],
    ) -> None:
        # Replaced in the child of a fork alone.
        self._bell = threading.Event()
        router = make_router(self.wake)
        super().__init__("relay", Endpoint.PUBLIC, public_url(place.url), observer, router)
        self._may_end = may_end
        self._policy = config.reconnect
        self._ping_interval = config.ping_interval
        self._source = open_source(place.url, config.ssl_context)
        self._following = Following(
            place, identity(self.name), self._source, router, self.traffic, observer, config
        )
        # The I/O thread's own: whether the last attempt to connect came to nothing.
        self._missed = False

    # For any thread.

    @property
    def info(self) -> ConnectionInfo:
        """See :class:`~upbit_stream.connection.base.BaseConnection`; with what came twice from the
        broker.
        """
        info = super().info
        return msgspec.structs.replace(
            info, duplicates=info.duplicates + self._following.duplicates
        )

    def wake(self) -> None:
        """See :class:`~upbit_stream.connection.base.BaseConnection`."""
        self._bell.set()

    def disown(self) -> None:
        """See :class:`~upbit_stream.connection.base.BaseConnection`."""
        self._bell = threading.Event()
        super().disown()

    # The I/O thread.

    def _run(self) -> None:
        attempt = stumbles = 0
        while not self.wishes.closing:
            try:
                self._open()
                attempt = 0
                self._serve()
            except BrokerRefused as error:
                self._fail(error)
                return
            except _Renewal as error:
                self._lose(str(error), 0.0, "replaced")
            except BrokerUnavailable as error:
                limit = self._policy.max_attempts
                if limit is not None and attempt >= limit:
                    told = ConnectionFailedError(
                        f"gave up after {attempt} attempts: {error}; check that the broker runs, "
                        "or give ReconnectPolicy(max_attempts=None)"
                    )
                    told.__cause__ = error
                    self._fail(told)
                    return
                delay = reconnect_delay(self._policy, attempt, random.uniform(-1, 1))
                if self.traffic.reconnects:  # a first loss is healed at once
                    delay = max(delay, self._policy.min_interval - self._uptime)
                self._lose(str(error), delay, "lost")
                attempt += 1
            except Exception as error:  # a dead I/O thread must never look like a quiet market
                with suppress(Exception):  # it may be the logging that failed
                    _log.exception(
                        "%s: a bug, or a strange entry; connecting again", self._log_name
                    )
                stumbles = 1 if self._uptime > _STEADY else stumbles + 1
                what = f"{type(error).__name__}: {error}"
                if stumbles >= _STUMBLES:
                    stumbled = ConnectionFailedError(
                        f"ended after {stumbles} times in a row of {what}; look whether something "
                        "else writes to that broker, and otherwise report the traceback that is "
                        "in the log"
                    )
                    stumbled.__cause__ = error
                    self._fail(stumbled)
                    return
                self._lose(what, _AFTER_STUMBLING, "other")
        self._end()

    @property
    def _uptime(self) -> float:
        """Seconds for which the broker has been there; endless when it is not."""
        since = self._connected_at
        return float("inf") if since is None else time.monotonic() - since

    def _open(self) -> None:
        memory = self._source.open()
        self._connected_at, self._missed = time.monotonic(), False
        self._following.resume(memory)
        self._enter(ConnectionState.CONNECTED)
        _log.info("%s: connected", self._log_name)

    def _lose(self, cause: str, delay: float, kind: str) -> None:
        self._let_go()
        was_there = self._connected_at is not None
        self._connected_at = None
        if was_there:
            self.traffic.note_reconnect(cause, kind)
        else:
            self.traffic.note_error()
        if was_there or not self._missed:
            # Once, not with every attempt.
            name = self.name if self.url in cause else self._log_name
            _log.warning("%s: %s; connecting again", name, cause)
        self._missed = not was_there
        if was_there or self._state is not ConnectionState.CONNECTING:
            self._enter(ConnectionState.RECONNECTING)
        until = time.monotonic() + delay
        while (left := until - time.monotonic()) > 0 and not self.wishes.closing:
            self._wait(left)
            self._expire()

    def _wait(self, seconds: float) -> None:
        self._bell.wait(min(seconds, 0.5))
        self._bell.clear()

    def _serve(self) -> None:
        """Bring what there is, until it is closed; raises what the broker cannot."""
        following, wishes = self._following, self.wishes
        housekeeping_at = commit_at = ping_at = time.monotonic()
        opened = self._connected_at or 0.0
        held_up = False
        while not wishes.closing:
            following.adopt(*wishes.fetch())
            following.answer(wishes.inquiries)
            if (reason := wishes.renewal(opened)) is not None:
                raise _Renewal(reason)
            now = time.monotonic()
            if now >= housekeeping_at:
                housekeeping_at = now + _HOUSEKEEPING
                following.look(now)
                self._expire()
            if now >= ping_at:
                ping_at = now + min(self._ping_interval, 2.0)
                following.report()
            if held_up or not following.positions:
                self._wait(_READ)
            else:
                following.bring(_READ)
            held_up = not self._router.hand_over()
            if now >= commit_at and not held_up:
                commit_at = now + _COMMIT
                following.commit()

    def _expire(self) -> None:
        """Close, if nobody has needed it for as long as it was to linger."""
        if time.monotonic() >= self.wishes.expires_at and self._may_end(self):
            self.wishes.close()

    def _end(self) -> None:
        if self._connected_at is not None:
            self._enter(ConnectionState.DISCONNECTING)
        self._router.finish()
        if self._connected_at is not None:
            self._take_leave()
        self._free()
        self._enter(ConnectionState.DISCONNECTED)

    def _take_leave(self) -> None:
        """Have it noted what was delivered, and others go on with the rest."""
        until = time.monotonic() + _LAST_WORDS
        try:
            while not self._following.leave() and time.monotonic() < until:
                time.sleep(0.01)
            self._following.abandon()
        except BrokerUnavailable as error:
            _log.info("%s: %s at the end", self._log_name, error)
        except Exception:  # it is the end all the same
            _log.exception("%s: a bug at the end; please report it", self._log_name)

    def _free(self) -> None:
        self._connected_at = None
        self._over = True
        self._let_go()
        self.wishes.end()

    def _let_go(self) -> None:
        """Close the source, whatever state it is in."""
        try:
            self._source.close()
        except Exception as error:
            _log.info("%s: %s when it was closed", self._log_name, error)

    def _fail(self, error: UpbitStreamError) -> None:
        self._router.finish()
        self._free()
        super()._fail(error)
