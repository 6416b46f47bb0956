"""The limit: ``recv_into`` and msgspec to the same types; no thread, no routing, no queue."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from benchmarks.clients import Callback
from benchmarks.clients.dialling import dial
from benchmarks.job import Job
from upbit_stream import Event
from upbit_stream.protocol.decoding import EVENT_CLASSES
from upbit_stream.protocol.variants import wire_variant


def consume(job: Job, callbacks: Sequence[Callback]) -> None:
    """It only counts; of the messages the first and the last are given away."""
    short = job.wire_format == "SIMPLE"
    decode = msgspec.json.Decoder(
        wire_variant(EVENT_CLASSES[job.kind.split()[0]], short, False)
    ).decode
    sock = dial(job).sock
    assert sock is not None
    buffer = bytearray(1 << 18)
    view = memoryview(buffer)
    filled = seen = 0
    event: Event | msgspec.Struct | None = None
    while seen < job.messages:
        received = sock.recv_into(view[filled:])
        assert received
        end, start = filled + received, 0
        while end - start >= 4:
            size = buffer[start + 2] << 8 | buffer[start + 3]
            if end - start < 4 + size:
                break
            event = decode(view[start + 4 : start + 4 + size])
            seen += 1
            if seen == 1:
                give(callbacks, event)
            start += 4 + size
        filled = end - start
        buffer[:filled] = buffer[start:end]
    give(callbacks, event)


def give(callbacks: Sequence[Callback], event: object) -> None:
    """To each callback."""
    for callback in callbacks:
        callback(event)
