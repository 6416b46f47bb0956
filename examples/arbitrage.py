"""What is left of a won that goes around: through a coin's market in KRW, that in USDT, and back.

    python examples/arbitrage.py [SECONDS]

From the best prices of three order books, with the fees taken off, in both directions. More than
100 % would be a gain, for as much of the coin as waits at these prices.

Against a local simulator instead of the exchange: run ``upbit-stream simulate --codes 60`` and set
``UPBIT_STREAM_URL`` to the address that it prints.
"""

import sys

from upbit_stream import ConnectionState, Orderbook, UpbitStream

COINS = ("BTC", "XRP", "DOGE")
RATE = "KRW-USDT"
# What the fees of the three steps leave: two in KRW, one in USDT. Look up your own.
AFTER_FEES = (1 - 0.0005) * (1 - 0.0025) * (1 - 0.0005)


def krw_first(krw: Orderbook, usdt: Orderbook, rate: Orderbook) -> tuple[float, float]:
    """What 1 KRW becomes as KRW → coin → USDT → KRW, and for how much of the coin."""
    buy, sell, change = krw.asks[0], usdt.bids[0], rate.bids[0]
    left = sell.price * change.price / buy.price * AFTER_FEES
    return left, min(buy.size, sell.size, change.size / sell.price)


def usdt_first(krw: Orderbook, usdt: Orderbook, rate: Orderbook) -> tuple[float, float]:
    """What 1 KRW becomes as KRW → USDT → coin → KRW, and for how much of the coin."""
    change, buy, sell = rate.asks[0], usdt.asks[0], krw.bids[0]
    left = sell.price / buy.price / change.price * AFTER_FEES
    return left, min(buy.size, sell.size, change.size / buy.price)


shown: dict[str, str] = {}


def on_book(book: Orderbook) -> None:
    # A book is sent when it changes: an old one still holds, but not without a connection.
    if stream.state is not ConnectionState.CONNECTED:
        return
    for coin in COINS if book.code == RATE else [book.code.partition("-")[2]]:
        three = [books.latest.get(code) for code in (f"KRW-{coin}", f"USDT-{coin}", RATE)]
        krw, usdt, rate = (one if one and one.bids and one.asks else None for one in three)
        if krw and usdt and rate:
            for way in (krw_first, usdt_first):
                left, size = way(krw, usdt, rate)
                line = f"{coin:<5} {way.__name__:<10} {left:8.2%}"
                if shown.get(way.__name__ + coin) != line:
                    shown[way.__name__ + coin] = line
                    print(f"{line} for {size:.8f} {coin}")


with UpbitStream() as stream:
    codes = [RATE, *(f"{quote}-{coin}" for coin in COINS for quote in ("KRW", "USDT"))]
    books = stream.orderbook(codes, depth=1, overflow="latest")  # only the newest of each matters
    books(on_book)
    stream.run(float(sys.argv[1]) if len(sys.argv) > 1 else None)
