"""What the private and the info endpoint send: the account's events, notices, indicators.

Owned by the loop's thread.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timezone
from decimal import Decimal
from time import monotonic
from typing import TYPE_CHECKING, Any

from upbit_stream.protocol.wire_format import WireFormat
from upbit_stream.simulator.digits import exact
from upbit_stream.simulator.frames import KST, candle_times, frame
from upbit_stream.simulator.indicators import (
    TIMEFRAMES,
    indicator_value,
    signal_met,
    wanted_name,
)
from upbit_stream.simulator.keys import dump, shorten
from upbit_stream.simulator.market import Exchange, Market
from upbit_stream.simulator.requests import Item

if TYPE_CHECKING:
    from upbit_stream.simulator.session import Session

__all__ = ["PRIVATE_TYPES", "PrivateFeed", "write_message"]

Message = dict[str, Any]

PRIVATE_TYPES = ("myOrder", "myAsset", "announcement", "indicator", "indicator_signal")

_FEE = Decimal("0.0005")
# What waits in orders, of each currency.
_LOCKED = {"KRW": Decimal("10329.670127489597585685"), "BTC": Decimal("0.0125")}


def write_message(kind: str, message: Mapping[str, Any], wire_format: WireFormat) -> bytes:
    """A message with DEFAULT names, as a frame in this format."""
    keyed = shorten(kind, message) if wire_format.short_keys else dict(message)
    text = dump(keyed)
    return frame((f"[{text}]" if wire_format.is_list else text).encode())


class PrivateFeed:
    """Sends to whoever asked for a type, and makes up what there is to send."""

    def __init__(
        self,
        exchange: Exchange,
        sessions: Callable[[], Iterable[Session]],
        chance: random.Random,
        first_asset_delay: float,
    ) -> None:
        self._exchange = exchange
        self._sessions = sessions
        self._random = chance
        self._first_asset_delay = first_asset_delay
        # Account → when its assets are told for the first time.
        self._asset_from: dict[str, float] = {}
        self._balances = {"KRW": Decimal("1386929.37231066771348207123"), "BTC": Decimal("0.5")}
        self._turn = 0

    def subscribed(self, session: Session) -> None:
        """An account asked for its assets: the first time the exchange takes a while."""
        if any(item.type == "myAsset" for item in session.items):
            self._asset_from.setdefault(session.account, monotonic() + self._first_asset_delay)

    def emit(self, kind: str, message: Mapping[str, Any]) -> int:
        """Send one message to those who asked for it; returns how many they are."""
        if kind not in PRIVATE_TYPES:
            raise ValueError(f"type={kind!r}: choose one of {', '.join(PRIVATE_TYPES)}")
        now = self._exchange.now()
        whole = {"type": kind, **message}
        whole.setdefault("timestamp", now)
        whole.setdefault("stream_type", "REALTIME")
        sent = 0
        for session in self._sessions():
            item = next((item for item in session.items if _matches(item, kind, whole)), None)
            if item is None:
                continue
            if kind == "myAsset" and monotonic() < self._asset_from.get(session.account, 0.0):
                continue
            shown = whole
            if kind == "announcement" and not item.include_body:
                shown = {**whole, "body": None}
            session.push(write_message(kind, shown, session.wire_format))
            session.flush()
            sent += 1
        return sent

    def live(self) -> None:
        """One more event of each kind that somebody may wait for."""
        self._turn += 1
        self.emit("myOrder", self._order())
        self.emit("myAsset", self.assets())
        if self._turn % 5 == 1:
            self.emit("announcement", self._announcement())

    def _order(self) -> Message:
        market = self._exchange.market(self._random.choice(self._exchange.codes))
        fill = market.last
        price, volume = exact(fill.price), exact(fill.volume)
        state = ("wait", "trade", "done")[self._turn % 3]
        done = volume if state != "wait" else Decimal(0)
        funds = price * done
        now = self._exchange.now()
        return {
            "code": market.code,
            "uuid": self._uuid(),
            "ask_bid": fill.ask_bid,
            "order_type": "limit",
            "state": state,
            "trade_uuid": self._uuid() if state == "trade" else None,
            "price": price,
            "avg_price": price if done else Decimal(0),
            "volume": volume,
            "remaining_volume": volume - done,
            "executed_volume": done,
            "trades_count": 1 if done else 0,
            "reserved_fee": price * volume * _FEE,
            "remaining_fee": price * (volume - done) * _FEE,
            "paid_fee": funds * _FEE,
            "locked": price * (volume - done) * (1 + _FEE),
            "executed_funds": funds,
            "time_in_force": None,
            "trade_fee": funds * _FEE if state == "trade" else None,
            "is_maker": True if state == "trade" else None,
            "identifier": f"simulated-{self._turn}",
            "smp_type": None,
            "prevented_volume": Decimal(0),
            "prevented_locked": Decimal(0),
            "trade_timestamp": fill.traded_at if state == "trade" else None,
            "order_timestamp": now,
            "timestamp": now,
            "stream_type": "REALTIME",
        }

    def assets(self) -> Message:
        """The balances, a little different each time, with more digits than a float has."""
        for name, balance in self._balances.items():
            self._balances[name] = balance + Decimal(self._random.randrange(1, 10**9)).scaleb(-20)
        now = self._exchange.now()
        return {
            "asset_uuid": str(uuid.UUID(int=0xE635F22316094969_8FB64376937BAAD6)),
            "assets": [
                {"currency": name, "balance": balance, "locked": _LOCKED[name]}
                for name, balance in self._balances.items()
            ],
            "asset_timestamp": now,
            "timestamp": now,
            "stream_type": "REALTIME",
        }

    def _announcement(self) -> Message:
        number = 562_593_000 + self._turn
        now = datetime.fromtimestamp(self._exchange.now() / 1000, timezone.utc)
        listed = now.astimezone(KST).isoformat(timespec="seconds")
        return {
            "event_type": "UPDATED" if self._turn % 2 else "CREATED",
            "uuid": str(number),
            "title": "[거래] 신규 거래 지원 안내 (모의)",
            "category": "trade",
            "url": f"https://www.upbit.com/service_center/notice?id={number}&view=share",
            "first_listed_at": listed,
            "listed_at": listed,
            "timestamp": self._exchange.now(),
            "stream_type": "REALTIME",
            "body": "모의 공지사항 본문입니다.",
        }

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    # Indicators.

    def close_candle(self, timeframe: str) -> int:
        """A candle of this length closes: the indicators, and the signals that it sets off."""
        if timeframe not in TIMEFRAMES:
            raise ValueError(f"timeframe={timeframe!r}: choose one of {', '.join(TIMEFRAMES)}")
        sent = 0
        for session in list(self._sessions()):
            for item in session.items:
                if item.timeframe != timeframe:
                    continue
                for market in self._markets(item):
                    for wanted in item.indicators:
                        messages = _indicator_messages(item, market, timeframe, wanted)
                        for message in messages:
                            whole = message | {"timestamp": self._exchange.now()}
                            session.push(write_message(item.type, whole, session.wire_format))
                            sent += 1
            session.flush()
        return sent

    def _markets(self, item: Item) -> list[Market]:
        # Only KRW markets have indicators; silence for the others.
        return [
            self._exchange.market(code)
            for code in item.codes
            if code in self._exchange and code.startswith("KRW-")
        ]


def _indicator_messages(
    item: Item, market: Market, timeframe: str, wanted: dict[str, Any]
) -> list[Message]:
    start = market.bars.newest("1m", None, 1)[0].start
    start -= start % TIMEFRAMES[timeframe]
    head: Message = {
        "type": item.type,
        "code": market.code,
        "timeframe": timeframe,
        "indicator": wanted_name(wanted),
        "params": wanted["params"],
    }
    tail: Message = {"candle_date_time_utc": candle_times(start)[0], "stream_type": "REALTIME"}
    if item.type == "indicator":
        return [{**head, **tail, "value": indicator_value(market, timeframe, wanted)}]
    return [
        {**head, "trigger": trigger, "event_params": params, **tail, "value": value}
        for trigger, params, value in signal_met(market, timeframe, wanted)
    ]


def _matches(item: Item, kind: str, message: Mapping[str, Any]) -> bool:
    if item.type != kind:
        return False
    if item.codes and message.get("code") not in item.codes:
        return False
    if item.categories and message.get("category") not in item.categories:
        return False
    if not item.timeframe:
        return True
    return message.get("timeframe") in (None, item.timeframe) and any(
        message.get("indicator") in (None, wanted_name(wanted)) for wanted in item.indicators
    )
