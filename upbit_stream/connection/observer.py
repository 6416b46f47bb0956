"""Who is told what a connection has to tell."""

from __future__ import annotations

from typing import Protocol

from upbit_stream.connection.routes import AnyChannel
from upbit_stream.connection.states import ConnectionState
from upbit_stream.errors import UpbitStreamError
from upbit_stream.protocol.endpoints import Endpoint
from upbit_stream.recovery.gaps import Gap

__all__ = ["ConnectionObserver", "Link"]


class Link(Protocol):
    """What an observer may ask of a connection, or of a pair of them."""

    @property
    def endpoint(self) -> Endpoint: ...
    @property
    def state(self) -> ConnectionState: ...
    @property
    def error(self) -> UpbitStreamError | None: ...


class ConnectionObserver(Protocol):
    """Who is told. Called on the I/O thread; must return soon."""

    def connection_changed(self, connection: Link) -> None:
        """``connection.state`` is another one now."""

    def connection_error(self, error: UpbitStreamError) -> None:
        """Something went wrong that does not end the connection."""

    def connection_gap(self, gap: Gap) -> None:
        """Something was missed, and fetched or not. Not only of channels of the one who is told."""

    def channel_refused(self, channel: AnyChannel, error: UpbitStreamError) -> None:
        """The exchange refuses what this channel wants: it is to end."""

    def codes_silent(self, channel: AnyChannel, codes: tuple[str, ...]) -> None:
        """Nothing has come of these codes."""
