"""One feed, two strategies that never connect to the exchange: here two processes, as well two
machines.

    python examples/two_machines.py BROKER publish     one process, or two for safety
    python examples/two_machines.py BROKER spread      each on a machine of its own
    python examples/two_machines.py BROKER flow

BROKER is as redis://localhost:6379 (needs the extra redis) or nats://localhost:4222 (nats). Kill
one of two publishers, or the broker for a while: the strategies miss no trade.

Against a local simulator instead of the exchange: run ``upbit-stream simulate`` and set
``UPBIT_STREAM_URL`` to the address that it prints, where the publisher runs.
"""

import sys

from upbit_stream import Orderbook, Trade, UpbitStream
from upbit_stream.relay import Relay

CODES = ["KRW-BTC", "KRW-ETH"]
bought: dict[str, float] = {}


def show_spread(book: Orderbook) -> None:
    if book.spread is not None and book.mid:
        print(f"{book.code} spread {book.spread / book.mid:.4%}")


def show_flow(trade: Trade) -> None:
    side = 1 if trade.ask_bid == "BID" else -1
    bought[trade.code] = bought.get(trade.code, 0.0) + side * trade.trade_volume
    print(f"{trade.code} {bought[trade.code]:+.8f} bought since the start")


def publish(broker: str) -> None:
    with UpbitStream() as stream, Relay(stream, broker) as relay:
        relay.publish(stream.trade(CODES), stream.orderbook(CODES, depth=5))
        stream.run()
        print(f"{relay.stats.published} events published")


if len(sys.argv) != 3 or sys.argv[2] not in ("publish", "spread", "flow"):
    sys.exit(__doc__)
broker, role = sys.argv[1:]
if role == "publish":
    publish(broker)
else:
    # All that differs from a strategy that connects to the exchange is the source.
    with UpbitStream(source=broker) as stream:
        if role == "spread":
            stream.orderbook(CODES, show_spread, depth=5)
        else:
            stream.trade(CODES, show_flow)
        stream.run()
