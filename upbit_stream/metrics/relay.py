"""What a relay knows of itself, in the terms of Prometheus."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from upbit_stream.relay.relay import Relay

__all__ = ["RelayCollector"]

_PREFIX = "upbit_stream_relay_"

# Name, help, and the counter of RelayStats.
_COUNTERS = (
    ("events_published", "Events that the broker took.", "published"),
    (
        "duplicate_events",
        "Events that the broker had already, from another publisher or before a retry.",
        "duplicates",
    ),
    ("events_dropped", "Events that the full buffer dropped.", "dropped"),
    (
        "backfilled_trades",
        "Trades that the broker had not got, and that were fetched over REST.",
        "backfilled",
    ),
    ("reconnects", "How often the broker was lost.", "reconnects"),
)
_GAUGES = (
    ("buffered_events", "Events that wait for the broker.", "buffered"),
    ("connected", "Whether the broker is there.", "connected"),
)


class RelayCollector(Collector):
    """Reads one relay; register it beside a stream's metrics::

        stream.metrics.registry.register(RelayCollector(relay))

    A registry takes the collector of one relay: those of two would have the same names.
    """

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    def describe(self) -> Iterator[Metric]:
        """The same, so that a registry knows the names."""
        return self.collect()

    def collect(self) -> Iterator[Metric]:
        """Every metric at this moment."""
        stats = self._relay.stats
        for name, help_, field in _COUNTERS:
            yield CounterMetricFamily(_PREFIX + name, help_, value=getattr(stats, field))
        for name, help_, field in _GAUGES:
            yield GaugeMetricFamily(_PREFIX + name, help_, value=float(getattr(stats, field)))
