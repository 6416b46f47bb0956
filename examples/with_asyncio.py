"""The stream beside an event loop: its threads receive, your coroutines do the rest.

    python examples/with_asyncio.py [SECONDS]

One answer goes through ``asyncio.to_thread``, a flow of events through ``call_soon_threadsafe``.
Nothing is lost on the way, nor at the end, and no queue grows without a bound.

Against a local simulator instead of the exchange: run ``upbit-stream simulate`` and set
``UPBIT_STREAM_URL`` to the address that it prints.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from threading import Semaphore

from upbit_stream import Trade, UpbitStream


class Bridge:
    """A callback on one side, an asynchronous iterator on the other, a few events between."""

    def __init__(self, limit: int = 1000) -> None:
        self.loop = asyncio.get_running_loop()
        self.events: asyncio.Queue[Trade | None] = asyncio.Queue()
        self.free = Semaphore(limit)

    def __call__(self, trade: Trade) -> None:
        self.free.acquire()  # waits for the loop; meanwhile the subscription's queue takes events
        self.loop.call_soon_threadsafe(self.events.put_nowait, trade)

    async def __aiter__(self) -> AsyncIterator[Trade]:
        while (trade := await self.events.get()) is not None:
            self.free.release()
            yield trade


async def consume(trades: Bridge) -> None:
    async for trade in trades:
        print(f"{trade.code} {trade.trade_volume:.8f} at {trade.trade_price:,.0f}")


async def main(seconds: float | None) -> None:
    stream, trades = UpbitStream(), Bridge()
    consumer = asyncio.create_task(consume(trades))
    try:
        now = await asyncio.to_thread(stream.snapshot, "ticker", "KRW-BTC")
        print(f"KRW-BTC is at {now['KRW-BTC'].trade_price:,.0f}")
        stream.trade(["KRW-BTC", "KRW-ETH"], callback=trades)
        await asyncio.wait({consumer}, timeout=seconds)
    finally:
        await asyncio.to_thread(stream.close, 10)  # when it returns, all events are in the loop
        trades.events.put_nowait(None)
        await consumer


with suppress(KeyboardInterrupt):
    asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else None))
