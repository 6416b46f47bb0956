"""The exchange's own SDK, synchronous, as its README shows it."""

from __future__ import annotations

from collections.abc import Sequence

from upbit import Upbit

from benchmarks.clients import Callback
from benchmarks.clients.dialling import request
from benchmarks.job import Job


def consume(job: Job, callbacks: Sequence[Callback]) -> None:
    """Iterate over its typed events."""
    client = Upbit(websocket_base_url=f"ws://127.0.0.1:{job.port}")
    with client.ws_public.connect_public() as connection:
        connection.send_raw(request(job))
        for _ in range(job.messages):
            message = connection.recv()
            for callback in callbacks:
                callback(message)
