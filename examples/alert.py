"""An alert when a price crosses a level, and when an RSI of the exchange turns extreme.

    python examples/alert.py [SECONDS] [CODE=PRICE …]

Every trade is looked at, those that a lost connection missed, too: no crossing goes unseen. Without
a level, KRW-BTC is watched 0.1 % around its price. Signals need keys, as account.py does.

Against a local simulator instead of the exchange: run ``upbit-stream simulate`` and set
``UPBIT_STREAM_URL`` to the address that it prints.
"""

import sys
from datetime import datetime

from upbit_stream import IndicatorSignal, Rsi, Trade, UpbitStream, UpbitStreamError

RETURN = 0.0005  # how far back across a level a price must come to be told again, of the level


def alert(text: str) -> None:
    sys.stdout.write(f"{datetime.now():%H:%M:%S} {text}\n")  # or a message to your phone


class Level:
    """A callback for the trades of one market that tells when they cross a price."""

    def __init__(self, price: float) -> None:
        self.price, self.margin = price, 0.0
        self.above: bool | None = None

    def __call__(self, trade: Trade) -> None:
        line = self.price * (1 - self.margin if self.above else 1 + self.margin)
        above = trade.trade_price >= line
        if above != self.above:  # or this is the first trade, which tells where we stand
            what = f"{trade.code} {'is at' if self.above is None else 'has gone to'}"
            side = f"{'above' if above else 'below'} {self.price:,.12g}"
            alert(f"{what} {trade.trade_price:,.12g}, {side}")
            self.margin = 0.0 if self.above is None else RETURN  # a trembling price is one alert
            self.above = above


def on_signal(signal: IndicatorSignal) -> None:
    alert(f"{signal.code} is {signal.trigger}: RSI {signal.value.rsi:.1f}")


with UpbitStream() as stream:
    stream.on_error(lambda error: alert(f"error: {error}"))
    levels = [(code, float(price)) for code, _, price in (a.partition("=") for a in sys.argv[2:])]
    if not levels:
        price = stream.snapshot("ticker", "KRW-BTC")["KRW-BTC"].trade_price
        levels = [("KRW-BTC", price * 0.999), ("KRW-BTC", price * 1.001)]
    for code, price in levels:
        stream.trade(code, callback=Level(price))
    try:
        signals = [Rsi(14).overbought(70), Rsi(14).oversold(30)]
        stream.indicator_signal({code for code, _ in levels}, signals, on_signal, timeframe="5m")
    except UpbitStreamError as error:  # no keys, or a market without signals
        alert(f"no signals: {error}")
    stream.run(float(sys.argv[1]) if len(sys.argv) > 1 else None)
