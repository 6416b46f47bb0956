"""Your orders and balances, to the last digit, and a signal of the exchange's indicators.

    UPBIT_ACCESS_KEY=… UPBIT_SECRET_KEY=… python examples/account.py [SECONDS]

Against a local simulator instead of the exchange: run ``upbit-stream simulate``, set
``UPBIT_STREAM_URL`` to the address that it prints, and the keys to the ones that it names.
"""

import sys

from upbit_stream import IndicatorSignal, MyAsset, MyOrder, Rsi, StreamConfig, UpbitStream


def on_order(order: MyOrder) -> None:
    print(f"order {order.code} {order.state}: {order.executed_volume} filled at {order.avg_price}")


def on_asset(event: MyAsset) -> None:
    for asset in event.assets:
        print(f"{asset.currency}: {asset.balance} free, {asset.locked} locked")


def on_signal(signal: IndicatorSignal) -> None:
    print(f"{signal.code} {signal.trigger}: RSI {signal.value.rsi}")


seconds = float(sys.argv[1]) if len(sys.argv) > 1 else None

# Balances have more digits than a float can hold.
with UpbitStream(config=StreamConfig(numbers="decimal")) as stream:
    stream.on_error(lambda error: print("error:", error))
    stream.my_order(callback=on_order)
    stream.my_asset(callback=on_asset)
    stream.indicator_signal(
        "KRW-BTC", [Rsi(14).overbought(70), Rsi(14).oversold(30)], on_signal, timeframe="5m"
    )
    stream.run(seconds)
