"""Where Upbit is: regions and endpoints."""

from __future__ import annotations

from enum import Enum
from urllib.parse import urlsplit, urlunsplit

import msgspec

from upbit_stream.errors import SubscriptionError

__all__ = ["REGIONS", "Endpoint", "Region", "endpoint_url", "find_region", "rest_url_beside"]


class Endpoint(str, Enum):
    """One of the three sockets that a region offers; the value is used in names and logs."""

    PUBLIC = "public"
    PRIVATE = "private"
    INFO = "info"

    @property
    def needs_keys(self) -> bool:
        """Whether its handshake wants a token."""
        return self is not Endpoint.PUBLIC


# Streams that only Upbit Korea has.
_KOREAN = frozenset({"announcement", "indicator", "indicator_signal"})


class Region(msgspec.Struct, frozen=True):
    """A country's exchange. Announcements and indicators exist in Korea only."""

    name: str
    host: str

    @property
    def url(self) -> str:
        """Base of the public WebSocket endpoint."""
        return f"wss://{self.host}/websocket/v1"

    @property
    def rest_url(self) -> str:
        """Base of the REST interface."""
        return f"https://{self.host}/v1"

    def check(self, type_: str) -> None:
        """:class:`SubscriptionError` if this region has no stream of that type."""
        if type_ in _KOREAN and self.name != "kr":
            raise SubscriptionError(
                f"{type_} exists in Korea only, not in {self.name!r}; use "
                'UpbitStream(region="kr") for it'
            )


REGIONS = {
    region.name: region
    for region in (
        Region("kr", "api.upbit.com"),
        Region("sg", "sg-api.upbit.com"),
        Region("id", "id-api.upbit.com"),
        Region("th", "th-api.upbit.com"),
    )
}


def find_region(name: object) -> Region:
    """The region of that name; ``ValueError`` names the ones that exist."""
    region = REGIONS.get(name) if isinstance(name, str) else None
    if region is None:
        raise ValueError(f"region={name!r}: choose one of {', '.join(map(repr, REGIONS))}")
    return region


def endpoint_url(base: str, endpoint: Endpoint) -> str:
    """The URL of ``endpoint`` below the public base."""
    return base if endpoint is Endpoint.PUBLIC else f"{base}/{endpoint.value}"


def rest_url_beside(url: str) -> str:
    """The REST base on the same host as a WebSocket base."""
    parts = urlsplit(url)
    scheme = "https" if parts.scheme == "wss" else "http"
    return urlunsplit((scheme, parts.netloc, "/v1", "", ""))
