"""Publishing to NATS JetStream."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from ssl import SSLContext
from typing import Any

from upbit_stream.recovery.history import IDS_PER_MS
from upbit_stream.relay.entries import Entry
from upbit_stream.relay.lanes import Lane
from upbit_stream.relay.nats_common import DUPLICATES, NOTICES, STREAM, NatsLink, subject_of

__all__ = ["NatsSink"]

# What is older than this (seconds) the broker may have forgotten to have; with a margin for clocks
# that differ.
_KNOWN = 0.5 * DUPLICATES

# What the server says of an entry for an empty subject that is not empty.
_WRONG_LAST_SEQUENCE = 10071


class NatsSink:
    """Writes lanes as subjects. The broker itself leaves out what comes again, by its message id.

    The settings are those of :class:`~upbit_stream.relay.redis_sink.RedisSink`, and count for the
    stream that this makes; one that is there keeps what it keeps. Unlike with Redis, a state that
    is older than the newest is let in; consumers leave it out.

    The broker knows messages for two minutes. What is older, as after a long cut, is compared with
    the newest one of its lane: of what came before that, the broker has everything.
    """

    def __init__(
        self,
        url: str,
        *,
        max_length: int = 10_000,
        max_age: float | None = None,
        ssl_context: SSLContext | None = None,
    ) -> None:
        self._link = NatsLink(url, ssl_context)
        self._retention: dict[str, Any] = (
            {"max_msgs_per_subject": max_length}
            if max_age is None
            else {"max_msgs_per_subject": -1, "max_age": max_age}
        )

        # Of each lane that was asked for: the order that it begins with.
        self._beginnings: dict[Lane, int] = {}
        # The newest orders of lanes, as they were when something old was to be sent.
        self._newest: dict[Lane, int] = {}
        self._stream = ""

    def open(self) -> str:
        self._beginnings, self._newest = {}, {}
        self._stream = self._link.open(**self._retention)
        return self._stream

    def send(self, entries: Sequence[Entry]) -> int:
        self._link.check()
        # What was before the beginning of a lane, the broker does not know to be so.
        begun = self._beginnings
        news = [one for one in entries if one.order >= begun.get(one.lane, 0)] if begun else entries
        return self._link.call(self._send(self._without_known(news)))

    def _without_known(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        """Without what the broker has, and may have forgotten to have."""
        until = int((time.time() - _KNOWN) * 1000)
        old = {one.lane for one in entries if _moment(one) < until}
        if not old:
            return entries
        asked = [lane for lane in old if lane not in self._newest]
        self._newest.update({**dict.fromkeys(asked, 0), **self.newest(asked)})
        return [
            one
            for one in entries
            if one.order > self._newest.get(one.lane, 0) or _moment(one) >= until
        ]

    async def _send(self, entries: Sequence[Entry]) -> int:
        publish = self._link.jetstream.publish_async
        acks = [
            await publish(subject_of(one.lane), one.payload, headers=_headers(one))
            for one in entries
        ]
        try:
            done = await asyncio.gather(*acks)
        finally:
            for ack in acks:
                ack.cancel()
        return sum(not ack.duplicate for ack in done)

    def reopen(self, orders: Mapping[Lane, int]) -> None:
        # What came to this stream since it was made is known by message ids, however old it is.
        self._newest.update((lane, order - 1) for lane, order in orders.items())

    def begin(self, entries: Sequence[Entry]) -> Collection[Lane]:
        self._link.check()
        begun = self._link.call(self._begin_all(entries))
        return {one.lane for one, done in zip(entries, begun, strict=True) if done}

    async def _begin_all(self, entries: Sequence[Entry]) -> list[bool]:
        return await asyncio.gather(*map(self._begin, entries))

    async def _begin(self, entry: Entry) -> bool:
        from nats.js.api import Header
        from nats.js.errors import APIError

        headers = {**_headers(entry), Header.EXPECTED_LAST_SUBJECT_SEQUENCE.value: "0"}
        publish = self._link.jetstream.publish
        try:
            ack = await publish(subject_of(entry.lane), entry.payload, headers=headers)
        except APIError as error:
            if error.err_code == _WRONG_LAST_SEQUENCE:
                return False
            raise
        return not ack.duplicate

    def newest(self, lanes: Sequence[Lane]) -> Mapping[Lane, int]:
        self._link.check()
        found = self._link.call(self._ends(lanes))
        there = {lane: ends for lane, ends in zip(lanes, found, strict=True) if ends is not None}
        self._beginnings.update((lane, first) for lane, (first, _) in there.items())
        return {lane: last for lane, (_, last) in there.items()}

    async def _ends(self, lanes: Sequence[Lane]) -> list[tuple[int, int] | None]:
        return await asyncio.gather(*(self._ends_of(lane) for lane in lanes))

    async def _ends_of(self, lane: Lane) -> tuple[int, int] | None:
        from nats.js.errors import NotFoundError

        jetstream, subject = self._link.jetstream, subject_of(lane)
        try:
            last = await jetstream.get_last_msg(STREAM, subject)
            first = await jetstream.get_msg(STREAM, seq=1, subject=subject, next=True)
        except NotFoundError:
            return None
        return _order_of(first), _order_of(last)

    def tell(self, notice: bytes) -> None:
        self._link.check()
        self._link.call(self._link.jetstream.publish(NOTICES, notice))

    def report(self, name: str, report: bytes) -> Mapping[str, bytes]:
        self._link.check()
        # A stream that was made anew takes what it is sent, and has nothing of what was before.
        self._link.call(self._link.check_stream(self._stream))
        told = self._link.call(self._link.leave_report(f"publisher.{name}", report))
        return {
            key.partition(".")[2]: text
            for key, text in told.items()
            if key.startswith("publisher.")
        }

    def close(self) -> None:
        self._link.close()


def _order_of(message: Any) -> int:
    told = (message.headers or {}).get("Nats-Msg-Id", "")
    return int(told.rpartition(".")[2].partition("-")[0] or 0)


def _headers(entry: Entry) -> dict[str, str]:
    return {"Nats-Msg-Id": f"{entry.lane.type}.{entry.lane.code}.{_id(entry)}"}


def _moment(entry: Entry) -> int:
    """When it was made, in milliseconds since the epoch; of a trade its id tells it."""
    return entry.order // IDS_PER_MS if entry.lane.type == "trade" else entry.order


def _id(entry: Entry) -> str:
    return f"{entry.order}-{entry.mark}" if entry.mark else str(entry.order)
