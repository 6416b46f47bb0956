"""What a broker must be able to do: for another one, write these two protocols, and add its scheme.

Whoever holds a sink or a source calls it from one thread only. Every call ends within seconds; what
keeps it from doing its work is a :class:`BrokerUnavailable`.
"""

from __future__ import annotations

import socket
from collections.abc import Collection, Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple, Protocol
from urllib.parse import SplitResult, urlsplit

from upbit_stream.errors import ConnectionFailedError, UpbitStreamError
from upbit_stream.relay.entries import Entry
from upbit_stream.relay.lanes import Lane

if TYPE_CHECKING:
    from ssl import SSLContext

__all__ = [
    "BrokerRefused",
    "BrokerUnavailable",
    "Heard",
    "Passage",
    "Record",
    "Sink",
    "Source",
    "check_url",
    "open_sink",
    "open_source",
    "public_url",
    "require_client",
    "unreachable",
    "wrong_password",
]


_REDIS = ("redis", "rediss")
_NATS = ("nats", "tls")


class BrokerUnavailable(UpbitStreamError):
    """The broker is away, too slow, or out of memory: worth another attempt."""


class BrokerRefused(ConnectionFailedError):
    """The broker will not have us (wrong password, wrong address): no attempt can help."""


class Record(NamedTuple):
    """An entry as it comes back."""

    lane: Lane
    #: Where it stands in its lane; only the broker knows what it means.
    position: str
    payload: bytes


class Passage(NamedTuple):
    """Entries of a lane that follow each other."""

    lane: Lane
    payloads: Sequence[bytes]
    #: Where the last of them stands.
    position: str
    #: Of what was before these, and behind the position that was read from, something may be
    #: missing, because the broker keeps no more: since when (milliseconds since the epoch, by the
    #: broker's clock).
    missed_since: int | None = None


class Heard(NamedTuple):
    """Notices, in their order."""

    notices: Sequence[bytes]
    #: Whether there may have been others before them, which the broker keeps no more.
    missed: bool = False


class Sink(Protocol):
    """Where a relay's events go."""

    def open(self) -> str:
        """Connect; what names the broker's memory: another name than the last time says that it may
        have lost what it was sent.
        """

    def send(self, entries: Sequence[Entry]) -> int:
        """Add these, those of each lane in their order; how many were new. One that is there
        already (by its lane, order and mark) is left out by the broker itself. So is one of a state
        (anything but trades) that is older than the newest. May be given the same ones again.
        """

    def reopen(self, orders: Mapping[Lane, int]) -> None:
        """After the broker has lost its memory: the next ones of these lanes of trades, from these
        orders on, are taken, though another publisher has begun the lane behind them.
        """

    def begin(self, entries: Sequence[Entry]) -> Collection[Lane]:
        """Add these trades, of a lane each, where that lane is empty, in one step with the look at
        it: of several publishers one begins a lane. The lanes that were begun.
        """

    def newest(self, lanes: Sequence[Lane]) -> Mapping[Lane, int]:
        """The largest order that each lane has had; those that are empty are left out."""

    def tell(self, notice: bytes) -> None:
        """Put a notice (a gap, a change of state, as JSON) on the side channel."""

    def report(self, name: str, report: bytes) -> Mapping[str, bytes]:
        """Leave a publisher's report, in place of its last one; all publishers' reports that were
        left within the last seconds. Is unavailable when the broker has lost its memory beneath the
        connection.
        """

    def close(self) -> None:
        """Free what it holds. May be opened again."""


class Source(Protocol):
    """Where a consumer's events come from. A position is a place in a lane: what is read are the
    entries behind it.
    """

    def open(self) -> str:
        """Connect; what names the broker's memory: another name than the last time says that it may
        have lost what it had, and not for want of room.
        """

    def newest(self, lanes: Sequence[Lane]) -> Mapping[Lane, Record]:
        """The newest entry of each lane; those that are empty are left out."""

    def at(self, positions: Mapping[Lane, str]) -> Mapping[Lane, Record]:
        """The entries that stand at these positions; those that are not there are left out."""

    def beginning(self, milliseconds: int) -> str:
        """The position before the first entry that came at that time (since the epoch) or later."""

    def read(self, positions: Mapping[Lane, str], timeout: float) -> Sequence[Passage]:
        """The next entries behind these positions; waits ``timeout`` seconds at most for one. A
        lane may have several passages. What the broker had let go before it was read is told with
        the first passage behind it.
        """

    def carried(self, positions: Mapping[Lane, str]) -> Mapping[Lane, str]:
        """After :meth:`open` has told another memory: what the positions that were read are in it.
        Of what is not there any more that is the beginning.
        """

    def trimmed(self, positions: Mapping[Lane, str]) -> Collection[Lane]:
        """Those of these lanes of which the broker may have let go of anything behind the position,
        for want of room or of age.
        """

    def notices(self) -> Heard:
        """What came on the side channel since the last call; the first call begins."""

    def share(
        self, group: str, member: str, lanes: Sequence[Lane]
    ) -> tuple[Mapping[Lane, str | None], Sequence[Lane]]:
        """Be a member for some seconds: to be called every second. The lanes that are this member's
        own then, with the positions where the group stopped (None: it never began); and those of
        them that it is to leave to others.
        """

    def commit(
        self, group: str, member: str, positions: Mapping[Lane, str], leaving: Sequence[Lane]
    ) -> None:
        """Note how far this member has come with lanes of its own, and leave some of these to
        others. What is not its own any more is left alone.
        """

    def report(self, name: str, report: bytes) -> Mapping[str, bytes]:
        """Leave a consumer's report; the publishers' reports of the last seconds."""

    def reports(self) -> tuple[Mapping[str, bytes], Mapping[str, bytes]]:
        """The reports of the last seconds, by name: of publishers, and of consumers."""

    def close(self) -> None:
        """Free what it holds. May be opened again."""


def open_sink(
    url: str,
    *,
    max_length: int = 10_000,
    max_age: float | None = None,
    ssl_context: SSLContext | None = None,
) -> Sink:
    """The sink for a broker's URL; ``max_length`` and ``max_age`` (seconds) are what it is to keep
    of each lane. ``ssl_context``: for ``tls://``; redis-py takes none, but options in the URL.
    ``ValueError`` for a URL that there is none for.
    """
    if require_client(check_url(url)) in _REDIS:
        from upbit_stream.relay.redis_sink import RedisSink

        return RedisSink(url, max_length=max_length, max_age=max_age)
    from upbit_stream.relay.nats_sink import NatsSink

    return NatsSink(url, max_length=max_length, max_age=max_age, ssl_context=ssl_context)


def open_source(url: str, ssl_context: SSLContext | None = None) -> Source:
    """The source for a broker's URL; ``ssl_context`` as for :func:`open_sink`. ``ValueError`` for
    one that there is none for.
    """
    if require_client(check_url(url)) in _REDIS:
        from upbit_stream.relay.redis_source import RedisSource

        return RedisSource(url)
    from upbit_stream.relay.nats_source import NatsSource

    return NatsSource(url, ssl_context)


def require_client(scheme: str) -> str:
    """``ImportError``, which says what to install, without the client for that scheme."""
    module, extra = ("redis", "redis") if scheme in _REDIS else ("nats", "nats")
    if find_spec(module) is None:
        raise ImportError(
            f'a {scheme}:// broker needs one more package: pip install "upbit-stream[{extra}]"'
        )
    return scheme


def check_url(url: object) -> str:
    """The scheme of a broker's URL; ``ValueError`` or ``TypeError`` for what is none."""
    if not isinstance(url, str):
        raise TypeError(f"{url!r}: give the URL of a broker, as redis://host:6379")
    try:
        parts = urlsplit(url)
        right = bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is none
        parts, right = SplitResult("", "", "", "", ""), False
    if not right or parts.scheme not in (*_REDIS, *_NATS):
        raise ValueError(
            f"{public_url(url)!r}: give the URL of a broker, as redis://host:6379 or "
            "nats://host:4222 (rediss:// or tls:// with TLS)"
        )
    return parts.scheme


def unreachable(url: str, error: BaseException) -> BrokerUnavailable:
    """What to raise when the broker at ``url`` cannot be reached by the network, or no more:
    ``error``, or what that came of, says why. The address is named once, whatever they repeat.
    """
    said = str(error).rstrip(".") or type(error).__name__
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ConnectionRefusedError):
            said = "the connection was refused (is it running?)"
        elif isinstance(cause, socket.gaierror):
            said = "the host name cannot be resolved (is it right?)"
        elif isinstance(cause, TimeoutError):
            said = "no answer in time (is it running, and can it be reached from here?)"
        elif isinstance(cause, OSError):
            said = cause.strerror or str(cause)
        if isinstance(cause, OSError):
            break
        cause = cause.__cause__ or cause.__context__
    return BrokerUnavailable(f"{public_url(url)}: {said}")


def wrong_password(url: str, error: Exception, form: str) -> BrokerRefused:
    """What to raise when the broker at ``url`` says so by ``error``; ``form`` is a URL with one."""
    said = str(error).rstrip(".")
    return BrokerRefused(
        f"{public_url(url)} does not accept the password: {said}; give the right one in the URL, "
        f"as in {form}"
    )


def public_url(url: str) -> str:
    """The URL without the password that it may hold; of what is no proper one, the scheme alone:
    a password with a slash in it may stand anywhere.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        parts, host, port = SplitResult("", "", "", "", ""), None, None
    if not host or "@" in parts.path + parts.query + parts.fragment:
        return f"{url.partition(':')[0]}://…" if ":" in url else "…"
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}{'' if port is None else f':{port}'}{parts.path}"
