"""What physical connections have in common, to the exchange or to a broker: thread, state, end."""

from __future__ import annotations

import logging
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone

from upbit_stream.connection.lines import Line
from upbit_stream.connection.observer import ConnectionObserver
from upbit_stream.connection.router import Router
from upbit_stream.connection.states import ConnectionInfo, ConnectionState
from upbit_stream.connection.traffic import Traffic
from upbit_stream.connection.wishes import Wishes
from upbit_stream.errors import UpbitStreamError
from upbit_stream.protocol.endpoints import Endpoint
from upbit_stream.workers import Worker, numbered

__all__ = ["BaseConnection"]

_log = logging.getLogger("upbit_stream")


class BaseConnection(ABC):
    """One physical connection, but for what its I/O thread does (:meth:`_run`).

    Any thread may call the public methods; what is not public belongs to the I/O thread.

    Its name is ``kind`` with a number. ``router`` sorts what comes; ``wishes`` are given where
    others have the same ones.
    """

    def __init__(
        self,
        kind: str,
        endpoint: Endpoint,
        url: str,
        observer: ConnectionObserver,
        router: Router | Line,
        wishes: Wishes | None = None,
    ) -> None:
        self.name = numbered(kind)
        self.endpoint: Endpoint = endpoint
        self.url = url
        self._log_name = f"{self.name} ({url})"
        #: What is to be carried. Any thread may change it.
        self.wishes = Wishes(self.wake) if wishes is None else wishes
        #: What went over it.
        self.traffic = Traffic()
        # The I/O thread's own, but for what the router says of itself to anyone.
        self._observer = observer
        self._router = router
        # Held while it is looked whether there is a thread, and another is put in its place: the
        # watchdog and whoever closes may ask.
        self._reviving = threading.Lock()
        self._worker = Worker(f"upbit-io-{self.name}", self._run)
        # Written by the I/O thread alone, read by anyone.
        self._state = ConnectionState.CONNECTING
        self._error: UpbitStreamError | None = None
        self._over = False
        self._connected_at: float | None = None

    # For any thread.

    @property
    def state(self) -> ConnectionState:
        """Where the connection stands."""
        return self._state

    @property
    def error(self) -> UpbitStreamError | None:
        """What ended it for good, in state ``ERROR``."""
        return self._error

    @property
    def info(self) -> ConnectionInfo:
        """The connection at this moment."""
        since = self._connected_at
        traffic, counters = self.traffic, self._router.counters
        return ConnectionInfo(
            name=self.name,
            url=self.url,
            state=self._state,
            ping_latency=traffic.ping_latency,
            reconnects=traffic.reconnects,
            reconnects_by_kind=traffic.reconnects_by_kind.copy(),
            messages=traffic.messages,
            bytes=traffic.bytes,
            undecodable=traffic.undecodable,
            unknown=traffic.unknown,
            duplicates=counters.duplicates,
            late=counters.late,
            backfilled=counters.backfilled,
            connected_since=None
            if since is None
            else datetime.now(timezone.utc) - timedelta(seconds=time.monotonic() - since),
        )

    @property
    def lines(self) -> tuple[BaseConnection, ...]:
        """The physical connections: itself."""
        return (self,)

    def start(self) -> None:
        """Start the I/O thread, which connects; once."""
        self._worker.start()

    def close(self) -> None:
        """Have the connection closed; returns at once."""
        self.wishes.close()
        self.revive()

    def revive(self) -> None:
        """Have an I/O thread again, if the one there was has died of what nobody thought of."""
        with self._reviving:
            if not self._over and not self._worker.alive:
                self._worker = Worker(self._worker.name, self._run)
                self._worker.start()

    def join_io(self, deadline: float) -> bool:
        """Wait until the I/O thread has ended, after which no event comes any more; whether it
        did by ``deadline``.
        """
        return self._worker.join(deadline)

    def join(self, deadline: float) -> bool:
        """Wait until all threads have ended; whether they did by ``deadline``."""
        ended = self.join_io(deadline)
        for worker in self._helpers:
            ended = worker.join(deadline) and ended
        return ended

    @property
    def alive(self) -> bool:
        """Whether a thread of the connection runs."""
        return any(worker.alive for worker in (self._worker, *self._helpers))

    @property
    def _helpers(self) -> Sequence[Worker]:
        """The threads beside the I/O thread. For any thread."""
        return self._router.workers

    @property
    def settled(self) -> bool:
        """Whether nothing waits for what was missed."""
        return self._router.settled

    @property
    def serving(self) -> bool:
        """Whether it can carry something, now or after a reconnect."""
        return not self._over and not self.wishes.closing

    @property
    def is_current_thread(self) -> bool:
        """Whether the caller is the I/O thread."""
        return self._worker.is_current

    @abstractmethod
    def wake(self) -> None:
        """Have the I/O thread look around."""

    def disown(self) -> None:
        """In the child of a fork: let go of what belongs to the parent, without a word."""
        self.wishes.disown()
        self._reviving = threading.Lock()
        self._router.disown()
        self._state = ConnectionState.DISCONNECTED

    # The I/O thread.

    @abstractmethod
    def _run(self) -> None:
        """All that the I/O thread does; called again if it has died."""

    def _enter(self, state: ConnectionState) -> None:
        if state is not self._state:
            self._state = state
            self._observer.connection_changed(self)

    def _fail(self, error: UpbitStreamError) -> None:
        """The end that no attempt can heal: everyone who waits for data learns why."""
        self._error = error
        # The state first, for whoever is woken by the error; the log last, as its handlers are
        # other people's code.
        self._enter(ConnectionState.ERROR)
        if self._router.alone:
            self.wishes.fail(error)
        self._observer.connection_error(error)
        _log.error("%s: %s; this connection has ended for good", self._log_name, error)
