"""picows (Cython, asyncio) with msgspec: a listener that decodes to the same types and calls."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence

import msgspec
from picows import WSFrame, WSListener, WSTransport, ws_connect

from benchmarks.clients import Callback
from benchmarks.clients.dialling import request, url_of
from benchmarks.job import Job
from upbit_stream.protocol.decoding import EVENT_CLASSES
from upbit_stream.protocol.variants import wire_variant


def consume(job: Job, callbacks: Sequence[Callback]) -> None:
    """Decode and call in the listener."""
    event = wire_variant(EVENT_CLASSES[job.kind.split()[0]], job.wire_format == "SIMPLE", False)
    decode = msgspec.json.Decoder(event).decode
    left = job.messages

    class Listener(WSListener):  # type: ignore[misc]  # picows is not typed
        def on_ws_connected(self, transport: WSTransport) -> None:
            transport.send(1, request(job).encode())

        def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
            nonlocal left
            message = decode(frame.get_payload_as_memoryview())
            for callback in callbacks:
                callback(message)
            left -= 1
            if not left:
                transport.disconnect()

    async def run() -> None:
        trust = ssl.create_default_context(cafile=job.authority) if job.tls else None
        transport, _ = await ws_connect(Listener, url_of(job), ssl_context=trust)
        await transport.wait_disconnected()

    asyncio.run(run())
