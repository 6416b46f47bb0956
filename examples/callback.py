"""Callbacks as arguments, several types in one stream, and what the stream tells of itself.

    python examples/callback.py [SECONDS]

Against a local simulator instead of the exchange: run ``upbit-stream simulate`` and set
``UPBIT_STREAM_URL`` to the address that it prints.
"""

import sys

from upbit_stream import Candle, Ticker, UpbitStream


def tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")  # in one piece, as callbacks run on several threads


def on_ticker(ticker: Ticker) -> None:
    change = round(ticker.signed_change_rate, 4) + 0.0  # which makes -0.0 a plain zero
    tell(f"{ticker.code} {ticker.trade_price:,.0f} ({change:+.2%})")


def on_candle(candle: Candle) -> None:
    tell(
        f"{candle.code} {candle.unit} candle of {candle.candle_date_time_kst} KST: "
        f"{candle.opening_price:,.0f} → {candle.trade_price:,.0f}"
    )


seconds = float(sys.argv[1]) if len(sys.argv) > 1 else None

with UpbitStream() as stream:
    stream.on_state(lambda state: tell(f"state: {state.value}"))
    stream.on_error(lambda error: tell(f"error: {error}"))
    stream.ticker(["KRW-BTC", "KRW-XRP"], callback=on_ticker)
    stream.candle("KRW-BTC", callback=on_candle, unit="1m")
    stream.run(seconds)

print(f"{stream.stats.delivered} events in all")
