"""One stream, as the watchdog sees it: its health, its warnings, its dead threads."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from upbit_stream.config import StreamConfig
from upbit_stream.connection.pool import AnyConnection
from upbit_stream.connection.states import ConnectionState
from upbit_stream.delivery.channel import Channel
from upbit_stream.delivery.notices import NoticeBoard, NoticeKind
from upbit_stream.errors import HealthWarning
from upbit_stream.monitoring.health import ConnectionHealth, Pulse, stream_health
from upbit_stream.monitoring.lookout import Lookout
from upbit_stream.monitoring.resources import measure
from upbit_stream.totals import StreamStats
from upbit_stream.workers import Worker, numbered

__all__ = ["Monitor", "Monitored"]

_log = logging.getLogger("upbit_stream")


class Monitored(Protocol):
    """What is looked after."""

    notices: NoticeBoard

    @property
    def state(self) -> ConnectionState: ...
    @property
    def closing(self) -> bool: ...
    @property
    def abandoned(self) -> bool: ...
    @property
    def channels(self) -> Sequence[Channel[Any]]: ...
    @property
    def leased(self) -> Sequence[AnyConnection]: ...
    @property
    def stats(self) -> StreamStats: ...
    def balance(self, now: float) -> None: ...
    def close_abandoned(self) -> None: ...


class Monitor:
    """What the watchdog does for a stream. All but :meth:`health` belongs to its thread."""

    def __init__(self, stream: Monitored, config: StreamConfig) -> None:
        self._stream = stream
        self._interval = config.health_interval
        self._thresholds = config.health
        self._pulse = Pulse()
        self._lookout = Lookout(config.stale_after, self.warn)
        self._report_at = time.monotonic() + self._interval
        self._closer: Worker | None = None

    def look(self, now: float) -> None:
        """See :class:`~upbit_stream.monitoring.watchdog.Ward`."""
        stream = self._stream
        if stream.abandoned:
            if self._closer is None:
                # On a thread of its own: closing takes a while.
                self._closer = Worker(numbered("upbit-closing"), stream.close_abandoned)
                self._closer.start()
            return
        if stream.closing:
            return
        for connection in stream.leased:
            connection.revive()
        stream.balance(now)
        stream.notices.revive()
        self._lookout.look(stream.channels, now)
        if self._pulse.due(now):
            self._pulse.sample(now, stream.stats)
        if now >= self._report_at:
            self._report_at = now + self._interval
            if stream.notices.wanted(NoticeKind.HEALTH):
                stream.notices.post(NoticeKind.HEALTH, self.health())

    def warn(self, warning: HealthWarning) -> None:
        """Tell the log, and ``on_error``."""
        _log.warning("%s", warning)
        self._stream.notices.post(NoticeKind.ERROR, warning)

    def health(self) -> ConnectionHealth:
        """The stream at this moment. For any thread."""
        stream = self._stream
        stats = stream.stats
        errors = [channel.last_error_at for channel in stream.channels]
        last_error: datetime | None = max((one for one in errors if one is not None), default=None)
        return stream_health(
            stream.state,
            stream.closing,
            [
                (line.name, line.state, line.traffic)
                for connection in stream.leased
                for line in connection.lines
            ],
            stats,
            self._pulse.success_rate(stats),
            last_error,
            measure().rss,
            time.monotonic(),
            self._thresholds,
        )
