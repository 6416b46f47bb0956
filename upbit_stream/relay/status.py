"""Who publishes to a broker and who reads from it, at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing

import msgspec

from upbit_stream.relay.brokers import open_source
from upbit_stream.relay.notices import (
    ConsumerReport,
    PublisherReport,
    read_consumers,
    read_reports,
)

__all__ = ["RelayStatus", "read_status"]


class RelayStatus(msgspec.Struct, frozen=True):
    """What they reported within the last seconds, by their names."""

    publishers: Mapping[str, PublisherReport]
    consumers: Mapping[str, ConsumerReport]

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong, in words; nothing, if all is well."""
        found = []
        if not self.publishers:
            found.append("nobody publishes here: no publisher is connected to this broker")
        elif not any(one.state == "connected" for one in self.publishers.values()):
            found.append("no publisher is connected to the exchange")
        for name, one in self.publishers.items():
            found += [f"{name}: {problem}" for problem in one.problems]
        return tuple(found)


def read_status(url: str) -> RelayStatus:
    """Ask a broker. Raises :class:`~upbit_stream.relay.brokers.BrokerUnavailable`,
    :class:`~upbit_stream.relay.brokers.BrokerRefused`, and ``ValueError`` for what is no URL of
    one.
    """
    with closing(open_source(url)) as source:
        source.open()
        publishers, consumers = source.reports()
    return RelayStatus(read_reports(publishers), read_consumers(consumers))
