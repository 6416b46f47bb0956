"""What REST tells of the past, as events: trades and candles of one market, page by page.

Facts of the exchange: its REST reference of 2026 for ``/v1/trades/ticks``, ``/v1/candles/minutes``
and ``/v1/candles/seconds``. Pages come newest first, so a stretch is walked backwards.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any, Literal, Protocol

import msgspec

from upbit_stream.events import Candle, Trade
from upbit_stream.protocol.variants import wire_variant
from upbit_stream.recovery.rest import RestFailed

__all__ = ["IDS_PER_MS", "CandleStretch", "Found", "History", "Source", "Stretch", "TradeStretch"]

# The most that one page holds.
_TRADES = 500
_CANDLES = 200

# Trades that are asked for at least, however quiet a market was.
_FEW = 30

# How many days back trades can be had, today not counted.
_DAYS = 7
_DAY_MS = 86_400_000

# Milliseconds by which our midnight may differ from the exchange's.
_NEAR_MIDNIGHT = 300_000

#: A sequential_id is the trade's time in milliseconds with four more digits (wire page: "built from
#: the trade's time").
IDS_PER_MS = 10_000

# Seconds between two looks at a REST that does not know yet what the socket has told.
_LAGGING = 0.2

# Events of one stretch, at most: what is in memory must have a bound.
_AT_MOST = 200_000

_UNIT_SECONDS = {"s": 1, "m": 60}

Numbers = Literal["float", "decimal"]


class Source(Protocol):
    """What is needed of a :class:`~upbit_stream.recovery.rest.RestClient`."""

    def get(
        self, path: str, fields: Mapping[str, str], *, group: str, deadline: float
    ) -> bytes: ...

    def sleep(self, seconds: float, deadline: float, why: str) -> None: ...


class TradeStretch(msgspec.Struct, frozen=True, kw_only=True):
    """The trades of a market between what is known and what is live again."""

    code: str
    #: The id of a trade before which nothing is missing.
    after: int
    #: A live trade (or a snapshot) that came after the gap: REST must know of it before it is
    #: believed. 0: there was none.
    witness: int = 0
    #: Trades after this time (milliseconds) are not asked for; 0: all of them are.
    until: int = 0
    #: Trades a second that the market used to have.
    rate: float = 0.0


class CandleStretch(msgspec.Struct, frozen=True, kw_only=True):
    """The candles of a market from one that was seen before it was finished."""

    code: str
    #: ``1s``, ``1m`` …
    unit: str
    #: The starts (``yyyy-MM-ddTHH:mm:ss``, UTC) of the first one wanted, and of one that is not any
    #: more (empty: all of them are).
    first: str
    before: str = ""
    rate: float = 0.0


Stretch = TradeStretch | CandleStretch


class Found(msgspec.Struct, kw_only=True):
    """What a walk through the pages brought."""

    #: Oldest first.
    events: list[Any] = msgspec.field(default_factory=list)
    #: Why it is not all; empty if it is.
    why: str = ""


class _Tick(msgspec.Struct):
    trade_date_utc: str
    trade_time_utc: str
    timestamp: int
    trade_price: float
    trade_volume: float
    prev_closing_price: float
    change_price: float
    ask_bid: Literal["ASK", "BID"]
    sequential_id: int


class _Bar(msgspec.Struct):
    candle_date_time_utc: str
    candle_date_time_kst: str
    opening_price: float
    high_price: float
    low_price: float
    trade_price: float
    timestamp: int
    candle_acc_trade_price: float
    candle_acc_trade_volume: float


class History:
    """Walks back through the pages. Any thread may use it; what waits is the ``source``."""

    def __init__(
        self, source: Source, numbers: Numbers, now: Callable[[], float] = time.time
    ) -> None:
        decimals = numbers == "decimal"
        self._source = source
        self._now = now
        self._trade: Any = wire_variant(Trade, True, decimals)
        self._candle: Any = wire_variant(Candle, True, decimals)
        self._ticks = msgspec.json.Decoder(list[_variant(_Tick, decimals)])  # type: ignore[misc]
        self._bars = msgspec.json.Decoder(list[_variant(_Bar, decimals)])  # type: ignore[misc]

    def find(
        self, stretch: Stretch, deadline: float, wanted: Callable[[], bool] = lambda: True
    ) -> Found:
        """The events of ``stretch``, as far as they could be had by ``deadline`` (of
        ``time.monotonic()``), and as long as they are ``wanted``: the newest ones without a hole,
        if not all.
        """
        found = Found()
        try:
            if isinstance(stretch, TradeStretch):
                self._find_trades(stretch, deadline, found, wanted)
            else:
                self._find_candles(stretch, deadline, found, wanted)
        except (RestFailed, msgspec.MsgspecError) as failure:
            found.why = str(failure)
        found.events.reverse()
        return found

    # Trades.

    def _find_trades(
        self, stretch: TradeStretch, deadline: float, found: Found, wanted: Callable[[], bool]
    ) -> None:
        # A page ends with its day, which is named by how many days ago it was: that changes at
        # midnight (UTC), and ours may come a little earlier or later than the exchange's.
        day = (stretch.until or int(self._now() * 1000)) // _DAY_MS
        first_day = stretch.after // IDS_PER_MS // _DAY_MS
        off = 0
        cursor = (stretch.until + 1) * IDS_PER_MS if stretch.until else 0
        if stretch.witness >= cursor:  # ids that are not built from times
            cursor = stretch.witness + 1 if cursor else 0
        seconds = (stretch.until or int(self._now() * 1000)) / 1000 - stretch.after / 1e7
        count = min(_TRADES, _FEW + int(1.5 * stretch.rate * max(0.0, seconds)))
        known = not stretch.witness
        seen: set[int] = set()
        while (days_ago := max(0, int(self._now() * 1000) // _DAY_MS - day + off)) <= _DAYS:
            _insist(wanted)
            page = self._page_of_trades(stretch.code, count, cursor, days_ago, deadline)
            if not known and not any(row.sequential_id >= stretch.witness for row in page):
                off = 1 - off if self._is_near_midnight() else 0
                self._source.sleep(
                    _LAGGING, deadline, "REST does not know yet of what the socket has told"
                )
                continue
            known = True
            fresh = [row for row in page if row.sequential_id not in seen]
            seen.update(row.sequential_id for row in fresh)
            found.events += [
                self._as_trade(stretch.code, row)
                for row in fresh
                if row.sequential_id > stretch.after
                and (not stretch.until or row.timestamp <= stretch.until)
            ]
            if any(row.sequential_id <= stretch.after for row in page):
                return
            if len(found.events) > _AT_MOST:
                raise RestFailed(f"it holds more than {_AT_MOST:,} trades")
            if fresh and len(page) >= count:
                cursor = min(row.sequential_id for row in page)
            elif day <= first_day:
                return
            else:  # that day has no more: go on with the end of the one before
                day -= 1
            count = _TRADES
        raise RestFailed(f"REST reaches {_DAYS} days back")

    def _is_near_midnight(self) -> bool:
        since = int(self._now() * 1000) % _DAY_MS
        return min(since, _DAY_MS - since) < _NEAR_MIDNIGHT

    def _page_of_trades(
        self, code: str, count: int, cursor: int, days_ago: int, deadline: float
    ) -> list[Any]:
        fields = {"market": code, "count": str(count)}
        if cursor:
            fields["cursor"] = str(cursor)
        if days_ago:
            fields["days_ago"] = str(days_ago)
        body = self._source.get("/trades/ticks", fields, group="trade", deadline=deadline)
        page: list[Any] = self._ticks.decode(body)
        return page

    def _as_trade(self, code: str, row: _Tick) -> Trade:
        step = row.change_price
        trade: Trade = self._trade(
            type="trade",
            code=code,
            timestamp=row.timestamp,
            trade_date=row.trade_date_utc,
            trade_time=row.trade_time_utc,
            trade_timestamp=row.timestamp,
            trade_price=row.trade_price,
            trade_volume=row.trade_volume,
            ask_bid=row.ask_bid,
            prev_closing_price=row.prev_closing_price,
            change="RISE" if step > 0 else "FALL" if step < 0 else "EVEN",
            change_price=abs(step),
            sequential_id=row.sequential_id,
            stream_type="BACKFILL",
        )
        return trade

    # Candles.

    def _find_candles(
        self, stretch: CandleStretch, deadline: float, found: Found, wanted: Callable[[], bool]
    ) -> None:
        number, unit = int(stretch.unit[:-1]), stretch.unit[-1]
        path = "/candles/seconds" if unit == "s" else f"/candles/minutes/{number}"
        before = stretch.before
        while True:
            _insist(wanted)
            seconds = number * _UNIT_SECONDS[unit]
            end = _moment(before) if before else self._now()
            count = 2 + int((end - _moment(stretch.first)) / seconds)
            fields = {"market": stretch.code, "count": str(max(1, min(_CANDLES, count)))}
            if before:
                fields["to"] = f"{before}Z"
            body = self._source.get(path, fields, group="candle", deadline=deadline)
            page: list[Any] = self._bars.decode(body)
            # The starts are of one form, so their order is that of the texts.
            fresh = [row for row in page if not before or row.candle_date_time_utc < before]
            found.events += [
                self._as_candle(stretch, row)
                for row in fresh
                if row.candle_date_time_utc >= stretch.first
            ]
            if not fresh or fresh[-1].candle_date_time_utc <= stretch.first:
                return
            if len(found.events) > _AT_MOST:
                raise RestFailed(f"it holds more than {_AT_MOST:,} candles")
            before = fresh[-1].candle_date_time_utc

    def _as_candle(self, stretch: CandleStretch, row: _Bar) -> Candle:
        candle: Candle = self._candle(
            type=f"candle.{stretch.unit}",
            code=stretch.code,
            candle_date_time_utc=row.candle_date_time_utc,
            candle_date_time_kst=row.candle_date_time_kst,
            opening_price=row.opening_price,
            high_price=row.high_price,
            low_price=row.low_price,
            trade_price=row.trade_price,
            candle_acc_trade_volume=row.candle_acc_trade_volume,
            candle_acc_trade_price=row.candle_acc_trade_price,
            timestamp=row.timestamp,
            stream_type="BACKFILL",
        )
        return candle


def _variant(row: type[msgspec.Struct], decimals: bool) -> type[msgspec.Struct]:
    """``row`` with Decimals for floats, if asked: every digit of the wire."""
    if not decimals:
        return row
    fields = [
        (field.name, Decimal if field.type is float else field.type)
        for field in msgspec.structs.fields(row)
    ]
    return msgspec.defstruct(row.__name__, fields)


def _insist(wanted: Callable[[], bool]) -> None:
    if not wanted():
        raise RestFailed("nobody waits for it any more")


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp()
