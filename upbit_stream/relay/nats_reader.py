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
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from datetime import datetime, timezone
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

from upbit_stream.relay.brokers import BrokerUnavailable, Passage, Record
from upbit_stream.relay.lanes import Lane
from upbit_stream.relay.nats_common import STREAM, NatsLink, subject_of

__all__ = ["NatsReader", "parts"]

# Records after which an answer is long enough. More order books than that at a time leave the
# processor's cache.
_BATCH = 250

# Records that are asked for and not read yet: of all lanes together, if no lane has less than the
# least. The largest are order books, of some 2 kB.
_WAITING = 20_000
_LEAST, _MOST = 32, 2000

# Where something may have been let go it is looked up, but not for a record that has just come
# (seconds), with so few of its lane behind it.
_FRESH, _FEW = 0.05, 100

# Seconds for which the server keeps a consumer that nobody asks; and after which it is looked
# whether one that says nothing has been kept.
_KEPT = 30.0
_SILENT = 1.0

# What a server says that allows no more than so many records to be asked for.
_ALLOWED = re.compile(r"MaxRequestBatch of (\d+)")

# Where a consumer is asked for more.
_ASK = f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}."


class _Message(NamedTuple):
    """What came."""

    #: The lane's, or of a status the consumer's.
    subject: bytes
    #: What is said of it, see :func:`_counts`; empty: it is a status.
    reply: bytes
    payload: bytes
    status: str = ""


class _Counts(NamedTuple):
    """What the server says of a message."""

    consumer: bytes
    #: Its number for this consumer.
    number: int
    #: Its sequence in the stream, and when it came (nanoseconds).
    sequence: bytes
    came: bytes
    #: How many of its lane are behind it.
    behind: int


class _Reading:
    """A lane that is received. Belongs to the thread that reads.

    It is asked for more when all that was asked for is read. What the server lets go while it waits
    for that is missing, and it does not say so: but nothing is if what was read last is still there
    when it has been asked. (What it lets go of a lane in the moment in which it is sending is never
    missed here: lanes are to be longer than that.)
    """

    def __init__(self, lane: Lane, position: str) -> None:
        self.lane = lane
        #: How far it was read.
        self.position = position
        #: The name of its consumer.
        self.consumer = b""
        #: Numbers of messages: of the last one that was read, the last one that was asked for, and
        #: the last one before it was asked for these.
        self.number = self.asked = self.before = 0
        #: When it was asked, and whether something may be missing in front of what comes then.
        self.asked_at = float("-inf")
        self.is_holed: Future[bool] | None = None
        #: Whether the consumer is known to have been there when it was asked.
        self.is_kept = True
        #: How many of its lane were behind what was read last.
        self.behind = 0


class NatsReader:
    """Receives lanes; for one thread, but for what runs on the link's loop."""

    def __init__(self, link: NatsLink) -> None:
        self._link = link
        self._stream = ""
        self._inbox = ""
        # What came, in the order in which it came, and when.
        self._received: SimpleQueue[tuple[float, list[_Message]]] = SimpleQueue()
        # By their lanes, and by their consumers' names.
        self._readings: dict[Lane, _Reading] = {}
        self._consumers: dict[bytes, _Reading] = {}
        # How far each was read.
        self._places: dict[Lane, str] = {}
        # What is to be begun anew, behind what was read of it by then.
        self._broken: set[Lane] = set()
        # How many records may be asked for at a time.
        self._most = _MOST
        self._verified_at = float("-inf")

    def open(self, stream: str) -> None:
        """Begin on a new connection, with the stream of that name."""
        self.close()
        self._stream = stream
        self._link.call(self._listen())

    def close(self) -> None:
        """Forget what came; the connection is gone."""
        self._received = SimpleQueue()
        self._readings, self._consumers, self._places = {}, {}, {}
        self._broken = set()

    async def _listen(self) -> None:
        client, received = self._link.client, self._received
        loop = asyncio.get_running_loop()
        coming: list[_Message] = []
        self._inbox = client.new_inbox()

        def hand_over() -> None:
            received.put((time.monotonic(), coming.copy()))
            coming.clear()

        def take(subject: bytes, reply: bytes, payload: bytes, status: str = "") -> None:
            # Together with what came with it: to wake a thread for each takes as long as all the
            # rest.
            if not coming:
                loop.call_soon(hand_over)
            coming.append(_Message(subject, reply, payload, status))

        async def take_one(message: Any) -> None:
            status = " ".join((message.headers or {}).values())
            take(message.subject.encode(), message.reply.encode(), message.data, status)

        subscription = await client.subscribe(
            f"{self._inbox}.*", cb=take_one, pending_msgs_limit=-1, pending_bytes_limit=-1
        )
        client.take_all(subscription, take)

    def read(self, positions: Mapping[Lane, str], timeout: float) -> Sequence[Passage]:
        """See :meth:`~upbit_stream.relay.brokers.Source.read`."""
        passages: list[Passage] = []
        now = time.monotonic()
        until = now + timeout
        while not passages and now <= until:
            if now > self._verified_at + _SILENT:
                self._verified_at = now
                self._verify(now)
            if self._broken or self._places != positions:
                self._follow(positions)
            since, found = self._by_subjects(until - now)
            passages += filter(None, map(self._passage, found))
            now = time.monotonic()
            self._places.update((one.lane, one.position) for one in passages)
            self._ask_for_more((one.lane for one in passages), now, now - since < _FRESH)
        return passages

    def _by_subjects(self, timeout: float) -> tuple[float, Iterable[list[_Message]]]:
        """What is there, or comes within ``timeout`` seconds; and since when it is there."""
        found: dict[bytes, list[_Message]] = {}
        count, since = 0, float("-inf")
        with suppress(Empty):
            since, messages = self._received.get(timeout=max(0.0, timeout))
            while True:
                for message in messages:
                    found.setdefault(message.subject, []).append(message)
                count += len(messages)
                if count >= _BATCH:
                    break
                _, messages = self._received.get_nowait()
        return since, found.values()

    def _passage(self, messages: Sequence[_Message]) -> Passage | None:
        """What came on one subject."""
        usual = self._usual(messages)
        reading, last, payloads = self._sift(messages) if usual is None else usual
        if reading is None or last is None:
            return None
        missed_since = self._missed_since(reading)
        reading.number, reading.behind = last.number, last.behind
        moment = last.came[:-6].decode()
        reading.position = f"{last.sequence.decode()}@{moment}@{self._stream}"
        return Passage(reading.lane, payloads, reading.position, missed_since)

    def _usual(self, messages: Sequence[_Message]) -> tuple[_Reading, _Counts, list[bytes]] | None:
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
        ):
            return None
        return reading, last, [message.payload for message in messages]

    def _sift(
        self, messages: Iterable[_Message]
    ) -> tuple[_Reading | None, _Counts | None, list[bytes]]:
        """What of it was asked for."""
        reading, last = None, None
        payloads: list[bytes] = []
        for message in messages:
            if not message.reply:
                self._refuse(message)
                continue
            counts = _counts(message.reply)
            its = self._consumers.get(counts.consumer)
            if its is None:
                continue  # it was let go
            number = its.number if last is None else last.number
            if counts.number != number + 1:
                self._lose(its)
                continue
            reading, last = its, counts
            payloads.append(message.payload)
        return reading, last, payloads

    def _refuse(self, message: _Message) -> None:
        """The server says of a consumer why nothing comes any more."""
        reading = self._consumers.get(message.subject.rpartition(b".")[2])
        if reading is None:
            return
        self._lose(reading)
        why = message.status
        asked_for = reading.asked - reading.before
        if (allowed := _ALLOWED.search(why)) is not None and int(allowed[1]) < asked_for:
            self._most = min(self._most, int(allowed[1]))
        elif not reading.number:
            # It would be the same again, and again.
            raise BrokerUnavailable(
                f"nothing was sent of {reading.lane}: {why}; look at the server's limits and log"
            )

    def _lose(self, reading: _Reading) -> None:
        """Nothing comes of it any more, or a message is missing."""
        del self._consumers[reading.consumer]
        self._broken.add(reading.lane)

    def _missed_since(self, reading: _Reading) -> int | None:
        """Since when something may be missing behind what was read of it."""
        is_holed, reading.is_holed = reading.is_holed, None
        if is_holed is None or not self._link.wait(is_holed):
            return None
        return parts(reading.position)[1]

    # Asking.

    def _ask_for_more(self, lanes: Iterable[Lane], now: float, is_fresh: bool) -> None:
        for lane in lanes:
            reading = self._readings[lane]
            if reading.number >= reading.asked and lane not in self._broken:
                doubted = not is_fresh or reading.behind > _FEW
                reading.is_kept = False
                self._ask(reading, now, doubted)

    def _ask(self, reading: _Reading, now: float, doubted: bool) -> None:
        window = min(self._most, max(_LEAST, _WAITING // len(self._readings)))
        reading.before, reading.asked = reading.number, reading.number + window
        reading.asked_at = now
        place = reading.position if doubted else None
        asking = self._request(reading.consumer.decode(), window, reading.lane, place)
        reading.is_holed = self._link.begin(asking)

    async def _request(self, consumer: str, window: int, lane: Lane, place: str | None) -> bool:
        """Ask for so many; whether something may be missing behind that place, if there is one."""
        await self._link.client.publish(
            _ASK + consumer, b'{"batch":%d}' % window, reply=f"{self._inbox}.{consumer}"
        )
        if place is None or await self.entry(lane, place) is not None:
            return False
        newest = await self.newest(lane)
        return newest is not None and parts(newest.position)[0] > parts(place)[0]

    def _verify(self, now: float) -> None:
        """Look whether the consumers are there that were asked and say nothing. To one that the
        server has ended meanwhile nothing is answered; one that waits is told when it ends.
        """
        silent = [
            one
            for one in self._consumers.values()
            if not one.is_kept and one.number == one.before and now - one.asked_at > _SILENT
        ]
        if not silent:
            return
        there = self._link.call(self._are_there([one.consumer.decode() for one in silent]))
        for reading, is_there in zip(silent, there, strict=True):
            if reading.is_holed is not None:
                self._link.wait(reading.is_holed)  # it has been asked, that is
            reading.is_kept = True
            if not is_there:
                self._lose(reading)

    async def _are_there(self, consumers: Iterable[str]) -> list[bool]:
        return await asyncio.gather(*map(self._is_there, consumers))

    async def _is_there(self, consumer: str) -> bool:
        from nats.js.errors import NotFoundError

        try:
            await self._link.jetstream.consumer_info(STREAM, consumer)
        except NotFoundError:
            return False
        return True

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
        fresh = [
            _Reading(lane, position)
            for lane, position in positions.items()
            if lane not in self._readings
        ]
        self._link.call(self._change([one.consumer.decode() for one in gone], fresh))
        for reading in fresh:
            self._readings[reading.lane] = self._consumers[reading.consumer] = reading
        now = time.monotonic()
        for reading in fresh:
            self._ask(reading, now, self._is_known(reading.position))
        self._places = dict(positions)
        self._broken.clear()

    async def _change(self, gone: Iterable[str], fresh: Iterable[_Reading]) -> None:
        await asyncio.gather(*map(self._delete, gone))
        await asyncio.gather(*map(self._begin, fresh))
        # Positions of one that is gone mean nothing there.
        await self._link.check_stream(self._stream)

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
        reading.consumer = told.name.encode()

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

    async def newest(self, lane: Lane) -> Record | None:
        """What is the last of a lane."""
        from nats.js.errors import NotFoundError

        try:
            newest = await self._link.jetstream.get_last_msg(STREAM, subject_of(lane))
        except NotFoundError:
            return None
        came = getattr(newest, "time", None)  # older ones of nats-py do not tell it
        moment = 0 if came is None else int(came.timestamp() * 1000)
        return Record(lane, f"{newest.seq}@{moment}@{self._stream}", bytes(newest.data or b""))


def parts(position: str) -> tuple[int, int, str]:
    """Sequence and milliseconds (0 without them), and the stream."""
    sequence, _, rest = position.partition("@")
    moment, _, stream = rest.partition("@")
    return int(sequence or 0), int(moment or 0), stream


def _counts(reply: bytes) -> _Counts:
    tokens = reply.split(b".")
    # $JS.ACK, (domain and account, in newer ones), stream, consumer, deliveries, sequence, number,
    # time, pending, (and one more, in newer ones).
    first = 3 if len(tokens) == 9 else 5
    consumer, _, sequence, number, came, behind = tokens[first : first + 6]
    return _Counts(consumer, int(number), sequence, came, int(behind))
