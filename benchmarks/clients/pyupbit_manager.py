"""pyupbit: its manager, which receives in a process of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import websockets
from pyupbit import WebSocketManager

from benchmarks.clients import Callback
from benchmarks.clients.dialling import url_of
from benchmarks.frames import codes
from benchmarks.job import Job


def consume(job: Job, callbacks: Sequence[Callback]) -> None:
    """Get from its queue. The exchange's address is written into it: here it is another."""
    connect = websockets.connect

    def elsewhere(_: str, **options: Any) -> Any:
        return connect(url_of(job), **options)

    websockets.connect = elsewhere  # type: ignore[misc, assignment]
    manager = WebSocketManager(job.kind.split()[0], list(codes(job.codes)))
    try:
        for _ in range(job.messages):
            message = manager.get()
            for callback in callbacks:
                callback(message)
    finally:
        manager.terminate()
