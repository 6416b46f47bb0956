"""What a full queue dropped, so that nobody has to guess."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from upbit_stream.config import OverflowPolicy
from upbit_stream.events import Event, Trade

__all__ = ["Drop", "DropTally"]


class Drop(msgspec.Struct, frozen=True):
    """Events that a subscription dropped because its queue was full. Given to ``on_drop``.

    Drops are gathered and told about once a second; together the ``count`` of all of them is
    the subscription's ``stats.dropped``.
    """

    #: The wire's type: ``trade``, ``candle.1m`` …
    type: str
    policy: OverflowPolicy
    count: int
    by_code: Mapping[str, int]
    #: For each code the exchange's times of the oldest and the newest dropped event, in
    #: milliseconds since the epoch (of trades: when they were made); ``subscription.replay(drop)``
    #: fetches them.
    ranges: Mapping[str, tuple[int, int]]
    #: The exchange's timestamps of the oldest and the newest dropped event, in milliseconds
    #: since the epoch; None where the events had none.
    first_timestamp: int | None
    last_timestamp: int | None


class DropTally(msgspec.Struct):
    """Gathers drops between two tellings. Its owner holds a lock around every call."""

    total: int = 0
    #: Called with what is dropped, at once and with that lock held: they must be quick.
    watchers: tuple[Callable[[Sequence[Event]], object], ...] = ()
    _by_code: dict[str, int] = msgspec.field(default_factory=dict)
    _ranges: dict[str, tuple[int, int]] = msgspec.field(default_factory=dict)
    _first: int | None = None
    _last: int | None = None

    def add(self, events: Sequence[Event]) -> None:
        """Count ``events`` as dropped."""
        for watch in self.watchers:
            watch(events)
        for event in events:
            self.total += 1
            code = event.code or event.type  # assets and announcements have no code
            self._by_code[code] = self._by_code.get(code, 0) + 1
            stamp = event.timestamp
            if stamp is not None:
                self._first = stamp if self._first is None else min(self._first, stamp)
                self._last = stamp if self._last is None else max(self._last, stamp)
                if isinstance(event, Trade):
                    stamp = event.trade_timestamp or stamp
                first, last = self._ranges.get(code, (stamp, stamp))
                self._ranges[code] = min(first, stamp), max(last, stamp)

    def collect(self, type_: str, policy: OverflowPolicy) -> Drop | None:
        """What has come together since the last call; None when that is nothing."""
        if not self._by_code:
            return None
        drop = Drop(
            type=type_,
            policy=policy,
            count=sum(self._by_code.values()),
            by_code=self._by_code,
            ranges=self._ranges,
            first_timestamp=self._first,
            last_timestamp=self._last,
        )
        self._by_code, self._ranges = {}, {}
        self._first = self._last = None
        return drop
