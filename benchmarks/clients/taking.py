"""A client that takes trades through faults, as a process: a line with code and id for each.

A snapshot's line ends with an asterisk. Arguments: which client, and the base of the public
endpoint. Each works with its defaults, as its documentation shows it, with one exception that is
named here.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Literal

CODES = ("KRW-BTC", "KRW-ETH", "KRW-XRP")

# Seconds between two tries of the plain loop: what upbit-sdk waits, too.
_PAUSE = 1.0


def tell(code: str, id_: int | None, stream_type: str | None) -> None:
    """A trade is there."""
    print(code, id_, "*" if stream_type == "SNAPSHOT" else "", flush=True)


def one_line(url: str) -> None:
    """A stream with a callback."""
    _ours(url, 1)


def two_lines(url: str) -> None:
    """The same with two connections."""
    _ours(url, 2)


def _ours(url: str, redundancy: Literal[1, 2]) -> None:
    from upbit_stream import ReconnectPolicy, StreamConfig, UpbitStream

    # Not the default: by it a line that dies again and again waits for five seconds, and would
    # miss most of the faults.
    policy = ReconnectPolicy(min_interval=0.1)
    config = StreamConfig(url=url, redundancy=redundancy, reconnect=policy)
    with UpbitStream(config=config) as stream:
        stream.trade(CODES, lambda trade: tell(trade.code, trade.sequential_id, trade.stream_type))
        stream.run()


def upbit_sdk(url: str) -> None:
    """The exchange's own SDK, with the stream of it that reconnects."""
    from upbit import Upbit

    client = Upbit(websocket_base_url=url.removesuffix("/websocket/v1"))
    with client.ws_stream.trade(list(CODES)) as connection:
        for trade in connection:
            tell(trade.code, trade.sequential_id, trade.stream_type)


def upbit_sdk_again(url: str) -> None:
    """The same, begun again whenever it ends: its user's own loop around it."""
    while True:
        try:
            upbit_sdk(url)
        except Exception as error:  # whatever ends it
            print(f"ended: {type(error).__name__}: {error}", file=sys.stderr)
        time.sleep(_PAUSE)


def plain_loop(url: str) -> None:
    """websocket-client and ``json``; whatever goes wrong, it connects again."""
    import websocket

    wanted = [{"ticket": "benchmark"}, {"type": "trade", "codes": list(CODES)}]
    while True:
        try:
            client = websocket.create_connection(url, suppress_origin=True)
            client.send(json.dumps(wanted))
            while True:
                trade = json.loads(client.recv())
                tell(trade["code"], trade["sequential_id"], trade["stream_type"])
        except Exception as error:  # whatever ends it
            print(f"lost: {type(error).__name__}: {error}", file=sys.stderr)
            time.sleep(_PAUSE)


#: By what they are called in the table.
CLIENTS = {
    "upbit_stream": one_line,
    "upbit_stream, redundancy=2": two_lines,
    "websocket-client + json, a loop": plain_loop,
    "upbit-sdk": upbit_sdk,
    "upbit-sdk, begun again when it ends": upbit_sdk_again,
}

if __name__ == "__main__":
    CLIENTS[sys.argv[1]](sys.argv[2])
