"""The order book of one market: the orders that wait, and what the exchange last showed of them."""

from __future__ import annotations

import random
from typing import NamedTuple

from upbit_stream.simulator.digits import tick_above, tick_below

__all__ = ["Book", "BookView"]

#: A frame of the wire has at most so many rows.
ROWS = 30

# Of the typical size of a row so much is taken by an order, on average.
_TAKEN = 0.275

Row = tuple[int, int]


class BookView(NamedTuple):
    """A book as published at one time: rows of (price, size), best first."""

    timestamp: int
    asks: tuple[Row, ...]
    bids: tuple[Row, ...]

    def grouped(self, level: int) -> BookView:
        """The same book with prices grouped: asks rounded up to ``level``, bids down.

        The exchange groups a deeper book than it shows, so a full side is filled up again,
        with sizes that follow from their price.
        """
        return BookView(
            self.timestamp,
            _group(self.asks, level, up=True),
            _group(self.bids, level, up=False),
        )


def _group(rows: tuple[Row, ...], level: int, *, up: bool) -> tuple[Row, ...]:
    sums: dict[int, int] = {}
    for price, size in rows:
        price = -(-price // level) * level if up else price // level * level
        if price > 0:
            sums[price] = sums.get(price, 0) + size
    if len(rows) == ROWS and sums:
        price = (max if up else min)(sums)
        step = level if up else -level
        while len(sums) < ROWS and price + step > 0:
            price += step
            sums[price] = 1 + price * 2654435761 % (1 + 3 * rows[-1][1])
    return tuple(sums.items())


class Book:
    """Orders on both sides, moved by trades only.

    Everything random comes from the market's own generator and happens once a trade, so the
    same seed gives the same trades however fast they come. What moves without trades
    (``stir``) is only in what is shown, and never in the best row.
    """

    __slots__ = ("_asks", "_bids", "_depth", "_quote", "_random", "_size", "_stirred", "changed")

    def __init__(self, quote: str, price: int, depth: int, chance: random.Random) -> None:
        self._quote = quote
        self._depth = depth
        self._random = chance
        # A typical order is worth about five million won, whatever the coin costs.
        won = {"KRW": 1, "BTC": 116_000_000, "USDT": 1_390}.get(quote, 1)
        self._size = max(1_000, int(5 * 10**14 // max(1, price * won // 10**8)))
        self._stirred = 0
        self._asks: list[Row] = []
        self._bids: list[Row] = []
        #: Whether there is something to show that was not shown yet.
        self.changed = True
        self.centre(price)

    @property
    def best_ask(self) -> Row:
        """Price and size of the cheapest offer."""
        return self._asks[0]

    @property
    def best_bid(self) -> Row:
        """Price and size of the best demand."""
        return self._bids[0]

    @property
    def typical_trade(self) -> float:
        """What an order takes on average."""
        return self._size * _TAKEN

    def centre(self, price: int) -> None:
        """Put the book around ``price``: the best bid at it, the best ask one step above."""
        ask = price + tick_above(self._quote, price)
        self._bids = [(price, self._draw())]
        self._asks = [(ask, self._draw())]
        for _ in range(self._depth - 1):
            self._extend_asks()
            self._extend_bids()
        self.changed = True

    def take(self, buy: bool) -> Row:
        """Let an order trade with the best row: the price, and how much of it was taken."""
        rows = self._asks if buy else self._bids
        price, size = rows[0]
        chance = self._random
        self.changed = True
        if chance.random() < 0.6:
            taken = max(1, int(size * chance.random()))
            if taken < size:
                rows[0] = (price, size - taken)
                return price, taken
        self._use_up(buy)
        return price, size

    def stir(self) -> None:
        """Let the deeper rows look different: orders come and go without a trade."""
        self._stirred += 1
        self.changed = True

    def view(self, timestamp: int) -> BookView:
        """What is to be seen now."""
        if not self._stirred:
            return BookView(timestamp, tuple(self._asks), tuple(self._bids))
        return BookView(timestamp, self._shown(self._asks, 1), self._shown(self._bids, 2))

    def _shown(self, rows: list[Row], salt: int) -> tuple[Row, ...]:
        noise = self._stirred * 40503 + salt
        shown = [rows[0]]
        for place, (price, size) in enumerate(rows[1:], start=1):
            # Every fourth row differs from one time to the next.
            turn = (noise + place) % 4 == 0
            shown.append((price, size + size * (noise * place % 97) // 200 if turn else size))
        return tuple(shown)

    def _use_up(self, buy: bool) -> None:
        # The row is gone, a new one comes at the far end. The other side follows when the gap
        # became wide, so that the spread stays one to three steps.
        if buy:
            del self._asks[0]
            if not self._asks:
                self._asks.append(self._above(self._bids[0][0], 2))
            self._extend_asks()
            while self._gap_closes():
                self._bids.insert(0, self._above(self._bids[0][0], 1))
            del self._bids[self._depth :]
        else:
            del self._bids[0]
            if not self._bids:
                self._bids.append(self._below(self._asks[0][0], 2))
            self._extend_bids()
            while self._gap_closes():
                self._asks.insert(0, self._below(self._asks[0][0], 1))
            del self._asks[self._depth :]

    def _gap_closes(self) -> bool:
        steps = self._steps_apart()
        return steps > 3 or (steps > 1 and self._random.random() < 0.7)

    def _steps_apart(self) -> int:
        bid, ask = self._bids[0][0], self._asks[0][0]
        return (ask - bid) // tick_above(self._quote, bid)

    def _above(self, price: int, steps: int) -> Row:
        for _ in range(steps):
            price += tick_above(self._quote, price)
        return price, self._draw()

    def _below(self, price: int, steps: int) -> Row:
        for _ in range(steps):
            price -= tick_below(self._quote, price)
        return price, self._draw()

    def _extend_asks(self) -> None:
        self._asks.append(self._above(self._asks[-1][0], 1))

    def _extend_bids(self) -> None:
        # Near nothing there is no lower price left: the side stays short, padded on the wire.
        price, size = self._below(self._bids[-1][0], 1)
        if price > 0:
            self._bids.append((price, size))

    def _draw(self) -> int:
        # Most orders are small, a few are large.
        chance = self._random.random()
        return max(1, int(self._size * (0.02 + chance * chance * 2)))
