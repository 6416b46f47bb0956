"""The exceptions. Each says what happened, why, and what to do next."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from upbit_stream.events import Event

__all__ = [
    "AuthenticationError",
    "BackfillError",
    "CallbackError",
    "ConnectionFailedError",
    "DecodingError",
    "HealthWarning",
    "InvalidCodeError",
    "RateLimitedError",
    "RecordingError",
    "SilentCodesWarning",
    "StreamClosedError",
    "SubscriptionError",
    "UpbitStreamError",
]


class UpbitStreamError(Exception):
    """The base of every exception of this package."""


class ConnectionFailedError(UpbitStreamError):
    """A connection could not be made, or was lost, and trying again cannot (or may not) help.

    Raised by ``run()``, ``wait_connected()`` and iteration. ``__cause__`` is the last
    attempt's own error.
    """


class AuthenticationError(UpbitStreamError):
    """The exchange did not accept the keys (401, 403 or ``INVALID_AUTH``), or there are none.

    It ends the endpoint for good: subscriptions to it raise this from then on.
    """


class SubscriptionError(UpbitStreamError):
    """A request for data was refused.

    At the call for what can be known beforehand (a depth, a candle unit); from the exchange
    otherwise, and then ``name`` is Upbit's name of the error (``INVALID_PARAM``,
    ``WRONG_FORMAT``, …).
    """

    def __init__(self, message: str, *, name: str | None = None) -> None:
        super().__init__(message)
        self.name = name


class InvalidCodeError(SubscriptionError, ValueError):
    """A market code that Upbit cannot know; ``suggestion`` is the likely right one, or None.

    Upbit itself answers an unknown code with silence, so it is refused here, at the call.
    """

    def __init__(self, message: str, *, code: object, suggestion: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.suggestion = suggestion


class BackfillError(UpbitStreamError):
    """Trades of the past could not be had over REST, or not all of them.

    Raised by ``Subscription.replay()``; ``trades`` are those that could, oldest first.
    """

    def __init__(self, message: str, *, trades: list[Any]) -> None:
        super().__init__(message)
        self.trades = trades


class SilentCodesWarning(UpbitStreamError):
    """Nothing has come of some codes: the exchange answers a code that it does not know with
    silence. Given to ``on_error``, never raised; the subscription goes on.

    ``suggestions`` has the nearest code that is traded for each silent one, or None where there
    is none or the market list could not be had. A code that is traded is its own suggestion.
    """

    def __init__(
        self, message: str, *, type: str, codes: tuple[str, ...], suggestions: dict[str, str | None]
    ) -> None:
        super().__init__(message)
        self.type = type
        self.codes = codes
        self.suggestions = suggestions


class RateLimitedError(UpbitStreamError):
    """The exchange refused because of too many requests (HTTP 429, 418, TOO_MANY_REQUEST).

    ``retry_after`` is the time to wait in seconds, None when the exchange did not state one.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class DecodingError(UpbitStreamError):
    """A frame that is not the JSON that Upbit documents. Counted and told, never fatal.

    ``excerpt`` is the beginning of the frame.
    """

    def __init__(self, message: str, *, excerpt: bytes = b"") -> None:
        super().__init__(message)
        self.excerpt = excerpt


class CallbackError(UpbitStreamError):
    """A callback raised. The stream goes on; ``__cause__`` is the callback's exception.

    Given to ``on_error``, never raised.
    """

    def __init__(
        self, message: str, *, callback: Callable[..., object], event: Event | Any
    ) -> None:
        super().__init__(message)
        self.callback = callback
        self.event = event


class HealthWarning(UpbitStreamError):
    """The watchdog has seen something that a person should know of. Given to ``on_error``, never
    raised; the stream goes on.

    ``kind`` says what: ``"callback"`` (one that does not return), ``"queue"`` (one that fills),
    ``"thread"`` (one that had died, and was replaced), ``"silence"`` (of codes that used to be
    busy), ``"notices"`` (publishers told what was not heard here), ``"rss"``, ``"descriptors"`` or
    ``"threads"`` (of the process: they grow and grow).
    """

    def __init__(self, message: str, *, kind: str) -> None:
        super().__init__(message)
        self.kind = kind


class RecordingError(UpbitStreamError):
    """A recording cannot be written, or cannot be read.

    ``lost`` is the number of events that will not be in it.
    """

    def __init__(self, message: str, *, lost: int = 0) -> None:
        super().__init__(message)
        self.lost = lost


class StreamClosedError(UpbitStreamError):
    """The stream or subscription was closed before, so it cannot be used any more."""
