"""A client that lives through faults, as a process: a line with code and id for each trade.

Arguments: which client, the base of the public endpoint, and the codes with commas between.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence

# Short, as the faults come every second; for all who have such settings.
PING_INTERVAL = 1.0
PING_TIMEOUT = 0.9
STALE_AFTER = 2.0


def tell(code: object, sequential_id: object) -> None:
    """A trade is there."""
    print(code, sequential_id, flush=True)


def ours(url: str, codes: Sequence[str]) -> None:
    """A stream with a callback."""
    from upbit_stream import ReconnectPolicy, StreamConfig, UpbitStream

    config = StreamConfig(
        url=url,
        ping_interval=PING_INTERVAL,
        ping_timeout=PING_TIMEOUT,
        stale_after=STALE_AFTER,
        # The others do not wait either, and faults are far rarer outside of here.
        reconnect=ReconnectPolicy(min_interval=0.1),
    )
    with UpbitStream(config=config) as stream:
        stream.trade(codes, lambda trade: tell(trade.code, trade.sequential_id))
        stream.run()


def upbit_sdk(url: str, codes: Sequence[str]) -> None:
    """The exchange's own SDK, with the stream of it that reconnects."""
    from upbit import Upbit

    client = Upbit(websocket_base_url=url.removesuffix("/websocket/v1"))
    with client.ws_stream.trade(list(codes)) as connection:
        for trade in connection:
            tell(trade.code, trade.sequential_id)


def websocket_client(url: str, codes: Sequence[str]) -> None:
    """The loop that everyone writes: connect, subscribe, read; again after a loss."""
    import websocket

    request = json.dumps([{"ticket": "loop"}, {"type": "trade", "codes": list(codes)}])

    def read(app: websocket.WebSocketApp, message: str | bytes) -> None:
        trade = json.loads(message)
        tell(trade["code"], trade["sequential_id"])

    while True:
        app = websocket.WebSocketApp(
            url, on_open=lambda opened: opened.send(request), on_message=read
        )
        # With the Origin header that it sends otherwise, one connect in ten seconds is allowed.
        app.run_forever(
            ping_interval=PING_INTERVAL, ping_timeout=PING_TIMEOUT, suppress_origin=True
        )
        time.sleep(1.0)


#: Name → client. The name is its package's, too.
CLIENTS = {
    "upbit_stream": ours,
    "upbit-sdk": upbit_sdk,
    "websocket-client": websocket_client,
}

if __name__ == "__main__":
    CLIENTS[sys.argv[1]](sys.argv[2], sys.argv[3].split(","))
