"""The keys of the wire: long names and short ones, nested ones included.

For the public types they are read off the event classes. What is only served by the private and
the info endpoint is listed here, as Upbit's pages have it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from upbit_stream.events import Candle, Orderbook, OrderbookUnit, Ticker, Trade

__all__ = ["NESTED", "SHORT", "dump", "short_name", "shorten"]


def _of(*classes: Any) -> dict[str, str]:
    return {
        name: short
        for cls in classes
        for name, short in zip(cls.__struct_fields__, cls.__struct_encode_fields__, strict=True)
        if not short.startswith("@")
    }


_COMMON = {"type": "ty", "code": "cd", "timestamp": "tms", "stream_type": "st"}
_ORDERBOOK = _of(Orderbook)
_UNITS = _of(OrderbookUnit)

_MY_ORDER = _COMMON | {
    "uuid": "uid", "ask_bid": "ab", "order_type": "ot", "state": "s", "trade_uuid": "tuid",
    "price": "p", "avg_price": "ap", "volume": "v", "remaining_volume": "rv",
    "executed_volume": "ev", "trades_count": "tc", "reserved_fee": "rsf", "remaining_fee": "rmf",
    "paid_fee": "pf", "locked": "l", "executed_funds": "ef", "time_in_force": "tif",
    "trade_fee": "tf", "is_maker": "im", "identifier": "id", "smp_type": "smpt",
    "prevented_volume": "pv", "prevented_locked": "pl", "trade_timestamp": "ttms",
    "order_timestamp": "otms",
}  # fmt: skip
_MY_ASSET = _COMMON | {"asset_uuid": "astuid", "assets": "ast", "asset_timestamp": "asttms"}
_ASSETS = {"currency": "cu", "balance": "b", "locked": "l"}
_ANNOUNCEMENT = _COMMON | {
    "event_type": "et", "uuid": "uid", "title": "tt", "category": "cat", "url": "url",
    "first_listed_at": "flat", "listed_at": "lat", "body": "bd",
}  # fmt: skip
_INDICATOR = _COMMON | {
    "timeframe": "tf", "indicator": "ind", "params": "p", "trigger": "tr", "event_params": "ep",
    "value": "v", "candle_date_time_utc": "cdttmu",
}  # fmt: skip
_PARAMS = {
    "period": "p", "type": "t", "short_period": "shp", "long_period": "lop", "multiplier": "m",
    "fast": "f", "slow": "s", "signal_period": "sgp",
}  # fmt: skip
_EVENT_PARAMS = {"multiplier": "mul", "threshold": "th"}
_VALUES = {
    "volume": "vol", "avg_volume": "av", "ratio": "rto", "ma_short": "mas", "ma_long": "mal",
    "bb_upper": "bbu", "bb_middle": "bbm", "bb_lower": "bbl", "macd_signal": "macds",
    "histogram": "hist",
}  # fmt: skip
_LIST = {"method": "mthd", "result": "rslt", "ticket": "tckt"}
_LISTED = {
    "type": "ty", "codes": "cds", "level": "lv", "timeframe": "tf", "indicators": "ind",
    "categories": "cat",
}  # fmt: skip

#: Long name → short key, for each type (every candle is under "candle", the answer to
#: LIST_SUBSCRIPTIONS under its method).
SHORT: dict[str, dict[str, str]] = {
    "ticker": _of(Ticker),
    "trade": _of(Trade),
    "orderbook": _ORDERBOOK,
    "candle": _of(Candle),
    "myOrder": _MY_ORDER,
    "myAsset": _MY_ASSET,
    "announcement": _ANNOUNCEMENT,
    "indicator": _INDICATOR,
    "indicator_signal": _INDICATOR,
    "LIST_SUBSCRIPTIONS": _LIST,
}

#: The keys of the objects inside, by the long name of the field that holds them.
NESTED: dict[str, dict[str, str]] = {
    "orderbook_units": _UNITS,
    "assets": _ASSETS,
    "params": _PARAMS,
    "event_params": _EVENT_PARAMS,
    "value": _VALUES,
    "result": _LISTED,
}


def short_name(kind: str, name: str) -> str:
    """The short key of a field; a field that nobody knows keeps its name."""
    return SHORT[kind.partition(".")[0]].get(name, name)


def shorten(kind: str, message: Mapping[str, Any]) -> dict[str, Any]:
    """A message with its short keys, inside and out."""
    table = SHORT[kind.partition(".")[0]]
    return {
        table.get(name, name): _shorten_value(value, NESTED.get(name))
        for name, value in message.items()
    }


def _shorten_value(value: Any, table: Mapping[str, str] | None) -> Any:
    if table is None:
        return value
    if isinstance(value, Mapping):
        return {table.get(name, name): inner for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_shorten_value(inner, table) for inner in value]
    return value


def dump(value: Any) -> str:
    """JSON without blanks, Korean as it is, a Decimal with every digit."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, Mapping):
        inner = ",".join(f"{json.dumps(name)}:{dump(item)}" for name, item in value.items())
        return f"{{{inner}}}"
    if isinstance(value, (list, tuple)):
        return f"[{','.join(map(dump, value))}]"
    return json.dumps(value, ensure_ascii=False)
