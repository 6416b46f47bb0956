"""What a stream knows of itself, in the terms of Prometheus. Nothing is counted for it: it is asked
when someone looks, and costs nothing between two looks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from upbit_stream.connection.states import ConnectionInfo, ConnectionState
from upbit_stream.connection.traffic import RECONNECT_KINDS
from upbit_stream.delivery.channel import Channel
from upbit_stream.delivery.stats import SubscriptionStats
from upbit_stream.engine import Engine
from upbit_stream.monitoring.health import ConnectionHealth
from upbit_stream.totals import StreamStats
from upbit_stream.version import __version__

__all__ = ["StreamCollector"]

_PREFIX = "upbit_stream_"

_K = TypeVar("_K", bound=Hashable)
_Samples: TypeAlias = Iterable[tuple[Sequence[str], float | None]]
_Make: TypeAlias = Callable[[str, str, _Samples, Sequence[str]], Metric]


def _states(state: ConnectionState) -> list[tuple[tuple[str], float]]:
    return [((one.value,), float(one is state)) for one in ConnectionState]


def _in_seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


def _gauge(name: str, help_: str, samples: _Samples, labels: Sequence[str] = ()) -> Metric:
    return _filled(GaugeMetricFamily(_PREFIX + name, help_, labels=labels), samples)


def _counter(name: str, help_: str, samples: _Samples, labels: Sequence[str] = ()) -> Metric:
    return _filled(CounterMetricFamily(_PREFIX + name, help_, labels=labels), samples)


def _filled(
    family: GaugeMetricFamily | CounterMetricFamily, samples: _Samples
) -> GaugeMetricFamily | CounterMetricFamily:
    for labels, value in samples:
        if value is not None:  # what is not known is not there
            family.add_metric(labels, value)
    return family


def _ago(seconds: float | None) -> float | None:
    """The time so many seconds ago."""
    return None if seconds is None else time.time() - seconds


# Name, help, and the counter of StreamStats.
_TOTALS = (
    ("messages", "Messages that came over the sockets.", "messages"),
    ("received_bytes", "Bytes that came over the sockets, headers of frames included.", "bytes"),
    ("undecodable_messages", "Messages that could not be decoded.", "undecodable"),
    ("unknown_messages", "Messages of types that this version does not know.", "unknown"),
    ("duplicate_trades", "Trades that came again and were left out.", "duplicates"),
    ("late_trades", "Trades that came after younger ones.", "late"),
    (
        "backfilled_events",
        "Trades and candles that were missed and fetched over REST.",
        "backfilled",
    ),
    ("events_received", "Events handed to subscriptions.", "received"),
    ("events_delivered", "Events that reached callbacks or iterations.", "delivered"),
    ("events_dropped", "Events that full queues dropped, conflated ones included.", "dropped"),
    ("events_conflated", "Of the dropped ones: of queues that keep only the latest.", "conflated"),
    ("callback_errors", "Calls of callbacks that raised.", "errors"),
)


class _Line(NamedTuple):
    """One physical connection."""

    label: str
    info: ConnectionInfo
    health: ConnectionHealth


class _Queue(NamedTuple):
    """One subscription."""

    type: str
    number: int
    channel: Channel[Any]
    stats: SubscriptionStats


_OF_CONNECTIONS: tuple[tuple[_Make, str, str, Callable[[_Line], float | None]], ...] = (
    (
        _gauge,
        "connection_connected_timestamp_seconds",
        "Since when the present socket is open.",
        lambda line: _seconds(line.info.connected_since),
    ),
    (
        _gauge,
        "connection_ping_latency_seconds",
        "Round trip of the newest answered ping.",
        lambda line: _in_seconds(line.info.ping_latency),
    ),
    (
        _gauge,
        "connection_ping_latency_median_seconds",
        "Median of the round trips of the last ten minutes.",
        lambda line: _in_seconds(line.health.latency_p50),
    ),
    (
        _gauge,
        "connection_ping_latency_p99_seconds",
        "99th percentile of the round trips of the last ten minutes.",
        lambda line: _in_seconds(line.health.latency_p99),
    ),
    (
        _gauge,
        "connection_last_message_timestamp_seconds",
        "When the newest message came, as exact as a second.",
        lambda line: _ago(line.health.last_message_age),
    ),
    (
        _gauge,
        "connection_lag_seconds",
        "Of one to a broker: from the publisher's receipt of the newest event to its arrival.",
        lambda line: _in_seconds(line.health.lag),
    ),
    (
        _counter,
        "connection_messages",
        "Messages that came over the connection.",
        lambda line: line.info.messages,
    ),
    (
        _counter,
        "connection_reconnects",
        "How often the connection was lost or replaced.",
        lambda line: line.info.reconnects,
    ),
)

_OF_SUBSCRIPTIONS: tuple[tuple[_Make, str, str, Callable[[_Queue], float | None]], ...] = (
    (
        _counter,
        "subscription_events_received",
        "Events handed to the subscription.",
        lambda one: one.stats.received,
    ),
    (
        _counter,
        "subscription_events_delivered",
        "Events that reached its callbacks or iteration.",
        lambda one: one.stats.delivered,
    ),
    (
        _counter,
        "subscription_events_dropped",
        "Events that its full queue dropped.",
        lambda one: one.stats.dropped,
    ),
    (
        _counter,
        "subscription_callback_errors",
        "Calls of its callbacks that raised.",
        lambda one: one.stats.errors,
    ),
    (
        _gauge,
        "subscription_queued_events",
        "Events that wait for its callbacks or iteration.",
        lambda one: one.stats.queued,
    ),
    (
        _gauge,
        "subscription_queue_size",
        "Events that its queue can hold.",
        lambda one: one.channel.queue_size,
    ),
    (
        _gauge,
        "subscription_last_event_timestamp_seconds",
        "When its newest event came.",
        lambda one: _ago(one.stats.last_event_age),
    ),
    (
        _gauge,
        "subscription_codes",
        "Codes that it has asked for.",
        lambda one: len(one.channel.demand.codes),
    ),
    (
        _gauge,
        "subscription_missing_codes",
        "Codes of which nothing has come.",
        lambda one: len(one.channel.missing),
    ),
)


class StreamCollector(Collector):
    """Reads one stream. It keeps none alive that nobody else has."""

    def __init__(self, engine: Engine, region: str) -> None:
        self._engine = engine
        self._region = region
        self._connections = _Slots[str]()
        self._subscriptions = _Slots[Channel[Any]]()

    def describe(self) -> Iterator[Metric]:
        """The same, so that a registry knows the names, and refuses a second collector of them."""
        return self.collect()

    def collect(self) -> Iterator[Metric]:
        """Every metric at this moment."""
        engine = self._engine
        stats, health = engine.stats, engine.monitor.health()
        channels = engine.channels
        yield from self._stream(stats, health)
        yield from _losses(stats, {channel.demand.type for channel in channels})
        yield from self._each_connection(engine.connections, health)
        yield from self._each_subscription(channels)

    def _stream(self, stats: StreamStats, health: ConnectionHealth) -> Iterator[Metric]:
        build = {"version": __version__, "region": self._region}
        yield InfoMetricFamily(f"{_PREFIX}build", "The version, and the exchange's region.", build)
        yield _gauge(
            "state",
            "1 for the state in which the stream is, 0 for the others.",
            _states(health.state),
            ["state"],
        )
        yield _gauge("healthy", "Whether the stream is healthy.", [((), health.is_healthy())])
        yield _gauge(
            "message_success_ratio",
            "The part of the last five minutes' messages that did what they should.",
            [((), health.message_success_rate)],
        )
        yield _gauge(
            "last_error_timestamp_seconds",
            "When something went wrong last.",
            [((), _seconds(health.last_error_time))],
        )
        yield _gauge("queued_events", "Events that wait in queues.", [((), stats.queued)])
        yield _gauge(
            "process_resident_memory_bytes",
            "Resident memory of the whole process.",
            [((), health.rss)],
        )
        for name, help_, counter in _TOTALS:
            yield _counter(name, help_, [((), getattr(stats, counter))])

    def _each_connection(
        self, infos: Sequence[ConnectionInfo], health: ConnectionHealth
    ) -> Iterator[Metric]:
        healths = {one.name: one for one in health.connections}
        slots = self._connections.assign((one.name, one.name.rpartition("-")[0]) for one in infos)
        lines = [
            _Line(f"{endpoint}-{number}", info, healths.get(name, ConnectionHealth()))
            for info in infos
            for name, (endpoint, number) in [(info.name, slots[info.name])]
        ]
        yield _gauge(
            "connection_state",
            "1 for the state in which the connection is, 0 for the others.",
            [
                ((line.label, state), value)
                for line in lines
                for (state,), value in _states(line.info.state)
            ],
            ["connection", "state"],
        )
        for make, name, help_, read in _OF_CONNECTIONS:
            yield make(name, help_, [((line.label,), read(line)) for line in lines], ["connection"])

    def _each_subscription(self, channels: Sequence[Channel[Any]]) -> Iterator[Metric]:
        slots = self._subscriptions.assign((one, one.demand.type) for one in channels)
        queues = [_Queue(*slots[one], one, one.stats) for one in channels]
        for make, name, help_, read in _OF_SUBSCRIPTIONS:
            samples = [((one.type, str(one.number)), read(one)) for one in queues]
            yield make(name, help_, samples, ["type", "subscription"])


def _losses(stats: StreamStats, types: Iterable[str]) -> Iterator[Metric]:
    """Reconnects and gaps. Those that never were are 0 and not absent: a rate needs a beginning."""
    yield _counter(
        "reconnects",
        "How often a connection was lost or replaced, by cause.",
        [((kind,), stats.reconnects_by_kind[kind]) for kind in RECONNECT_KINDS],
        ["cause"],
    )
    outcomes = {"true": stats.gaps_recovered, "false": stats.gaps_unrecovered}
    known = sorted({*types, *stats.gaps_recovered, *stats.gaps_unrecovered})
    yield _counter(
        "gaps",
        "Times of which a connection brought nothing; recovered: what was missed was fetched.",
        [
            ((type_, recovered), gaps[type_])
            for type_ in known
            for recovered, gaps in outcomes.items()
        ],
        ["type", "recovered"],
    )


class _Slots(Generic[_K]):
    """Small numbers for what comes and goes, of each kind the lowest that is free: labels of which
    there are never more than there were things at once.
    """

    def __init__(self) -> None:
        # Changed by whoever collects; two at once may at worst give one thing two numbers in turn.
        self._slots: dict[_K, tuple[str, int]] = {}

    def assign(self, present: Iterable[tuple[_K, str]]) -> Mapping[_K, tuple[str, int]]:
        """The kind and number of each; those that are not ``present`` lose theirs."""
        kinds = dict(present)
        slots = {key: slot for key, slot in self._slots.items() if key in kinds}
        taken = set(slots.values())
        for key, kind in kinds.items():
            if key not in slots:
                number = next(n for n in range(1, len(kinds) + 1) if (kind, n) not in taken)
                slots[key] = kind, number
                taken.add((kind, number))
        self._slots = slots
        return slots
