"""``websockets``, its threaded side, with ``json``."""

from __future__ import annotations

import json
import ssl
from collections.abc import Sequence

from websockets.sync.client import connect

from benchmarks.clients import Callback
from benchmarks.clients.dialling import request, url_of
from benchmarks.job import Job


def consume(job: Job, callbacks: Sequence[Callback]) -> None:
    """Receive, decode, call."""
    trust = ssl.create_default_context(cafile=job.authority) if job.tls else None
    with connect(url_of(job), ssl=trust, max_size=None, close_timeout=0.1) as client:
        client.send(request(job))
        for _ in range(job.messages):
            message = json.loads(client.recv())
            for callback in callbacks:
                callback(message)
