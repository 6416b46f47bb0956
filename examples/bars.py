"""Bars (open, high, low, close, volume) of your own length, made of trades.

    python examples/bars.py [SECONDS] [BAR_SECONDS]

Trades come in order, missed ones too: a bar is done when a later one begins. A late one mends it.

Against a local simulator instead of the exchange: run ``upbit-stream simulate`` and set
``UPBIT_STREAM_URL`` to the address that it prints.
"""

import sys
from collections import defaultdict
from datetime import datetime, timezone
from operator import attrgetter

from upbit_stream import StreamConfig, Trade, UpbitStream


class Bar:
    def __init__(self, trade: Trade) -> None:
        self.first = self.last = trade
        self.high = self.low = trade.trade_price
        self.volume: float = 0

    def add(self, trade: Trade) -> None:
        self.first = min(self.first, trade, key=in_order)
        self.last = max(self.last, trade, key=in_order)
        self.high = max(self.high, trade.trade_price)
        self.low = min(self.low, trade.trade_price)
        self.volume += trade.trade_volume


in_order = attrgetter("trade_timestamp", "sequential_id")
HEADER = "code    from (UTC)                 open        high         low       close       volume"
length = round(1000 * float(sys.argv[2])) if len(sys.argv) > 2 else 60_000  # milliseconds
bars: dict[str, dict[int, Bar]] = defaultdict(dict)  # by code and beginning
begun: dict[str, int] = {}  # the first bar of each code: its beginning was before ours


def on_trade(trade: Trade) -> None:
    code, start = trade.code, trade.trade_timestamp // length * length
    newest = max(bars[code], default=begun.setdefault(code, start))
    if start >= min(bars[code], default=start):
        bars[code].setdefault(start, Bar(trade)).add(trade)
    told = min(start, newest)  # the newest is done when another begins; an older one was corrected
    if start != newest and told > begun[code] and (bar := bars[code].get(told)):
        when = datetime.fromtimestamp(told / 1000, timezone.utc)
        prices = (bar.first.trade_price, bar.high, bar.low, bar.last.trade_price)
        ohlc = " ".join(f"{price:11,.0f}" for price in prices)
        sys.stdout.write(f"{code} {when:%Y-%m-%d %H:%M:%S} {ohlc} {bar.volume:12.8f}\n")
    if len(bars[code]) > 10:  # older ones are not corrected any more
        del bars[code][min(bars[code])]


with UpbitStream(config=StreamConfig(numbers="decimal")) as stream:  # so that volumes add up
    print(HEADER)
    stream.on_gap(lambda gap: sys.stdout.write(f"({gap})\n"))
    stream.trade(["KRW-BTC", "KRW-ETH"], callback=on_trade)
    stream.run(float(sys.argv[1]) if len(sys.argv) > 1 else None)
