"""Two connections that stand for one: ``StreamConfig(redundancy=2)``."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import msgspec

from upbit_stream.config import StreamConfig
from upbit_stream.connection.connection import Connection
from upbit_stream.connection.lines import Crossing, Line
from upbit_stream.connection.observer import ConnectionObserver, Link
from upbit_stream.connection.router import AnyChannel, Router
from upbit_stream.connection.states import ConnectionInfo, ConnectionState
from upbit_stream.connection.wishes import Wishes
from upbit_stream.errors import UpbitStreamError
from upbit_stream.protocol.endpoints import Endpoint
from upbit_stream.recovery.gaps import Gap

__all__ = ["Pair"]

# Seconds between the starts of the two, so that they do not meet the same moment of a server.
_APART = 1.0

# What a pair's information sums up.
_SUMS = ("reconnects", "messages", "bytes", "undecodable", "unknown", "duplicates", "late")


class Pair:
    """Two lines with the same list. To whoever uses it, it is one connection, which is lost only if
    both are.

    Any thread may call the public methods; those of the observer (``connection_…`` and so on) are
    called by the I/O threads of the lines.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        url: str,
        config: StreamConfig,
        observer: ConnectionObserver,
        make_router: Callable[[Callable[[], None]], Router],
        *,
        may_end: Callable[[Pair], bool],
    ) -> None:
        self.endpoint = endpoint
        self.url = url
        self._observer = observer
        self.wishes = Wishes(self._wake)
        crossing = Crossing(make_router(self._wake))
        self.lines: tuple[Connection, ...] = ()
        lines = [Line(crossing), Line(crossing)]
        self.lines = tuple(
            Connection(
                endpoint,
                url,
                config,
                self,
                router=line,
                wishes=self.wishes,
                may_end=lambda connection: self._ends(may_end),
            )
            for line in lines
        )
        self.name = "+".join(line.name for line in self.lines)
        self._started_at = float("inf")
        # Guards the state, which both lines may change.
        self._lock = threading.Lock()
        self._state = ConnectionState.CONNECTING
        self._stood = False

    def _wake(self) -> None:
        for line in self.lines:
            line.wake()

    def _ends(self, may_end: Callable[[Pair], bool]) -> bool:
        """Whether nobody needs the pair; then both lines end, also one that has not begun."""
        ends = may_end(self)
        if ends:
            self.close()
        return ends

    # What a connection can do.

    @property
    def state(self) -> ConnectionState:
        """Where the pair stands: it is connected as long as one of its lines is."""
        return self._state

    @property
    def error(self) -> UpbitStreamError | None:
        """What ended it for good, in state ``ERROR``."""
        return next((line.error for line in self.lines if line.error is not None), None)

    @property
    def info(self) -> ConnectionInfo:
        """Both at this moment, as one: sums, and the round trip of the quicker one."""
        infos = [line.info for line in self.lines]
        sums = {name: sum(getattr(info, name) for info in infos) for name in (*_SUMS, "backfilled")}
        pings = [info.ping_latency for info in infos if info.ping_latency is not None]
        since = [info.connected_since for info in infos if info.connected_since is not None]
        return msgspec.structs.replace(
            infos[0],
            name=self.name,
            state=self._state,
            ping_latency=min(pings, default=None),
            connected_since=min(since, default=None),
            reconnects_by_kind=infos[0].reconnects_by_kind + infos[1].reconnects_by_kind,
            **sums,
        )

    def start(self) -> None:
        """Start the first line; the second follows a second later (:meth:`revive`)."""
        self._started_at = time.monotonic()
        self.lines[0].start()

    def revive(self) -> None:
        """Have both lines running that should be."""
        first, second = self.lines
        first.revive()
        if time.monotonic() - self._started_at >= _APART:
            second.revive()

    def close(self) -> None:
        """Have both closed; returns at once."""
        self.wishes.close()
        for line in self.lines:
            line.revive()

    def join_io(self, deadline: float) -> bool:
        """See :class:`~upbit_stream.connection.connection.Connection`."""
        ended = [line.join_io(deadline) for line in self.lines]
        return all(ended)

    def join(self, deadline: float) -> bool:
        """See :class:`~upbit_stream.connection.connection.Connection`."""
        ended = [line.join(deadline) for line in self.lines]
        return all(ended)

    @property
    def alive(self) -> bool:
        """Whether a thread of either runs."""
        return any(line.alive for line in self.lines)

    @property
    def serving(self) -> bool:
        """Whether either can carry something, now or after a reconnect."""
        return any(line.serving for line in self.lines)

    @property
    def is_current_thread(self) -> bool:
        """Whether the caller is the I/O thread of either."""
        return any(line.is_current_thread for line in self.lines)

    def disown(self) -> None:
        """In the child of a fork: let go of what belongs to the parent."""
        self._lock = threading.Lock()
        for line in self.lines:
            line.disown()
        self._state = ConnectionState.DISCONNECTED

    # What the lines tell.

    def connection_changed(self, connection: Link) -> None:
        """See :class:`~upbit_stream.connection.observer.ConnectionObserver`."""
        with self._lock:
            state = self._judge()
            changed = state is not self._state
            self._state = state
            self._stood = self._stood or state is ConnectionState.CONNECTED
        if changed:
            self._observer.connection_changed(self)

    def _judge(self) -> ConnectionState:
        states = {line.state for line in self.lines}
        for state in (ConnectionState.CONNECTED, ConnectionState.DISCONNECTING):
            if state in states:
                return state
        if states & {ConnectionState.CONNECTING, ConnectionState.RECONNECTING}:
            return ConnectionState.RECONNECTING if self._stood else ConnectionState.CONNECTING
        return (
            ConnectionState.ERROR
            if ConnectionState.ERROR in states
            else ConnectionState.DISCONNECTED
        )

    def connection_error(self, error: UpbitStreamError) -> None:
        """See :class:`~upbit_stream.connection.observer.ConnectionObserver`."""
        self._observer.connection_error(error)

    def connection_gap(self, gap: Gap) -> None:
        """See :class:`~upbit_stream.connection.observer.ConnectionObserver`."""
        self._observer.connection_gap(gap)

    def channel_refused(self, channel: AnyChannel, error: UpbitStreamError) -> None:
        """See :class:`~upbit_stream.connection.observer.ConnectionObserver`."""
        self._observer.channel_refused(channel, error)

    def codes_silent(self, channel: AnyChannel, codes: tuple[str, ...]) -> None:
        """See :class:`~upbit_stream.connection.observer.ConnectionObserver`."""
        self._observer.codes_silent(channel, codes)
