"""What is measured in a client's process: ``python -m benchmarks.measures JOB``."""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
from collections.abc import Callable
from itertools import count
from typing import Any

import msgspec
import psutil

from benchmarks.clients import find
from benchmarks.job import Job, Result

__all__ = ["MEASURES"]

# The part of a paced job that is not counted: start-up.
_WARM_UP = 0.1
# What the second callback does with each message: so many seconds of computing.
_BUSY = 20e-6
_MIB = 1 << 20


def throughput(job: Job) -> Result:
    """``rate``: messages a second, from the first to the last."""
    number = count(1).__next__
    times: list[float] = []
    last = job.messages if job.client not in ("the limit", "nothing but reading") else 2

    def each(_: object) -> None:
        now = number()
        if now == 1 or now == last:
            times.append(time.perf_counter())

    find(job.client)(job, [each])
    return {"rate": (job.messages - 1) / (times[1] - times[0])}


def cpu(job: Job) -> Result:
    """``cpu``: microseconds of processor time a message, start-up taken off."""
    number = count(1).__next__
    first = int(job.messages * _WARM_UP)
    times: list[float] = []

    def each(_: object) -> None:
        now = number()
        if now == first or now == job.messages:
            times.append(time.process_time())

    find(job.client)(job, [each])
    return {"cpu": (times[1] - times[0]) / (job.messages - first) * 1e6}


def latency(job: Job) -> Result:
    """``p50``, ``p99``, ``p999``: microseconds from the server's send to the callback, while a
    second callback computes for 20 microseconds with each message.
    """
    found: list[int] = []
    append, now = found.append, time.time_ns

    def typed(message: Any) -> None:
        append(now() - message.trade_timestamp)

    def plain(message: Any) -> None:
        append(now() - message["trade_timestamp"])

    def busy(_: object) -> None:
        until = time.perf_counter() + _BUSY
        while time.perf_counter() < until:
            pass

    is_typed = job.client in ("upbit_stream", "picows + msgspec")
    find(job.client)(job, [typed if is_typed else plain, busy])
    counted = sorted(found[int(job.messages * _WARM_UP) :])
    places = {"p50": 0.5, "p99": 0.99, "p999": 0.999}
    return {name: counted[int(len(counted) * place)] / 1000 for name, place in places.items()}


def memory(job: Job) -> Result:
    """``early``, ``late``: MiB resident after a hundredth of the messages, and after all;
    ``peak``.
    """
    number = count(1).__next__
    early = job.messages // 100
    found: list[float] = []

    def each(_: object) -> None:
        now = number()
        if now == early or now == job.messages:
            found.append(_resident())

    find(job.client)(job, [each])
    return {"early": found[0], "late": found[1], "peak": _peak()}


def slow(job: Job) -> Result:
    """A callback that is ten times too slow, from a tenth of the job's time to seven tenths.

    MiB resident: ``steady`` before that, ``full`` at its end, ``after`` near the end of all, and
    ``collected`` then, when the interpreter's free lists were emptied. What lives in Python's
    allocator (its blocks): ``live`` before, ``live_after``.
    """
    began = 0.0
    seconds = job.messages / job.rate
    found: dict[str, float] = {}

    def each(_: object) -> None:
        nonlocal began
        now = time.monotonic()
        began = began or now
        place = (now - began) / seconds
        if 0.1 < place < 0.7:
            if "steady" not in found:
                found.update(steady=_resident(), live=sys.getallocatedblocks())
            time.sleep(10 / job.rate)
        elif place >= 0.7 and "full" not in found:
            found["full"] = _resident()
        elif place >= 0.95 and "after" not in found:
            found.update(after=_resident(), live_after=sys.getallocatedblocks())
            gc.collect()
            found["collected"] = _resident()

    find(job.client)(job, [each])
    return found


def first_event(job: Job) -> Result:
    """``seconds`` from the start of the process to the first event; ``resident`` MiB then."""
    found: list[float] = []

    def each(_: object) -> None:
        if not found:
            found.append(time.time() - psutil.Process().create_time())
            found.append(_resident())

    find(job.client)(job, [each])
    return {"seconds": found[0], "resident": found[1]}


def _resident() -> float:
    return psutil.Process().memory_info().rss / _MIB


def _peak() -> float:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


#: By the name that a job has for it.
MEASURES: dict[str, Callable[[Job], Result]] = {
    one.__name__: one for one in (throughput, cpu, latency, memory, slow, first_event)
}


def main() -> None:
    """Measure the job that is the only argument, and print the result."""
    job = msgspec.json.decode(sys.argv[1], type=Job)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    print(msgspec.json.encode(MEASURES[job.measure](job)).decode(), flush=True)
    if threading.active_count() > 1:
        os._exit(0)  # what a client leaves behind is not our matter


if __name__ == "__main__":
    main()
