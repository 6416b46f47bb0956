"""Relay: the events of a stream's subscriptions, published to a broker."""

from __future__ import annotations

import logging
import os
import random
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, TypeVar

import msgspec

from upbit_stream.config import (
    reconnect_delay,
    require_queue_size,
    require_seconds,
    resolve_urls,
)
from upbit_stream.connection.states import ConnectionState
from upbit_stream.delivery.drops import Drop
from upbit_stream.delivery.notices import NoticeBoard, NoticeKind
from upbit_stream.endings import close_at_exit
from upbit_stream.errors import DecodingError, StreamClosedError, UpbitStreamError
from upbit_stream.protocol.endpoints import find_region
from upbit_stream.recovery.gaps import Gap, narrow
from upbit_stream.recovery.history import History
from upbit_stream.recovery.repairs import Repairs
from upbit_stream.recovery.rest import RestClient
from upbit_stream.relay.brokers import BrokerRefused, BrokerUnavailable, Sink, open_sink
from upbit_stream.relay.buffer import Buffer
from upbit_stream.relay.entries import Entry, EntryWriter
from upbit_stream.relay.joints import Joints
from upbit_stream.relay.lanes import Lane, check_relayable
from upbit_stream.relay.notices import Notice, PublisherReport, covered, read_reports
from upbit_stream.stream import UpbitStream
from upbit_stream.subscription import Subscription
from upbit_stream.workers import Worker, numbered

__all__ = ["Relay", "RelayStats"]

_log = logging.getLogger("upbit_stream")

R = TypeVar("R")

# Events of each type that are sent together, at most.
_BATCH = 500

# Seconds between two reports to the broker.
_REPORT_EVERY = 2.0

# Seconds for which trades are kept after they were sent: if the broker comes back without its
# memory, consumers may not have read them yet.
_TAIL_SECONDS = 60.0

# Seconds between what nobody thought of and the next attempt.
_AFTER_STUMBLING = 1.0

# Notices that wait while the broker is away.
_NOTICES = 1000


class RelayStats(msgspec.Struct, frozen=True):
    """A relay's counters at one moment."""

    #: Events that the broker took.
    published: int
    #: Of those that it was sent: what it had already, from another relay or before a retry.
    duplicates: int
    #: Events that the buffer dropped because the broker was away for too long.
    dropped: int
    #: Trades that were fetched over REST, because the broker had not got them.
    backfilled: int
    #: Events that wait for the broker at this moment, and trades that wait for those before them.
    buffered: int
    #: How often the broker was lost.
    reconnects: int
    #: Whether the broker is there.
    connected: bool


class Relay:
    """Publishes the events of subscriptions to a broker.

    ::

        with UpbitStream() as stream, Relay(stream, "redis://127.0.0.1:6379") as relay:
            relay.publish(stream.trade(["KRW-BTC", "KRW-ETH"]), stream.orderbook("KRW-BTC"))
            stream.run()

    The events of each code are published in their order. Several relays, on any machines, may
    publish the same to one broker: each event is there once, and each of them may end at any
    moment.

    Nothing here ever holds up the stream. While the broker is away, ``buffer`` events of each type
    are kept; beyond that the oldest are dropped, counted, and told to :meth:`on_drop`. When it is
    back, what was kept follows in its order, and dropped trades are fetched over REST before it
    (unless ``StreamConfig(backfill=False)``).

    ``sink`` is a broker's URL or a :class:`~upbit_stream.relay.brokers.Sink`. ``max_length``:
    entries that the broker keeps of each lane, about; ``max_age``: instead of it, for how many
    seconds it keeps them. (Both for a URL.)

    It ends with :meth:`close`, with ``with``, or with the process; not with its stream.
    """

    def __init__(
        self,
        stream: UpbitStream,
        sink: str | Sink,
        *,
        buffer: int = 100_000,
        max_length: int = 10_000,
        max_age: float | None = None,
    ) -> None:
        require_queue_size(buffer)
        self._sink = (
            open_sink(sink, max_length=max_length, max_age=max_age)
            if isinstance(sink, str)
            else sink
        )
        self._stream = stream
        self._name = f"{socket.gethostname()}-{os.getpid()}-{numbered('relay')}"
        self._notices = NoticeBoard()
        self._policy = stream.config.reconnect
        self._buffer = Buffer(buffer)
        config = stream.config
        _, rest_url = resolve_urls(config, find_region(stream.region))
        self._rest = RestClient(rest_url, config.ssl_context)
        history = History(self._rest, config.numbers)
        self._repairs = Repairs("relay", self._rest, history, self._buffer.wake)
        self._joints = Joints(
            self._repairs if config.backfill else None, config.backfill_deadline, buffer
        )
        # Guards the two below it.
        self._lock = threading.Lock()
        self._lanes: frozenset[Lane] = frozenset()
        self._untold: deque[Notice] = deque(maxlen=_NOTICES)
        self._ending = threading.Event()
        self._deadline = float("inf")
        # The thread's own, but for the counters, which anyone may read.
        self._writer = EntryWriter()
        self._connected = False
        # Whether it is known that the broker is away.
        self._missed = False
        self._memory: str | None = None
        self._unsent: list[Entry] = []
        self._tail: deque[tuple[float, Entry]] = deque(maxlen=buffer)
        self._states: dict[Lane, Entry] = {}
        self._others: Mapping[str, PublisherReport] = {}
        self._report_at = 0.0
        self._reported: tuple[float, int] = (time.monotonic(), 0)
        self._published = self._duplicates = self._reconnects = 0
        # Whether anything was left at the end that was not sent.
        self._left = False
        self._error: UpbitStreamError | None = None
        stream.on_gap(self._on_gap)
        stream.on_state(self._on_state)
        self._worker = Worker(numbered("upbit-relay"), self._run)
        self._worker.start()
        self._unattended = _Unattended(self)
        close_at_exit(self._unattended)

    # What a person does.

    def publish(self, *subscriptions: Subscription[Any]) -> None:
        """Publish the events of these, too; each gets a callback for it.

        Raises :class:`~upbit_stream.errors.SubscriptionError` for what a broker does not carry
        (accounts, indicators, grouped books) and for one that is iterated over, and
        :class:`~upbit_stream.errors.StreamClosedError`.
        """
        if self._ending.is_set():
            raise StreamClosedError("this relay is closed; make a new one")
        for subscription in subscriptions:
            check_relayable(subscription._channel.demand)
        for subscription in subscriptions:
            subscription(self._buffer.put)
            lanes = {Lane(subscription.type, code) for code in subscription.codes}
            with self._lock:
                self._lanes |= lanes

    def close(self, timeout: float | None = 3.0) -> bool:
        """Send what is buffered, and end; whether all of it was sent and the threads have ended
        within ``timeout`` seconds (None: as long as it takes). What was not sent is dropped,
        counted and told.
        """
        require_seconds("timeout", timeout)
        deadline = float("inf") if timeout is None else time.monotonic() + timeout
        self._deadline = min(self._deadline, deadline)
        self._ending.set()
        self._buffer.wake()
        ended = self._worker.join(deadline)
        self._repairs.end()
        for worker in self._repairs.workers:
            ended = worker.join(deadline) and ended
        self._notices.end()
        if (teller := self._notices.worker) is not None:
            ended = teller.join(deadline) and ended
        return ended and not self._left

    def __enter__(self) -> Relay:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def name(self) -> str:
        """How it is called on the broker: host, process, number."""
        return self._name

    @property
    def error(self) -> UpbitStreamError | None:
        """What ended it for good: the broker would not have it."""
        return self._error

    @property
    def stats(self) -> RelayStats:
        """The counters at this moment."""
        return RelayStats(
            published=self._published,
            duplicates=self._duplicates,
            dropped=self._buffer.dropped,
            backfilled=self._joints.backfilled,
            buffered=len(self._buffer) + len(self._unsent) + self._joints.waiting,
            reconnects=self._reconnects,
            connected=self._connected,
        )

    def on_drop(self, handler: Callable[[Drop], R]) -> Callable[[Drop], R]:
        """Call ``handler`` with a :class:`~upbit_stream.Drop` for what the buffer has dropped. Also
        a decorator. (Trades among it are fetched, when the broker is back.)
        """
        self._notices.register(NoticeKind.DROP, handler)
        return handler

    def on_gap(self, handler: Callable[[Gap], R]) -> Callable[[Gap], R]:
        """Call ``handler`` with a :class:`~upbit_stream.Gap` for what the broker did not get, and
        what was fetched for it. Also a decorator.
        """
        self._notices.register(NoticeKind.GAP, handler)
        return handler

    def on_error(self, handler: Callable[[UpbitStreamError], R]) -> Callable[[UpbitStreamError], R]:
        """Call ``handler`` when the broker is lost, or will not have this relay. Also a
        decorator.
        """
        self._notices.register(NoticeKind.ERROR, handler)
        return handler

    def __repr__(self) -> str:
        state = "connected" if self._connected else "not connected"
        return f"<Relay {self._name} {state}, {len(self._lanes)} lanes>"

    # What the stream tells, on its threads.

    def _on_gap(self, gap: Gap) -> None:
        with self._lock:
            codes = {lane.code for lane in self._lanes if lane.type == gap.type}
        mine = None if gap.recovered else narrow(gap, codes)
        if mine is not None and not covered(mine, self._others.values()):
            self._tell(Notice(self._name, _now(), gap=mine))

    def _on_state(self, state: ConnectionState) -> None:
        self._tell(Notice(self._name, _now(), state=state.value))

    def _tell(self, notice: Notice) -> None:
        with self._lock:
            self._untold.append(notice)

    # The thread.

    def _run(self) -> None:
        attempt = 0
        while not self._is_over():
            try:
                if not self._connected:
                    self._open()
                self._round()
                attempt = 0
            except BrokerRefused as error:
                self._error = error
                _log.error("%s; this relay has ended for good: make a new one", error)
                self._notices.post(NoticeKind.ERROR, error)
                break
            except BrokerUnavailable as error:
                delay = reconnect_delay(self._policy, attempt, random.uniform(-1, 1))
                attempt += 1
                self._lose(error, delay)
            except Exception as error:  # a bug must not look like a quiet market
                _log.exception("%s: a bug; connecting again", self._name)
                self._lose(BrokerUnavailable(f"{type(error).__name__}: {error}"), _AFTER_STUMBLING)
        self._last_things()

    def _is_over(self) -> bool:
        """Whether to end: it was asked for, and all is sent or the time is up."""
        if not self._ending.is_set():
            return False
        left = self._unsent or self._joints.waiting or len(self._buffer)
        return not left or time.monotonic() >= self._deadline

    def _open(self) -> None:
        memory = self._sink.open()
        lost = self._memory is not None and memory != self._memory
        self._connected, self._missed = True, False
        self._report_at = 0.0
        _log.info("%s: publishing", self._name)
        if lost:
            self._forget_old()
            kept = [entry for _, entry in self._tail] + list(self._states.values())
            for begin in range(0, len(kept), _BATCH):
                self._published += self._sink.send(kept[begin : begin + _BATCH])
        # Not before: if the broker is lost meanwhile, all of it is sent again.
        self._memory = memory

    def _lose(self, error: BrokerUnavailable, delay: float) -> None:
        if self._connected or not self._missed:
            self._reconnects += self._connected
            self._connected = False
            _log.warning("%s; trying again, and keeping what comes", error)
            self._notices.post(NoticeKind.ERROR, error)
        self._missed = True
        self._sink.close()
        if self._ending.is_set():
            delay = min(delay, max(0.0, self._deadline - time.monotonic()))
            time.sleep(delay)
        else:
            self._ending.wait(delay)

    def _round(self) -> None:
        """Send what there is; waits a little for something."""
        if not self._unsent:
            self._gather()
        if self._unsent:
            self._send()
        now = time.monotonic()
        if now >= self._report_at:
            self._report(now)
        self._tell_untold()

    def _tell_untold(self) -> None:
        while self._untold:
            notice = self._untold.popleft()
            try:
                self._sink.tell(notice.encode())
            except BrokerUnavailable:
                self._untold.appendleft(notice)
                raise

    def _gather(self) -> None:
        """Have the next ones in ``_unsent``. What was taken is never lost when the broker is."""
        ending = self._ending.is_set()
        taken = self._buffer.take(_BATCH, 0.01 if ending else 0.25)
        for drop in taken.drops:
            self._tell_drop(drop)
        self._add(self._joints.sift(taken.events, taken.holed))
        self._add(self._joints.collect())
        if asking := self._joints.asking:
            self._add(self._joints.answer(asking, self._sink.newest(asking)))
        for gap in self._joints.gaps():
            self._tell_gap(gap)

    def _add(self, events: Sequence[Any]) -> None:
        for event in events:
            try:
                self._unsent.append(self._writer.write(event))
            except (msgspec.MsgspecError, TypeError, ValueError, OverflowError) as error:
                told = DecodingError(f"{event!r} was left out ({error}); please report it")
                _log.warning("%s", told)
                self._notices.post(NoticeKind.ERROR, told)

    def _send(self) -> None:
        added = self._sink.send(self._unsent)
        self._published += added
        self._duplicates += len(self._unsent) - added
        now = time.monotonic()
        for entry in self._unsent:
            if entry.lane.type == "trade":
                self._tail.append((now, entry))
            else:
                self._states[entry.lane] = entry
        self._unsent = []

    def _forget_old(self) -> None:
        until = time.monotonic() - _TAIL_SECONDS
        while self._tail and self._tail[0][0] < until:
            self._tail.popleft()

    def _report(self, now: float) -> None:
        self._report_at = now + _REPORT_EVERY
        self._forget_old()
        health = self._stream.health()
        since = [one.connected_since for one in self._stream.connections]
        whole = 0
        if since and health.state is ConnectionState.CONNECTED:
            whole = max(0 if one is None else int(one.timestamp() * 1000) for one in since)
        moment, before = self._reported
        self._reported = now, self._published
        stats = self.stats
        report = PublisherReport(
            host=socket.gethostname(),
            pid=os.getpid(),
            state=health.state.value,
            whole_since=whole,
            lanes=len(self._lanes),
            published=stats.published,
            duplicates=stats.duplicates,
            dropped=stats.dropped,
            buffered=stats.buffered,
            rate=(self._published - before) / max(now - moment, 0.001),
            healthy=health.is_healthy(),
            problems=health.problems,
        )
        told = read_reports(self._sink.report(self._name, msgspec.json.encode(report)))
        self._others = {name: one for name, one in told.items() if name != self._name}

    # Telling.

    def _tell_drop(self, drop: Drop) -> None:
        _log.warning(
            "the broker was away for too long, so %d %s were dropped: give Relay(buffer=…) a "
            "larger number, if the memory is there",
            drop.count,
            drop.type,
        )
        self._notices.post(NoticeKind.DROP, drop)
        if drop.type != "trade":  # these are fetched, or told as a gap
            first, last = drop.first_timestamp or 0, drop.last_timestamp or 0
            gap = Gap(
                type=drop.type,
                codes=tuple(drop.by_code),
                recovered=False,
                by_code={},
                from_timestamp=first,
                to_timestamp=last,
                ranges=drop.ranges,
                why=f"{drop.count:,} events were dropped while the broker was away",
            )
            self._tell(Notice(self._name, _now(), gap=gap))

    def _tell_gap(self, gap: Gap) -> None:
        _log.log(logging.INFO if gap.recovered else logging.WARNING, "%s", gap)
        self._notices.post(NoticeKind.GAP, gap)
        if not gap.recovered and not covered(gap, self._others.values()):
            self._tell(Notice(self._name, _now(), gap=gap))

    def _last_things(self) -> None:
        self._add(self._joints.give_up("the relay was closed before it was fetched"))
        drops = self._buffer.discard()
        try:
            if self._connected:
                if self._unsent:
                    self._send()
                for gap in self._joints.gaps():
                    self._tell_gap(gap)
                self._tell_untold()
        except BrokerUnavailable as error:
            _log.warning("%s; check the broker, it did not get the last events", error)
        for drop in drops:
            self._tell_drop(drop)
        self._left = bool(drops or self._unsent)
        if self._unsent:
            _log.warning(
                "%s ended with %d events unsent: give close() more time, or check the broker",
                self._name,
                len(self._unsent),
            )
        self._connected = False
        self._sink.close()

    # The child of a fork.

    def _disown(self) -> None:
        """Be closed: none of the threads exists here."""
        self._ending = threading.Event()
        self._ending.set()
        self._repairs.disown()
        self._notices.disown()
        self._worker = Worker(self._worker.name, self._run)


class _Unattended:
    """Closes a relay that nobody closed, when the process ends."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    @property
    def closing(self) -> bool:
        return self._relay._ending.is_set()

    def let_go(self) -> None:
        """The first step of closing; a relay has none."""

    def close(self, timeout: float) -> bool:
        return self._relay.close(timeout)

    def disown(self) -> None:
        self._relay._disown()


def _now() -> int:
    return time.time_ns() // 1_000_000
