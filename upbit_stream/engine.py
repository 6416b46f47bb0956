"""What works behind an UpbitStream: the connections, the channels, and their end.

The engine and its threads never refer to the public ``UpbitStream``, so that dropping the last
reference to that one can close everything.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec

from upbit_stream.admission import Admission
from upbit_stream.channels import Channels, end_all
from upbit_stream.companions import Companion, Companions
from upbit_stream.config import OverflowPolicy, StreamConfig, resolve_urls
from upbit_stream.connection.inquiries import Inquiry
from upbit_stream.connection.observer import Link
from upbit_stream.connection.pool import AnyConnection, ConnectionPool
from upbit_stream.connection.states import ConnectionInfo, ConnectionState, overall_state
from upbit_stream.delivery.channel import Channel
from upbit_stream.delivery.notices import NoticeBoard, NoticeKind
from upbit_stream.endings import UNATTENDED_CLOSE, close_at_exit, forked
from upbit_stream.errors import StreamClosedError, UpbitStreamError
from upbit_stream.leases import Carrier, Leases
from upbit_stream.markets import MarketList
from upbit_stream.monitoring.monitor import Monitor
from upbit_stream.monitoring.watchdog import watchdog
from upbit_stream.protocol.auth import Credentials
from upbit_stream.protocol.demands import Demand, check_combinations
from upbit_stream.protocol.endpoints import Endpoint, Region
from upbit_stream.recovery.gaps import Gap
from upbit_stream.recovery.rest import RestClient
from upbit_stream.silence import EXCHANGE_IS_SILENT, Lookup, why_broker_is_silent
from upbit_stream.telling import Quiet
from upbit_stream.totals import StreamStats
from upbit_stream.workers import LOOK_AROUND, Worker, join_all

if TYPE_CHECKING:
    from upbit_stream.relay.place import RelaySource

__all__ = ["Engine"]

# Seconds of it, at most, that are kept for telling the handlers.
_HANDLERS_SHARE = 0.2


class Engine:
    """Connects subscriptions with connections, and owns the life of both. Thread-safe."""

    def __init__(
        self,
        region: Region,
        config: StreamConfig,
        credentials: Credentials,
        pool: ConnectionPool,
        source: RelaySource | None = None,
    ) -> None:
        self._source = source
        self.notices = NoticeBoard()
        self.companions = Companions()
        self.config = config
        # What it was told, and tells of that, with the lock held.
        self._admission = Admission(region, credentials, source)
        url, rest_url = resolve_urls(config, region)
        self.rest = RestClient(rest_url, config.ssl_context)
        self._markets = MarketList(self.rest)
        # Guards everything below it. Notified whenever a connection's state changes, and at the
        # end. Never held while a callback or I/O runs.
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._channels = Channels()
        self._leases = Leases(pool, url, rest_url, config, credentials, self, source)
        self._state = ConnectionState.DISCONNECTED
        self._error: UpbitStreamError | None = None
        self._started = False
        self._closing = False
        self._shutting_down = False
        self._closed = threading.Event()
        # Set by a finalizer, which may take no lock; then the watchdog has the engine closed.
        self._abandoned = False
        self._watched = False
        self._forked = False
        self.monitor = Monitor(self, config)
        close_at_exit(self)

    # Subscribing.

    def subscribe(
        self,
        demand: Demand,
        *,
        queue_size: int,
        overflow: OverflowPolicy,
        kind: type[Channel[Any]] = Channel,
        history: int = 0,
    ) -> Channel[Any]:
        """A new channel, served from now on if the engine runs.

        Raises :class:`AuthenticationError` where keys are needed and missing or not accepted, and
        :class:`SubscriptionError` for what the exchange would refuse.
        """
        self._admission.check(demand)
        channel: Channel[Any] = kind(
            demand,
            queue_size=queue_size,
            overflow=overflow,
            notices=self.notices,
            history=history,
        )
        with self._lock:
            self._refuse_closed()
            self._admission.check_accepted(demand)
            check_combinations((*self._channels.demands(), demand))
            self._channels.add(channel)
            if self._started:
                try:
                    self._serve(channel)
                except BaseException:  # no descriptor, no thread, Ctrl-C: not half-registered
                    self._channels.withdraw(channel)
                    raise
        return channel

    def unsubscribe(self, channel: Channel[Any]) -> None:
        """End a channel; a connection that nobody needs any more is closed."""
        channel.end()
        with self._lock:
            if channel not in self._channels:
                return
            lease = self._channels.close(channel)
            if lease is not None:
                lease.drop(channel)
                if not self._channels.carried_by(lease):
                    self._leases.give_back(lease)
                    if not self._closing:
                        self._enter(self._leases.state)

    def change(self, channel: Channel[Any], change: Callable[[Demand], Demand]) -> None:
        """Want something else for a channel: ``change`` makes it of the present demand."""
        with self._lock:
            self._refuse_closed()
            if channel not in self._channels or channel.ended:
                raise StreamClosedError("this subscription is closed; make a new one")
            demand = change(channel.demand)
            check_combinations((*self._channels.demands(but=channel), demand))
            channel.change(demand)
            lease = self._channels.carrier_of(channel)
            if lease is not None:
                lease.touch()

    def _serve(self, channel: Channel[Any]) -> None:
        """Give a channel its connection. The lock is held."""
        lease = self._take(channel.demand.endpoint, channel.overflow)
        self._channels.carry(channel, lease)
        channel.start()
        lease.carry(channel)

    def _take(self, endpoint: Endpoint, overflow: OverflowPolicy) -> Carrier:
        before = self._leases.held
        lease = self._leases.take(endpoint, overflow)
        self._error = None
        if any(one.first for one in self._leases.held if one not in before):
            # It may stand already, so quick is its thread: its beginning is told all the same.
            others = (one.connection.state for one in before if one in self._leases.held)
            self._enter(overall_state((ConnectionState.CONNECTING, *others)))
        self._enter(self._leases.state)
        return lease

    # Life.

    def start(self) -> None:
        """Serve the channels, those that exist and those to come."""
        with self._lock:
            self._refuse_closed()
            if not self._started:
                self._be_watched()
                # An interrupted start left off here.
                for channel in self._channels.carried_by(None):
                    self._serve(channel)
                self._started = True

    def _be_watched(self) -> None:
        if not self._watched:
            self._watched = True
            watchdog().watch(self.monitor)

    def attend(self, companion: Companion) -> None:
        """Start what runs beside the stream, and end it with that."""
        with self._lock:
            self._refuse_closed()
            self._be_watched()  # a stream that was never started may be dropped, too
        self.companions.start(companion)

    def start_if_new(self) -> None:
        """Start an engine that was neither started nor closed."""
        if not self._started and not self._closing:
            self.start()

    def wait_connected(self, deadline: float | None) -> bool:
        """Wait until every connection stands; False when it is ``deadline`` (of
        ``time.monotonic()``) first.
        """
        self.start()
        with self._lock:
            if not self._leases.held and not self._channels:
                self._take(Endpoint.PUBLIC, OverflowPolicy.DROP_OLDEST)
            while self._state is not ConnectionState.CONNECTED:
                self._refuse_closed()
                if self._error is not None:
                    raise self._error.with_traceback(None)
                if not self._wait(deadline):
                    return False
            return True

    def wait_closed(self, deadline: float | None) -> bool:
        """Wait until the engine is closed (at once if it was); False when it is ``deadline`` first.
        Raises what ended every connection for good.
        """
        self.start_if_new()
        with self._lock:
            while not self._closing:
                if self._error is not None:
                    raise self._error.with_traceback(None)
                if not self._wait(deadline):
                    return False
            if self._forked:
                raise forked()
            return True

    def _wait(self, deadline: float | None) -> bool:
        """Wait for a change, or a while; False at the deadline. The lock is held."""
        wait = LOOK_AROUND
        if deadline is not None:
            wait = min(wait, deadline - time.monotonic())
            if wait <= 0:
                return False
        self._changed.wait(wait)
        return True

    def close(self, timeout: float) -> bool:
        """Close the connections, deliver what is queued, end the threads; whether all of that
        was done within ``timeout`` seconds. May be called by any thread, again and again.
        """
        deadline = time.monotonic() + timeout
        with self._lock:
            if not self._closing and self._state is not ConnectionState.DISCONNECTED:
                self._enter(ConnectionState.DISCONNECTING)
            self._closing = True
            # Not just the first: Ctrl-C may have cut that one short.
            mine = not self._shutting_down and not self._closed.is_set()
            self._shutting_down = self._shutting_down or mine
            self._changed.notify_all()
        delivered = True
        if mine:
            try:
                # The handlers' share: they are told last, of what was not delivered in time, too.
                share = min(timeout * 0.5, _HANDLERS_SHARE)
                delivered = self._shut_down(deadline - share, deadline)
                self._closed.set()
            finally:
                self._shutting_down = False
        elif self._is_current_thread_ours():
            # Someone else is at it, and waits for this very thread: it must wait for nobody.
            deadline = time.monotonic()
        else:
            left = max(0.0, deadline - time.monotonic())
            self._closed.wait(min(left, threading.TIMEOUT_MAX))
        self.rest.cancel()
        self.companions.end()
        ended = join_all(self._leases.ending, deadline)
        ended = join_all(self._workers(), deadline) and ended
        return watchdog().unwatch(self.monitor, deadline) and ended and delivered

    def abandon(self) -> None:
        """Close without being asked. For finalizers: takes no lock, waits for nothing; the
        watchdog does the rest.
        """
        self._abandoned = True
        if self._watched:
            watchdog().ring()
        else:
            self.notices.end()

    def let_go(self) -> None:
        """Give back every connection: the first step of closing. Returns at once."""
        with self._lock:
            for lease in self._leases.held:
                if not self._leases.give_back(lease):
                    # It goes on without this stream.
                    for channel in self._channels.carried_by(lease):
                        lease.connection.wishes.remove(channel)

    def _shut_down(self, deadline: float, last_deadline: float) -> bool:
        """Whether no subscription was cut short: such a thread may still end in time."""
        self.let_go()
        for connection in self._leases.ending:
            # Not its abandoned attempts: they carry nothing, and must not use up the queues' time.
            connection.join_io(deadline)
        with self._lock:
            channels = self._channels.all
        delivered = end_all(channels, deadline)
        with self._lock:
            self._enter(ConnectionState.DISCONNECTED)
        self.notices.tell_untold()
        self.notices.end()
        if (worker := self.notices.worker) is not None and not worker.join(last_deadline):
            self.notices.discard()
        return delivered

    def _is_current_thread_ours(self) -> bool:
        leased = (lease.connection for lease in self._leases.held)
        return any(one.is_current_thread for one in (*leased, *self._leases.ending)) or any(
            worker.is_current for worker in self._workers()
        )

    def _workers(self) -> Iterable[Worker]:
        """The dispatch threads, and those of what runs beside."""
        with self._lock:
            channels = self._channels.all
        workers = [channel.worker for channel in channels] + [self.notices.worker]
        return [one for one in (*workers, *self.companions.workers) if one is not None]

    def _refuse_closed(self) -> None:
        if self._forked:
            raise forked()
        if self._closing:
            raise StreamClosedError("this stream is closed; make a new UpbitStream")

    # Looking in.

    def inquire(self) -> list[tuple[AnyConnection, Inquiry]]:
        """Ask the exchange for the list of each connection; the answers come to the inquiries."""
        with self._lock:
            self._refuse_closed()
            leased = [lease.connection for lease in self._leases.relied_on]
            asked = [(one, Inquiry()) for one in leased if one.serving]
        for connection, inquiry in asked:
            connection.wishes.inquire(inquiry)
        return asked

    def renew(self) -> None:
        """Have the socket of every connection replaced."""
        for connection in self.leased:
            if connection.wishes.channels:
                connection.wishes.renew("it was asked for")

    @property
    def closing(self) -> bool:
        """Whether ``close`` was called."""
        return self._closing

    @property
    def state(self) -> ConnectionState:
        """The state over all connections."""
        return self._state

    @property
    def connections(self) -> tuple[ConnectionInfo, ...]:
        """The connections at this moment."""
        return tuple(info for lease in self._leases.held for info in lease.infos)

    @property
    def channels(self) -> tuple[Channel[Any], ...]:
        """The channels that have not ended."""
        with self._lock:
            return self._channels.open

    @property
    def stats(self) -> StreamStats:
        """The counters at this moment."""
        with self._lock:
            totals = self._channels.count()
            self._leases.count(totals)
        return StreamStats(**msgspec.structs.asdict(totals))

    # What the connections tell.

    def connection_changed(self, connection: Link) -> None:
        """See :class:`~upbit_stream.connection.observer.ConnectionObserver`."""
        with self._lock:
            self._admission.note(connection)
            if not self._closing:
                state = self._leases.state
                if state is ConnectionState.ERROR:
                    # Not always this one's: the others may have failed before.
                    failed = (connection, *(lease.connection for lease in self._leases.held))
                    errors = [one.error for one in failed]
                    self._error = next(error for error in errors if error is not None)
                self._enter(state)
        self.notices.tell_untold()

    def connection_error(self, error: UpbitStreamError) -> None:
        """See :class:`~upbit_stream.connection.observer.ConnectionObserver`."""
        self.notices.post(NoticeKind.ERROR, error)

    def connection_gap(self, gap: Gap) -> None:
        """See :class:`~upbit_stream.connection.observer.ConnectionObserver`."""
        with self._lock:
            told = self._channels.concern(gap)
        if told is not None:
            self.notices.post(NoticeKind.GAP, told)

    def channel_refused(self, channel: Channel[Any], error: UpbitStreamError) -> None:
        """See :class:`~upbit_stream.connection.observer.ConnectionObserver`."""
        with self._lock:
            if channel not in self._channels:
                return  # another stream's
        channel.end(error)
        self.unsubscribe(channel)
        self.notices.post(NoticeKind.ERROR, error)

    def codes_silent(self, channel: Channel[Any], codes: tuple[str, ...]) -> None:
        """See :class:`~upbit_stream.connection.observer.ConnectionObserver`."""
        with self._lock:
            if channel not in self._channels:
                return  # another stream's
        if silent := channel.report_silent(codes):
            type_, why = channel.demand.type, EXCHANGE_IS_SILENT
            if self._source is not None:
                why = why_broker_is_silent(type_, silent, self.leased)
            lookup = Lookup(type_, silent, self._markets, self.notices, why)
            with suppress(StreamClosedError):
                self.companions.start(lookup)

    # What the watchdog needs.

    @property
    def abandoned(self) -> bool:
        """Whether the last reference was dropped, so that it is to be closed."""
        return self._abandoned

    @property
    def leased(self) -> tuple[AnyConnection, ...]:
        """The connections at this moment."""
        return tuple(lease.connection for lease in self._leases.held)

    def balance(self, now: float) -> None:
        """Spread what is too much for one connection, if that is wanted; once a second."""
        with Quiet(), self._lock:
            to_do = self._leases.balance(now)
        for step in to_do:
            step()
        self.notices.tell_untold()  # of what the person's threads have changed

    def close_abandoned(self) -> None:
        """Close what nobody can close any more."""
        self.close(UNATTENDED_CLOSE)

    # The child of a fork.

    def disown(self) -> None:
        """In the child of a fork, where none of the threads exists: be closed, and say so."""
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._closed = threading.Event()
        self._closed.set()
        self._closing = self._forked = True
        self._state = ConnectionState.DISCONNECTED
        self._channels.disown(forked())
        self.notices.disown()
        self.companions.disown()
        self.rest.disown()

    def _enter(self, state: ConnectionState) -> None:
        """Be in ``state``. The lock is held: so handlers are told the states in their order."""
        if state is not self._state:
            self._state = state
            self.notices.post_silently(NoticeKind.STATE, state)
            self._changed.notify_all()
