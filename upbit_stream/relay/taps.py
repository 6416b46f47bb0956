"""What a relay has of the subscriptions that it publishes."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from upbit_stream.config import OverflowPolicy
from upbit_stream.delivery.channel import Channel
from upbit_stream.errors import SubscriptionError
from upbit_stream.relay.buffer import Buffer, received_from
from upbit_stream.relay.lanes import Lane, check_relayable, lanes_of
from upbit_stream.relay.progress import is_over
from upbit_stream.subscription import Subscription

__all__ = ["Taps", "check_publishable"]


def check_publishable(subscription: Subscription[Any]) -> None:
    """:class:`SubscriptionError` for what cannot be published."""
    channel = subscription._channel
    check_relayable(channel.demand)
    if channel.demand.type == "trade" and channel.overflow is OverflowPolicy.LATEST:
        raise SubscriptionError(
            "overflow='latest' leaves out trades, and who reads from a broker is to have all of "
            "them: subscribe with another overflow for publish()"
        )


class _Tap:
    """A callback of one subscription, and a watcher of its drops."""

    def __init__(self, channel: Channel[Any], buffer: Buffer) -> None:
        self.channel = channel
        self._buffer = buffer
        # The one that came here last. Written by the dispatch thread.
        self._last: Any = None
        # What :meth:`through` has told; its caller's.
        self._through = 0

    def __call__(self, event: Any) -> None:
        self._buffer.put(event)
        self._last = event

    def miss(self, events: Sequence[Any]) -> None:
        """The queue has dropped these."""
        # Of states only the latest were wanted then.
        if self.channel.overflow is not OverflowPolicy.LATEST:
            self._buffer.miss(events, self.channel.overflow)

    def through(self, now: int) -> int:
        """Up to when (``time.time_ns()``) all that was received has come here; ``now`` at best,
        which was before this was called. What was true once remains so.
        """
        # In this order: what is queued no more may still be in a callback before this one, or on
        # its way to it; when the thread waits for the next one after that, it has come here.
        channel, last = self.channel, self._last
        if not channel.stats.queued and channel.idle:
            self._through = max(self._through, now)
        elif last is not None:
            self._through = max(self._through, received_from(last))
        return self._through

    def remove(self) -> None:
        """Be called no more."""
        self.channel.remove_callbacks((self, self.miss))

    def __repr__(self) -> str:
        return "Relay.publish"


class Taps:
    """Those of one relay. Any thread may ask them."""

    def __init__(self, buffer: Buffer) -> None:
        self._buffer = buffer
        # Guards the two below it. Not held while a channel is called.
        self._lock = threading.Lock()
        self._taps: tuple[_Tap, ...] = ()
        self._ended = False

    def add(self, subscription: Subscription[Any]) -> None:
        """Have its events in the buffer, and know what it drops; once for each, and not at all
        after :meth:`remove`. Raises as ``subscription(callback)`` does.
        """
        channel = subscription._channel
        tap = _Tap(channel, self._buffer)
        with self._lock:
            if self._ended or any(one.channel is channel for one in self._taps):
                return
            self._taps = (*self._taps, tap)
        channel.watch_drops(tap.miss)
        try:
            channel.add_callback(tap)
        except BaseException:
            self._drop((tap,))
            raise
        with self._lock:
            ended = self._ended  # meanwhile
        if ended:
            tap.remove()

    def _drop(self, taps: Sequence[_Tap]) -> None:
        with self._lock:
            self._taps = tuple(one for one in self._taps if one not in taps)
        for tap in taps:
            tap.remove()

    def remove(self) -> None:
        """Leave them all, and take no more."""
        with self._lock:
            taps, self._taps, self._ended = self._taps, (), True
        for tap in taps:
            tap.remove()

    def disown(self) -> None:
        """In the child of a fork: have none."""
        self._lock, self._taps = threading.Lock(), ()

    @property
    def _present(self) -> list[_Tap]:
        return [tap for tap in self._taps if not tap.channel.ended]

    @property
    def lanes(self) -> frozenset[Lane]:
        """What is subscribed at this moment."""
        return frozenset(lane for tap in self._present for lane in lanes_of(tap.channel.demand))

    @property
    def live(self) -> frozenset[Lane]:
        """The lanes of which something has come."""
        return frozenset(
            lane
            for tap in self._present
            for lane in lanes_of(tap.channel.demand)
            if tap.channel.latest_of(lane.code) is not None
        )

    def through(self, now: int) -> int:
        """Up to when (``time.time_ns()``) all that was received has come to the buffer; ``now`` at
        best, which was before this was called. For one thread.
        """
        # An ended one of which all is delivered would stand still for ever.
        if over := [tap for tap in self._taps if is_over(tap.channel)]:
            self._drop(over)
        return min((tap.through(now) for tap in self._taps), default=now)
