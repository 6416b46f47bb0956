"""How the clients on a bare socket or on websocket-client connect."""

from __future__ import annotations

import json

import websocket

from benchmarks.frames import codes
from benchmarks.job import Job

__all__ = ["dial", "request", "url_of"]


def url_of(job: Job) -> str:
    """Where the server is."""
    return f"{'wss' if job.tls else 'ws'}://127.0.0.1:{job.port}/websocket/v1"


def request(job: Job) -> str:
    """What subscribes."""
    type_ = job.kind.split()[0]
    wanted = {"type": type_, "codes": codes(job.codes)}
    return json.dumps([{"ticket": "benchmark"}, wanted, {"format": job.wire_format}])


def dial(job: Job) -> websocket.WebSocket:
    """An open connection of websocket-client, subscribed."""
    trust = {"ca_certs": job.authority} if job.tls else {}
    client = websocket.create_connection(url_of(job), suppress_origin=True, sslopt=trust)
    client.send(request(job))
    return client
