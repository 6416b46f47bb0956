"""Physical connections, shared by the streams of a process that ask for the same.

A stream leases a connection and gives it back. One that nobody uses any more may linger, so that
the next stream (the next test, the notebook cell that is run again) finds it open.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
import weakref
from collections.abc import Callable
from ssl import SSLContext
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from upbit_stream.config import ReconnectPolicy, StreamConfig
from upbit_stream.connection.base import BaseConnection
from upbit_stream.connection.connection import Connection
from upbit_stream.connection.observer import ConnectionObserver, Link
from upbit_stream.connection.pair import Pair
from upbit_stream.connection.router import AnyChannel, Router
from upbit_stream.connection.states import ConnectionInfo, ConnectionState
from upbit_stream.errors import UpbitStreamError
from upbit_stream.protocol.auth import Credentials
from upbit_stream.protocol.endpoints import Endpoint
from upbit_stream.recovery.gaps import Gap
from upbit_stream.recovery.recovery import Recovery, RecoverySettings

if TYPE_CHECKING:
    from upbit_stream.relay.feed import Feed
    from upbit_stream.relay.place import RelaySource

__all__ = ["AnyConnection", "ConnectionPool", "Lease", "Terms", "default_pool"]

# Seconds for closing what lingers when the interpreter exits.
_EXIT_CLOSE = 1.0

#: One physical connection (to a broker, perhaps), or two lines that stand for one.
AnyConnection: TypeAlias = BaseConnection | Pair

# Live events, over all codes, that wait at most for the ones before them, which are being fetched.
_WAITING = 100_000

# What a ConnectionInfo counts.
_COUNTERS = (
    "reconnects",
    "messages",
    "bytes",
    "undecodable",
    "unknown",
    "duplicates",
    "late",
    "backfilled",
    "reconnects_by_kind",
)


class Terms(msgspec.Struct, frozen=True):
    """What two streams must agree on to share a connection: where, who, and every setting that
    shows on the wire or in the events.
    """

    endpoint: Endpoint
    url: str
    rest_url: str
    #: None where no keys are needed.
    credentials: Credentials | None
    wire_format: str
    numbers: str
    ping_interval: float
    ping_timeout: float
    connect_timeout: float
    stale_after: float
    backfill: bool
    backfill_deadline: float
    redundancy: int
    reconnect: ReconnectPolicy
    ssl_context: SSLContext | None
    max_message_size: int
    #: The broker that is read instead of the exchange.
    source: RelaySource | None = None

    @classmethod
    def of(
        cls,
        endpoint: Endpoint,
        url: str,
        rest_url: str,
        credentials: Credentials,
        config: StreamConfig,
        source: RelaySource | None = None,
    ) -> Terms:
        """The terms of a stream with this configuration."""
        settings = {name: getattr(config, name) for name in cls.__struct_fields__[4:-1]}
        keys = credentials if endpoint.needs_keys else None
        return cls(endpoint, url, rest_url, keys, **settings, source=source)


class _Users:
    """The streams that use a connection: what it tells, it tells all of them."""

    def __init__(self) -> None:
        # Replaced, never changed: the I/O thread reads it without the pool's lock.
        self.members: tuple[ConnectionObserver, ...] = ()

    def connection_changed(self, connection: Link) -> None:
        for one in self.members:
            one.connection_changed(connection)

    def connection_error(self, error: UpbitStreamError) -> None:
        for one in self.members:
            one.connection_error(error)

    def connection_gap(self, gap: Gap) -> None:
        for one in self.members:
            one.connection_gap(gap)

    def channel_refused(self, channel: AnyChannel, error: UpbitStreamError) -> None:
        for one in self.members:
            one.channel_refused(channel, error)

    def codes_silent(self, channel: AnyChannel, codes: tuple[str, ...]) -> None:
        for one in self.members:
            one.codes_silent(channel, codes)


class Lease:
    """One stream's share of a connection, made by :meth:`ConnectionPool.lease`."""

    def __init__(
        self, connection: AnyConnection, user: ConnectionObserver, users: _Users, *, first: bool
    ) -> None:
        self.connection = connection
        self.user = user
        #: Whether the connection was made for this lease.
        self.first = first
        self._users = users
        self._before = connection.info
        self._after: ConnectionInfo | None = None

    def carry(self, channel: AnyChannel) -> None:
        """Have the connection serve ``channel``, too."""
        self.connection.wishes.add(channel)

    def drop(self, channel: AnyChannel) -> None:
        """Have it serve ``channel`` no more."""
        self.connection.wishes.remove(channel)

    def touch(self) -> None:
        """A channel's own demand has changed."""
        self.connection.wishes.touch()

    @property
    def infos(self) -> tuple[ConnectionInfo, ...]:
        """The physical connections at this moment: one, or two lines."""
        users = len(self._users.members)
        return tuple(
            msgspec.structs.replace(line.info, users=users) for line in self.connection.lines
        )

    @property
    def share(self) -> ConnectionInfo:
        """The connection, two lines as one, with the counters since the lease began, and until it
        ended.
        """
        now, before = self._after or self.connection.info, self._before
        since = {name: getattr(now, name) - getattr(before, name) for name in _COUNTERS}
        return msgspec.structs.replace(now, **since)

    def end(self) -> None:
        """Count no further: the connection goes on for others."""
        self._after = self.connection.info

    @property
    def ended(self) -> bool:
        """Whether the counters of :attr:`share` are final."""
        return self._after is not None or not self.connection.alive


class ConnectionPool:
    """The connections of some streams; those of one process share one pool unless they are given
    another (``UpbitStream(pool=…)``).

    Streams that ask the same endpoint with the same keys and the same settings share one physical
    connection. When the last of them is closed, it lingers for as long as that stream's
    ``StreamConfig.linger`` says. The exchange's limits on connecting hold for the whole process,
    however many pools there are.

    :attr:`connections` shows what is open, :meth:`close_idle` ends what nobody uses.
    """

    def __init__(self) -> None:
        # Guards the tables. Not held during I/O; nothing that is called under it asks for the lock
        # of a stream.
        self._lock = threading.Lock()
        self._users: dict[AnyConnection, _Users] = {}
        self._shared: dict[Terms, AnyConnection] = {}
        _pools.add(self)

    def lease(
        self, terms: Terms, config: StreamConfig, user: ConnectionObserver, *, alone: bool = False
    ) -> Lease:
        """A share of a connection on these ``terms``, which is made if there is none; ``alone``:
        of one that nobody else will have.
        """
        with self._lock:
            connection = None if alone else self._shared.get(terms)
            first = connection is None or not connection.serving
            if connection is None or first:
                connection = self._make(terms, config, user, alone=alone)
                if not alone:
                    self._shared[terms] = connection
            users = self._users[connection]
            if user not in users.members:
                users.members = (*users.members, user)
            connection.wishes.expires_at = float("inf")
            return Lease(connection, user, users, first=first)

    def _make(
        self, terms: Terms, config: StreamConfig, user: ConnectionObserver, *, alone: bool
    ) -> AnyConnection:
        connection: AnyConnection
        users = _Users()
        if terms.source is not None:
            connection = self._make_feed(terms, terms.source, config, users)
        # Of an account the exchange may refuse a second connection; one that blocks is on its own.
        elif terms.redundancy == 2 and not terms.endpoint.needs_keys and not alone:
            connection = self._make_pair(terms, config, users)
        else:
            connection = self._make_single(terms, config, users)
        users.members = (user,)
        connection.start()
        self._users = {one: its for one, its in self._users.items() if one.alive or its.members}
        self._users[connection] = users
        return connection

    def _make_pair(self, terms: Terms, config: StreamConfig, users: _Users) -> Pair:
        def make_router(wake: Callable[[], None]) -> Router:
            return _make_router(terms, users, wake, lines=2)

        return Pair(terms.endpoint, terms.url, config, users, make_router, may_end=self._retire)

    def _make_feed(
        self, terms: Terms, source: RelaySource, config: StreamConfig, users: _Users
    ) -> Feed:
        from upbit_stream.relay.feed import Feed  # only here: few need it

        # What is missing there, nobody here can fetch.
        alike = msgspec.structs.replace(terms, backfill=False)

        def make_router(wake: Callable[[], None]) -> Router:
            return _make_router(alike, users, wake, lines=1)

        return Feed(source, config, users, make_router, may_end=self._retire)

    def _make_single(self, terms: Terms, config: StreamConfig, users: _Users) -> Connection:
        keys = terms.credentials
        made: list[Connection] = []  # the router is there first, and wakes it
        router = _make_router(terms, users, lambda: made[0].wake(), lines=1)
        connection = Connection(
            terms.endpoint,
            terms.url,
            config,
            users,
            router=router,
            authorize=None if keys is None else keys.authorization,
            may_end=self._retire,
        )
        made.append(connection)
        return connection

    def release(self, lease: Lease, linger: float = 0.0) -> bool:
        """Give a share back; whether that was the connection's end. With ``linger`` seconds it
        stays open for so long, if it stands and nobody else uses it.
        """
        connection = lease.connection
        with self._lock:
            users = self._users.get(connection)
            if users is None or lease.user not in users.members:
                return True  # it was given back before
            others = tuple(one for one in users.members if one is not lease.user)
            lingers = (
                linger > 0
                and connection in self._shared.values()
                and connection.state is ConnectionState.CONNECTED
            )
            if others or lingers:
                users.members = others
                if not others:
                    connection.wishes.expires_at = time.monotonic() + linger
                return False
            # Its last user is still told what the end brings: gaps that nobody will repair.
            self._forget(connection)
        connection.close()
        return True

    def _retire(self, connection: AnyConnection) -> bool:
        """Whether a connection may end because nobody uses it. It asks on its I/O thread."""
        with self._lock:
            users = self._users.get(connection)
            if users is not None and users.members:
                return False
            self._forget(connection)
            return True

    def _forget(self, connection: AnyConnection) -> None:
        """The lock is held."""
        self._users.pop(connection, None)
        for terms, shared in list(self._shared.items()):
            if shared is connection:
                del self._shared[terms]

    @property
    def connections(self) -> tuple[ConnectionInfo, ...]:
        """The connections at this moment, the lingering ones among them (``users`` is 0)."""
        with self._lock:
            return tuple(
                msgspec.structs.replace(line.info, users=len(users.members))
                for one, users in self._users.items()
                for line in one.lines
            )

    def close_idle(self, timeout: float = 3.0) -> bool:
        """Close what lingers, and join its threads; whether that was done within ``timeout``
        seconds. What is in use goes on.
        """
        deadline = time.monotonic() + timeout
        with self._lock:
            idle = [one for one, users in self._users.items() if not users.members]
            for connection in idle:
                self._forget(connection)
        for connection in idle:
            connection.close()
        ended = [connection.join(deadline) for connection in idle]
        return all(ended)

    def __len__(self) -> int:
        return len(self._users)

    def __repr__(self) -> str:
        with self._lock:
            idle = sum(not users.members for users in self._users.values())
            return f"<ConnectionPool, {len(self._users)} connections, {idle} of them unused>"

    def _after_fork(self) -> None:
        """In the child: the parent's sockets are the parent's, and so are its threads."""
        self._lock = threading.Lock()
        for connection in self._users:
            connection.disown()
        self._users, self._shared = {}, {}


def _make_router(terms: Terms, users: _Users, wake: Callable[[], None], *, lines: int) -> Router:
    """A router that sees to what its connection misses."""
    settings = RecoverySettings(
        backfill=terms.backfill,
        deadline=terms.backfill_deadline,
        at_most=_WAITING,
        lines=lines,
        numbers="decimal" if terms.numbers == "decimal" else "float",
        rest_url=terms.rest_url,
        ssl_context=terms.ssl_context,
    )
    recovery = Recovery(terms.endpoint.value, settings, tell=users.connection_gap, when_done=wake)
    return Router(when_room=wake, recovery=recovery)


_pools: weakref.WeakSet[ConnectionPool] = weakref.WeakSet()
_default = ConnectionPool()


def default_pool() -> ConnectionPool:
    """The pool of all streams that were not given another one."""
    return _default


@atexit.register
def _close_all() -> None:
    for pool in list(_pools):
        pool.close_idle(_EXIT_CLOSE)


def _after_fork() -> None:
    for pool in list(_pools):
        pool._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
