"""Your first trades: a decorated function is called with every one.

    python examples/first_trade.py [SECONDS]

Against a local simulator instead of the exchange: run ``upbit-stream simulate`` and set
``UPBIT_STREAM_URL`` to the address that it prints.
"""

import sys

from upbit_stream import Trade, UpbitStream

seconds = float(sys.argv[1]) if len(sys.argv) > 1 else None

with UpbitStream() as stream:

    @stream.trade(["KRW-BTC", "KRW-ETH"])
    def on_trade(trade: Trade) -> None:
        side = "sold" if trade.ask_bid == "ASK" else "bought"
        print(f"{trade.code} {trade.trade_volume:.8f} {side} at {trade.trade_price:,.0f}")

    stream.run(seconds)  # without a number: until Ctrl-C
