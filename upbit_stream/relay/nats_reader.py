"""Receiving lanes from NATS JetStream.

Each lane has a consumer on the server, which sends as much as it was asked for and no more: what is
not read stays there, and a catch-up never fills the connection beyond what a server bears (64 MB
wait for a client, then it is cut off). What the server lets go while it waits to be asked must be
told: see :class:`_Reading`.

A position is ``SEQUENCE@MILLISECONDS@STREAM``: of the stream as it was made at that moment, so one
of a stream that is gone means the beginning. ``@MILLISECONDS@`` is before what came at that time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from datetime import datetime, timezone
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

from upbit_stream.relay.brokers import Passage, Record
from upbit_stream.relay.lanes import Lane
from upbit_stream.relay.nats_common import STREAM, NatsLink, subject_of

__all__ = ["NatsReader", "parts"]

# Records in one answer. More order books than that at a time leave the processor's cache.
_BATCH = 250

# Records that are asked for and not read yet: of all lanes, and of one at least and at most. The
# largest are order books, of some 2 kB.
_WAITING = 10_000
_LEAST, _MOST = 16, 1000

# Seconds between two reads, and messages of a lane that may come meanwhile.
_UNDOUBTED, _BURST = 1.0, 5000

# Seconds for which the server keeps a consumer that nobody asks.
_KEPT = 30.0

# Where a consumer is asked for more.
_ASK = f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}."


class _Counts(NamedTuple):
    """What the server says of a message."""

    consumer: str
    #: Its number for this consumer.
    number: int
    #: Its sequence in the stream, and when it came (nanoseconds).
    sequence: str
    came: str
    #: How many of its lane are behind it.
    behind: int


class _Reading:
    """A lane that is received. Belongs to the thread that reads.

    The server says nothing of what it lets go while it waits to be asked. Nothing is missing in
    front of a message if the one before it was still there when the server had been asked for it;
    that is looked up where the lane was long, or was not read for a while.
    """

    def __init__(self, lane: Lane, position: str, window: int) -> None:
        self.lane = lane
        #: How far it was read.
        self.position = position
        #: The name of its consumer.
        self.consumer = ""
        #: The number of the last message that was read, how many were asked for, and the largest
        #: number that a message may have without a thought of what was before.
        self.number, self.asked, self.vouched = 0, window, 0
        #: Whether something may be let go before the server is asked again.
        self.in_danger = False
        #: What came of the look at :attr:`position`, behind the asking; None where it is sure.
        self.looked: Future[set[Lane]] | None = None
        self._window = window

    def wants_more(self) -> int:
        """How many to ask for; none while more than half of them are still to come."""
        read = self._window - (self.asked - self.number)
        return read if 2 * read >= self._window else 0


class _Run:
    """What was read of a lane."""

    last: _Counts

    def __init__(self, reading: _Reading, missed_since: int | None) -> None:
        self.reading = reading
        self.missed_since = missed_since
        self.payloads: list[bytes] = []


class NatsReader:
    """Receives lanes; for one thread, but for what runs on the link's loop."""

    def __init__(self, link: NatsLink) -> None:
        self._link = link
        self._stream = ""
        # With how many of its lane behind it a message is in no danger, just below.
        self._safe = 0.0
        self._inbox = ""
        # What came, in the order in which it came; and what is not in there yet, the loop's own.
        self._received: SimpleQueue[list[Any]] = SimpleQueue()
        self._coming: list[Any] = []
        # By their lanes, and by their consumers' names.
        self._readings: dict[Lane, _Reading] = {}
        self._consumers: dict[str, _Reading] = {}
        # How far each was read.
        self._places: dict[Lane, str] = {}
        # What is to be begun anew, behind what was read of it by then.
        self._broken: set[Lane] = set()
        self._read_at = 0.0

    def open(self, stream: str) -> None:
        """Begin on a new connection, with the stream of that name."""
        self.close()
        self._stream, self._safe = stream, _safe(self._link.config)
        self._link.call(self._listen())

    def close(self) -> None:
        """Forget what came; the connection is gone."""
        self._received, self._coming = SimpleQueue(), []
        self._readings, self._consumers, self._places = {}, {}, {}
        self._broken = set()

    async def _listen(self) -> None:
        client, received, coming = self._link.client, self._received, self._coming
        loop = asyncio.get_running_loop()
        self._inbox = client.new_inbox()

        def hand_over() -> None:
            received.put(coming.copy())
            coming.clear()

        async def take(message: Any) -> None:
            # Together with what came with it: a thread that is woken for each takes as long as all
            # the rest.
            if not coming:
                loop.call_soon(hand_over)
            coming.append(message)

        await client.subscribe(
            f"{self._inbox}.*", cb=take, pending_msgs_limit=-1, pending_bytes_limit=-1
        )

    def read(self, positions: Mapping[Lane, str], timeout: float) -> Sequence[Passage]:
        """See :meth:`~upbit_stream.relay.brokers.Source.read`."""
        if self._broken or self._places != positions:
            self._follow(positions)
        now = time.monotonic()
        if now - self._read_at > _UNDOUBTED:
            for reading in self._readings.values():
                reading.in_danger = True
        self._read_at = now
        passages: list[Passage] = []
        for messages in self._by_subjects(timeout):
            passages += self._passages(messages)
        self._places.update((one.lane, one.position) for one in passages)
        self._ask_for_more({one.lane for one in passages})
        return passages

    def _by_subjects(self, timeout: float) -> Iterable[list[Any]]:
        """What is there, or comes within ``timeout`` seconds."""
        found: dict[str, list[Any]] = {}
        count = 0
        with suppress(Empty):
            messages = self._received.get(timeout=timeout)
            while True:
                for message in messages:
                    found.setdefault(message.subject, []).append(message)
                count += len(messages)
                if count >= _BATCH:
                    break
                messages = self._received.get_nowait()
        return found.values()

    def _passages(self, messages: Sequence[Any]) -> list[Passage]:
        """What came on one subject."""
        if (passage := self._usual(messages)) is not None:
            return [passage]
        passages: list[Passage] = []
        run: _Run | None = None
        for message in messages:
            if not message.reply:  # why nothing comes any more
                self._lose(message.subject.rpartition(".")[2])
                continue
            counts = _counts(message.reply)
            reading = self._consumers.get(counts.consumer)
            if reading is None:
                continue  # it was let go
            if counts.number != reading.number + 1:
                self._lose(counts.consumer)
                continue
            if run is None or counts.number > reading.vouched:
                if run is not None:
                    passages.append(self._end(run))
                run = _Run(reading, self._missed_since(reading, counts.number))
            run.payloads.append(message.data)
            run.last, reading.number = counts, counts.number
        if run is not None:
            passages.append(self._end(run))
        return passages

    def _usual(self, messages: Sequence[Any]) -> Passage | None:
        """All of it, where the first and the last one say that it is what was asked for."""
        if not messages[0].reply or not messages[-1].reply:
            return None
        first, last = _counts(messages[0].reply), _counts(messages[-1].reply)
        reading = self._consumers.get(first.consumer)
        if (
            reading is None
            or last.consumer != first.consumer
            or first.number != reading.number + 1
            or last.number - first.number != len(messages) - 1
            or last.number > reading.vouched
        ):
            return None
        run = _Run(reading, None)
        run.payloads = [message.data for message in messages]
        run.last, reading.number = last, last.number
        return self._end(run)

    def _end(self, run: _Run) -> Passage:
        """What was read; the reading is behind it."""
        reading, last = run.reading, run.last
        reading.position = f"{last.sequence}@{last.came[:-6]}@{self._stream}"
        if last.behind >= self._safe:
            reading.in_danger = True
        return Passage(reading.lane, run.payloads, reading.position, run.missed_since)

    def _lose(self, consumer: str) -> None:
        """The server does not serve it any more, or a message is missing."""
        if (reading := self._consumers.pop(consumer, None)) is not None:
            self._broken.add(reading.lane)

    def _missed_since(self, reading: _Reading, number: int) -> int | None:
        """Since when something may be missing between what was read last and that message."""
        if number <= reading.vouched:
            return None
        reading.vouched = reading.asked
        looked, reading.looked = reading.looked, None
        if looked is None or reading.lane not in self._link.wait(looked):
            return None
        # More may have been on its way when it was looked.
        if self._link.call(self.entry(reading.lane, reading.position)) is not None:
            return None
        return parts(reading.position)[1]

    def _ask_for_more(self, lanes: Iterable[Lane]) -> None:
        asking: dict[str, int] = {}
        doubted: dict[Lane, _Reading] = {}
        for lane in lanes:
            reading = self._readings[lane]
            if count := reading.wants_more():
                asking[reading.consumer] = count
                reading.asked += count
                if reading.in_danger:
                    doubted[lane] = reading
        if asking:
            places = {lane: reading.position for lane, reading in doubted.items()}
            looked = self._link.begin(self._ask(asking, places))
            for reading in doubted.values():
                # In place of an earlier look: what is there now was there before.
                reading.looked, reading.in_danger = looked, False

    async def _ask(self, numbers: Mapping[str, int], doubted: Mapping[Lane, str]) -> set[Lane]:
        """Ask the consumers for so many; which of those positions are not there any more then."""
        for consumer, number in numbers.items():
            await self._link.client.publish(
                _ASK + consumer, b'{"batch":%d}' % number, reply=f"{self._inbox}.{consumer}"
            )
        found = await asyncio.gather(*(self.entry(*one) for one in doubted.items()))
        return {lane for lane, one in zip(doubted, found, strict=True) if one is None}

    # Which of them.

    def _follow(self, positions: Mapping[Lane, str]) -> None:
        """Receive these, behind these positions, and no others."""
        gone = [
            reading
            for lane, reading in self._readings.items()
            if lane in self._broken or positions.get(lane) != reading.position
        ]
        for reading in gone:
            del self._readings[reading.lane]
            self._consumers.pop(reading.consumer, None)
        window = max(_LEAST, min(_MOST, _WAITING // max(1, len(positions))))
        fresh = [
            _Reading(lane, position, window)
            for lane, position in positions.items()
            if lane not in self._readings
        ]
        self._link.call(self._change([one.consumer for one in gone], fresh))
        known = {one.lane: one.position for one in fresh if self._is_known(one.position)}
        looked = self._link.begin(self._ask({one.consumer: window for one in fresh}, known))
        for reading in fresh:
            self._readings[reading.lane] = self._consumers[reading.consumer] = reading
            if reading.lane in known:
                reading.looked = looked
        self._places = dict(positions)
        self._broken.clear()

    async def _change(self, gone: Iterable[str], fresh: Iterable[_Reading]) -> None:
        await asyncio.gather(*map(self._delete, gone))
        await asyncio.gather(*map(self._begin, fresh))

    async def _delete(self, consumer: str) -> None:
        from nats.js.errors import NotFoundError

        with suppress(NotFoundError):  # it may be why it is to go
            await self._link.jetstream.delete_consumer(STREAM, consumer)

    async def _begin(self, reading: _Reading) -> None:
        from nats.js.api import AckPolicy, ConsumerConfig

        told = await self._link.jetstream.add_consumer(
            STREAM,
            ConsumerConfig(
                filter_subject=subject_of(reading.lane),
                ack_policy=AckPolicy.NONE,
                mem_storage=True,
                inactive_threshold=_KEPT,
                num_replicas=1,
                **self._start(reading.position),
            ),
        )
        reading.consumer = told.name

    def _start(self, position: str) -> dict[str, Any]:
        from nats.js.api import DeliverPolicy

        sequence, moment, _ = parts(position)
        if self._is_known(position):
            return {
                "deliver_policy": DeliverPolicy.BY_START_SEQUENCE,
                "opt_start_seq": sequence + 1,
            }
        if not sequence and moment:
            at = datetime.fromtimestamp(moment / 1000, timezone.utc).isoformat()
            return {"deliver_policy": DeliverPolicy.BY_START_TIME, "opt_start_time": at}
        return {"deliver_policy": DeliverPolicy.ALL}

    def _is_known(self, position: str) -> bool:
        """Whether it is that of a message of this stream."""
        sequence, _, stream = parts(position)
        return sequence > 0 and stream == self._stream

    # What is there.

    async def entry(self, lane: Lane, position: str) -> Record | None:
        """What stands at a position."""
        from nats.js.errors import NotFoundError

        if not self._is_known(position):
            return None
        try:
            message = await self._link.jetstream.get_msg(STREAM, seq=parts(position)[0])
        except NotFoundError:
            return None
        return Record(lane, position, bytes(message.data or b""))


def parts(position: str) -> tuple[int, int, str]:
    """Sequence and milliseconds (0 without them), and the stream."""
    sequence, _, rest = position.partition("@")
    moment, _, stream = rest.partition("@")
    return int(sequence or 0), int(moment or 0), stream


def _counts(reply: str) -> _Counts:
    tokens = reply.split(".")
    # $JS.ACK, (domain and account, in newer ones), stream, consumer, deliveries, sequence, number,
    # time, pending, (and one more, in newer ones).
    first = 3 if len(tokens) == 9 else 5
    consumer, _, sequence, number, came, behind = tokens[first : first + 6]
    return _Counts(consumer, int(number), sequence, came, int(behind))


def _safe(config: Any) -> float:
    """With how many of its lane behind it none is let go before the next read."""
    if config.max_msgs > 0 or config.max_bytes > 0 or config.max_age:
        return 0
    most: int = config.max_msgs_per_subject
    return most - _BURST if most > 0 else float("inf")
