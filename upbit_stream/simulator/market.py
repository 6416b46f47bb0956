"""The seeded exchange: markets whose trades drive everything that is ever sent.

No socket and no thread here. The same seed and the same codes give the same trades in the same
order; only their times are those of the clock.
"""

from __future__ import annotations

import itertools
import random
from bisect import bisect
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timezone
from typing import NamedTuple

from upbit_stream.simulator.book import Book, BookView
from upbit_stream.simulator.digits import tick_above, tick_below
from upbit_stream.simulator.history import IDS_PER_MS, Bars, Tape, TapeRow
from upbit_stream.simulator.listing import Listing, describe

__all__ = ["DAY_MS", "Exchange", "Fill", "Market", "yyyymmdd"]

DAY_MS = 86_400_000

# How strongly a walk is drawn back to where it began, where a step is at most such a part of the
# price; and at the most.
_PULL = 0.04
_FINE_STEP = 0.001
_MOST_PULL = 0.4
# Steps that a walk with that pull is away from its middle at times; and those between bid and ask.
_REACH = 11
_SPREAD = 2
# A trade's volume fits into the tape.
_MOST_VOLUME = 2**62


class Fill(NamedTuple):
    """One trade with all that its frame says. Prices and volumes are in units of 1E-8."""

    code: str
    sequential_id: int
    #: When it was made and when it is told, in milliseconds.
    traded_at: int
    timestamp: int
    price: int
    volume: int
    ask_bid: str
    prev_close: int
    best_ask: tuple[int, int]
    best_bid: tuple[int, int]


def yyyymmdd(timestamp: int) -> str:
    """``2026-09-23``, in UTC."""
    return datetime.fromtimestamp(timestamp / 1000, timezone.utc).strftime("%Y-%m-%d")


class Market:
    """One market: its book, its trades, its candles, and the numbers of the day."""

    __slots__ = (
        "_day", "_place_24h", "_pull", "_random", "acc_ask", "acc_bid", "acc_value", "bars", "book",
        "changed_at", "closes", "first_live_id", "high", "highest_52w", "last", "listing", "low",
        "lowest_52w", "open", "published", "tape", "untold_since", "value_24h", "volume_24h",
    )  # fmt: skip

    def __init__(
        self, listing: Listing, seed: int, started_at: int, past: int, kept: int, rate: float
    ) -> None:
        self.listing = listing
        # How strongly the walk is drawn back: the stronger, the more of a price one step is.
        step = tick_above(listing.quote, listing.start_price) / listing.start_price
        self._pull = min(_MOST_PULL, max(_PULL, _PULL * step / _FINE_STEP))
        self._random = random.Random(f"{seed}:{listing.code}")
        self.tape = Tape(kept)
        self.bars = Bars()
        self.book = Book(listing.quote, listing.start_price, listing.depth, self._random)
        #: (day, the price with which the day before closed), oldest first.
        self.closes: list[tuple[int, int]] = []
        self._day = -1
        self.open = self.high = self.low = listing.start_price
        self.acc_ask = self.acc_bid = self.acc_value = 0
        self._place_24h = 0
        self.volume_24h = self.value_24h = 0
        highest, lowest = listing.start_price * 17 // 10, listing.start_price * 6 // 10
        #: (price, day), as the ticker has them.
        self.highest_52w = (highest, yyyymmdd(started_at - 120 * DAY_MS))
        self.lowest_52w = (lowest, yyyymmdd(started_at - 300 * DAY_MS))
        #: The oldest trade that no candle frame told yet, in milliseconds.
        self.untold_since: int | None = None
        self.last: Fill
        self._make_past(started_at, past, seed, rate)
        #: The first id that was traded after the start.
        self.first_live_id = started_at * IDS_PER_MS
        self.untold_since = None
        # A quiet book was last shown some time ago.
        self.changed_at = started_at - 100 * self._random.randrange(1, 1800)
        self.published = self.publish(self.changed_at // 100 * 100)

    @property
    def code(self) -> str:
        """``KRW-BTC``."""
        return self.listing.code

    def _make_past(self, started_at: int, count: int, seed: int, rate: float) -> None:
        # The last week, denser towards the present, oldest first. The counter in the id is the
        # market's place in the list, so that no other market has the same id.
        count = max(1, count)
        times = {
            started_at - 1_000 - int(7 * DAY_MS * ((number + 1) / count) ** 4)
            for number in range(count)
        }
        # A generator of its own: what is traded live does not depend on the rate.
        chance = random.Random(f"{seed}:{self.listing.code}:past")
        before = started_at - 1_000 - 7 * DAY_MS
        *earlier, newest = sorted(times)
        for traded_at in earlier:
            price, volume, ask_bid = self._draw_order()
            # It stands for all that the market would have traded since the one before.
            orders = rate * (traded_at - before) / 1000
            before = traded_at
            if orders > 1:
                price = self._stray(price, orders, chance)
                typical = self.book.typical_trade * chance.uniform(0.5, 1.5)
                volume = min(volume + int((orders - 1) * typical), _MOST_VOLUME)
            sequential_id = self._past_id(traded_at)
            self.record(sequential_id, traded_at, traded_at, price, volume, ask_bid)
        # The last one is where the book is.
        self.trade(self._past_id(newest), newest, newest)

    def _past_id(self, traded_at: int) -> int:
        return traded_at * IDS_PER_MS + self.listing.place % IDS_PER_MS

    def _stray(self, price: int, orders: float, chance: random.Random) -> int:
        """Where so many orders may have led the price from here: a walk, drawn back as ever."""
        reach = min(_SPREAD + _REACH * _PULL / self._pull, orders**0.5)
        steps = round(chance.uniform(-reach, reach))
        for _ in range(abs(steps)):
            if steps > 0:
                price += tick_above(self.listing.quote, price)
            else:
                lower = price - tick_below(self.listing.quote, price)
                price = lower if lower > 0 else price
        return price

    def trade(self, sequential_id: int, traded_at: int, timestamp: int) -> Fill:
        """One trade of an order against the book."""
        price, volume, ask_bid = self._draw_order()
        return self.record(sequential_id, traded_at, timestamp, price, volume, ask_bid)

    def _draw_order(self) -> tuple[int, int, str]:
        """Price, volume and side of the next trade."""
        # The walk is drawn back to where it began, so that it runs for days.
        pull = self._pull if self.book.best_bid[0] > self.listing.start_price else -self._pull
        buy = self._random.random() >= 0.5 + pull
        price, volume = self.book.take(buy)
        return price, volume, "BID" if buy else "ASK"

    def fills(self) -> int:
        """How many trades the next order makes: mostly one."""
        chance = self._random.random()
        return 1 if chance < 0.7 else 2 + int((chance - 0.7) * 20)

    def record(
        self,
        sequential_id: int,
        traded_at: int,
        timestamp: int,
        price: int,
        volume: int,
        ask_bid: str,
    ) -> Fill:
        """Enter a trade into everything that is made of trades."""
        day = traded_at // DAY_MS
        if day != self._day:
            self._begin_day(day, price)
        if ask_bid == "ASK":
            self.acc_ask += volume
            self.tape.add(sequential_id, price, -volume)
        else:
            self.acc_bid += volume
            self.tape.add(sequential_id, price, volume)
        value = price * volume
        self.acc_value += value
        self.volume_24h += volume
        self.value_24h += value
        if price > self.high:
            self.high = price
            if price > self.highest_52w[0]:
                self.highest_52w = (price, yyyymmdd(traded_at))
        elif price < self.low:
            self.low = price
            if price < self.lowest_52w[0]:
                self.lowest_52w = (price, yyyymmdd(traded_at))
        self.bars.add(traded_at, price, volume)
        if self.untold_since is None:
            self.untold_since = traded_at
        self.changed_at = timestamp
        book = self.book
        # As Fill(...) would, without its detour: this runs for every trade.
        fill = tuple.__new__(
            Fill,
            (
                self.listing.code, sequential_id, traded_at, timestamp, price, volume, ask_bid,
                self.closes[-1][1], book.best_ask, book.best_bid,
            ),
        )  # fmt: skip
        self.last = fill
        return fill

    def _begin_day(self, day: int, price: int) -> None:
        previous = self.last.price if self._day >= 0 else self.listing.start_price
        self._day = day
        self.closes.append((day, previous))
        self.open = self.high = self.low = price
        self.acc_ask = self.acc_bid = self.acc_value = 0

    def prev_close(self, traded_at: int) -> int:
        """The closing price of the day before the one of a trade."""
        day = traded_at // DAY_MS
        for other, price in reversed(self.closes):
            if other <= day:
                return price
        return self.closes[0][1]

    def forget_before(self, timestamp: int) -> None:
        """Take the trades before this time out of the sums over 24 hours."""
        tape = self.tape
        place = max(0, self._place_24h - tape.dropped)
        end = tape.place_after(timestamp)
        for gone in range(place, end):
            row = tape.row(gone)
            self.volume_24h -= row.volume
            self.value_24h -= row.price * row.volume
        self._place_24h = max(place, end) + tape.dropped

    def publish(self, timestamp: int) -> BookView:
        """Show the book as it is."""
        self.published = self.book.view(timestamp)
        self.book.changed = False
        return self.published

    def seen(self) -> BookView:
        """The book as last shown, or as it would have been had anybody looked."""
        if self.book.changed:
            # Not marked as shown: those who subscribed get it at the next point of the grid.
            self.published = self.book.view(self.changed_at // 100 * 100)
        return self.published

    def stir(self, timestamp: int) -> None:
        """Orders come and go, nothing is traded."""
        self.book.stir()
        self.changed_at = timestamp

    def live_rows(self) -> list[TapeRow]:
        """The trades since the start, oldest first."""
        return self.tape.rows_from(self.first_live_id)


class Exchange:
    """All markets, and who trades next. Owned by the simulator's thread."""

    def __init__(
        self,
        codes: Iterable[str],
        *,
        seed: int,
        clock: Callable[[], float],
        trade_lag: float,
        past: int,
        kept: int,
        rate: float,
    ) -> None:
        self.listings = describe(codes)
        if not self.listings:
            raise ValueError("codes is empty: a simulated exchange needs at least one market")
        self._by_code = {listing.code: listing for listing in self.listings}
        self._seed = seed
        self._clock = clock
        self._lag_ms = int(trade_lag * 1000)
        self._past = past
        self._kept = kept
        self._markets: dict[str, Market] = {}
        self._random = random.Random(f"{seed}:exchange")
        self._weights = list(itertools.accumulate(one.weight for one in self.listings))
        self._rate = rate
        self._started_at = self.now() - self._lag_ms
        self._last_id = self._started_at * IDS_PER_MS
        # An order whose trades were not all wanted yet.
        self._open_order: tuple[Market, int] | None = None
        #: Trades since the start.
        self.produced = 0

    def __contains__(self, code: object) -> bool:
        return code in self._by_code

    @property
    def codes(self) -> tuple[str, ...]:
        """Every market, the busiest first."""
        return tuple(self._by_code)

    @property
    def opened(self) -> Iterable[Market]:
        """The markets that somebody asked for, or that were traded."""
        return self._markets.values()

    def now(self) -> int:
        """Milliseconds since the epoch."""
        return int(self._clock() * 1000)

    def market(self, code: str) -> Market:
        """The market of ``code``, with its past; ``KeyError`` for an unknown one."""
        market = self._markets.get(code)
        if market is None:
            listing = self._by_code[code]
            rate = self._rate * listing.weight / self._weights[-1]
            market = self._markets[code] = Market(
                listing, self._seed, self._started_at, self._past, self._kept, rate
            )
        return market

    def trades(self, count: int, among: Sequence[str] | None = None) -> list[Fill]:
        """The next ``count`` trades; ``among``: of these codes only, in turn."""
        fills: list[Fill] = []
        timestamp = self.now()
        for place in range(count):
            if among is None:
                market = self._next_market()
            else:
                market = self.market(among[(self.produced + place) % len(among)])
            sequential_id = self._next_id(timestamp)
            fills.append(market.trade(sequential_id, sequential_id // IDS_PER_MS, timestamp))
        self.produced += count
        return fills

    def force(self, code: str, price: int | None, volume: int, ask_bid: str | None) -> Fill:
        """One trade as told; the book follows the price."""
        market = self.market(code)
        book = market.book
        if price is None:
            price = (book.best_bid if ask_bid == "ASK" else book.best_ask)[0]
        elif price not in (book.best_ask[0], book.best_bid[0]):
            book.centre(price)
        if ask_bid is None:
            ask_bid = "BID" if price == book.best_ask[0] else "ASK"
        book.changed = True
        timestamp = self.now()
        sequential_id = self._next_id(timestamp)
        self.produced += 1
        return market.record(
            sequential_id, sequential_id // IDS_PER_MS, timestamp, price, volume, ask_bid
        )

    def _next_market(self) -> Market:
        # An order may be filled by several: those trades follow each other.
        if self._open_order is not None:
            market, left = self._open_order
            self._open_order = (market, left - 1) if left > 1 else None
            return market
        place = bisect(self._weights, self._random.random() * self._weights[-1])
        market = self.market(self.listings[min(place, len(self.listings) - 1)].code)
        left = market.fills() - 1
        if left:
            self._open_order = (market, left)
        return market

    def _next_id(self, timestamp: int) -> int:
        # The counter starts again every millisecond: ids are unique and grow, with holes. It
        # never goes back, whatever the clock does.
        traded_at = (timestamp - self._lag_ms) * IDS_PER_MS
        self._last_id = max(self._last_id + 1, traded_at)
        return self._last_id
