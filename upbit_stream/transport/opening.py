"""How a WebSocket is opened."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from typing import Any, cast

import websocket

from upbit_stream.transport.upgrade import SEALED
from upbit_stream.transport.websocket import (
    DEFAULT_MAX_MESSAGE_SIZE,
    DEFAULT_SEND_TIMEOUT,
    DEFAULT_TIMEOUT,
    BulkWebSocket,
)


def open_websocket(
    url: str,
    *,
    timeout: float = DEFAULT_TIMEOUT,
    headers: Mapping[str, str] | None = None,
    authorize: Callable[[], str] | None = None,
    ssl_context: ssl.SSLContext | None = None,
    max_message_size: int = DEFAULT_MAX_MESSAGE_SIZE,
    send_timeout: float = DEFAULT_SEND_TIMEOUT,
    on_created: Callable[[BulkWebSocket], None] | None = None,
) -> BulkWebSocket:
    """Connect to `url` (`ws://` or `wss://`) and return the open WebSocket.

    `timeout` (seconds) is for TCP, TLS and upgrade together; only a DNS query, a proxy's answer
    and a host with several addresses can make it longer, as each address may use it up.
    `max_message_size` is in bytes, `send_timeout` in seconds. `on_created` gets the object before
    it connects, so that another thread can `abort()` it. `authorize` makes the value of the header
    `Authorization`, at the moment in which the header is sent, and nothing but the wire ever sees
    it: not the library, which writes the header that it knows into its trace and its frames' local
    variables. The proxy is that of `https_proxy` or
    `http_proxy`, unless `no_proxy` names the host.

    Certificate and host name are verified against the system's authorities (`SSL_CERT_FILE` and
    `SSL_CERT_DIR` count, `WEBSOCKET_CLIENT_CA_BUNDLE` does not), with TLS 1.2 or later; a
    `ssl_context` of your own replaces all of that. No Origin and no Cookie is sent.

    Raises what the library and the system raise: WebSocketBadStatusException when the server
    answers anything but 101, a redirect included (`status_code`, `resp_headers`, `resp_body`);
    other WebSocketExceptions (address not found, proxy, timeout of the upgrade, no proper answer);
    ssl.SSLError; OSError (refused, reset, TimeoutError); ConnectionAbortedError after `abort()`;
    ValueError for what is no such URL.
    """
    tls: dict[str, Any] = {"do_handshake_on_connect": False}
    if url.startswith("wss:"):
        tls["context"] = ssl_context or default_ssl_context()
    header = [f"{name}: {value}" for name, value in (headers or {}).items()]
    if authorize is not None:
        header.append(f"Authorization: {SEALED}")
    return cast(
        BulkWebSocket,
        websocket.create_connection(
            url,
            timeout,
            class_=BulkWebSocket,
            sslopt=tls,
            header=header,
            suppress_origin=True,  # the exchange allows one handshake in 10 s to those who send it
            enable_multithread=False,
            # These are for BulkWebSocket's constructor.
            max_message_size=max_message_size,
            send_timeout=send_timeout,
            on_created=on_created,
            authorize=authorize,
        ),
    )


def default_ssl_context() -> ssl.SSLContext:
    """Verification by the system's authorities, TLS 1.2 or later."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
