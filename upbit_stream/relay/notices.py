"""What goes beside the events: gaps and changes of state at once, and a report now and then."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress

import msgspec

from upbit_stream.recovery.gaps import Gap

__all__ = [
    "ConsumerReport",
    "Notice",
    "PublisherReport",
    "covered",
    "read_consumers",
    "read_reports",
]


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
    #: Since when (milliseconds since the epoch) it has what the exchange sends; 0: it does not.
    whole_since: int
    lanes: int
    published: int
    duplicates: int
    dropped: int
    buffered: int
    rate: float
    healthy: bool = True
    problems: tuple[str, ...] = ()


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


def covered(gap: Gap, others: Iterable[PublisherReport]) -> bool:
    """Whether another publisher had all of it."""
    return any(0 < one.whole_since <= gap.from_timestamp for one in others)
