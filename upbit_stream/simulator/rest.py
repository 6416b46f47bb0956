"""The REST calls of a repair: trades, candles, markets, order books, tickers.

Answers come from the same market that the sockets are fed from, so both agree to the last digit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timezone
from email.utils import formatdate
from functools import partial
from time import monotonic
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from websockets.http11 import Request, Response

from upbit_stream.simulator.digits import exact
from upbit_stream.simulator.frames import KST, candle_times, change_of, rate_of
from upbit_stream.simulator.gate import Gate
from upbit_stream.simulator.handshake import (
    BanNotice,
    HttpFaults,
    banned,
    error_body,
    reply,
    too_many,
)
from upbit_stream.simulator.history import IDS_PER_MS, UNITS, Bar
from upbit_stream.simulator.journal import Journal, RestCall
from upbit_stream.simulator.keys import dump
from upbit_stream.simulator.market import DAY_MS, Exchange, Market

__all__ = ["Rest"]

MAX_TRADES = 500
MAX_CANDLES = 200

# What the exchange may warn of in its market list.
_CAUTIONS = ("PRICE_FLUCTUATIONS", "TRADING_VOLUME_SOARING", "DEPOSIT_AMOUNT_SOARING",
             "GLOBAL_PRICE_DIFFERENCES", "CONCENTRATION_OF_SMALL_ACCOUNTS")  # fmt: skip

_Query = dict[str, str]


class _Failed(Exception):
    """A call that cannot be served."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Rest:
    """Owned by the loop's thread."""

    def __init__(
        self, exchange: Exchange, gate: Gate, journal: Journal, ban_notice: BanNotice
    ) -> None:
        self.faults = HttpFaults()
        self._exchange = exchange
        self._gate = gate
        self._journal = journal
        self._ban_notice: BanNotice = ban_notice
        # Path → (group of the rate limit, who answers).
        self._calls: dict[str, tuple[str, Callable[[_Query], Any]]] = {
            "/v1/trades/ticks": ("trade", self._trades),
            "/v1/candles/seconds": ("candle", partial(self._candles, "1s")),
            "/v1/market/all": ("market", self._markets),
            "/v1/orderbook": ("orderbook", self._orderbooks),
            "/v1/ticker": ("ticker", self._tickers),
        }
        for unit in UNITS:
            if unit.endswith("m"):
                path = f"/v1/candles/minutes/{unit[:-1]}"
                self._calls[path] = ("candle", partial(self._candles, unit))

    async def answer(self, peer: str, request: Request) -> Response | None:
        """The answer to a GET; None for no answer at all."""
        if self.faults.takes_stall():
            self._journal.count("stalled_rest")
            return None
        if self.faults.delay:
            await asyncio.sleep(self.faults.delay)
        parts = urlsplit(request.path)
        query = dict(parse_qsl(parts.query))
        if self.faults.planned:
            response = self.faults.planned.popleft().reply()
        else:
            response = self._answer(peer, parts.path, query)
        response.headers["Date"] = formatdate(self._exchange.now() / 1000, usegmt=True)
        self._journal.add(RestCall(monotonic(), parts.path, query, response.status_code))
        return response

    def _answer(self, peer: str, path: str, query: _Query) -> Response:
        call = self._calls.get(path)
        if call is None:
            return reply(404, error_body(404, "Not found"), keep=True)
        group, function = call
        now = monotonic()
        bans = self._gate.bans
        # Banned on the socket is not banned here: the groups are counted apart.
        who = f"rest {peer}"
        if left := bans.left(who, now):
            return banned(left, self._ban_notice, keep=True)
        if not self._gate.rest(group, who, now):
            bans.refused(who, now)
            return too_many(group, keep=True)
        remaining = self._gate.left(group, who, now)
        header = {"Remaining-Req": f"group={group}; min=600; sec={remaining}"}
        try:
            return reply(200, dump(function(query)), header, keep=True)
        except _Failed as failure:
            body = error_body(failure.status, str(failure))
            return reply(failure.status, body, header, keep=True)

    # The calls.

    def _trades(self, query: _Query) -> list[dict[str, Any]]:
        market = self._market(query.get("market"))
        count = _whole(query, "count", 1, 1, MAX_TRADES)
        before = self._trades_before(query)
        return [
            {
                "market": market.code,
                "trade_date_utc": _utc(row.timestamp).strftime("%Y-%m-%d"),
                "trade_time_utc": _utc(row.timestamp).strftime("%H:%M:%S"),
                "timestamp": row.timestamp,
                "trade_price": exact(row.price),
                "trade_volume": exact(row.volume),
                "prev_closing_price": exact(market.prev_close(row.timestamp)),
                "change_price": exact(row.price - market.prev_close(row.timestamp)),
                "ask_bid": row.ask_bid,
                "sequential_id": row.sequential_id,
            }
            for row in market.tape.newest_before(before, count)
        ]

    def _trades_before(self, query: _Query) -> int | None:
        # days_ago chooses the day, "to" a time of it; the cursor goes on from there.
        bounds = []
        if "cursor" in query:
            bounds.append(_whole(query, "cursor", 0, 0, 2**63 - 1))
        days_ago = _whole(query, "days_ago", 0, 0, 7)
        today = self._exchange.now() // DAY_MS * DAY_MS
        if "to" in query:
            end = today - days_ago * DAY_MS + _time_of_day(query["to"])
            bounds.append(end * IDS_PER_MS)
        elif days_ago:
            bounds.append((today - (days_ago - 1) * DAY_MS) * IDS_PER_MS)
        return min(bounds, default=None)

    def _candles(self, unit: str, query: _Query) -> list[dict[str, Any]]:
        market = self._market(query.get("market"))
        count = _whole(query, "count", 1, 1, MAX_CANDLES)
        before = _moment(query["to"]) if query.get("to") else None
        bars = market.bars.newest(unit, before, count)
        return [_candle(market.code, unit, bar) for bar in bars]

    def _markets(self, query: _Query) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = [
            {
                "market": listing.code,
                "korean_name": listing.korean_name,
                "english_name": listing.english_name,
            }
            for listing in self._exchange.listings
        ]
        if query.get("is_details", query.get("isDetails")) == "true":
            for entry in entries:
                entry["market_event"] = {
                    "warning": False,
                    "caution": dict.fromkeys(_CAUTIONS, False),
                }
        return entries

    def _orderbooks(self, query: _Query) -> list[dict[str, Any]]:
        return [_orderbook(market) for market in self._all_markets(query)]

    def _tickers(self, query: _Query) -> list[dict[str, Any]]:
        return [_ticker(market) for market in self._all_markets(query)]

    def _all_markets(self, query: _Query) -> list[Market]:
        codes = [code for code in query.get("markets", "").split(",") if code]
        if not codes:
            raise _Failed(400, "markets is missing")
        return [self._market(code) for code in codes]

    def _market(self, code: str | None) -> Market:
        if not code:
            raise _Failed(400, "market is missing")
        if code not in self._exchange:
            raise _Failed(404, "Code not found")
        return self._exchange.market(code)


def _candle(code: str, unit: str, bar: Bar) -> dict[str, Any]:
    utc, kst = candle_times(bar.start)
    candle: dict[str, Any] = {
        "market": code,
        "candle_date_time_utc": utc,
        "candle_date_time_kst": kst,
        "opening_price": exact(bar.open),
        "high_price": exact(bar.high),
        "low_price": exact(bar.low),
        "trade_price": exact(bar.close),
        "timestamp": bar.timestamp,
        "candle_acc_trade_price": exact(bar.value, 16),
        "candle_acc_trade_volume": exact(bar.volume),
    }
    if unit != "1s":
        candle["unit"] = int(unit[:-1])
    return candle


def _ticker(market: Market) -> dict[str, Any]:
    fill = market.last
    market.forget_before(fill.timestamp - DAY_MS)
    step = fill.price - fill.prev_close
    rate = rate_of(step, fill.prev_close)
    utc = _utc(fill.traded_at)
    kst = utc.astimezone(KST)
    return {
        "market": market.code,
        "trade_date": utc.strftime("%Y%m%d"),
        "trade_time": utc.strftime("%H%M%S"),
        "trade_date_kst": kst.strftime("%Y%m%d"),
        "trade_time_kst": kst.strftime("%H%M%S"),
        "trade_timestamp": fill.traded_at,
        "opening_price": exact(market.open),
        "high_price": exact(market.high),
        "low_price": exact(market.low),
        "trade_price": exact(fill.price),
        "prev_closing_price": exact(fill.prev_close),
        "change": change_of(fill.price, fill.prev_close),
        "change_price": exact(abs(step)),
        "change_rate": abs(rate),
        "signed_change_price": exact(step),
        "signed_change_rate": rate,
        "trade_volume": exact(fill.volume),
        "acc_trade_price": exact(market.acc_value, 16),
        "acc_trade_price_24h": exact(market.value_24h, 16),
        "acc_trade_volume": exact(market.acc_ask + market.acc_bid),
        "acc_trade_volume_24h": exact(market.volume_24h),
        "highest_52_week_price": exact(market.highest_52w[0]),
        "highest_52_week_date": market.highest_52w[1],
        "lowest_52_week_price": exact(market.lowest_52w[0]),
        "lowest_52_week_date": market.lowest_52w[1],
        "timestamp": fill.timestamp,
    }


def _orderbook(market: Market) -> dict[str, Any]:
    view = market.seen()
    rows = max(len(view.asks), len(view.bids))
    asks = view.asks + ((0, 0),) * (rows - len(view.asks))
    bids = view.bids + ((0, 0),) * (rows - len(view.bids))
    return {
        "market": market.code,
        "timestamp": view.timestamp,
        "total_ask_size": exact(sum(size for _, size in asks)),
        "total_bid_size": exact(sum(size for _, size in bids)),
        "orderbook_units": [
            {
                "ask_price": exact(ask[0]),
                "bid_price": exact(bid[0]),
                "ask_size": exact(ask[1]),
                "bid_size": exact(bid[1]),
            }
            for ask, bid in zip(asks, bids, strict=True)
        ],
        "level": 0,
    }


def _utc(timestamp: int) -> datetime:
    return datetime.fromtimestamp(timestamp / 1000, timezone.utc)


def _whole(query: _Query, name: str, default: int, lowest: int, highest: int) -> int:
    try:
        value = int(query.get(name, default))
    except ValueError:
        raise _Failed(400, f"{name} must be a whole number") from None
    if not lowest <= value <= highest:
        raise _Failed(400, f"{name} must be from {lowest} to {highest}")
    return value


def _time_of_day(text: str) -> int:
    digits = text.replace(":", "")
    if len(digits) != 6 or not digits.isdigit():
        raise _Failed(400, "to must be HHmmss or HH:mm:ss")
    hours, minutes, seconds = int(digits[:2]), int(digits[2:4]), int(digits[4:])
    return ((hours * 60 + minutes) * 60 + seconds) * 1000


def _moment(text: str) -> int:
    # "2026-09-23T07:46:20Z", with an offset, or without one: then it is UTC.
    try:
        moment = datetime.fromisoformat(text.replace(" ", "T").replace("Z", "+00:00"))
    except ValueError:
        raise _Failed(400, "to must be an ISO 8601 time") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return -(-int(moment.timestamp() * 1000) // 1000)
