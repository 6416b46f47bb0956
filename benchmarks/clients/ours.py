"""All of the SDK: socket, typed event, routing, queue, dispatch thread, callback."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from benchmarks.clients import Callback
from benchmarks.clients.dialling import url_of
from benchmarks.frames import codes
from benchmarks.job import Job
from upbit_stream import StreamConfig, UpbitStream

_LOOK = 0.05  # seconds between two looks at whether all has come


def consume(job: Job, callbacks: Sequence[Callback]) -> None:
    """Each callback has subscriptions of its own, over which the codes are spread."""
    if job.tls:
        os.environ["SSL_CERT_FILE"] = job.authority
    config = StreamConfig(
        url=url_of(job), wire_format=job.wire_format, queue_size=job.queue_size or job.messages
    )
    stream = UpbitStream(config=config)
    for callback in callbacks:
        for first in range(job.subscriptions):
            wanted = codes(job.codes)[first :: job.subscriptions]
            subscribe(stream, job, wanted, callback)
    with stream:
        while sum(one.stats.received for one in stream.subscriptions) < (
            job.messages * len(callbacks)
        ) or any(one.stats.queued for one in stream.subscriptions):
            time.sleep(_LOOK)


def subscribe(stream: UpbitStream, job: Job, wanted: tuple[str, ...], callback: Callback) -> None:
    """One subscription of the job's kind."""
    if job.kind == "ticker":
        stream.ticker(wanted, callback, snapshot=False)
    elif job.kind == "trade":
        stream.trade(wanted, callback, snapshot=False)
    else:
        depth = int(job.kind.split()[1])
        stream.orderbook(wanted, callback, depth=depth, snapshot=False)
