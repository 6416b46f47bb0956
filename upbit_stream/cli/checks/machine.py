"""What the machine gives this process."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import psutil

from upbit_stream.cli.checks.check import Check
from upbit_stream.cli.texts import text

if sys.platform != "win32":
    import resource

__all__ = ["check_machine"]

# A stream has up to ten connections, and a program has files of its own.
_DESCRIPTORS = 256
# Bytes that a program with full queues may want.
_MEMORY = 256 * 2**20


def check_machine() -> Iterator[Check]:
    """Processors, memory, descriptors."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    load = psutil.getloadavg()[0]
    busy = cores is not None and load > 2 * cores
    yield Check(
        "machine",
        "processors",
        "warn" if busy else "ok",
        text("doctor.processors", cores=cores or "?", load=f"{load:.1f}"),
        text("advice.load") if busy else None,
    )
    memory = psutil.virtual_memory()
    little = memory.available < _MEMORY
    yield Check(
        "machine",
        "memory",
        "warn" if little else "ok",
        text("doctor.memory", free=_gib(memory.available), total=_gib(memory.total)),
        text("advice.memory") if little else None,
    )
    if sys.platform != "win32":
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        endless = soft == resource.RLIM_INFINITY
        few = not endless and soft < _DESCRIPTORS
        yield Check(
            "machine",
            "descriptors",
            "warn" if few else "ok",
            text(
                "doctor.descriptors",
                limit="∞" if endless else f"{soft:,}",
                used=psutil.Process().num_fds(),
            ),
            text("advice.descriptors", limit=4096 if hard < 0 else min(hard, 4096))
            if few
            else None,
        )


def _gib(count: int) -> str:
    return f"{count / 2**30:.1f} GiB"
