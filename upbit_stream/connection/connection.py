"""A connection through its whole life: made, lost, made again, closed."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from upbit_stream.config import StreamConfig
from upbit_stream.connection.base import BaseConnection
from upbit_stream.connection.causes import (
    EXPECTED,
    ErrorStrategy,
    Replaced,
    judge,
)
from upbit_stream.connection.dialler import Dialler, Interrupted, when
from upbit_stream.connection.lines import Line
from upbit_stream.connection.observer import ConnectionObserver
from upbit_stream.connection.oddities import Oddities
from upbit_stream.connection.renewal import Renewal
from upbit_stream.connection.retry import delay_after_loss
from upbit_stream.connection.router import AnyChannel, Router, Routing
from upbit_stream.connection.session import Session
from upbit_stream.connection.staleness import Staleness
from upbit_stream.connection.states import ConnectionState
from upbit_stream.connection.trial import Trial
from upbit_stream.connection.waker import Waker
from upbit_stream.connection.wishes import Wishes
from upbit_stream.errors import (
    ConnectionFailedError,
    SubscriptionError,
    UpbitStreamError,
)
from upbit_stream.protocol.decoding import Message
from upbit_stream.protocol.endpoints import Endpoint
from upbit_stream.transport import BulkWebSocket, ConnectionClosed
from upbit_stream.workers import Worker

__all__ = ["Connection"]

_log = logging.getLogger("upbit_stream")

# Seconds that the server gets to answer our close frame.
_CLOSE_HANDSHAKE = 0.5

# Seconds in which a server that broke the protocol may read why we left.
_LINGER = 0.2

# Seconds for which two sockets serve when one takes over from the other.
_OVERLAP = 1.0

# Seconds between what nobody thought of and the next attempt.
_AFTER_STUMBLING = 1.0

# States whose log line is written where the cause is known.
_LOGGED_WITH_CAUSE = (ConnectionState.RECONNECTING, ConnectionState.ERROR)


class _GivenUp(Exception):
    """No attempt is to follow."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


class Connection(BaseConnection):
    """One physical connection, with its I/O thread.

    Any thread may call the public methods, but for those in which the session tells something
    (``on_…``): these, and all that is not public, belong to the I/O thread.

    ``router`` sorts what comes; a :class:`~upbit_stream.connection.lines.Line` of it, and
    ``wishes`` that are shared, make this one of two that carry the same. ``authorize`` makes the
    ``Authorization`` header of each handshake. ``may_end`` is asked, on the I/O thread, when nobody
    may need the connection any more.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        url: str,
        config: StreamConfig,
        observer: ConnectionObserver,
        *,
        router: Router | Line,
        wishes: Wishes | None = None,
        authorize: Callable[[], str] | None = None,
        may_end: Callable[[Connection], bool] = lambda connection: False,
    ) -> None:
        super().__init__(endpoint.value, endpoint, url, observer, router, wishes)
        self._may_end = may_end
        self._config = config
        self._waker = Waker()
        self._dialler = Dialler(
            self.name, url, config, self._waker, lambda: self.wishes.closing, authorize
        )
        # The I/O thread's own.
        self._websocket: BulkWebSocket | None = None
        self._trial = Trial()
        self._staleness = Staleness(config.stale_after)
        # What the exchange said of the list in which a culprit is searched for.
        self._refusal: SubscriptionError | None = None
        self._oddities = Oddities(self._log_name, self.traffic, observer)

    # For any thread.

    @property
    def _helpers(self) -> tuple[Worker, ...]:
        return (*self._dialler.threads, *self._router.workers)

    def wake(self) -> None:
        """See :class:`~upbit_stream.connection.base.BaseConnection`."""
        self._waker.wake()

    def disown(self) -> None:
        """See :class:`~upbit_stream.connection.base.BaseConnection`."""
        self._waker.disown()
        super().disown()
        if self._websocket is not None and (sock := self._websocket.sock) is not None:
            sock.close()  # not by the lock that goes with it

    # The I/O thread.

    def _run(self) -> None:
        try:
            _log.info("%s: %s", self._log_name, self._state.value)
            while True:
                self._waker.clear()  # of what a dead thread, or one that stumbled, waited for
                try:
                    self._live()
                    break
                except (Interrupted, _GivenUp):
                    raise
                except BaseException as error:
                    # A dead I/O thread must never look like a quiet market.
                    self._stumble(error)
        except Interrupted:
            pass
        except _GivenUp as end:
            self._last_things()
            self._fail(self._final_error(end.error))
            self._free()
            return
        self._last_things()
        self._free()
        self._enter(ConnectionState.DISCONNECTED)

    def _last_things(self) -> None:
        # Before anyone is told of the end, after which a channel takes nothing in.
        self._router.finish()
        self._connected_at = None
        self._over = True

    def _free(self) -> None:
        if self._router.alone:
            self.wishes.end()
        self._waker.close()

    def _stumble(self, error: BaseException) -> None:
        """Get up again after what nobody thought of: a bug of ours, or someone's logging."""
        if (websocket := self._websocket) is not None:
            websocket.shutdown()
        self._connected_at = None
        self.traffic.note_reconnect(f"the I/O thread stumbled: {type(error).__name__}: {error}")
        self._trial.interrupted(time.monotonic())
        self._router.reset(lost=True)
        self._enter(ConnectionState.RECONNECTING)
        with suppress(Exception):  # it may be the logging that failed
            _log.error(
                "%s: a bug of this package; connecting again (please report it)",
                self._log_name,
                exc_info=error,
            )
        self._dialler.sleep(_AFTER_STUMBLING)

    def _live(self) -> None:
        """Connect, serve, and again after each loss; returns when the connection was closed."""
        attempts_before = 0
        while True:
            opened = self._connect(attempts_before)
            self._hold(opened)
            self._enter(ConnectionState.CONNECTED)
            session = self._session(opened, self._router, self._trial)
            session.begin()
            try:
                while (reason := session.run()) is not None:
                    session = self._renew(session, reason)
            except Exception as error:
                attempts_before = self._lost(session, error)
            else:
                self._enter(ConnectionState.DISCONNECTING)
                session.end()
                assert self._websocket is not None
                self._websocket.close(timeout=_CLOSE_HANDSHAKE)
                return

    def _hold(self, opened: BulkWebSocket) -> None:
        self._websocket = opened
        self._connected_at = time.monotonic()

    def _session(self, opened: BulkWebSocket, router: Routing, trial: Trial) -> Session:
        return Session(
            opened,
            endpoint=self.endpoint,
            config=self._config,
            waker=self._waker,
            wishes=self.wishes,
            router=router,
            trial=trial,
            traffic=self.traffic,
            staleness=self._staleness,
            observer=self,
        )

    def _renew(self, session: Session, reason: str) -> Session:
        """Have a new socket take over from one that still works, or only smells; the session that
        serves from now on.
        """
        if isinstance(self._router, Line):
            raise Replaced(reason)  # the other line serves meanwhile
        trial = Trial()
        mute = self._staleness.silence > 0
        lag = (self.traffic.ping_latency or 0.0) / 1000
        renewal = Renewal(
            session,
            router=self._router,
            waker=self._waker,
            begin=self._dialler.try_begin,
            make=lambda opened, router: self._session(opened, router, trial),
            closing=lambda: self.wishes.closing,
            timeout=self._config.connect_timeout,
            # From one that is mute nothing is to be expected.
            overlap=0.0 if mute else _OVERLAP + 2 * lag,
            mute=mute,
        )
        planned = self.wishes.renewal(self._connected_at or 0.0) is not None
        renewed = renewal.run()
        if renewed is None:
            self._staleness.silence = 0.0
            _log.info("%s: %s; a new socket could not be had", self._log_name, reason)
            return session
        session.end()
        if self._websocket is not None:
            self._dialler.part(self._websocket, _CLOSE_HANDSHAKE)
        self._hold(renewal.opened)
        self._trial = trial
        self._staleness.bear_in_mind()
        self.traffic.note_reconnect(reason, "replaced")
        level = logging.INFO if planned else logging.WARNING
        _log.log(level, "%s: %s; another socket has taken over", self._log_name, reason)
        return renewed

    def _lost(self, session: Session, error: Exception) -> int:
        """The socket was lost by ``error``: clean up, and wait as that demands; as
        :meth:`_recover`.
        """
        session.end()
        websocket, connected_at = self._websocket, self._connected_at
        assert websocket is not None
        assert connected_at is not None
        if isinstance(error, ConnectionClosed) and error.local:
            websocket.linger(_LINGER)
        websocket.shutdown()
        self._connected_at = None
        if not isinstance(error, EXPECTED):
            _log.error(
                "%s: a bug of this package; connecting again (please report it)",
                self._log_name,
                exc_info=error,
            )
        return self._recover(error, time.monotonic() - connected_at)

    def _recover(self, error: Exception, uptime: float) -> int:
        """Wait as the loss demands; how many delays of the outage that were. Raises
        :class:`_GivenUp` when there is no way back.
        """
        if not self.wishes.closing and self._unwanted():
            self.wishes.close()  # of another line, too
        if self.wishes.closing:
            raise Interrupted
        verdict = judge(error)
        # A first loss is healed at once, however young the connection was.
        since_reconnect = uptime if self.traffic.reconnects else math.inf
        delay = delay_after_loss(self._config.reconnect, verdict, since_reconnect)
        if isinstance(verdict.error, SubscriptionError):
            self._refusal = verdict.error
            culprit = self._trial.refused(time.monotonic())
            if culprit is not None and self.wishes.channels == (culprit,):
                raise _GivenUp(error) from error  # nothing would be left
            if culprit is not None:
                self.on_culprit(culprit)
            if culprit is not None or self._trial.searching:
                delay = 0.0  # the next list is another one
        elif verdict.strategy is ErrorStrategy.NO_RETRY:
            raise _GivenUp(error) from error
        else:
            self._trial.interrupted(time.monotonic())
        self._dialler.heed(verdict)
        self.traffic.note_reconnect(verdict.cause, verdict.kind)
        self._router.reset(lost=True)
        _log.warning("%s: %s; connecting again %s", self._log_name, verdict.cause, when(delay))
        self._enter(ConnectionState.RECONNECTING)
        self._dialler.sleep(delay)
        return int(verdict.strategy is ErrorStrategy.RETRY_WITH_BACKOFF)

    def _unwanted(self) -> bool:
        """Whether the connection only lingered, and is not worth healing."""
        return self.wishes.expires_at < math.inf and self._may_end(self)

    def _connect(self, attempts_before: int) -> BulkWebSocket:
        try:
            return self._dialler.connect(attempts_before)
        except Exception as error:
            raise _GivenUp(error) from error

    def _final_error(self, error: Exception) -> UpbitStreamError:
        """What is told of an error after which no attempt is to follow."""
        verdict = judge(error)
        attempts = self._config.reconnect.max_attempts
        if verdict.strategy is ErrorStrategy.NO_RETRY or attempts is None:
            return verdict.error
        told = ConnectionFailedError(
            f"gave up after {attempts} attempt{'s' * (attempts > 1)}; the last one: "
            f"{verdict.error}. Give ReconnectPolicy(max_attempts=None) to never give up"
        )
        told.__cause__ = error
        return told

    def _enter(self, state: ConnectionState) -> None:
        news = state is not self._state
        super()._enter(state)
        if news and state not in _LOGGED_WITH_CAUSE:
            _log.info("%s: %s", self._log_name, state.value)

    # What the session tells.

    def on_culprit(self, channel: AnyChannel) -> None:
        """See :class:`~upbit_stream.connection.session.SessionObserver`."""
        refusal = self._refusal
        assert refusal is not None
        demand = channel.demand
        told = SubscriptionError(
            f"{demand.describe()}: {refusal}. This subscription was taken out, the others go on",
            name=refusal.name,
        )
        told.__cause__ = refusal.__cause__
        self._observer.channel_refused(channel, told)
        _log.warning("%s: %s", self._log_name, told)

    def on_difference(self, rows: Sequence[Any]) -> None:
        """See :class:`~upbit_stream.connection.session.SessionObserver`."""
        told = SubscriptionError(
            f"the exchange had another list of subscriptions than was asked for ({len(rows)} "
            "types); what you want is asked for again, with new snapshots"
        )
        _log.warning("%s: %s", self._log_name, told)
        self._observer.connection_error(told)

    def on_silence(self, channel: AnyChannel, codes: tuple[str, ...]) -> None:
        """See :class:`~upbit_stream.connection.session.SessionObserver`."""
        self._observer.codes_silent(channel, codes)

    def on_jump(self, seconds: float) -> None:
        """See :class:`~upbit_stream.connection.session.SessionObserver`."""
        _log.info(
            "%s: %.0f s passed unnoticed (suspended, stopped, or the clock was set); pinging",
            self._log_name,
            seconds,
        )

    def on_expiry(self) -> None:
        """See :class:`~upbit_stream.connection.session.SessionObserver`."""
        if self._may_end(self):
            self.wishes.close()

    def on_messages(self, messages: Sequence[Message]) -> None:
        """See :class:`~upbit_stream.connection.session.SessionObserver`."""
        self._oddities.look(messages)
