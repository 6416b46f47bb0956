"""What a relay says beside the events: notices for consumers, and reports of how it does."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

import msgspec

from upbit_stream.connection.states import ConnectionState
from upbit_stream.recovery.gaps import Gap, narrow
from upbit_stream.relay.brokers import Sink
from upbit_stream.relay.lanes import Lane
from upbit_stream.relay.notices import (
    Notice,
    PublisherReport,
    by_type,
    read_reports,
    uncovered,
)
from upbit_stream.relay.stats import RelayStats
from upbit_stream.relay.taps import Taps

if TYPE_CHECKING:
    from upbit_stream.stream import UpbitStream

__all__ = ["Reporter"]

_log = logging.getLogger("upbit_stream")

# Seconds between two reports to the broker.
_REPORT_EVERY = 2.0

# Seconds for which another publisher may show that it has what this one has missed: it reports
# that often, and up to when its own events have gone through.
_DOUBTED = 3 * _REPORT_EVERY

# Notices that wait while the broker is away, and gaps that are doubted.
_NOTICES = 1000


class Reporter:
    """That of one relay, and its thread's own, but for what :meth:`tell_missed` and
    :meth:`tell_state` are told, by the stream's threads.
    """

    def __init__(self, name: str, stream: UpbitStream, taps: Taps) -> None:
        self._name = name
        self._stream = stream
        self._taps = taps
        # Guards the three below it: any thread adds, the relay's takes out. Not held while the
        # broker is told.
        self._lock = threading.Lock()
        self._untold: deque[Notice] = deque()
        # Gaps of the own stream, and until when (monotonic) another publisher may cover them.
        self._doubted: deque[tuple[float, Gap]] = deque()
        # Since when (milliseconds since the epoch) nothing is missing, the connection aside.
        self._whole_since = 0
        # Written by two threads: at worst a report comes two seconds late.
        self._due_at = 0.0
        self._reported: tuple[float, int] = (time.monotonic(), 0)
        # What :meth:`through` has told last.
        self._through = 0
        # The lanes of which something had come by the last report.
        self._live: frozenset[Lane] = frozenset()

    # What there is to tell.

    def tell_missed(self, gap: Gap) -> None:
        """The own stream has missed something for good: it is told unless another publisher turns
        out to have it.
        """
        codes = {lane.code for lane in self._taps.lanes if lane.type == gap.type}
        mine = narrow(gap, codes)
        if mine is None:
            return
        with self._lock:
            self._doubted.append((time.monotonic() + _DOUBTED, mine))
            self._whole_since = _now()
            excess = self._doubted.popleft()[1] if len(self._doubted) > _NOTICES else None
        self._due_at = 0.0
        if excess is not None:
            self.tell_gap(excess)

    def tell_gap(self, gap: Gap) -> None:
        """Something is missing at the broker, whoever publishes."""
        with self._lock:
            self._whole_since = _now()
        self._tell(Notice(self._name, _now(), gap=gap))

    def tell_state(self, state: ConnectionState) -> None:
        """The stream is in another state now."""
        self._tell(Notice(self._name, _now(), state=state.value))

    def _tell(self, notice: Notice) -> None:
        with self._lock:
            self._untold.append(notice)
            excess = self._untold.popleft() if len(self._untold) > _NOTICES else None
        if excess is not None and excess.gap is not None:
            _log.warning(
                "the broker was away for so long that its consumers are not told of a gap; check "
                "the broker: %s",
                excess.gap,
            )

    # Telling it.

    def opened(self) -> None:
        """The broker is there, or there again."""
        self._due_at = 0.0

    @property
    def is_due(self) -> bool:
        """Whether it is time to report."""
        return time.monotonic() >= self._due_at

    def through(self) -> int:
        """Up to when (``time.time_ns()``) all that was received has come to the buffer; 0: that is
        not known. What another publisher has missed until then it does not tell, though this one
        may be killed at any moment: so it must not be too late by a single event.

        An event is received, may be held back until what was missed before it is fetched, comes
        into a subscription's queue, from there (by way of other callbacks) into the buffer, and to
        the broker. These are to be asked in this order: what has left one place before it was
        looked at is seen in the next one, or has reached the broker.
        """
        now = time.time_ns()
        # On its way from the socket to the queue it takes no time that counts: see `uncovered`.
        leased = self._stream._engine.leased
        if all(line.settled for connection in leased for line in connection.lines):
            self._through = self._taps.through(now)
        return self._through

    def report(self, sink: Sink, stats: RelayStats, through: int) -> None:
        """Report, and see what the others report. All that was received up to ``through``
        (``time.time_ns()``) is at the broker, but for what :meth:`tell_gap` was told of.
        """
        now = time.monotonic()
        self._due_at = now + _REPORT_EVERY
        told = read_reports(sink.report(self._name, self._write(now, stats, through)))
        self._judge(now, {name: one for name, one in told.items() if name != self._name})

    def _write(self, now: float, stats: RelayStats, through: int) -> bytes:
        health = self._stream.health()
        live = self._taps.live
        with self._lock:
            if not live <= self._live:
                self._whole_since = _now()
            since_then = self._whole_since
        self._live = live
        since = [one.connected_since for one in self._stream.connections]
        connected = bool(since) and health.state is ConnectionState.CONNECTED
        whole = 0
        if connected and None not in since:
            whole = max(since_then, *(int(one.timestamp() * 1000) for one in since if one))
        moment, before = self._reported
        self._reported = now, stats.published
        report = PublisherReport(
            host=socket.gethostname(),
            pid=os.getpid(),
            state=health.state.value,
            whole_since=whole,
            whole_until=through // 1_000_000,
            carries=by_type(live),
            lanes=len(self._taps.lanes),
            published=stats.published,
            duplicates=stats.duplicates,
            dropped=stats.dropped,
            buffered=stats.buffered,
            rate=(stats.published - before) / max(now - moment, 0.001),
            healthy=health.is_healthy(),
            problems=health.problems,
        )
        return msgspec.json.encode(report)

    def _judge(self, now: float, others: dict[str, PublisherReport]) -> None:
        """See which of the doubted gaps the other publishers have covered."""
        with self._lock:
            doubted, self._doubted = self._doubted, deque()
        for deadline, gap in doubted:
            left = uncovered(gap, others.values())
            if left is None:
                _log.info("%s; another publisher has it", gap)
            elif not others or now > deadline:
                self.tell_gap(left)
            else:
                with self._lock:
                    self._doubted.append((deadline, left))

    def send(self, sink: Sink) -> None:
        """Tell the consumers what there is to tell."""
        while self._untold:
            with self._lock:
                notice = self._untold.popleft()
            try:
                sink.tell(notice.encode())
            except BaseException:
                with self._lock:
                    self._untold.appendleft(notice)
                raise

    def send_last(self, sink: Sink) -> None:
        """The same for the last time: nobody can say any more who else has what was missed."""
        self._judge(float("inf"), {})
        self.send(sink)

    def disown(self) -> None:
        """In the child of a fork, where another thread may hold the lock for ever."""
        self._lock = threading.Lock()


def _now() -> int:
    return time.time_ns() // 1_000_000
