"""Every setting, in one place, checked when it is made."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from ssl import SSLContext
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

from upbit_stream.kernel import in_kernel
from upbit_stream.protocol.endpoints import Region, rest_url_beside
from upbit_stream.protocol.wire_format import WireFormat
from upbit_stream.spelling import with_hints_at_init

__all__ = ["HealthThresholds", "OverflowPolicy", "ReconnectPolicy", "StreamConfig", "WireFormat"]

URL_VARIABLE = "UPBIT_STREAM_URL"
REST_URL_VARIABLE = "UPBIT_REST_URL"

# Seconds (measured in September 2026; 120 are documented).
_IDLE_DROP = 60

_NOTEBOOK_LINGER = 30.0

_Choice = TypeVar("_Choice", bound=Enum)


class OverflowPolicy(str, Enum):
    """What a subscription does with an event when its queue is full.

    Every event that is dropped is counted in ``stats.dropped`` and told to ``on_drop``.
    """

    DROP_OLDEST = "drop_oldest"
    DROP_NEWEST = "drop_newest"
    #: Keep only the newest event of each code: for those who need the state, not the history.
    #: The queue's size does not matter, there is at most one event a code.
    LATEST = "latest"
    #: Drop nothing, read no further until there is room. Such a subscription gets a connection
    #: of its own, so that it holds up nobody else (where keys are needed, it shares the one that
    #: there may be); an exchange that is kept waiting too long
    #: may close it.
    BLOCK = "block"


@with_hints_at_init()
@dataclass(frozen=True, kw_only=True)
class ReconnectPolicy:
    """How long to wait before connecting again. All times are seconds.

    The delay before attempt *n* (0, 1, 2 …) is
    ``min(base * factor**n, cap) * uniform(1 - jitter, 1 + jitter)``.
    """

    base: float = 0.1
    factor: float = 2.0
    cap: float = 5.0
    jitter: float = 0.1
    #: A connection that is lost sooner than this after it was made again waits for the rest of
    #: it first, so that a server which drops everyone is not hammered. (A first loss is not.)
    min_interval: float = 5.0
    #: Attempts in a row before giving up; None: never give up.
    max_attempts: int | None = None

    def __post_init__(self) -> None:
        _require_number("base", self.base, above=0)
        _require_number("factor", self.factor, at_least=1)
        _require_number("cap", self.cap, above=0)
        _require_number("jitter", self.jitter, at_least=0)
        if self.jitter > 1:
            raise ValueError(f"jitter={self.jitter!r}: give a fraction of the delay, from 0 to 1")
        _require_number("min_interval", self.min_interval, at_least=0)
        if self.max_attempts is not None:
            _require_whole("max_attempts", self.max_attempts)


@with_hints_at_init()
@dataclass(frozen=True, kw_only=True)
class HealthThresholds:
    """What ``ConnectionHealth.is_healthy()`` compares with."""

    #: Milliseconds that a ping's round trip must stay below.
    ping_latency: float = 100.0
    #: The part of the messages, from 0 to 1, that more than must have done what they should.
    message_success_rate: float = 0.95
    #: Reconnects a minute that it must stay below.
    reconnection_frequency: float = 0.1

    def __post_init__(self) -> None:
        _require_number("ping_latency", self.ping_latency, above=0)
        _require_number("message_success_rate", self.message_success_rate, at_least=0)
        if self.message_success_rate >= 1:
            raise ValueError(
                f"message_success_rate={self.message_success_rate!r}: give a part of 1, from 0 "
                "to less than 1"
            )
        _require_number("reconnection_frequency", self.reconnection_frequency, above=0)


@with_hints_at_init()
@dataclass(frozen=True, kw_only=True)
class StreamConfig:
    """The settings of a stream. Immutable; ``dataclasses.replace`` makes a changed copy.

    With ``numbers="decimal"`` the events hold :class:`decimal.Decimal`, though a type checker
    still takes the fields for ``float``.

    With a broker as ``source`` the connection to the exchange is the publisher's, so these do
    nothing: ``wire_format``, ``backfill``, ``backfill_deadline``, ``connect_timeout``,
    ``ping_timeout``, ``stale_after``, ``max_message_size``. (``redundancy=2`` and ``shard_above``
    are refused then.)

    Raises ``ValueError`` (``TypeError`` for a wrong type) at once, naming the setting, for
    whatever cannot work.
    """

    #: Base of the public endpoint, for example ``ws://127.0.0.1:1234/websocket/v1``; the
    #: private and info endpoints are below it. None: the environment variable
    #: ``UPBIT_STREAM_URL``, else the region's own.
    url: str | None = None
    #: Base of the REST interface (``http://127.0.0.1:1234/v1``). None: the environment variable
    #: ``UPBIT_REST_URL``, else the host of ``url`` when one is given, else the region's own.
    rest_url: str | None = None
    wire_format: WireFormat | Literal["DEFAULT", "SIMPLE", "JSON_LIST", "SIMPLE_LIST"] = (
        WireFormat.SIMPLE
    )
    #: ``"float"``, or ``"decimal"`` for :class:`decimal.Decimal` with every digit of the wire.
    numbers: Literal["float", "decimal"] = "float"
    #: Seconds between keep-alive pings, and how long a pong may take before the connection is
    #: taken for dead. Upbit drops a connection that is idle for 60 s.
    ping_interval: float = 15.0
    ping_timeout: float = 10.0
    #: Seconds for DNS, TCP, TLS and the upgrade together.
    connect_timeout: float = 10.0
    #: Seconds of silence, of all that a connection carries, before one that used to be busy is
    #: doubted: the exchange is asked, and the connection replaced if it does not deliver. (Where
    #: such silences are usual, it takes longer.)
    stale_after: float = 30.0
    #: Seconds between two reports to ``on_health``; the watchdog looks once a second. (A dead
    #: thread or an overdue pong is seen within a second, whatever this is.)
    health_interval: float = 30.0
    #: What counts as healthy.
    health: HealthThresholds = field(default_factory=HealthThresholds)
    #: Seconds for which a connection that nobody uses any more stays open for the next stream of
    #: the process. 0, but 30 in a notebook and under this package's pytest plugin.
    linger: float = field(default_factory=lambda: _default_linger())
    reconnect: ReconnectPolicy = field(default_factory=ReconnectPolicy)
    #: Whether trades and candles that a lost connection missed are fetched over REST, and delivered
    #: before the live ones.
    backfill: bool = True
    #: Seconds, from a code's first event after its last loss, for which its live events wait for
    #: the missed ones; after several losses in a row twice as long in all, not counting the time
    #: without a connection. (REST answers ten requests a second, of 500 trades each.)
    backfill_deadline: float = 120.0
    #: Lines with the same list, 1 or 2. With two, the first copy of every event counts, and the
    #: loss of one is no gap. (For public streams: an account may be refused a second connection.)
    redundancy: Literal[1, 2] = 1
    #: Messages a second that one connection of the stream may carry. Public subscriptions that
    #: bring more for a few seconds are spread over further connections, up to eight, which no other
    #: stream shares; order between codes is then lost, that of each code is not. (What blocks has
    #: a connection of its own, and is not spread.) None: one connection, whatever it carries.
    shard_above: float | None = None
    #: Events that a subscription's queue holds (and its dispatch thread up to 512 more); what
    #: happens beyond is the policy's matter.
    queue_size: int = 100_000
    overflow: OverflowPolicy | Literal["drop_oldest", "drop_newest", "latest", "block"] = (
        OverflowPolicy.DROP_OLDEST
    )
    #: TLS settings for ``wss://`` (a private certificate authority, client certificates), for REST,
    #: and for a broker with ``tls://``; None: the system's certificates, verified.
    ssl_context: SSLContext | None = field(default=None, repr=False)
    #: Bytes; a longer message ends the connection with close code 1009.
    max_message_size: int = 16 * 1024 * 1024

    def __post_init__(self) -> None:
        _require_url("url", self.url, ("ws", "wss"))
        _require_url("rest_url", self.rest_url, ("http", "https"))
        object.__setattr__(self, "wire_format", choose("wire_format", self.wire_format, WireFormat))
        if self.numbers not in ("float", "decimal"):
            raise ValueError(f'numbers={self.numbers!r}: choose "float" or "decimal"')
        _require_number("ping_interval", self.ping_interval, above=0)
        if self.ping_interval >= _IDLE_DROP:
            raise ValueError(
                f"ping_interval={self.ping_interval!r}: give less than {_IDLE_DROP} s, for after "
                "that Upbit drops an idle connection"
            )
        _require_number("ping_timeout", self.ping_timeout, above=0)
        _require_number("connect_timeout", self.connect_timeout, above=0)
        _require_number("stale_after", self.stale_after, above=0)
        _require_number("health_interval", self.health_interval, above=0)
        _require_number("linger", self.linger, at_least=0)
        if not isinstance(self.backfill, bool):
            raise TypeError(f"backfill={self.backfill!r}: give True or False")
        if isinstance(self.redundancy, bool) or self.redundancy not in (1, 2):
            raise ValueError(
                f"redundancy={self.redundancy!r}: give 1 (one connection), or 2 (two with the "
                "same list)"
            )
        if self.shard_above is not None:
            _require_number("shard_above", self.shard_above, above=0)
            if self.redundancy == 2:
                raise ValueError(
                    f"shard_above={self.shard_above!r} with redundancy=2: choose one of them; a "
                    "connection that is one of several has no second line"
                )
        _require_number("backfill_deadline", self.backfill_deadline, above=0)
        if not isinstance(self.health, HealthThresholds):
            raise TypeError(f"health={self.health!r}: give HealthThresholds(…)")
        if not isinstance(self.reconnect, ReconnectPolicy):
            raise TypeError(f"reconnect={self.reconnect!r}: give a ReconnectPolicy(…)")
        require_queue_size(self.queue_size)
        object.__setattr__(self, "overflow", choose("overflow", self.overflow, OverflowPolicy))
        if self.ssl_context is not None and not isinstance(self.ssl_context, SSLContext):
            raise TypeError(
                f"ssl_context={self.ssl_context!r}: give an ssl.SSLContext, such as "
                "ssl.create_default_context()"
            )
        _require_whole("max_message_size", self.max_message_size)


def resolve_urls(
    config: StreamConfig, region: Region, environ: Mapping[str, str] | None = None
) -> tuple[str, str]:
    """The WebSocket base and the REST base that ``config`` means for ``region``.

    REST follows the host of the WebSocket whenever only that was given, so that a test
    against a local server never asks the real exchange.
    """
    environ = os.environ if environ is None else environ
    url = config.url or environ.get(URL_VARIABLE) or None
    rest_url = config.rest_url or environ.get(REST_URL_VARIABLE) or None
    _require_url(URL_VARIABLE, url, ("ws", "wss"))
    _require_url(REST_URL_VARIABLE, rest_url, ("http", "https"))
    if rest_url is None:
        rest_url = region.rest_url if url is None else rest_url_beside(url)
    return (url or region.url).rstrip("/"), rest_url.rstrip("/")


def reconnect_delay(policy: ReconnectPolicy, attempt: int, spread: float) -> float:
    """Seconds before ``attempt`` (from 0); ``spread`` is from -1 to 1, drawn at random."""
    # The exponent is capped because a night of attempts would overflow a float.
    grown = policy.base * policy.factor ** min(attempt, 64)
    return min(grown, policy.cap) * (1 + policy.jitter * spread)


def linger_by_default(seconds: float | None) -> None:
    """Let configurations that say nothing of it have this ``linger``; None: the usual one."""
    global _lingering
    _lingering = seconds


_lingering: float | None = None


def _default_linger() -> float:
    if _lingering is not None:
        return _lingering
    return _NOTEBOOK_LINGER if in_kernel() else 0.0


def choose(name: str, value: object, choices: type[_Choice]) -> _Choice:
    """``value`` (a member or its value) as a member of ``choices``; ``ValueError`` otherwise."""
    try:
        return choices(value)
    except ValueError:
        known = ", ".join(repr(choice.value) for choice in choices)
        raise ValueError(f"{name}={value!r}: choose one of {known}") from None


def require_seconds(name: str, value: Any) -> None:
    """Refuse what cannot be a time to wait; None is one, without an end."""
    if value is not None:
        _require_number(name, value, at_least=0)


def require_queue_size(value: Any) -> None:
    """Refuse what cannot be a queue's size."""
    _require_whole("queue_size", value)


def require_history(value: Any) -> None:
    """Refuse what cannot be a number of events to keep."""
    _require_whole("history", value, at_least=0)


def _require_whole(name: str, value: Any, at_least: int = 1) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name}={value!r}: give a whole number")
    if value < at_least:
        raise ValueError(f"{name}={value!r}: give {at_least} or more")


def _require_number(
    name: str, value: Any, *, above: float | None = None, at_least: float | None = None
) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name}={value!r}: give a number")
    if not math.isfinite(value):
        raise ValueError(f"{name}={value!r}: give a finite number")
    if above is not None and not value > above:
        raise ValueError(f"{name}={value!r}: give more than {above:g}")
    if at_least is not None and not value >= at_least:
        raise ValueError(f"{name}={value!r}: give {at_least:g} or more")


def _require_url(name: str, value: Any, schemes: tuple[str, ...]) -> None:
    if value is None:
        return
    if not isinstance(value, str):
        raise TypeError(f"{name}={value!r}: give a string")
    if "@" in value.partition("://")[2].partition("/")[0]:
        # Not repeated: it may be a secret.
        raise ValueError(
            f"{name} names a user before the host: give it without, for a URL is shown in logs, "
            "reports and on screens"
        )
    try:
        parts = urlsplit(value)
        right = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is none
        right = False
    if not right or parts.query or parts.fragment or any(map(str.isspace, value)):
        wanted = " or ".join(f"{scheme}://" for scheme in schemes)
        raise ValueError(
            f"{name}={value!r}: give a URL that starts with {wanted}, with a host, a valid port if "
            "any, and no query"
        )
