"""What each way of losing a connection means: try at once, try after a while, or never again."""

from __future__ import annotations

import socket
import ssl
from enum import Enum

import msgspec
import websocket

from upbit_stream.errors import (
    AuthenticationError,
    ConnectionFailedError,
    RateLimitedError,
    SubscriptionError,
    UpbitStreamError,
)
from upbit_stream.protocol.decoding import ServerError
from upbit_stream.protocol.limits import stated_wait
from upbit_stream.transport import ConnectionClosed

__all__ = [
    "EXPECTED",
    "ConnectTimeout",
    "ErrorStrategy",
    "PongOverdue",
    "Replaced",
    "ServerRefused",
    "Verdict",
    "judge",
]


class ErrorStrategy(str, Enum):
    """What to do about a lost connection."""

    RETRY_IMMEDIATELY = "retry_immediately"
    RETRY_WITH_BACKOFF = "retry_with_backoff"
    NO_RETRY = "no_retry"


_AT_ONCE = ErrorStrategy.RETRY_IMMEDIATELY
_BACKOFF = ErrorStrategy.RETRY_WITH_BACKOFF
_NEVER = ErrorStrategy.NO_RETRY


class Verdict(msgspec.Struct, frozen=True):
    """A loss, judged."""

    strategy: ErrorStrategy
    #: What happened, for the log and for people.
    cause: str
    #: What is raised when there is no further attempt.
    error: UpbitStreamError
    #: Seconds that the exchange told us to wait; 0 when it told none.
    wait_at_least: float = 0.0
    #: See :attr:`~upbit_stream.connection.traffic.Reconnect.kind`.
    kind: str = "other"


class ConnectTimeout(Exception):
    """DNS, TCP, TLS and the upgrade together took longer than ``connect_timeout``."""


class PongOverdue(Exception):
    """A ping stayed without its pong for longer than ``ping_timeout``: half-open."""


class Replaced(Exception):
    """Another line serves meanwhile, so this one is made anew for the stated reason."""


class ServerRefused(Exception):
    """The server sent an error frame; it closes the connection right after."""

    def __init__(self, error: ServerError) -> None:
        super().__init__(f"{error.name}: {error.message}")
        self.error = error


# Close codes that say "not you, me, and it is over already". Others mean that the server is in
# trouble (1011, 1013) or dislikes something about us, and get some distance.
_CLOSED_IN_PASSING = frozenset({1000, 1001, 1005, 1006, 1012})

# What to do next, where trying again does not help or may not go on.
_ADDRESS = "check the network, and the host in the URL (UPBIT_STREAM_URL, StreamConfig(url=…))"
_NOBODY_LISTENS = "check that the server runs, and the host and port in the URL"
_KEYS = "check that they are right, not expired, and allowed from this IP address"
_REQUEST = "check the codes and the other arguments"
_FIND_OUT = 'run "upbit-stream diagnose", which says what fails and why'

# What needs no closer look, the special before the general.
_BY_CLASS: tuple[tuple[tuple[type[BaseException], ...], ErrorStrategy, str, str, str], ...] = (
    ((Replaced,), _AT_ONCE, "{}", _FIND_OUT, "replaced"),
    ((PongOverdue,), _AT_ONCE, "the connection is half-open ({})", _FIND_OUT, "half_open"),
    (
        (websocket.WebSocketAddressException, socket.gaierror),
        _BACKOFF,
        "the host name could not be resolved ({})",
        _ADDRESS,
        "other",
    ),
    ((ConnectionRefusedError,), _BACKOFF, "the connection was refused", _NOBODY_LISTENS, "other"),
    (
        (ConnectTimeout, TimeoutError, websocket.WebSocketTimeoutException),
        _AT_ONCE,
        "timed out ({})",
        _FIND_OUT,
        "timeout",
    ),
    (
        # The latter is websocket-client's word for an end in the middle of the handshake.
        (ConnectionError, websocket.WebSocketConnectionClosedException),
        _AT_ONCE,
        "the connection was lost ({})",
        _FIND_OUT,
        "lost",
    ),
)

#: What may end a socket in the ordinary course of the world. Anything else is a bug of ours: it is
#: logged with its traceback, and the connection is made anew all the same.
EXPECTED = (
    ConnectionClosed,
    PongOverdue,
    Replaced,
    ServerRefused,
    OSError,
    websocket.WebSocketException,
)

_AUTHENTICATION_STATUS = frozenset({401, 403})
_LIMIT_STATUS = frozenset({418, 429})


def judge(error: BaseException) -> Verdict:
    """The verdict on ``error``, which ended a connection or an attempt to make one."""
    if isinstance(error, ServerRefused):
        return _judge_refusal(error)
    if isinstance(error, ConnectionClosed):
        return _judge_close(error)
    if isinstance(error, websocket.WebSocketBadStatusException):
        return _judge_status(error)
    if isinstance(error, ssl.SSLCertVerificationError):
        return _failed(
            _NEVER,
            f"the server's certificate was not accepted ({error})",
            error,
            "check the clock, the proxy and the certificate store, or give "
            "StreamConfig(ssl_context=…) for a private certificate authority",
        )
    for classes, strategy, cause, advice, kind in _BY_CLASS:
        if isinstance(error, classes):
            return _failed(strategy, cause.format(error), error, advice, kind=kind)
    return _failed(_BACKOFF, f"{type(error).__name__}: {error}", error)


def _failed(
    strategy: ErrorStrategy,
    cause: str,
    error: BaseException,
    advice: str = _FIND_OUT,
    *,
    kind: str = "other",
) -> Verdict:
    told = ConnectionFailedError(f"{cause}; {advice}")
    told.__cause__ = error
    return Verdict(strategy, cause, told, kind=kind)


def _judge_close(error: ConnectionClosed) -> Verdict:
    if error.local:
        broken = f"the server broke the WebSocket protocol ({error})"
        return _failed(_BACKOFF, broken, error, kind="protocol")
    strategy = _AT_ONCE if error.code in _CLOSED_IN_PASSING else _BACKOFF
    if error.code == 1006:
        reason = error.__cause__ or "no close frame"
        return _failed(strategy, f"the connection dropped (1006, {reason})", error, kind="lost")
    reason = f", {error.reason}" if error.reason else ""
    cause = f"the server closed the connection ({error.code}{reason})"
    return _failed(strategy, cause, error, kind="closed")


def _judge_status(error: websocket.WebSocketBadStatusException) -> Verdict:
    status = error.status_code
    cause = f"the upgrade was answered with HTTP {status}"
    if status in _AUTHENTICATION_STATUS:
        refused = AuthenticationError(f"{cause}: the keys were not accepted; {_KEYS}")
        refused.__cause__ = error
        return Verdict(_NEVER, cause, refused)
    if status in _LIMIT_STATUS:
        wait = stated_wait(error.resp_headers or {}, error.resp_body or b"")
        limited = RateLimitedError(
            f"{cause}: too many handshakes from this address; close what else connects from "
            f"it, and wait {f'{wait:g} s' if wait else 'a minute'}",
            retry_after=wait or None,
        )
        limited.__cause__ = error
        return Verdict(_BACKOFF, cause, limited, wait_at_least=wait)
    if 500 <= status < 600:
        return _failed(_BACKOFF, cause, error)
    return _failed(
        _NEVER, cause, error, "check the URL: this is not where the exchange serves WebSockets"
    )


def _judge_refusal(error: ServerRefused) -> Verdict:
    name, message = error.error.name, error.error.message
    cause = f"the server refused: {name} ({message})"
    told: UpbitStreamError
    if name == "INVALID_AUTH":
        told = AuthenticationError(f"{cause}: the keys were not accepted; {_KEYS}")
        strategy = _NEVER
    elif name == "TOO_MANY_REQUEST":
        told = RateLimitedError(f"{cause}; close what else asks from this address, and wait")
        strategy = _BACKOFF
    else:
        told = SubscriptionError(f"{cause}; {_REQUEST}", name=name)
        strategy = _NEVER
    told.__cause__ = error
    return Verdict(strategy, cause, told, kind="refused")
