"""What happened in one market: every trade, and the candles that they make."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["UNITS", "Bar", "Bars", "Tape", "TapeRow"]

#: The candles of the wire, with their length in seconds.
UNITS = {
    "1s": 1, "1m": 60, "3m": 180, "5m": 300, "10m": 600, "15m": 900, "30m": 1800, "60m": 3600,
    "240m": 14400,
}  # fmt: skip

#: So many candles of one unit are kept.
KEPT_BARS = 20_000

# A sequential_id is the trade's time in milliseconds and a counter of this many numbers.
IDS_PER_MS = 10_000


class TapeRow(NamedTuple):
    """One trade of the past. Price and volume are in units of 1E-8."""

    sequential_id: int
    price: int
    volume: int
    ask_bid: str

    @property
    def timestamp(self) -> int:
        """When it was made, in milliseconds."""
        return self.sequential_id // IDS_PER_MS


class Tape:
    """The trades of one market, oldest first, 24 bytes each; the oldest go when it is full."""

    __slots__ = ("_bound", "_ids", "_prices", "_volumes", "dropped")

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._ids = array("q")
        self._prices = array("q")
        # Negative where the taker sold.
        self._volumes = array("q")
        #: Trades that were forgotten.
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, sequential_id: int, price: int, signed_volume: int) -> None:
        """Append a trade; ids must grow."""
        self._ids.append(sequential_id)
        self._prices.append(price)
        self._volumes.append(signed_volume)
        # Half the bound again, so that the cost of moving the rest is spread.
        if len(self._ids) > self._bound + self._bound // 2:
            surplus = len(self._ids) - self._bound
            del self._ids[:surplus], self._prices[:surplus], self._volumes[:surplus]
            self.dropped += surplus

    def row(self, place: int) -> TapeRow:
        """The trade at ``place``."""
        volume = self._volumes[place]
        side = "ASK" if volume < 0 else "BID"
        return TapeRow(self._ids[place], self._prices[place], abs(volume), side)

    def ids_from(self, sequential_id: int) -> array[int]:
        """The ids from this one on."""
        return self._ids[bisect_left(self._ids, sequential_id) :]

    def rows_from(self, sequential_id: int) -> list[TapeRow]:
        """The trades from this id on, oldest first."""
        start = bisect_left(self._ids, sequential_id)
        return [self.row(place) for place in range(start, len(self._ids))]

    def place_after(self, timestamp: int) -> int:
        """The place behind the last trade made at or before ``timestamp`` (milliseconds)."""
        return bisect_left(self._ids, (timestamp + 1) * IDS_PER_MS)

    def newest_before(self, sequential_id: int | None, count: int) -> Iterator[TapeRow]:
        """Up to ``count`` trades before this id (None: from the end), newest first."""
        ids = self._ids
        end = len(ids) if sequential_id is None else bisect_left(ids, sequential_id)
        for place in range(end - 1, max(-1, end - 1 - count), -1):
            yield self.row(place)


class Bar:
    """A candle: prices in units of 1E-8, ``value`` in units of 1E-16."""

    __slots__ = ("close", "high", "low", "open", "start", "timestamp", "value", "volume")

    def __init__(self, start: int, timestamp: int, price: int, volume: int) -> None:
        #: Seconds since the epoch.
        self.start = start
        #: The last trade in it, in milliseconds.
        self.timestamp = timestamp
        self.open = self.high = self.low = self.close = price
        self.volume = volume
        self.value = price * volume

    def add(self, timestamp: int, price: int, volume: int) -> None:
        """One more trade."""
        if price > self.high:
            self.high = price
        elif price < self.low:
            self.low = price
        self.close = price
        self.timestamp = timestamp
        self.volume += volume
        self.value += price * volume

    def merge(self, later: Bar) -> None:
        """A shorter candle that follows."""
        self.high = max(self.high, later.high)
        self.low = min(self.low, later.low)
        self.close = later.close
        self.timestamp = later.timestamp
        self.volume += later.volume
        self.value += later.value

    def starting(self, start: int) -> Bar:
        """A copy that begins at ``start``."""
        twin = Bar(start, self.timestamp, self.open, self.volume)
        twin.high, twin.low, twin.close, twin.value = self.high, self.low, self.close, self.value
        return twin


class Bars:
    """The candles of one market, of all units.

    A trade touches the second's candle only; a finished second goes into its minute, a finished
    minute into all longer ones. So the price of a trade does not depend on how many units there
    are, and all units agree.
    """

    __slots__ = ("_finished", "_second")

    def __init__(self) -> None:
        self._second: Bar | None = None
        # Per unit; the last one may still grow.
        self._finished: dict[str, list[Bar]] = {unit: [] for unit in UNITS}

    def add(self, timestamp: int, price: int, volume: int) -> None:
        """One trade; times must not go back."""
        start = timestamp // 1000
        second = self._second
        if second is not None:
            if second.start == start:
                second.add(timestamp, price, volume)
                return
            self._finish(second, start)
        self._second = Bar(start, timestamp, price, volume)

    def _finish(self, second: Bar, now: int) -> None:
        _append(self._finished["1s"], second)
        minutes = self._finished["1m"]
        _fold(minutes, second, 60)
        if minutes[-1].start != now // 60 * 60:
            for unit, length in UNITS.items():
                if length > 60:
                    _fold(self._finished[unit], minutes[-1], length)

    def newest(self, unit: str, before: int | None, count: int) -> list[Bar]:
        """Up to ``count`` candles that start before ``before`` (seconds), newest first."""
        bars = self._finished[unit]
        growing = self._growing(unit)
        found: list[Bar] = []
        if growing is not None:
            if before is None or growing.start < before:
                found.append(growing)
            if bars and bars[-1].start == growing.start:
                bars = bars[:-1]
        end = len(bars) if before is None else bisect_left(bars, before, key=lambda bar: bar.start)
        found.extend(bars[max(0, end - count) : end][::-1])
        return found[:count]

    def since(self, unit: str, timestamp: int) -> list[Bar]:
        """The candles with a trade made at ``timestamp`` (milliseconds) or later, oldest first."""
        bars = self._finished[unit]
        growing = self._growing(unit)
        if growing is None:
            return []
        if bars and bars[-1].start == growing.start:
            bars = bars[:-1]
        start = bisect_right(bars, timestamp - 1, key=lambda bar: bar.timestamp)
        return [*bars[start:], growing]

    def _growing(self, unit: str) -> Bar | None:
        # The candle that holds the newest trade, put together from its finished parts.
        second = self._second
        if second is None or unit == "1s":
            return second
        length = UNITS[unit]
        start = second.start // length * length
        parts: list[Bar] = []
        if length > 60:
            longer = self._finished[unit]
            if longer and longer[-1].start == start:
                parts.append(longer[-1])
        minutes = self._finished["1m"]
        minute = second.start // 60 * 60
        if minutes and minutes[-1].start == minute:
            parts.append(minutes[-1])
        whole = parts[0].starting(start) if parts else None
        for part in [*parts[1:], second]:
            if whole is None:
                whole = part.starting(start)
            else:
                whole.merge(part)
        return whole


def _fold(bars: list[Bar], part: Bar, length: int) -> None:
    start = part.start // length * length
    if bars and bars[-1].start == start:
        bars[-1].merge(part)
    else:
        _append(bars, part.starting(start))


def _append(bars: list[Bar], bar: Bar) -> None:
    bars.append(bar)
    if len(bars) > KEPT_BARS + KEPT_BARS // 2:
        del bars[: len(bars) - KEPT_BARS]
