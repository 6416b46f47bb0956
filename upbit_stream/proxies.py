"""The proxy that the environment names: one rule for the socket and for REST."""

from __future__ import annotations

import msgspec
from websocket._url import get_proxy_info

__all__ = ["Proxy", "find_proxy"]


class Proxy(msgspec.Struct, frozen=True):
    """Where it is, and what it wants to be told: a secret, which no repr shows."""

    host: str
    port: int
    credentials: tuple[str, str] | None = None

    @property
    def address(self) -> str:
        """Host and port, for people."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def __repr__(self) -> str:
        return f"Proxy({self.address})"


def find_proxy(host: str, *, secure: bool) -> Proxy | None:
    """That of ``https_proxy`` (or ``http_proxy``, where the way is not encrypted), unless
    ``no_proxy`` names the host. It is websocket-client's own rule.
    """
    name, port, credentials = get_proxy_info(host, secure)
    return Proxy(name, port or 80, credentials) if name else None
