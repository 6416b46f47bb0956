"""What a stream may subscribe to, given its region, its keys and its source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from upbit_stream.connection.observer import Link
from upbit_stream.errors import AuthenticationError
from upbit_stream.protocol.auth import Credentials
from upbit_stream.protocol.demands import Demand
from upbit_stream.protocol.endpoints import Endpoint, Region

if TYPE_CHECKING:
    from upbit_stream.relay.place import RelaySource

__all__ = ["Admission"]


class Admission:
    """Refuses what cannot come, before it is asked for."""

    def __init__(
        self, region: Region, credentials: Credentials, source: RelaySource | None
    ) -> None:
        self._region = region
        self._credentials = credentials
        self._source = source
        # Endpoints that did not accept the keys: they are not asked again. The owner holds a lock
        # around what needs it.
        self._unauthorized: dict[Endpoint, AuthenticationError] = {}

    def check(self, demand: Demand) -> None:
        """Raises :class:`AuthenticationError` where keys are needed and missing, and
        :class:`SubscriptionError` for what region or source do not have. For any thread.
        """
        self._region.check(demand.type)
        if self._source is not None:
            from upbit_stream.relay.lanes import check_relayable  # only here: few need it

            check_relayable(demand)
        if demand.endpoint.needs_keys:
            self._credentials.require(f"{demand.method}()")

    def check_accepted(self, demand: Demand) -> None:
        """Raises the :class:`AuthenticationError` of keys that were not accepted. The owner's lock
        is held.
        """
        if (refusal := self._unauthorized.get(demand.endpoint)) is not None:
            raise refusal.with_traceback(None)

    def note(self, connection: Link) -> None:
        """A connection is in another state: perhaps because its keys were not accepted. The owner's
        lock is held.
        """
        if isinstance(connection.error, AuthenticationError):
            self._unauthorized[connection.endpoint] = connection.error
