"""What a client asks: the JSON array of a request, checked as the exchange checks it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

from upbit_stream.protocol.endpoints import Endpoint
from upbit_stream.protocol.wire_format import WireFormat
from upbit_stream.simulator.digits import to_units
from upbit_stream.simulator.history import UNITS
from upbit_stream.simulator.indicators import TIMEFRAMES, check_indicator

__all__ = ["CATEGORIES", "Item", "Refusal", "Refused", "Request", "read_request"]

CATEGORIES = frozenset(
    (
        "notice", "trade", "wallet", "maintenance", "digital_asset", "nft", "service", "event",
        "note", "trading", "airdrop", "feature", "disclosure",
    )
)  # fmt: skip


_TYPES = {
    Endpoint.PUBLIC: {"ticker", "trade", "orderbook", *(f"candle.{unit}" for unit in UNITS)},
    Endpoint.PRIVATE: {"myOrder", "myAsset", "announcement"},
    Endpoint.INFO: {"indicator", "indicator_signal"},
}

#: The messages are those that the exchange sends, as far as they were seen.
_MESSAGES = {
    "WRONG_FORMAT": "Format 이 맞지 않습니다.",
    "NO_TICKET": "티켓이 존재하지 않거나, 유효하지 않습니다.",
    "NO_TYPE": "타입 필드가 존재하지 않습니다.",
    "NO_CODES": "코드 필드가 존재하지 않습니다.",
    "INVALID_PARAM": "요청 파라미터가 올바르지 않습니다.",
    "INVALID_AUTH": "인증 정보가 올바르지 않습니다.",
    "TOO_MANY_REQUEST": "요청 횟수를 초과했습니다.",
}


class Refused(Exception):
    """A request that the exchange answers with an error frame and a close."""

    def __init__(self, name: str, message: str | None = None) -> None:
        super().__init__(name)
        self.name = name
        self.message = _MESSAGES[name] if message is None else message

    def to_json(self) -> str:
        """The error frame's text."""
        error = {"name": self.name, "message": self.message}
        return json.dumps({"error": error}, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True)
class Item:
    """One type object of a request."""

    type: str
    #: As asked, order books with their suffix.
    codes: tuple[str, ...] = ()
    snapshot: bool = True
    realtime: bool = True
    #: Order books: the grouping of prices, in units of 1E-8, and as it was asked.
    level: int = 0
    categories: frozenset[str] = frozenset()
    include_body: bool = False
    timeframe: str = ""
    indicators: tuple[dict[str, Any], ...] = field(default=(), hash=False)

    def targets(self) -> list[tuple[str, int]]:
        """(code, rows): the market of each code, and how many rows of a book are wanted."""
        if self.type != "orderbook":
            return [(code, 0) for code in self.codes]
        return [_split(code) for code in self.codes]

    def without(self, code: str) -> Item:
        """The item less one market."""
        return replace(
            self, codes=tuple(one for one in self.codes if one.partition(".")[0] != code)
        )

    def listed(self) -> dict[str, Any]:
        """As LIST_SUBSCRIPTIONS shows it."""
        entry: dict[str, Any] = {"type": self.type}
        if self.codes:
            entry["codes"] = list(self.codes)
        if self.type == "orderbook":
            level = self.level / 10**8
            entry["level"] = int(level) if level == int(level) else level
        if self.timeframe:
            entry["timeframe"] = self.timeframe
            entry["indicators"] = list(self.indicators)
        if self.categories:
            entry["categories"] = sorted(self.categories)
        return entry


@dataclass(frozen=True)
class Refusal:
    """What is refused on demand: these codes, or a type; with both, the codes of the type."""

    codes: frozenset[str]
    type: str | None
    name: str
    message: str | None

    def is_about(self, item: Item) -> bool:
        """Whether an item makes a request a bad one."""
        if self.type is not None and item.type != self.type:
            return False
        return not self.codes or any(code.partition(".")[0] in self.codes for code in item.codes)


@dataclass(frozen=True)
class Request:
    """A request that can be served. ``items`` is empty for a LIST_SUBSCRIPTIONS."""

    ticket: str
    items: tuple[Item, ...]
    wire_format: WireFormat | None
    lists: bool = False


def read_request(parsed: object, endpoint: Endpoint, combinations: int) -> Request:
    """The request in a parsed message; raises :class:`Refused` by the table of errors."""
    if not isinstance(parsed, list) or not all(isinstance(part, dict) for part in parsed):
        raise Refused("WRONG_FORMAT")
    tickets = [part["ticket"] for part in parsed if "ticket" in part]
    if not tickets or not isinstance(tickets[0], str) or not tickets[0]:
        raise Refused("NO_TICKET")
    wire_format: WireFormat | None = None
    items: list[Item] = []
    lists = False
    for part in parsed:
        if "type" in part:
            items.append(_read_item(part, endpoint))
        elif "format" in part:
            wire_format = _read_format(part["format"])
        elif "method" in part:
            if part["method"] != "LIST_SUBSCRIPTIONS":
                raise Refused("INVALID_PARAM", f"{part['method']} 은 지원하지 않는 메서드입니다.")
            lists = True
        elif "ticket" not in part:
            raise Refused("NO_TYPE")
    if not items and not lists:
        raise Refused("NO_TYPE")
    if sum(len(item.codes) * len(item.indicators) for item in items) > combinations:
        raise Refused("TOO_MANY_REQUEST")
    return Request(tickets[0], tuple(items), wire_format, lists)


def _read_format(name: object) -> WireFormat:
    try:
        return WireFormat(name)
    except ValueError:
        raise Refused("WRONG_FORMAT") from None


def _read_item(part: dict[str, Any], endpoint: Endpoint) -> Item:
    kind = part["type"]
    if not isinstance(kind, str):
        raise Refused("WRONG_FORMAT")
    if kind not in _TYPES[endpoint]:
        raise Refused("INVALID_PARAM", f"{kind} 은 지원하지 않는 타입입니다.")
    if kind == "announcement":
        return _read_announcement(part)
    if kind == "myAsset":
        if "codes" in part:
            raise Refused("WRONG_FORMAT")
        return Item(kind)
    codes = _read_codes(part, optional=kind == "myOrder")
    if endpoint is Endpoint.INFO:
        return _read_indicators(kind, codes, part)
    only_snapshot = _read_flag(part, "is_only_snapshot")
    only_realtime = _read_flag(part, "is_only_realtime")
    return Item(
        kind,
        codes,
        snapshot=not only_realtime,
        realtime=not only_snapshot,
        level=_read_level(part) if kind == "orderbook" else 0,
    )


def _read_codes(part: dict[str, Any], *, optional: bool) -> tuple[str, ...]:
    codes = part.get("codes")
    if codes is None:
        if optional:
            return ()
        raise Refused("NO_CODES")
    if not isinstance(codes, list) or not all(isinstance(code, str) for code in codes):
        raise Refused("WRONG_FORMAT")
    if not codes and not optional:
        raise Refused("INVALID_PARAM")
    return tuple(codes)


def _read_flag(part: dict[str, Any], name: str) -> bool:
    value = part.get(name, False)
    if not isinstance(value, bool):
        raise Refused("WRONG_FORMAT")
    return value


def _read_level(part: dict[str, Any]) -> int:
    level = part.get("level", 0)
    if isinstance(level, bool) or not isinstance(level, (int, float)):
        raise Refused("WRONG_FORMAT")
    try:
        units = to_units(level)
    except (ValueError, ArithmeticError):
        raise Refused("INVALID_PARAM") from None
    if units < 0:
        raise Refused("INVALID_PARAM")
    return units


def _read_announcement(part: dict[str, Any]) -> Item:
    categories = part.get("categories", [])
    if not isinstance(categories, list) or not all(isinstance(name, str) for name in categories):
        raise Refused("WRONG_FORMAT")
    if not CATEGORIES.issuperset(categories):
        raise Refused("INVALID_PARAM")
    return Item(
        "announcement",
        categories=frozenset(categories),
        include_body=_read_flag(part, "include_body"),
    )


def _read_indicators(kind: str, codes: tuple[str, ...], part: dict[str, Any]) -> Item:
    indicators = part.get("indicators")
    if not isinstance(indicators, list) or not all(isinstance(one, dict) for one in indicators):
        raise Refused("WRONG_FORMAT")
    if not indicators or part.get("timeframe") not in TIMEFRAMES:
        raise Refused("INVALID_PARAM")
    if not all(check_indicator(kind, one) for one in indicators):
        raise Refused("INVALID_PARAM")
    return Item(kind, codes, timeframe=part["timeframe"], indicators=tuple(indicators))


def _split(code: str) -> tuple[str, int]:
    market, dot, rows = code.partition(".")
    if not dot:
        return code, 30
    return market, int(rows) if rows in ("1", "5", "15", "30") else 30
