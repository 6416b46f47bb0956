"""A client that lives through faults, as a process: a line with the time for each event.

The time is that of ``time.monotonic()``, which on Linux all processes share. Arguments: which
client, and the base of the public endpoint.
"""

from __future__ import annotations

import sys
import time

# Short, so that twenty rounds do not take an hour; the report says so.
PING_INTERVAL = 1.0
PING_TIMEOUT = 1.0
STALE_AFTER = 2.0

CODES = ("KRW-BTC", "KRW-ETH")


def tell(event: object) -> None:
    """An event is there."""
    print(f"{time.monotonic():.6f}", flush=True)


def ours(url: str) -> None:
    """A stream with a callback."""
    from upbit_stream import StreamConfig, UpbitStream

    config = StreamConfig(
        url=url,
        ping_interval=PING_INTERVAL,
        ping_timeout=PING_TIMEOUT,
        stale_after=STALE_AFTER,
    )
    with UpbitStream(config=config) as stream:
        stream.ticker(CODES, tell)
        stream.run()


def upbit_sdk(url: str) -> None:
    """The exchange's own SDK, with the stream of it that reconnects."""
    from upbit import Upbit

    client = Upbit(websocket_base_url=url.removesuffix("/websocket/v1"))
    with client.ws_stream.ticker(list(CODES)) as connection:
        for event in connection:
            tell(event)


CLIENTS = {"upbit_stream": ours, "upbit-sdk": upbit_sdk}

if __name__ == "__main__":
    CLIENTS[sys.argv[1]](sys.argv[2])
