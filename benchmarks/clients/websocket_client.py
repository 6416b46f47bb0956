"""websocket-client as it comes, with ``json``: a bare loop."""

from __future__ import annotations

import json
from collections.abc import Sequence

from benchmarks.clients import Callback
from benchmarks.clients.dialling import dial
from benchmarks.job import Job


def consume(job: Job, callbacks: Sequence[Callback]) -> None:
    """Receive, decode, call."""
    client = dial(job)
    for _ in range(job.messages):
        message = json.loads(client.recv())
        for callback in callbacks:
            callback(message)
