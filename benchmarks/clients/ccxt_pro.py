"""ccxt, its WebSocket side (asyncio)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import ccxt.pro

from benchmarks.clients import Callback
from benchmarks.frames import codes
from benchmarks.job import Job

_WATCH = {"ticker": "watch_tickers", "trade": "watch_trades_for_symbols"}


def consume(job: Job, callbacks: Sequence[Callback]) -> None:
    """Watch all symbols. Counted is what it has parsed, in its handler: of several messages that
    come together, ``await`` gives only the last.
    """
    asyncio.run(_consume(job, callbacks))


async def _consume(job: Job, callbacks: Sequence[Callback]) -> None:
    exchange = ccxt.pro.upbit({"enableRateLimit": False})
    exchange.urls["api"]["ws"] = f"ws://127.0.0.1:{job.port}/websocket/v1"
    exchange.set_markets([_market(exchange, code) for code in codes(job.codes)])
    done = asyncio.get_running_loop().create_future()
    parse = exchange.handle_message
    left = job.messages

    def handle(client: Any, message: Any) -> None:
        nonlocal left
        parse(client, message)
        for callback in callbacks:
            callback(message)
        left -= 1
        if not left and not done.done():
            done.set_result(None)

    exchange.handle_message = handle

    async def watch() -> None:
        while True:
            await getattr(exchange, _WATCH[job.kind])(exchange.symbols)

    watching = asyncio.ensure_future(watch())
    await done
    watching.cancel()
    await exchange.close()


def _market(exchange: Any, code: str) -> Any:
    quote, base = code.split("-")
    return exchange.safe_market_structure(
        {
            "id": code, "symbol": f"{base}/{quote}", "base": base, "quote": quote,
            "baseId": base, "quoteId": quote, "active": True, "type": "spot", "spot": True,
        }
    )  # fmt: skip
