"""The verdict on each way of losing a connection."""

from __future__ import annotations

import socket
import ssl

import pytest
import websocket

from upbit_stream import (
    AuthenticationError,
    ConnectionFailedError,
    ErrorStrategy,
    RateLimitedError,
    ReconnectPolicy,
    SubscriptionError,
    UpbitStreamError,
)
from upbit_stream.connection.causes import ConnectTimeout, PongOverdue, ServerRefused, judge
from upbit_stream.connection.retry import delay_after_loss
from upbit_stream.protocol.decoding import ServerError
from upbit_stream.transport import ConnectionClosed

AT_ONCE = ErrorStrategy.RETRY_IMMEDIATELY
BACKOFF = ErrorStrategy.RETRY_WITH_BACKOFF
NEVER = ErrorStrategy.NO_RETRY


def status(code: int, headers: dict[str, str] | None = None, body: bytes = b"") -> Exception:
    return websocket.WebSocketBadStatusException("refused", code, "", headers or {}, body)


def refused(name: str) -> ServerRefused:
    return ServerRefused(ServerError(name, "why"))


TABLE: list[tuple[BaseException, ErrorStrategy, type[UpbitStreamError]]] = [
    *[
        (ConnectionClosed(code), AT_ONCE, ConnectionFailedError)
        for code in (1000, 1001, 1005, 1006, 1012)
    ],
    *[
        (ConnectionClosed(code), BACKOFF, ConnectionFailedError)
        for code in (1002, 1008, 1011, 1013, 4000)
    ],
    (ConnectionClosed(1002, "RSV", local=True), BACKOFF, ConnectionFailedError),
    (PongOverdue("no pong within 10 s"), AT_ONCE, ConnectionFailedError),
    (ConnectTimeout("10 s"), AT_ONCE, ConnectionFailedError),
    (TimeoutError("timed out"), AT_ONCE, ConnectionFailedError),
    (websocket.WebSocketTimeoutException("timed out"), AT_ONCE, ConnectionFailedError),
    (ConnectionResetError("reset"), AT_ONCE, ConnectionFailedError),
    (BrokenPipeError("broken"), AT_ONCE, ConnectionFailedError),
    (websocket.WebSocketConnectionClosedException("lost"), AT_ONCE, ConnectionFailedError),
    (ConnectionRefusedError("refused"), BACKOFF, ConnectionFailedError),
    (socket.gaierror("no such name"), BACKOFF, ConnectionFailedError),
    (websocket.WebSocketAddressException("no such name"), BACKOFF, ConnectionFailedError),
    (OSError("unreachable"), BACKOFF, ConnectionFailedError),
    (ssl.SSLError("handshake failure"), BACKOFF, ConnectionFailedError),
    (ssl.SSLCertVerificationError("self-signed"), NEVER, ConnectionFailedError),
    *[(status(code), NEVER, AuthenticationError) for code in (401, 403)],
    *[(status(code), BACKOFF, RateLimitedError) for code in (418, 429)],
    *[(status(code), BACKOFF, ConnectionFailedError) for code in (500, 502, 503, 504)],
    *[(status(code), NEVER, ConnectionFailedError) for code in (301, 307, 400, 404)],
    (refused("INVALID_AUTH"), NEVER, AuthenticationError),
    (refused("TOO_MANY_REQUEST"), BACKOFF, RateLimitedError),
    *[
        (refused(name), NEVER, SubscriptionError)
        for name in ("WRONG_FORMAT", "NO_TICKET", "NO_TYPE", "NO_CODES", "INVALID_PARAM")
    ],
    (KeyError("a bug"), BACKOFF, ConnectionFailedError),
]


@pytest.mark.parametrize(("error", "strategy", "kind"), TABLE, ids=[repr(row[0]) for row in TABLE])
def test_the_table(
    error: BaseException, strategy: ErrorStrategy, kind: type[UpbitStreamError]
) -> None:
    verdict = judge(error)
    assert verdict.strategy is strategy
    assert type(verdict.error) is kind
    assert verdict.error.__cause__ is error
    assert verdict.cause


def test_a_ban_waits_out_its_stated_time() -> None:
    verdict = judge(status(418, {"retry-after": "42"}))
    assert isinstance(verdict.error, RateLimitedError)
    assert verdict.error.retry_after == verdict.wait_at_least == 42
    assert judge(status(418, body=b"banned for 2 minutes")).wait_at_least == 120
    assert delay_after_loss(ReconnectPolicy(), verdict, 1000.0) == 42


def test_the_delay_after_a_loss() -> None:
    policy = ReconnectPolicy()
    at_once, backoff = judge(ConnectionClosed(1000)), judge(ConnectionClosed(1011))
    assert delay_after_loss(policy, at_once, 1000.0) == 0
    assert delay_after_loss(policy, at_once, 2.0) == 3.0
    assert 0.09 <= delay_after_loss(policy, backoff, 1000.0) <= 0.11
