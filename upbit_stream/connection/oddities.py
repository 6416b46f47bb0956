"""What comes over a socket and is no event: told, counted, or the end of the socket."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from upbit_stream.connection.causes import ServerRefused
from upbit_stream.connection.observer import ConnectionObserver
from upbit_stream.connection.traffic import Traffic
from upbit_stream.errors import DecodingError
from upbit_stream.protocol.decoding import Message, ServerError, Undecodable, UnknownType

__all__ = ["Oddities"]

_log = logging.getLogger("upbit_stream")

# Seconds between two logged lines about frames that cannot be decoded.
_LOG_EVERY = 1.0


class Oddities:
    """Those of one connection. Belongs to its I/O thread."""

    def __init__(self, name: str, traffic: Traffic, observer: ConnectionObserver) -> None:
        self._name = name
        self._traffic = traffic
        self._observer = observer
        self._unknown_types: set[str] = set()
        self._logged_at = float("-inf")

    def look(self, messages: Sequence[Message]) -> None:
        """Tell what is to be told. Raises
        :class:`~upbit_stream.connection.causes.ServerRefused` for a server's error.
        """
        for message in messages:
            if isinstance(message, ServerError):
                raise ServerRefused(message)
            if isinstance(message, Undecodable):
                self._tell_undecodable(message.error)
            elif isinstance(message, UnknownType) and message.type not in self._unknown_types:
                self._unknown_types.add(message.type)
                self._observer.connection_error(
                    DecodingError(
                        f"the exchange sends messages of a type that this version does not "
                        f"know: {message.type!r}; they are ignored. Look for a newer version of "
                        "this package"
                    )
                )

    def _tell_undecodable(self, error: DecodingError) -> None:
        self._traffic.note_error()
        now = time.monotonic()
        if now - self._logged_at >= _LOG_EVERY:
            self._logged_at = now
            _log.warning("%s: %s", self._name, error)
        self._observer.connection_error(error)
