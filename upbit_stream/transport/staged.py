"""A WebSocket that is opened step by step, for whoever asks which of the steps fails."""

from __future__ import annotations

import ssl
import time
from typing import Any, Final

import websocket
from websocket._http import (
    _get_addrinfo_list,
    _open_socket,
    _ssl_socket,
    _tunnel,
    proxy_info,
)
from websocket._url import get_proxy_info, parse_url

from upbit_stream.transport.opening import default_ssl_context
from upbit_stream.transport.upgrade import HandshakeSocket, upgrade
from upbit_stream.transport.websocket import DEFAULT_MAX_MESSAGE_SIZE, BulkWebSocket

_UPGRADE_OPTIONS: Final[dict[str, Any]] = {"suppress_origin": True}


class StagedWebSocket(BulkWebSocket):
    """What `open_websocket` does in one call, in four: `resolve()`, `dial()`, `encrypt()` (for
    `wss://` only) and `upgrade()`, in this order. Then it is as open as any.

    Each step takes the same ways as in `open_websocket` (proxy, addresses, certificates) and
    raises what it raises there. `timeout` (seconds) is for all of them together, counted from the
    first; only a DNS query, a proxy's answer and a host with several addresses can make it longer.
    No keys are sent: it is for endpoints that need none. To free the socket is the owner's matter,
    also after a step that failed.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float,
        ssl_context: ssl.SSLContext | None = None,
        max_message_size: int = DEFAULT_MAX_MESSAGE_SIZE,
    ) -> None:
        super().__init__(enable_multithread=False, max_message_size=max_message_size)
        self._url = url
        self._host, self._port, self._resource, self.secure = parse_url(url)
        self._timeout = timeout
        self._deadline = float("inf")
        self._ssl_context = ssl_context
        self._addresses: list[Any] = []
        self._tunneled = False
        # What the proxy wants to be told: a secret.
        self._proxy_auth: Any = None

    @property
    def peer(self) -> str:
        """The host and port that are connected to, for people: those of the proxy, if any."""
        host, port, _ = get_proxy_info(self._host, self.secure)
        if host:
            return f"the proxy {host}:{port or 80}"
        return f"{self._host}:{self._port}"

    def resolve(self) -> None:
        """Look up the addresses of the host, or of the proxy."""
        self._deadline = time.monotonic() + self._timeout
        self._addresses, self._tunneled, self._proxy_auth = _get_addrinfo_list(
            self._host,
            self._port,
            self.secure,
            proxy_info(),  # type: ignore[no-untyped-call]  # as the library has it
        )

    def dial(self) -> None:
        """Connect with TCP; through a proxy, up to its consent."""
        sock = _open_socket(  # type: ignore[no-untyped-call]  # as the library has it
            self._addresses, [], self._left()
        )
        with self._socket_lock:
            self.sock = sock
        self._check_aborted()
        if self._tunneled:
            _tunnel(sock, self._host, self._port, self._proxy_auth)

    def encrypt(self) -> None:
        """Shake hands with TLS."""
        assert self.sock is not None
        options = {
            "context": self._ssl_context or default_ssl_context(),
            "do_handshake_on_connect": False,
        }
        sock = _ssl_socket(self.sock, options, self._host)
        with self._socket_lock:
            self.sock = sock
        self._check_aborted()
        HandshakeSocket(sock, self._deadline).do_handshake()
        self._tls = True

    def upgrade(self) -> None:
        """Ask for the upgrade, and take the answer."""
        assert self.sock is not None
        sock = HandshakeSocket(self.sock, self._deadline)
        self.handshake_response = upgrade(
            sock, self._url, self._host, self._port, self._resource, dict(_UPGRADE_OPTIONS)
        )
        self.sock.settimeout(0.0)
        self.connected = True

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise websocket.WebSocketTimeoutException("the time is used up")
        return left

    def _check_aborted(self) -> None:
        if self._aborted:
            raise ConnectionAbortedError(f"opening {self._host} was aborted")
