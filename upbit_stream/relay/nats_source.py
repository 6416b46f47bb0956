"""Reading from NATS JetStream, alone or as one of a group.

A position is ``SEQUENCE@MILLISECONDS@STREAM``: of the stream as it was made at that moment, so one
of a stream that is gone means the beginning. ``@MILLISECONDS@`` is before what came at that time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from queue import Empty, SimpleQueue
from ssl import SSLContext
from typing import Any

import msgspec

from upbit_stream.relay.brokers import BrokerUnavailable, Heard, Passage, Record
from upbit_stream.relay.lanes import Lane, selection_of
from upbit_stream.relay.nats_common import NOTICES, STREAM, NatsLink, entries_of, subject_of

__all__ = ["NatsSource"]

# Records in one answer.
_BATCH = 2000

# Records that wait to be read; beyond it no more are received until they were.
_WAITING = 50_000

# Seconds for which a member of a group has its lanes without a word.
_LEASE = 3.0

# Looks at a group that others change at the same moment.
_TRIES = 10


class _Group(msgspec.Struct):
    """What is known of a group, by the names of lanes."""

    owners: dict[str, str] = msgspec.field(default_factory=dict)
    positions: dict[str, str] = msgspec.field(default_factory=dict)


class _Reading:
    """A lane that is received."""

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.subscription: Any = None
        #: See :attr:`~upbit_stream.relay.brokers.Passage.missed_since`; told once.
        self.missed_since: int | None = None
        #: Whether it is to be begun anew, behind what was read of it by then.
        self.stopped = False
        self._number = 0

    def follows(self, number: int) -> bool:
        """Whether the broker's count of what it has sent says that nothing is missing."""
        self._number += 1
        return number == self._number

    async def stop(self) -> None:
        """Receive no more."""
        self.stopped = True
        subscription, self.subscription = self.subscription, None
        if subscription is not None:
            await subscription.unsubscribe()


class _Run:
    """What was read of a lane."""

    def __init__(self, missed_since: int | None) -> None:
        self.missed_since = missed_since
        self.payloads: list[bytes] = []
        #: Sequence and milliseconds of the last one.
        self.place = ("", "")


class NatsSource:
    """Reads lanes that are subjects."""

    def __init__(self, url: str, ssl_context: SSLContext | None = None) -> None:
        self._url = url
        self._link = NatsLink(url, ssl_context)
        self._stream = ""
        self._received: SimpleQueue[tuple[_Reading, tuple[str, str], bytes]] = SimpleQueue()
        self._readings: dict[Lane, _Reading] = {}
        self._notices: SimpleQueue[bytes] = SimpleQueue()
        self._notices_after = 0
        self._notices_of = ""
        self._notices_missed = False
        self._heard_at = 0.0
        self._listening = False

    def open(self) -> str:
        self._stream = self._link.open()
        self._forget()
        return self._stream

    def _forget(self) -> None:
        self._readings, self._listening = {}, False
        self._received = SimpleQueue()

    def newest(self, lanes: Sequence[Lane]) -> Mapping[Lane, Record]:
        self._link.check()
        found = self._link.call(self._newest(lanes))
        return {record.lane: record for record in found if record is not None}

    async def _newest(self, lanes: Sequence[Lane]) -> list[Record | None]:
        return await asyncio.gather(*(self._last(lane) for lane in lanes))

    async def _last(self, lane: Lane) -> Record | None:
        from nats.js.errors import NotFoundError

        try:
            newest = await self._link.jetstream.get_last_msg(STREAM, subject_of(lane))
        except NotFoundError:
            return None
        came = getattr(newest, "time", None)  # older ones of nats-py do not tell it
        moment = 0 if came is None else int(came.timestamp() * 1000)
        return Record(lane, f"{newest.seq}@{moment}@{self._stream}", bytes(newest.data or b""))

    def at(self, positions: Mapping[Lane, str]) -> Mapping[Lane, Record]:
        self._link.check()
        found = self._link.call(self._at(positions))
        return {record.lane: record for record in found if record is not None}

    async def _at(self, positions: Mapping[Lane, str]) -> list[Record | None]:
        return await asyncio.gather(*(self._entry(*one) for one in positions.items()))

    async def _entry(self, lane: Lane, position: str) -> Record | None:
        from nats.js.errors import NotFoundError

        sequence, _, stream = _parts(position)
        if not sequence or stream != self._stream:
            return None
        try:
            message = await self._link.jetstream.get_msg(STREAM, seq=sequence)
        except NotFoundError:
            return None
        return Record(lane, position, bytes(message.data or b""))

    def beginning(self, milliseconds: int) -> str:
        return f"@{milliseconds}@" if milliseconds > 0 else ""

    def read(self, positions: Mapping[Lane, str], timeout: float) -> Sequence[Passage]:
        self._link.check()
        stopped = any(one.stopped for one in self._readings.values())
        if positions.keys() != self._readings.keys() or (stopped and self._received.empty()):
            self._link.call(self._receive(positions))
        count = 0
        runs: dict[Lane, _Run] = {}
        until = time.monotonic() + timeout
        with suppress(Empty):
            while count < _BATCH:
                left = 0.0 if count else max(0.0, until - time.monotonic())
                reading, place, payload = self._received.get(timeout=left)
                if self._readings.get(reading.lane) is reading:
                    run = runs.get(reading.lane)
                    if run is None:
                        run = runs[reading.lane] = _Run(reading.missed_since)
                        reading.missed_since = None
                    run.payloads.append(payload)
                    run.place = place
                    count += 1
        return [
            Passage(lane, run.payloads, "@".join((*run.place, self._stream)), run.missed_since)
            for lane, run in runs.items()
        ]

    async def _receive(self, positions: Mapping[Lane, str]) -> None:
        """Receive these, and no others."""
        for lane, reading in list(self._readings.items()):
            if lane not in positions or reading.stopped:
                del self._readings[lane]
                await reading.stop()
        fresh = [lane for lane in positions if lane not in self._readings]
        await asyncio.gather(*(self._begin(lane, positions[lane]) for lane in fresh))

    async def _begin(self, lane: Lane, position: str) -> None:
        reading = _Reading(lane)
        received = self._received

        async def take(message: Any) -> None:
            # message.metadata takes as long as all the rest.
            sequence, number, moment = _counts(message.reply)
            if reading.stopped:
                return
            if received.qsize() > _WAITING or not reading.follows(int(number)):
                await reading.stop()
                return
            received.put((reading, (sequence, moment[:-6]), message.data))

        reading.subscription = await self._subscribe(subject_of(lane), self._start(position), take)
        # Behind it, so that nothing is let go in between; nothing was taken out yet.
        reading.missed_since = await self._missed_since(lane, position)
        self._readings[lane] = reading

    def _start(self, position: str) -> dict[str, Any]:
        from nats.js.api import DeliverPolicy

        sequence, moment, stream = _parts(position)
        if sequence and stream == self._stream:
            return {
                "deliver_policy": DeliverPolicy.BY_START_SEQUENCE,
                "opt_start_seq": sequence + 1,
            }
        if not sequence and moment:
            at = datetime.fromtimestamp(moment / 1000, timezone.utc).isoformat()
            return {"deliver_policy": DeliverPolicy.BY_START_TIME, "opt_start_time": at}
        return {"deliver_policy": DeliverPolicy.ALL}

    async def _subscribe(
        self, subject: str, start: dict[str, Any], take: Callable[[Any], Any]
    ) -> Any:
        from nats.js.api import AckPolicy, ConsumerConfig

        return await self._link.jetstream.subscribe(
            subject,
            stream=STREAM,
            cb=take,
            manual_ack=True,
            config=ConsumerConfig(
                ack_policy=AckPolicy.NONE,
                mem_storage=True,
                inactive_threshold=30.0,
                num_replicas=1,
                **start,
            ),
            pending_msgs_limit=-1,
            pending_bytes_limit=-1,
        )

    async def _missed_since(self, lane: Lane, position: str) -> int | None:
        """Since when something may be missing behind a position that is not there any more."""
        sequence, moment, stream = _parts(position)
        if not sequence or stream != self._stream or await self._entry(lane, position) is not None:
            return None
        newest = await self._last(lane)
        is_behind = newest is not None and _parts(newest.position)[0] > sequence
        return moment if is_behind else None

    def carried(self, positions: Mapping[Lane, str]) -> Mapping[Lane, str]:
        return {
            lane: place if _parts(place)[2] in ("", self._stream) else self.beginning(0)
            for lane, place in positions.items()
        }

    def trimmed(self, positions: Mapping[Lane, str]) -> Collection[Lane]:
        self._link.check()
        return self._link.call(self._link.trimmed(positions))

    def notices(self) -> Heard:
        self._link.check()
        self._link.call(self._link.check_stream(self._stream))
        if not self._listening:
            self._link.call(self._listen())
            self._listening = True
        found = []
        with suppress(Empty):
            while True:
                found.append(self._notices.get_nowait())
        missed, self._notices_missed = self._notices_missed, False
        self._heard_at = time.monotonic()
        return Heard(found, missed)

    async def _listen(self) -> None:
        from nats.js.api import DeliverPolicy

        async def take(message: Any) -> None:
            self._notices_after = int(_counts(message.reply)[0])
            self._notices.put(message.data)

        if self._notices_of == self._stream:
            away = time.monotonic() - self._heard_at
            self._notices_missed = await self._link.let_go(NOTICES, self._notices_after, away)
        else:
            # Of a stream that was made anew all is news.
            self._notices_after = 0 if self._notices_of else await self._link.end()
        start: dict[str, Any] = {
            "deliver_policy": DeliverPolicy.BY_START_SEQUENCE,
            "opt_start_seq": self._notices_after + 1,
        }
        self._notices_of = self._stream
        await self._subscribe(NOTICES, start, take)

    # Groups.

    def share(
        self, group: str, member: str, lanes: Sequence[Lane]
    ) -> tuple[Mapping[Lane, str | None], Sequence[Lane]]:
        self._link.check()
        return self._link.call(self._share(group, member, lanes))

    async def _share(
        self, group: str, member: str, lanes: Sequence[Lane]
    ) -> tuple[Mapping[Lane, str | None], Sequence[Lane]]:
        members = await self._link.bucket("upbit-members", _LEASE)
        names = {str(lane): lane for lane in lanes}
        selection = selection_of(names).encode()
        await members.put(f"{group}={member}", selection)
        told = await entries_of(members)
        those = {key.partition("=")[2]: its for key, its in told.items() if _is_of(group, key)}
        living = {**those, member: selection}
        living.update(await self._overlooked(group, members, living))
        # Others may never take what this one leaves.
        due = -(-len(names) // sum(its == selection for its in living.values()))

        def take(state: _Group) -> tuple[list[str], list[str]]:
            mine = [name for name in names if state.owners.get(name) == member]
            free = [name for name in names if state.owners.get(name) not in living]
            mine += free[: max(0, due - len(mine))]
            state.owners.update(dict.fromkeys(mine, member))
            return mine, mine[due:]

        state, (mine, surplus) = await self._change(group, take)
        held = {names[name]: state.positions.get(name) for name in mine}
        return held, [names[name] for name in surplus]

    async def _overlooked(
        self, group: str, members: Any, living: Mapping[str, bytes]
    ) -> dict[str, bytes]:
        """Owners of lanes who live though the look at all members has missed them: it does miss
        one who speaks at this very moment.
        """
        from nats.js.errors import KeyNotFoundError

        state, _ = await self._change(group, lambda _: None)
        found = {}
        for owner in set(state.owners.values()) - living.keys():
            with suppress(KeyNotFoundError):
                found[owner] = bytes((await members.get(f"{group}={owner}")).value or b"")
        return found

    def commit(
        self, group: str, member: str, positions: Mapping[Lane, str], leaving: Sequence[Lane]
    ) -> None:
        self._link.check()

        def note(state: _Group) -> None:
            for lane, position in positions.items():
                if state.owners.get(str(lane)) == member:
                    state.positions[str(lane)] = position
            for lane in leaving:
                if state.owners.get(str(lane)) == member:
                    del state.owners[str(lane)]

        self._link.call(self._change(group, note))

    async def _change(self, group: str, change: Callable[[_Group], Any]) -> tuple[_Group, Any]:
        """Change what is known of a group, unless another member does so at the same moment: then
        look again.
        """
        from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError

        bucket = await self._link.bucket("upbit-groups")
        for _ in range(_TRIES):
            try:
                entry = await bucket.get(group)
                before, revision = bytes(entry.value or b"{}"), entry.revision
            except KeyNotFoundError:
                before, revision = b"", 0
            state = msgspec.json.decode(before or b"{}", type=_Group)
            result = change(state)
            after = msgspec.json.encode(state)
            if after == before:
                return state, result
            try:
                await bucket.update(group, after, last=revision)
            except KeyWrongLastSequenceError:
                continue
            return state, result
        raise BrokerUnavailable(f"the group {group} is changed by too many at once")

    # Reports.

    def report(self, name: str, report: bytes) -> Mapping[str, bytes]:
        self._link.check()
        told = self._link.call(self._link.leave_report(f"consumer.{name}", report))
        return _those_of("publisher", told)

    def reports(self) -> tuple[Mapping[str, bytes], Mapping[str, bytes]]:
        self._link.check()
        told = self._link.call(self._link.reports())
        return _those_of("publisher", told), _those_of("consumer", told)

    def close(self) -> None:
        self._link.close()
        self._forget()


def _is_of(group: str, key: str) -> bool:
    return key.partition("=")[0] == group


def _counts(reply: str) -> tuple[str, str, str]:
    """What the broker says of a message: its sequence in the stream, its number for this consumer,
    and when it came (nanoseconds).
    """
    tokens = reply.split(".")
    # $JS.ACK, (domain and account, in newer ones), stream, consumer, deliveries, and then these.
    first = 5 if len(tokens) == 9 else 7
    return tokens[first], tokens[first + 1], tokens[first + 2]


def _those_of(kind: str, reports: Mapping[str, bytes]) -> dict[str, bytes]:
    return {
        key.partition(".")[2]: text for key, text in reports.items() if key.startswith(f"{kind}.")
    }


def _parts(position: str) -> tuple[int, int, str]:
    sequence, _, rest = position.partition("@")
    moment, _, stream = rest.partition("@")
    return int(sequence or 0), int(moment or 0), stream
