"""Reading from NATS JetStream, alone or as one of a group."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from ssl import SSLContext
from typing import Any

from upbit_stream.relay.brokers import Heard, Passage, Record
from upbit_stream.relay.lanes import Lane
from upbit_stream.relay.nats_common import NOTICES, STREAM, NatsLink
from upbit_stream.relay.nats_groups import NatsGroups
from upbit_stream.relay.nats_reader import NatsReader, parts

__all__ = ["NatsSource"]


class NatsSource:
    """Reads lanes that are subjects."""

    def __init__(self, url: str, ssl_context: SSLContext | None = None) -> None:
        self._link = NatsLink(url, ssl_context)
        self._reader = NatsReader(self._link)
        self._groups = NatsGroups(self._link)
        self._stream = ""
        self._notices: SimpleQueue[bytes] = SimpleQueue()
        self._notices_after = 0
        self._notices_of = ""
        self._notices_missed = False
        self._heard_at = 0.0
        self._listening = False

    def open(self) -> str:
        self._stream = self._link.open()
        self._reader.open(self._stream)
        self._listening = False
        return self._stream

    def newest(self, lanes: Sequence[Lane]) -> Mapping[Lane, Record]:
        self._link.check()
        found = self._link.call(self._newest(lanes))
        return {record.lane: record for record in found if record is not None}

    async def _newest(self, lanes: Sequence[Lane]) -> list[Record | None]:
        return await asyncio.gather(*(self._reader.newest(lane) for lane in lanes))

    def at(self, positions: Mapping[Lane, str]) -> Mapping[Lane, Record]:
        self._link.check()
        found = self._link.call(self._at(positions))
        return {record.lane: record for record in found if record is not None}

    async def _at(self, positions: Mapping[Lane, str]) -> list[Record | None]:
        return await asyncio.gather(*(self._reader.entry(*one) for one in positions.items()))

    def beginning(self, milliseconds: int) -> str:
        return f"@{milliseconds}@" if milliseconds > 0 else ""

    def read(self, positions: Mapping[Lane, str], timeout: float) -> Sequence[Passage]:
        self._link.check()
        return self._reader.read(positions, timeout)

    def carried(self, positions: Mapping[Lane, str]) -> Mapping[Lane, str]:
        return {
            lane: place if parts(place)[2] in ("", self._stream) else self.beginning(0)
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
        from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

        async def take(message: Any) -> None:
            self._notices_after = message.metadata.sequence.stream
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
        await self._link.jetstream.subscribe(
            NOTICES,
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
        )
        self._notices_of = self._stream

    # Groups.

    def share(
        self, group: str, member: str, lanes: Sequence[Lane]
    ) -> tuple[Mapping[Lane, str | None], Sequence[Lane]]:
        return self._groups.share(group, member, lanes)

    def commit(
        self, group: str, member: str, positions: Mapping[Lane, str], leaving: Sequence[Lane]
    ) -> None:
        self._groups.commit(group, member, positions, leaving)

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
        self._reader.close()


def _those_of(kind: str, reports: Mapping[str, bytes]) -> dict[str, bytes]:
    return {
        key.partition(".")[2]: text for key, text in reports.items() if key.startswith(f"{kind}.")
    }
