"""Your open orders and your balances, to the last digit, as they change.

    UPBIT_ACCESS_KEY=… UPBIT_SECRET_KEY=… python examples/account.py [SECONDS]

The exchange tells what changes, not what is: orders that nothing happens to do not appear. What
happened while a connection was lost it does not tell again; then it is time to ask for the orders
over REST.

Against a local simulator instead of the exchange: run ``upbit-stream simulate``, set
``UPBIT_STREAM_URL`` to the address that it prints, and the keys to the ones that it names.
"""

import sys

from upbit_stream import Gap, MyAsset, MyOrder, StreamConfig, UpbitStream

open_orders: dict[str, MyOrder] = {}  # by uuid; only on_order uses it, on its thread


def tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")  # in one piece, as callbacks run on several threads


def on_order(order: MyOrder) -> None:
    if order.state in ("done", "cancel", "prevented"):
        open_orders.pop(order.uuid, None)
    else:
        open_orders[order.uuid] = order
    side = "sell" if order.ask_bid == "ASK" else "buy"
    tell(
        f"order {order.uuid[:8]} {side} {order.code} {order.state}: {order.executed_volume} of "
        f"{order.volume} filled at {order.avg_price}, {len(open_orders)} open"
    )


def on_asset(event: MyAsset) -> None:
    for asset in event.assets:
        tell(f"balance {asset.currency}: {asset.balance} free, {asset.locked} locked")


def on_gap(gap: Gap) -> None:
    tell(f"{gap}: ask for your orders and balances since {gap.from_datetime:%H:%M:%S} UTC")


# Balances have more digits than a float can hold.
with UpbitStream(config=StreamConfig(numbers="decimal")) as stream:
    stream.on_gap(on_gap)
    stream.on_error(lambda error: tell(f"error: {error}"))
    stream.my_order(callback=on_order)
    stream.my_asset(callback=on_asset)
    stream.run(float(sys.argv[1]) if len(sys.argv) > 1 else None)
