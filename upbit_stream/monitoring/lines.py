"""The streams that a test runs: one for each type, so that each has its own counters."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from upbit_stream.config import StreamConfig
from upbit_stream.connection.pool import ConnectionPool
from upbit_stream.errors import UpbitStreamError
from upbit_stream.monitoring.measures import Silence
from upbit_stream.monitoring.report import ObservedStream, Rate, SnapshotTime
from upbit_stream.recovery.gaps import Gap
from upbit_stream.stream import UpbitStream
from upbit_stream.subscription import Subscription
from upbit_stream.totals import StreamStats

__all__ = ["TYPES", "Line", "Observation", "time_snapshots"]

TYPES = ("ticker", "trade", "orderbook")


class Line:
    """One stream with one subscription: to ``type`` of ``codes``.

    ``silence`` is told of each message, too. It belongs to the thread of the test, but for
    :meth:`hang_up`.
    """

    def __init__(
        self, type_: str, codes: Sequence[str], region: str, config: StreamConfig, silence: Silence
    ) -> None:
        self.type = type_
        # A pool of its own, for what goes over a connection that is shared has no owner.
        self.stream = UpbitStream(region=region, config=config, pool=ConnectionPool())
        self.silence = Silence()
        #: Round trips since :meth:`begin`, in milliseconds.
        self.round_trips: list[float] = []
        #: What its connection missed. Appended to by the stream's own thread.
        self.gaps: list[Gap] = []
        self.stream.on_gap(self.gaps.append)
        self._all_silence = silence
        self._newest_ping: float | None = None
        self._began = self.stream.stats
        subscribe: Callable[..., Subscription[Any]] = getattr(self.stream, type_)
        self._subscription = subscribe(codes, self._take)

    def _take(self, event: Any) -> None:
        at = event.received_at
        self.silence.note(at)
        self._all_silence.note(at)

    def begin(self) -> None:
        """From now on it counts."""
        self._began = self.stream.stats
        self._newest_ping = self._ping_latency
        self.silence.begin(time.time_ns())

    def sample(self) -> None:
        """Note a new round trip. To be called more often than pings are sent."""
        newest = self._ping_latency
        # Never twice the same: it is a difference of a clock's nanoseconds.
        if newest is not None and newest != self._newest_ping:
            self._newest_ping = newest
            self.round_trips.append(newest)

    @property
    def _ping_latency(self) -> float | None:
        connection = next(reversed(self.stream.connections), None)
        return None if connection is None else connection.ping_latency

    def rate(self, seconds: float) -> Rate:
        """What came since :meth:`begin`, which was ``seconds`` ago."""
        now, then = self.stream.stats, self._began
        return Rate((now.messages - then.messages) / seconds, (now.bytes - then.bytes) / seconds)

    @property
    def stats(self) -> StreamStats:
        """The counters, since the stream was made."""
        return self.stream.stats

    @property
    def causes(self) -> tuple[str, ...]:
        """Why its connection was lost, each time."""
        return _causes(self.stream, 0.0)

    @property
    def heard(self) -> bool:
        """Whether an event ever came."""
        return bool(self._subscription.latest)

    @property
    def closed(self) -> bool:
        """Whether it has ended."""
        return self._subscription.closed

    @property
    def error(self) -> UpbitStreamError | None:
        """What ended it for good."""
        return self._subscription.error

    def hang_up(self) -> None:
        """Begin to close; for any thread, waits for nothing."""
        self.stream.close(0)


class Observation:
    """A stream of somebody else's, looked at from now on. It is not touched."""

    def __init__(self, stream: UpbitStream) -> None:
        self._stream = stream
        self._began = stream.stats
        self._began_at = time.monotonic()

    def describe(self) -> ObservedStream:
        """What has happened since."""
        now, then = self._stream.stats, self._began
        return ObservedStream(
            state=self._stream.state.value,
            messages=now.messages - then.messages,
            reconnects=now.reconnects - then.reconnects,
            causes=_causes(self._stream, self._began_at),
            dropped=now.dropped - then.dropped,
            undecodable=now.undecodable - then.undecodable,
            errors=now.errors - then.errors,
        )


def _causes(stream: UpbitStream, since: float) -> tuple[str, ...]:
    """Why the stream's connections were lost after that moment of ``time.monotonic()``."""
    return tuple(one.cause for one in stream.health().recent_reconnects if one.moment > since)


def time_snapshots(stream: UpbitStream, codes: Sequence[str]) -> SnapshotTime:
    """Ask for the tickers of ``codes`` on a stream that is open.

    Raises what ended the stream.
    """
    began = time.time_ns()
    try:
        tickers = stream.snapshot("ticker", codes)
    except TimeoutError:
        return SnapshotTime(codes=len(codes), answered=0)
    arrivals = [(ticker.received_at - began) / 1e6 for ticker in tickers.values()]
    return SnapshotTime(
        codes=len(codes),
        answered=len(arrivals),
        first=min(arrivals),
        all=max(arrivals) if len(arrivals) == len(codes) else None,
    )
