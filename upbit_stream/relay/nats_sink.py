"""Publishing to NATS JetStream."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from upbit_stream.relay.entries import Entry
from upbit_stream.relay.lanes import Lane
from upbit_stream.relay.nats_common import NOTICES, STREAM, NatsLink, subject_of

__all__ = ["NatsSink"]


class NatsSink:
    """Writes lanes as subjects. The broker itself leaves out what comes again, by its message id.

    The settings are those of :class:`~upbit_stream.relay.redis_sink.RedisSink`. Unlike there, a
    state that is older than the newest is let in; consumers leave it out.
    """

    def __init__(self, url: str, *, max_length: int = 10_000, max_age: float | None = None) -> None:
        self._link = NatsLink(url)
        self._retention: dict[str, Any] = (
            {"max_msgs_per_subject": max_length}
            if max_age is None
            else {"max_msgs_per_subject": -1, "max_age": max_age}
        )

        # Of each lane that was asked for: the order that it begins with.
        self._beginnings: dict[Lane, int] = {}

    def open(self) -> str:
        self._beginnings = {}
        return self._link.open(**self._retention)

    def send(self, entries: Sequence[Entry]) -> int:
        self._link.check()
        # What was before the beginning of a lane, the broker does not know to be so.
        begun = self._beginnings
        news = [one for one in entries if one.order >= begun.get(one.lane, 0)] if begun else entries
        return self._link.call(self._send(news))

    async def _send(self, entries: Sequence[Entry]) -> int:
        publish = self._link.jetstream.publish_async
        acks = [
            await publish(
                subject_of(entry.lane),
                entry.payload,
                headers={"Nats-Msg-Id": f"{entry.lane.type}.{entry.lane.code}.{_id(entry)}"},
            )
            for entry in entries
        ]
        try:
            done = await asyncio.gather(*acks)
        finally:
            for ack in acks:
                ack.cancel()
        return sum(not ack.duplicate for ack in done)

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


def _id(entry: Entry) -> str:
    return f"{entry.order}-{entry.mark}" if entry.mark else str(entry.order)
