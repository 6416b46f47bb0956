"""ConnectionHealth: how a connection, or a whole stream, is doing."""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from upbit_stream.config import HealthThresholds
from upbit_stream.connection.states import ConnectionState
from upbit_stream.connection.traffic import Reconnect, Traffic
from upbit_stream.totals import StreamStats

__all__ = ["ConnectionHealth", "Pulse", "connection_health", "stream_health"]

# Seconds over which each figure is taken.
_LATENCY_WINDOW = 600.0
_SUCCESS_WINDOW = 300.0
_RECONNECT_WINDOW = 1800.0

# Seconds between two samples of a stream's counters.
_SAMPLE_EVERY = 5.0


class ConnectionHealth(msgspec.Struct, frozen=True):
    """A connection's health at one moment, or that of a whole stream (then ``connections`` has
    those of its connections, and where one figure must stand for several it is the worst).
    ``print`` shows it in a screen: the verdict, what is wrong, the figures.
    """

    #: Round trip of the newest answered ping in milliseconds; None before the first.
    ping_latency: float | None = None
    #: The part of the last five minutes' messages that did what they should: they could be
    #: decoded, were not dropped by a full queue (conflation by ``latest`` is no drop here), and
    #: their callbacks did not raise. 1.0 when nothing came.
    message_success_rate: float = 1.0
    #: Reconnects a minute, over the last thirty minutes.
    reconnection_frequency: float = 0.0
    #: When something went wrong last (aware, UTC): a loss, a frame that could not be decoded, a
    #: callback that raised. None: never.
    last_error_time: datetime | None = None
    name: str = "stream"
    state: ConnectionState = ConnectionState.CONNECTED
    #: Of the round trips of the last ten minutes, in milliseconds; None before the first.
    latency_p50: float | None = None
    latency_p99: float | None = None
    latency_stdev: float | None = None
    #: Over the last minute.
    messages_per_second: float = 0.0
    #: Seconds since the newest message, as exact as a second; None before the first.
    last_message_age: float | None = None
    #: Since the connection, or the stream, was made; and the newest of them with their causes.
    reconnects: int = 0
    recent_reconnects: tuple[Reconnect, ...] = ()
    #: Of the stream's subscriptions: events that full queues dropped, events that wait, and calls
    #: of callbacks that raised.
    dropped: int = 0
    queued: int = 0
    callback_errors: int = 0
    #: Bytes of resident memory of the process; None where it was not measured.
    rss: int | None = None
    connections: tuple[ConnectionHealth, ...] = ()
    #: Of a stream that reads from a broker: milliseconds from the publisher's receipt of the newest
    #: event to its arrival here, by the clocks of both machines. None before the first, and of a
    #: stream that reads from the exchange.
    lag: float | None = None
    #: What :meth:`is_healthy` compares with: ``StreamConfig.health``.
    thresholds: HealthThresholds = HealthThresholds()
    #: Whether the stream was closed: then that is the only problem that it has.
    closed: bool = False

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong, in words; nothing, if it is healthy."""
        if self.closed:
            return ("it is closed",)
        limits = self.thresholds
        found = []
        if self.state is not ConnectionState.CONNECTED:
            found.append(f"it is {self.state.value}")
        if self.ping_latency is not None and not self.ping_latency < limits.ping_latency:
            found.append(
                f"a ping took {self.ping_latency:.0f} ms (healthy: below {limits.ping_latency:g})"
            )
        if not self.message_success_rate > limits.message_success_rate:
            raised = (
                f"; callback calls that raised: {self.callback_errors:,}"
                if self.callback_errors
                else ""
            )
            found.append(
                f"{self.message_success_rate:.1%} of the messages did what they should (healthy: "
                f"above {limits.message_success_rate:.1%}){raised}"
            )
        if not self.reconnection_frequency < limits.reconnection_frequency:
            causes = [one.cause for one in self.recent_reconnects]
            last = f"; the last one: {causes[-1]}" if causes else ""
            found.append(
                f"{self.reconnection_frequency:.2f} reconnects a minute (healthy: below "
                f"{limits.reconnection_frequency:g}){last}"
            )
        return tuple(found)

    def is_healthy(self) -> bool:
        """Whether it is connected, and ``ping_latency``, ``message_success_rate`` and
        ``reconnection_frequency`` are within the thresholds: by default below 100 ms, above 0.95,
        and below 0.1 a minute.
        """
        return not self.problems

    def __str__(self) -> str:
        """For people, in a screen: the verdict, what is wrong, the figures. (``repr()`` has every
        field.)
        """
        from upbit_stream.monitoring.bulletin import write_health

        return write_health(self)

    def _repr_html_(self) -> str:
        from upbit_stream.notebook.cards import health_card

        return health_card(self)


class _Beat(NamedTuple):
    at: float
    stats: StreamStats


class Pulse:
    """A stream's counters over time. Written by the watchdog alone, read by anyone."""

    def __init__(self) -> None:
        self._beats: deque[_Beat] = deque(maxlen=int(_SUCCESS_WINDOW / _SAMPLE_EVERY))
        self._due_at = float("-inf")

    def due(self, now: float) -> bool:
        """Whether it is time for :meth:`sample`."""
        return now >= self._due_at

    def sample(self, now: float, stats: StreamStats) -> None:
        """Note the counters."""
        self._due_at = now + _SAMPLE_EVERY
        self._beats.append(_Beat(now, stats))

    def success_rate(self, stats: StreamStats) -> float:
        """The part that did what it should, from the oldest sample to ``stats``."""
        beats = self._beats.copy()
        before = beats[0].stats if beats else None

        def since(name: str) -> int:
            return int(getattr(stats, name)) - (int(getattr(before, name)) if before else 0)

        decoded = _part(since("messages"), since("undecodable"))
        lost = since("dropped") - since("conflated")
        return decoded * _part(since("received"), lost + since("errors"))


def connection_health(
    name: str,
    state: ConnectionState,
    traffic: Traffic,
    now: float,
    thresholds: HealthThresholds,
) -> ConnectionHealth:
    """The health of a connection at ``now`` (of ``time.monotonic()``)."""
    spread = _Spread(_recent_latencies([traffic], now))
    samples = traffic.samples.copy()
    rate, success = 0.0, 1.0
    if samples:
        first = samples[0]
        success = _part(traffic.messages - first.messages, traffic.undecodable - first.undecodable)
        # Not of a moment: what came since the last look, over no time, would be a rate of its own.
        if len(samples) > 1:
            rate = (samples[-1].messages - first.messages) / (samples[-1].at - first.at)
    recent = tuple(traffic.recent_reconnects.copy())
    return ConnectionHealth(
        name=name,
        state=state,
        ping_latency=traffic.ping_latency,
        message_success_rate=success,
        reconnection_frequency=_frequency(recent, now),
        last_error_time=traffic.last_error_at,
        messages_per_second=rate,
        last_message_age=_age(traffic, now),
        reconnects=traffic.reconnects,
        recent_reconnects=recent[-10:],
        lag=traffic.lag,
        thresholds=thresholds,
        latency_p50=spread.p50,
        latency_p99=spread.p99,
        latency_stdev=spread.stdev,
    )


def stream_health(
    state: ConnectionState,
    closed: bool,
    connections: Sequence[tuple[str, ConnectionState, Traffic]],
    stats: StreamStats,
    success_rate: float,
    last_error_at: datetime | None,
    rss: int | None,
    now: float,
    thresholds: HealthThresholds,
) -> ConnectionHealth:
    """The health of a stream with these connections."""
    each = [connection_health(*one, now, thresholds) for one in connections]
    recent = sorted((r for one in each for r in one.recent_reconnects), key=lambda r: r.moment)
    errors = [one.last_error_time for one in each] + [last_error_at]
    pings = [one.ping_latency for one in each if one.ping_latency is not None]
    ages = [one.last_message_age for one in each if one.last_message_age is not None]
    spread = _Spread(_recent_latencies([traffic for _, _, traffic in connections], now))
    return ConnectionHealth(
        state=state,
        closed=closed,
        ping_latency=max(pings, default=None),
        message_success_rate=success_rate,
        reconnection_frequency=max((one.reconnection_frequency for one in each), default=0.0),
        last_error_time=max((error for error in errors if error is not None), default=None),
        messages_per_second=sum(one.messages_per_second for one in each),
        last_message_age=min(ages, default=None),
        reconnects=stats.reconnects,
        recent_reconnects=tuple(recent[-10:]),
        dropped=stats.dropped,
        queued=stats.queued,
        callback_errors=stats.errors,
        rss=rss,
        connections=tuple(each),
        lag=max((one.lag for one in each if one.lag is not None), default=None),
        thresholds=thresholds,
        latency_p50=spread.p50,
        latency_p99=spread.p99,
        latency_stdev=spread.stdev,
    )


def _part(total: int, bad: int) -> float:
    return 1.0 if total <= 0 else max(0.0, 1 - bad / total)


def _frequency(recent: Sequence[Reconnect], now: float) -> float:
    late = sum(one.moment > now - _RECONNECT_WINDOW for one in recent)
    return late / (_RECONNECT_WINDOW / 60)


def _age(traffic: Traffic, now: float) -> float | None:
    samples = traffic.samples.copy()
    if samples and traffic.messages > samples[-1].messages:
        return 0.0
    return None if traffic.last_message_at is None else max(0.0, now - traffic.last_message_at)


def _recent_latencies(traffics: Sequence[Traffic], now: float) -> list[float]:
    return sorted(
        latency
        for traffic in traffics
        for at, latency in traffic.latencies.copy()
        if at > now - _LATENCY_WINDOW
    )


class _Spread:
    """Figures of sorted latencies; None of none."""

    def __init__(self, latencies: Sequence[float]) -> None:
        self.p50 = self.p99 = self.stdev = None
        if latencies:
            self.p50 = statistics.median(latencies)
            self.p99 = latencies[math.ceil(0.99 * len(latencies)) - 1]
            self.stdev = statistics.pstdev(latencies)
