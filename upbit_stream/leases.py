"""The connections of one stream: leased from the pool, and given back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from upbit_stream.config import OverflowPolicy, StreamConfig
from upbit_stream.connection.observer import ConnectionObserver
from upbit_stream.connection.parts import TellsOfWholes
from upbit_stream.connection.pool import AnyConnection, ConnectionPool, Lease, Terms
from upbit_stream.connection.states import ConnectionState, overall_state
from upbit_stream.protocol.auth import Credentials
from upbit_stream.protocol.endpoints import Endpoint, endpoint_url
from upbit_stream.shards import Shards
from upbit_stream.totals import Totals

if TYPE_CHECKING:
    from upbit_stream.relay.place import RelaySource

__all__ = ["Carrier", "Leases"]

#: What carries a subscription: a connection, or several.
Carrier: TypeAlias = Lease | Shards


class Leases:
    """What a stream holds of the pool's connections. Its owner holds a lock around every call."""

    def __init__(
        self,
        pool: ConnectionPool,
        url: str,
        rest_url: str,
        config: StreamConfig,
        credentials: Credentials,
        user: ConnectionObserver,
        source: RelaySource | None = None,
    ) -> None:
        self._pool = pool
        self._source = source
        self._url = url
        self._rest_url = rest_url
        self._config = config
        self._credentials = credentials
        self._user = user
        self._shards: Shards | None = None
        if config.shard_above is not None and source is None:
            self._user = TellsOfWholes(user)
            self._shards = Shards(
                config.shard_above, lambda: self._take(Endpoint.PUBLIC, alone=True), self.give_back
            )
        self._held: tuple[Lease, ...] = ()
        self._shared: dict[Endpoint, Lease] = {}
        # Those of connections that nobody needed any more, whose threads may still run.
        self._ending: tuple[Lease, ...] = ()
        self._retired = Totals()

    @property
    def held(self) -> tuple[Lease, ...]:
        """The leases that were not given back."""
        return self._held

    @property
    def ending(self) -> tuple[AnyConnection, ...]:
        """The connections that were ended by being given back, as long as they may be alive."""
        return tuple(lease.connection for lease in self._ending)

    @property
    def state(self) -> ConnectionState:
        """The state over all connections."""
        return overall_state(lease.connection.state for lease in self.relied_on)

    @property
    def relied_on(self) -> tuple[Lease, ...]:
        """The leases but for one that may yet come to nothing without harm."""
        on_trial = None if self._shards is None else self._shards.on_trial
        return tuple(lease for lease in self._held if lease is not on_trial)

    def balance(self, now: float) -> list[Callable[[], None]]:
        """Have what is too much for one connection carried by several; what is returned is to be
        called at once, without the owner's lock.
        """
        return [] if self._shards is None else self._shards.look(now)

    def take(self, endpoint: Endpoint, overflow: OverflowPolicy) -> Carrier:
        """What carries a subscription with that policy."""
        source = self._source
        named = source is not None and source.name is not None
        from_a_time = source is not None and source.since is not None
        blocks = overflow is OverflowPolicy.BLOCK and not endpoint.needs_keys
        if (blocks or from_a_time) and not named:
            # What blocks may stop reading, so it must not share. Where there are keys it has to:
            # the exchange may refuse a second connection of an account. What begins at a time must
            # not join others, who are beyond it. A stream of a named consumer has one for all: its
            # subscriptions would get a part each.
            return self._take(endpoint, alone=True)
        if self._shards is not None and not endpoint.needs_keys:
            self._shards.prepare()
            return self._shards
        lease = self._shared.get(endpoint)
        if lease is None or not lease.connection.serving:
            # Two streams of one name share the work, not a connection.
            lease = self._shared[endpoint] = self._take(endpoint, alone=named)
        return lease

    def _take(self, endpoint: Endpoint, *, alone: bool = False) -> Lease:
        url = endpoint_url(self._url, endpoint)
        terms = Terms.of(
            endpoint, url, self._rest_url, self._credentials, self._config, self._source
        )
        lease = self._pool.lease(terms, self._config, self._user, alone=alone)
        for failed in [one for one in self._held if not one.connection.serving]:
            self.give_back(failed)
        self._held = (*self._held, lease)
        return lease

    def give_back(self, carrier: Carrier) -> bool:
        """Lease a connection no more, or several; whether that is its end."""
        if isinstance(carrier, Shards):
            ended = [self.give_back(lease) for lease in carrier.release()]
            return all(ended)
        lease = carrier
        if lease not in self._held:
            return True  # it was given back before
        self._shared = {endpoint: one for endpoint, one in self._shared.items() if one is not lease}
        self._held = tuple(one for one in self._held if one is not lease)
        ends = self._pool.release(lease, self._config.linger)
        if not ends:
            lease.end()
        known = (*self._ending, lease)
        self._ending = tuple(one for one in known if not one.ended)
        for gone in known:
            if gone not in self._ending:
                self._retired.add_connection(gone.share)
        return ends

    def count(self, totals: Totals) -> None:
        """Add what went over the connections, those that were given back included."""
        totals.add(self._retired)
        for lease in (*self._held, *self._ending):
            totals.add_connection(lease.share)
