"""The five markets that moved most within the last minute, out of all that trade in won.

    python examples/scanner.py [SECONDS]

Against a local simulator instead of the exchange: run ``upbit-stream simulate`` and set
``UPBIT_STREAM_URL`` to the address that it prints.
"""

import json
import os
import sys
import time
from collections import defaultdict, deque
from urllib.request import urlopen

from upbit_stream import Ticker, UpbitStream

WINDOW = 60_000  # milliseconds that a move is measured over
PAUSE = 1.0  # seconds between two tables


def krw_markets() -> list[str]:
    """The codes of all markets in KRW, from the REST interface beside the stream."""
    url = os.environ.get("UPBIT_STREAM_URL", "wss://api.upbit.com/websocket/v1")
    rest = url.replace("ws", "http", 1).replace("/websocket/", "/")
    with urlopen(f"{rest}/market/all", timeout=10) as answer:
        codes = [market["market"] for market in json.load(answer)]
    return [code for code in codes if code.startswith("KRW-")]


class Scanner:
    """Called with every ticker, one call at a time: it needs no lock."""

    def __init__(self) -> None:
        self.prices: dict[str, deque[tuple[int, float]]] = defaultdict(deque)
        self.shown_at = time.monotonic()

    def __call__(self, ticker: Ticker) -> None:
        self.prices[ticker.code].append((ticker.trade_timestamp, ticker.trade_price))
        if time.monotonic() - self.shown_at >= PAUSE:
            self.shown_at = time.monotonic()
            print(f"{ticker.trade_datetime:%H:%M:%S} UTC, {len(self.prices)} markets")
            for code, change in self.moves(ticker.timestamp)[:5]:
                print(f"  {code:<12} {change:+8.3%} {self.prices[code][-1][1]:>18,.8g}")

    def moves(self, now: int) -> list[tuple[str, float]]:
        """Codes with the changes of their prices within the window, the largest first."""
        for past in self.prices.values():
            while len(past) > 1 and past[1][0] <= now - WINDOW:
                past.popleft()  # the first that stays is the price at the window's beginning
        changes = {code: past[-1][1] / past[0][1] - 1 for code, past in self.prices.items()}
        return sorted(changes.items(), key=lambda change: abs(change[1]), reverse=True)


with UpbitStream() as stream:
    stream.on_error(lambda error: print("error:", error))
    stream.ticker(krw_markets(), callback=Scanner())
    stream.run(float(sys.argv[1]) if len(sys.argv) > 1 else None)
