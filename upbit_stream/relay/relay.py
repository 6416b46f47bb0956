"""Relay: the events of a stream's subscriptions, published to a broker."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
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
from upbit_stream.recovery.gaps import Gap
from upbit_stream.recovery.history import History
from upbit_stream.recovery.repairs import Repairs
from upbit_stream.recovery.rest import RestClient
from upbit_stream.relay.brokers import BrokerRefused, BrokerUnavailable, Sink, open_sink
from upbit_stream.relay.buffer import Buffer, Loss
from upbit_stream.relay.entries import Entry, EntryReader, EntryWriter
from upbit_stream.relay.identity import identity
from upbit_stream.relay.joints import Joints
from upbit_stream.relay.kept import Kept
from upbit_stream.relay.lanes import Lane
from upbit_stream.relay.reporting import Reporter
from upbit_stream.relay.stats import RelayStats
from upbit_stream.relay.taps import Taps, check_publishable
from upbit_stream.stream import UpbitStream
from upbit_stream.subscription import Subscription
from upbit_stream.workers import Worker, numbered

__all__ = ["Relay"]

_log = logging.getLogger("upbit_stream")

R = TypeVar("R")

# Events of each type that are sent together, at most.
_BATCH = 500

# Entries in one call of the sink, which has some seconds for each.
_AT_ONCE = 5_000

# Seconds between two tellings of what was dropped.
_TELL_EVERY = 1.0

# Seconds between what nobody thought of and the next attempt.
_AFTER_STUMBLING = 1.0


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
    seconds it keeps them. (Both for a URL.) With ``tls://`` the stream's ``ssl_context`` counts,
    with ``rediss://`` what the URL says, see :class:`~upbit_stream.relay.RelaySource`.

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
            open_sink(
                sink,
                max_length=max_length,
                max_age=max_age,
                ssl_context=stream.config.ssl_context,
            )
            if isinstance(sink, str)
            else sink
        )
        self._stream = stream
        self._name = identity(numbered("relay"))
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
        self._taps = Taps(self._buffer)
        self._reporter = Reporter(self._name, stream, self._taps)
        self._ending = threading.Event()
        self._deadline = float("inf")
        # The thread's own, but for the counters, which anyone may read.
        self._writer = EntryWriter()
        self._connected = False
        # Whether the broker is known to be away.
        self._missed = False
        self._memory: str | None = None
        self._unsent: list[Entry] = []
        self._kept = Kept(buffer)
        self._losses_told_at = 0.0
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
        """Publish the events of these, too; each gets a callback for it. Codes that are added to
        one later are published as well.

        Raises :class:`~upbit_stream.errors.SubscriptionError` for what a broker does not carry
        (accounts, indicators, grouped books), for trades of which only the latest are kept, and
        for one that is iterated over; and :class:`~upbit_stream.errors.StreamClosedError` when the
        relay has ended, or the subscription.
        """
        if self._error is not None:
            raise StreamClosedError(
                f"this relay has ended: {self._error}; mend that, and make a new Relay"
            ) from self._error
        if self._ending.is_set():
            raise StreamClosedError("this relay is closed; make a new one")
        for subscription in subscriptions:
            check_publishable(subscription)
        for subscription in subscriptions:
            self._taps.add(subscription)

    def close(self, timeout: float | None = 3.0) -> bool:
        """Take in nothing any more, send what is buffered, and end; whether all of it was sent and
        the threads have ended within ``timeout`` seconds (None: as long as it takes). What was not
        sent is dropped, counted and told.
        """
        require_seconds("timeout", timeout)
        deadline = float("inf") if timeout is None else time.monotonic() + timeout
        self._deadline = min(self._deadline, deadline)
        self._ending.set()
        self._taps.remove()
        self._buffer.refuse()
        # It ends the others.
        ended = self._worker.join(deadline)
        for worker in self._repairs.workers:
            ended = worker.join(deadline) and ended
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
        """How it is called on the broker: host, process, number, and something random."""
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
        """Call ``handler`` with a :class:`~upbit_stream.Drop` for what the buffer has dropped, or a
        subscription's queue before it. Also a decorator. (Trades among it are fetched, when the
        broker is there.)
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
        return f"<Relay {self._name} {state}, {len(self._taps.lanes)} lanes>"

    # What the stream tells, on its threads.

    def _on_gap(self, gap: Gap) -> None:
        if not gap.recovered and not self._ending.is_set():
            self._reporter.tell_missed(gap)

    def _on_state(self, state: ConnectionState) -> None:
        if not self._ending.is_set():
            self._reporter.tell_state(state)

    # The thread.

    def _run(self) -> None:
        attempt = 0
        while not self._is_over():
            try:
                if not self._connected:
                    self._open()
                self._round()
                self._missed, attempt = False, 0
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
        forgot = self._memory is not None and memory != self._memory
        self._connected = True
        self._reporter.opened()
        _log.info("%s: publishing", self._name)
        if forgot:
            # What consumers may not have read when it was lost, however long ago that was.
            kept = self._kept.entries
            self._sink.reopen(self._first_ones(kept))
            for begin in range(0, len(kept), _BATCH):
                self._published += self._sink.send(kept[begin : begin + _BATCH])
        # Not before: if the broker is lost meanwhile, all of it is sent again.
        self._memory = memory

    def _first_ones(self, kept: Sequence[Entry]) -> dict[Lane, int]:
        """From where on this has all trades of a lane that it will send."""
        firsts = self._joints.passed
        for one in (*kept, *self._unsent):
            if one.lane in firsts:
                firsts[one.lane] = min(firsts[one.lane], one.order)
        return firsts

    def _lose(self, error: BrokerUnavailable, delay: float) -> None:
        if not self._missed:
            self._missed = True
            self._reconnects += self._connected
            _log.warning("%s; trying again, and keeping what comes", error)
            self._notices.post(NoticeKind.ERROR, error)
        self._connected = False
        self._sink.close()
        self._tell_losses()
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
        if self._reporter.is_due:
            self._report()
        self._reporter.send(self._sink)

    def _report(self) -> None:
        now = time.monotonic()
        # In this order, see `through`; `_unsent` is empty. At last what was dropped on the way.
        through = self._reporter.through()
        if (oldest := self._buffer.oldest) is not None:
            through = min(through, oldest)
        if not self._joints.whole:
            through = 0
        self._tell_each(self._buffer.losses())
        self._reporter.report(self._sink, self.stats, through)
        # Not in any round: in a quiet one nobody sees that the broker is away.
        self._kept.forget_before(now)

    def _gather(self) -> None:
        """Have the next ones in ``_unsent``. What was taken is never lost when the broker is."""
        ending = self._ending.is_set()
        taken = self._buffer.take(_BATCH, 0.01 if ending else 0.25)
        self._tell_losses()
        self._add(self._joints.sift(taken.events, taken.holed))
        self._add(self._joints.collect())
        if asking := self._joints.asking:
            newest = self._sink.newest(asking)
            if firsts := self._joints.beginnings(asking, newest):
                self._begin(firsts)
                newest = self._sink.newest(asking)
            self._add(self._joints.answer(asking, newest))
        for gap in self._joints.gaps():
            self._tell_gap(gap)

    def _begin(self, firsts: Sequence[Any]) -> None:
        """Begin lanes with these trades, unless another relay does so at this moment."""
        entries = self._write(firsts)
        begun = self._sink.begin(entries)
        self._joints.begun(one for one in firsts if Lane(one.type, one.code) in begun)
        self._published += len(begun)
        self._kept.add(entry for entry in entries if entry.lane in begun)

    def _add(self, events: Sequence[Any]) -> None:
        self._unsent += self._write(events)

    def _write(self, events: Sequence[Any]) -> list[Entry]:
        entries = []
        for event in events:
            try:
                entries.append(self._writer.write(event))
            except (msgspec.MsgspecError, TypeError, ValueError, OverflowError) as error:
                told = DecodingError(f"{event!r} was left out ({error}); please report it")
                _log.warning("%s", told)
                self._notices.post(NoticeKind.ERROR, told)
        return entries

    def _send(self) -> None:
        while part := self._unsent[:_AT_ONCE]:
            added = self._sink.send(part)
            self._published += added
            self._duplicates += len(part) - added
            self._kept.add(part)
            del self._unsent[: len(part)]

    # Telling.

    def _tell_losses(self) -> None:
        now = time.monotonic()
        if now >= self._losses_told_at + _TELL_EVERY and (losses := self._buffer.losses()):
            self._losses_told_at = now
            self._tell_each(losses)

    def _tell_each(self, losses: Sequence[Loss]) -> None:
        for drop, (happened, step) in ((one.drop, one.cause.value) for one in losses):
            _log.warning(
                "%d %s events were dropped %s; check that: %s",
                drop.count,
                drop.type,
                happened,
                step,
            )
            self._notices.post(NoticeKind.DROP, drop)
            if drop.type != "trade":  # these are fetched, or told as a gap
                gap = Gap(
                    type=drop.type,
                    codes=tuple(drop.by_code),
                    recovered=False,
                    by_code={},
                    from_timestamp=drop.first_timestamp or 0,
                    to_timestamp=drop.last_timestamp or 0,
                    ranges=drop.ranges,
                    why=f"{drop.count:,} events were dropped {happened}",
                )
                self._reporter.tell_gap(gap)

    def _tell_gap(self, gap: Gap) -> None:
        _log.log(logging.INFO if gap.recovered else logging.WARNING, "%s", gap)
        self._notices.post(NoticeKind.GAP, gap)
        if not gap.recovered:
            self._reporter.tell_gap(gap)

    # The end.

    def _last_things(self) -> None:
        self._ending.set()
        self._taps.remove()
        self._buffer.refuse()
        self._add(self._joints.give_up("the relay was closed before it was fetched"))
        for gap in self._joints.gaps():
            self._tell_gap(gap)
        unavailable: Exception | None = None
        try:
            if self._connected and self._error is None and self._unsent:
                self._send()
        except Exception as error:
            unavailable = error
        reader = EntryReader("float")
        losses = self._buffer.close([reader.read(one.lane, one.payload) for one in self._unsent])
        self._left, self._unsent = bool(losses), []
        self._tell_each(losses)
        try:
            if self._connected and self._error is None and unavailable is None:
                self._reporter.send_last(self._sink)
        except Exception as error:
            unavailable = error
        if unavailable is not None:
            _log.warning("%s; check the broker, it was not told the last of it", unavailable)
        self._connected = False
        self._kept.clear()
        self._sink.close()
        self._repairs.end()
        self._notices.end()

    # The child of a fork.

    def _disown(self) -> None:
        """Be closed: none of the threads exists here."""
        self._ending = threading.Event()
        self._ending.set()
        self._buffer.disown()
        self._taps.disown()
        self._reporter.disown()
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
