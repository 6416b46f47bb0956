"""Where a stream that reads from a broker begins, and who it is there."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec

from upbit_stream.config import StreamConfig
from upbit_stream.relay.brokers import check_url, public_url, require_client

__all__ = ["RelaySource", "as_source", "check_settings"]


class RelaySource(msgspec.Struct, frozen=True, kw_only=True):
    """A broker as the source of a stream: ``UpbitStream(source=RelaySource(url=…, name=…))``.

    ``url``: ``redis://[:password@]host:port[/db]``, ``rediss://`` with TLS; or
    ``nats://[user:password@]host:port``, ``tls://`` with TLS. With ``tls://`` the stream's
    ``ssl_context`` counts. For ``rediss://`` name what certificates there are in the URL, as
    redis-py has it: ``rediss://host:6380?ssl_ca_certs=/path/ca.pem``, ``ssl_certfile=…``,
    ``ssl_keyfile=…``; the stream's context is for REST alone then.

    Without more the stream begins now: with the newest event of each code as its snapshot.
    ``since`` (an aware datetime): with the first event that the broker has of that time; so does
    every subscription and every code that comes later.

    ``name``: where the consumer of that name stopped; one that never began does so now, or at
    ``since``. All streams of one name, in this process or in others, share the work: each code is
    delivered by one of them at a time, in its order, and what one of them leaves or whoever dies
    left undone goes on with another within five seconds. What was delivered is noted five times a
    second: so after a crash the events of the last moment may come again, and none is left out.
    What nobody takes (a subscription without a callback or an iteration) counts as delivered.
    """

    url: str
    since: datetime | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        check_url(self.url)
        if self.since is not None:
            if not isinstance(self.since, datetime):
                raise TypeError(f"since={self.since!r}: give an aware datetime")
            if self.since.tzinfo is None:
                raise ValueError(
                    f"since={self.since!r} has no time zone: give datetime(…, tzinfo=timezone.utc)"
                )
        if self.name is not None and not _is_name(self.name):
            raise ValueError(
                f"name={self.name!r}: use letters (a to z), digits, dashes and underscores"
            )

    def __repr__(self) -> str:
        # The URL may hold a password.
        more = "".join(
            f", {name}={value!r}"
            for name, value in (("since", self.since), ("name", self.name))
            if value is not None
        )
        return f"RelaySource(url={public_url(self.url)!r}{more})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        # msgspec's own would show the password.
        return [("url", public_url(self.url)), ("since", self.since), ("name", self.name)]


def check_settings(place: RelaySource, config: StreamConfig) -> None:
    """``ValueError`` for what would do nothing with a broker as source."""
    if config.redundancy != 1:
        raise ValueError(
            f"redundancy={config.redundancy} with source=…: a stream that reads from a broker has "
            "no lines to the exchange; leave it out, and run two publishers, or give it to the "
            "stream that publishes"
        )
    if config.shard_above is not None:
        raise ValueError(
            f"shard_above={config.shard_above!r} with source=…: a stream that reads from a broker "
            "has no connections to the exchange; leave it out, or give it to the stream that "
            "publishes"
        )


def _is_name(name: object) -> bool:
    return (
        isinstance(name, str)
        and 0 < len(name) <= 100
        and name.isascii()
        and all(one.isalnum() or one in "-_" for one in name)
    )


def as_source(source: str | RelaySource) -> RelaySource:
    """A source from what a person gave: its URL may have ``?name=…`` and ``?since=…`` (as ISO 8601
    writes it). ``ValueError`` and ``TypeError`` for what is none, ``ImportError`` without the
    broker's client.
    """
    if isinstance(source, RelaySource):
        require_client(check_url(source.url))
        return source
    require_client(check_url(source))
    parts = urlsplit(source)
    fields = dict(parse_qsl(parts.query, keep_blank_values=True))
    since, name = fields.pop("since", None), fields.pop("name", None)
    # What is redis-py's own stays.
    query = {name: fields.pop(name) for name in list(fields) if _is_of_redis(parts.scheme, name)}
    if fields:
        raise ValueError(
            f"{public_url(source)}?{'&'.join(fields)}: leave that out; there are name=… and since=…"
        )
    moment = None
    if since is not None:
        try:
            moment = datetime.fromisoformat(since.replace("Z", "+00:00").replace(" ", "+"))
        except ValueError:
            raise ValueError(f"since={since!r}: give a time as 2026-09-30T09:00:00Z") from None
    url = parts._replace(query=urlencode(query, safe="/")).geturl()
    return RelaySource(url=url, since=moment, name=name)


def _is_of_redis(scheme: str, name: str) -> bool:
    return scheme == "rediss" and name.startswith("ssl_")
