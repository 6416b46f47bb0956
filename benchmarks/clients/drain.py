"""What the server can do: everything is read, and nothing is done with it."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.clients import Callback
from benchmarks.clients.dialling import dial
from benchmarks.frames import payloads
from benchmarks.job import Job


def consume(job: Job, callbacks: Sequence[Callback]) -> None:
    """The callbacks are called at the first byte and at the last."""
    made = payloads(job.kind, job.wire_format, job.codes)
    left = sum(len(made[number % len(made)]) + 4 for number in range(job.messages))
    sock = dial(job).sock
    assert sock is not None
    buffer = bytearray(1 << 18)
    left -= sock.recv_into(buffer)
    for callback in callbacks:
        callback(None)
    while left > 0:
        received = sock.recv_into(buffer)
        assert received, "the server has gone"
        left -= received
    for callback in callbacks:
        callback(None)
