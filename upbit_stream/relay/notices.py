"""What goes beside the events: gaps and changes of state at once, and a report now and then."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress

import msgspec

from upbit_stream.recovery.gaps import Gap, narrow
from upbit_stream.relay.lanes import Lane

__all__ = [
    "ConsumerReport",
    "Notice",
    "PublisherReport",
    "by_type",
    "carried",
    "read_consumers",
    "read_reports",
    "uncovered",
]

# Milliseconds by which the clocks of two machines, and the ways of two copies of an event, differ.
_APART = 1000


class Notice(msgspec.Struct, frozen=True, omit_defaults=True):
    """On the side channel."""

    publisher: str
    #: Milliseconds since the epoch.
    at: int
    #: Something is missing from the lanes that it names.
    gap: Gap | None = None
    #: The publisher's stream is in another state now: ``connected`` …
    state: str | None = None

    def encode(self) -> bytes:
        """As JSON."""
        return msgspec.json.encode(self)

    @classmethod
    def decode(cls, text: bytes) -> Notice | None:
        """From JSON; None for what a newer version may have written."""
        try:
            return _notice.decode(text)
        except msgspec.MsgspecError:
            return None


class PublisherReport(msgspec.Struct, frozen=True):
    """How a publisher does. Rates are per second, over the time since its last report."""

    host: str
    pid: int
    state: str
    #: Since when (milliseconds since the epoch) it has everything of what it carries; 0: it does
    #: not.
    whole_since: int
    lanes: int
    published: int
    duplicates: int
    dropped: int
    buffered: int
    rate: float
    healthy: bool = True
    problems: tuple[str, ...] = ()
    #: Up to when (milliseconds since the epoch) the broker has all of that; 0: that is not known.
    whole_until: int = 0
    #: Of each type the codes that it publishes, and of which something has come.
    carries: Mapping[str, frozenset[str]] = msgspec.field(default_factory=dict)


class ConsumerReport(msgspec.Struct, frozen=True):
    """How a consumer does. ``lag`` is in milliseconds, from the publisher's receipt to the arrival
    of the newest event; None before the first.
    """

    host: str
    pid: int
    group: str
    lanes: int
    received: int
    duplicates: int
    rate: float
    lag: float | None


_notice = msgspec.json.Decoder(Notice)
_publisher = msgspec.json.Decoder(PublisherReport)
_consumer = msgspec.json.Decoder(ConsumerReport)


def read_consumers(texts: Mapping[str, bytes]) -> dict[str, ConsumerReport]:
    """Reports of consumers, as :func:`read_reports`."""
    reports = {}
    for name, text in texts.items():
        with suppress(msgspec.MsgspecError):
            reports[name] = _consumer.decode(text)
    return reports


def read_reports(texts: Mapping[str, bytes]) -> dict[str, PublisherReport]:
    """Reports of publishers, by their names; those of a version that writes others are left out."""
    reports = {}
    for name, text in texts.items():
        with suppress(msgspec.MsgspecError):
            reports[name] = _publisher.decode(text)
    return reports


def by_type(lanes: Iterable[Lane]) -> dict[str, frozenset[str]]:
    """The codes of each type."""
    found: dict[str, set[str]] = {}
    for lane in lanes:
        found.setdefault(lane.type, set()).add(lane.code)
    return {type_: frozenset(codes) for type_, codes in found.items()}


def carried(reports: Iterable[PublisherReport]) -> dict[str, frozenset[str]]:
    """Of each type the codes that any of them publishes, and of which something has come."""
    lanes = {
        Lane(type_, code)
        for one in reports
        for type_, codes in one.carries.items()
        for code in codes
    }
    return by_type(lanes)


def uncovered(gap: Gap, others: Iterable[PublisherReport]) -> Gap | None:
    """The part of a publisher's gap that no other one has brought to the broker, as far as their
    reports show it; None when that is nothing.

    One that reported before the gap was over shows nothing: it may have been cut off as well.
    """

    def is_covered(code: str) -> bool:
        begin, end = gap.ranges.get(code, (gap.from_timestamp, gap.to_timestamp))
        return any(
            0 < one.whole_since <= begin - _APART
            and end + _APART <= one.whole_until
            and code in one.carries.get(gap.type, ())
            for one in reports
        )

    reports = list(others)
    left = {code for code in gap.codes if not is_covered(code)}
    return narrow(gap, left)
