"""What happens by itself: trades, the grids of books and candles, the account's events.

Owned by the loop's thread.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Iterable, Sequence
from time import monotonic
from typing import Any

from upbit_stream.simulator.feed import Feed
from upbit_stream.simulator.indicators import TIMEFRAMES
from upbit_stream.simulator.market import Exchange, Fill
from upbit_stream.simulator.private import PrivateFeed
from upbit_stream.simulator.session import Session
from upbit_stream.simulator.settings import Limits, Timing

__all__ = ["Clockwork"]

# Trades made in one go, before the sockets get their turn.
_CHUNK = 500
_STEP = 0.005
# Order books are published at multiples of this, in milliseconds.
_GRID = 100
# Below this weight a market's book only moves when it is traded. With all 855 markets that leaves
# about as many frames a second as were measured.
_QUIET = 0.04
# How often a burst looks whether its slowest reader went on.
_LOOK = 0.002


class Clockwork:
    """The tasks that make things happen."""

    def __init__(
        self,
        exchange: Exchange,
        feed: Feed,
        private: PrivateFeed,
        sessions: Callable[[], Iterable[Session]],
        *,
        rate: float,
        timing: Timing,
        limits: Limits,
        chance: random.Random,
    ) -> None:
        self._exchange = exchange
        self._feed = feed
        self._private = private
        self._sessions = sessions
        self.rate = rate
        self._timing = timing
        self._limits = limits
        self._random = chance

    def works(self) -> list[Coroutine[Any, Any, None]]:
        """The endless tasks, to be run until the simulator stops."""
        return [
            self._trade(),
            self._show_books(),
            self._show_candles(),
            self._close_candles(),
            self._live_privately(),
        ]

    def produce(self, count: int, among: Sequence[str] | None = None) -> None:
        """Make trades and send them."""
        self.publish(self._exchange.trades(count, among))

    def publish(self, fills: list[Fill]) -> None:
        """Send trades, and the newest ticker of each market that they changed."""
        now = monotonic()
        self._feed.publish_trades(fills, now)
        self._feed.publish_tickers(fills, now)
        self._feed.flush()

    async def burst(self, count: int, among: Sequence[str] | None) -> None:
        """Make so many trades as fast as the slowest reader takes them."""
        while count > 0:
            part = min(count, _CHUNK)
            self.produce(part, among)
            count -= part
            await asyncio.sleep(0)
            await self._wait_for_readers()

    async def _wait_for_readers(self) -> None:
        full = min(self._limits.burst_buffer, self._limits.buffer // 2)
        for session in list(self._sessions()):
            pipe = session.pipe
            least, since = pipe.waiting, monotonic()
            while pipe.waiting > full and pipe.open and not pipe.stalled:
                await asyncio.sleep(_LOOK)
                if pipe.waiting < least:
                    least, since = pipe.waiting, monotonic()
                elif monotonic() - since > self._limits.burst_patience:
                    session.drop("buffer")

    async def _trade(self) -> None:
        begun, made, rate = monotonic(), 0, self.rate
        while True:
            if rate != self.rate:
                begun, made, rate = monotonic(), 0, self.rate
            due = int((monotonic() - begun) * rate) - made
            if due > max(rate, 1):
                # A second late: this machine is too slow for the rate, so the market trades less.
                made += due - int(rate)
                due = int(rate)
            while due > 0:
                part = min(due, _CHUNK)
                self.produce(part)
                made += part
                due -= part
                await asyncio.sleep(0)
            await asyncio.sleep(_STEP if rate else 0.05)

    async def _show_books(self) -> None:
        while True:
            grid = await self._next(self._timing.book_interval) // _GRID * _GRID
            now = monotonic()
            for market in list(self._exchange.opened):
                if not self._feed.wanted("orderbook", market.code):
                    continue
                # Orders come and go in a busy market also without a trade.
                busy = 2 * market.listing.weight
                if self.rate and busy > _QUIET and self._random.random() < busy:
                    market.stir(grid)
                if market.book.changed:
                    self._feed.publish_book(market, grid, now)
            self._feed.flush()

    async def _show_candles(self) -> None:
        while True:
            await self._next(self._timing.candle_interval)
            now = monotonic()
            for market in list(self._exchange.opened):
                self._feed.publish_candles(market, now)
            self._feed.flush()

    async def _close_candles(self) -> None:
        shortest = min(TIMEFRAMES.values())
        closed = self._exchange.now() // 1000 // shortest
        while True:
            await asyncio.sleep(1.0)
            now = self._exchange.now() // 1000 // shortest
            if now != closed:
                closed = now
                for timeframe, length in TIMEFRAMES.items():
                    if now * shortest % length == 0:
                        self._private.close_candle(timeframe)

    async def _live_privately(self) -> None:
        while True:
            await asyncio.sleep(self._timing.private_interval)
            if self.rate:
                self._private.live()

    async def _next(self, interval: float) -> int:
        """Wait for the next multiple of the interval on the exchange's clock, and return it."""
        step = max(1, int(interval * 1000))
        now = self._exchange.now()
        point = (now // step + 1) * step
        await asyncio.sleep((point - now) / 1000)
        return point
