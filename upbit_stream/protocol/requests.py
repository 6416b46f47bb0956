"""What is asked of Upbit: each subscription's demand, and the one request that covers them all.

A request replaces the connection's whole list, so there is always exactly one to send: the
union of what every subscription wants.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from upbit_stream.errors import SubscriptionError
from upbit_stream.events import CandleUnit
from upbit_stream.protocol.wire_format import WireFormat

__all__ = [
    "CANDLE_UNITS",
    "DEPTHS",
    "Demand",
    "TypeRequest",
    "candle_type",
    "check_depth",
    "check_level",
    "union",
    "write_request",
]

CANDLE_UNITS: tuple[str, ...] = get_args(CandleUnit)
#: Rows that an order book can be asked for; the exchange answers anything else with 30.
DEPTHS = (1, 5, 15, 30)
FULL_DEPTH = DEPTHS[-1]


@dataclass(frozen=True)
class Demand:
    """What one subscription wants from the wire.

    ``type`` is the wire's (``trade``, ``candle.1m``); ``depth`` and ``level`` matter to order
    books only.
    """

    type: str
    codes: tuple[str, ...]
    depth: int = FULL_DEPTH
    level: float = 0
    snapshot: bool = True
    realtime: bool = True


@dataclass(frozen=True)
class TypeRequest:
    """One type object of a request. ``codes`` are spelled as on the wire (``KRW-BTC.15``)."""

    type: str
    codes: tuple[str, ...]
    level: float
    only_snapshot: bool
    only_realtime: bool

    def to_wire(self) -> dict[str, Any]:
        """The object as it stands in the request."""
        wire: dict[str, Any] = {"type": self.type, "codes": list(self.codes)}
        if self.level:
            level = self.level
            wire["level"] = int(level) if level == int(level) else level
        if self.only_snapshot:
            wire["is_only_snapshot"] = True
        if self.only_realtime:
            wire["is_only_realtime"] = True
        return wire


def union(demands: Iterable[Demand]) -> tuple[TypeRequest, ...]:
    """The least that covers every demand: one object for each type (and order book level).

    A code that is wanted in several depths is asked for in the largest. Snapshots or realtime
    alone are asked for only when nobody wants the other.
    """
    groups: dict[tuple[str, float], list[Demand]] = {}
    for demand in demands:
        groups.setdefault((demand.type, demand.level), []).append(demand)
    return tuple(_type_request(type_, level, members) for (type_, level), members in groups.items())


def _type_request(type_: str, level: float, members: Sequence[Demand]) -> TypeRequest:
    depths: dict[str, int] = {}
    for demand in members:
        for code in demand.codes:
            depths[code] = max(demand.depth, depths.get(code, 0))
    return TypeRequest(
        type=type_,
        codes=tuple(
            code if depth == FULL_DEPTH else f"{code}.{depth}" for code, depth in depths.items()
        ),
        level=level,
        only_snapshot=not any(demand.realtime for demand in members),
        only_realtime=not any(demand.snapshot for demand in members),
    )


def write_request(requests: Sequence[TypeRequest], *, ticket: str, wire_format: WireFormat) -> str:
    """The text of the message that makes ``requests`` the connection's whole list."""
    message: list[dict[str, Any]] = [{"ticket": ticket}]
    message += [request.to_wire() for request in requests]
    message.append({"format": wire_format.value})
    return json.dumps(message, separators=(",", ":"))


def candle_type(unit: object) -> str:
    """The wire's type for candles of ``unit``; :class:`SubscriptionError` names the units."""
    if unit not in CANDLE_UNITS:
        raise SubscriptionError(
            f"unit={unit!r} is no candle unit: choose one of {', '.join(CANDLE_UNITS)}"
        )
    return f"candle.{unit}"


def check_depth(depth: object) -> int:
    """``depth`` if an order book can have it; :class:`SubscriptionError` otherwise."""
    if isinstance(depth, bool) or not isinstance(depth, int) or depth not in DEPTHS:
        larger = [known for known in DEPTHS if type(depth) is int and known > depth]
        advice = f"; take {larger[0]} and use the first ones" if larger else ""
        raise SubscriptionError(
            f"depth={depth!r}: an order book has {', '.join(map(str, DEPTHS))} rows{advice}"
        )
    return depth


def check_level(level: object, codes: Sequence[str]) -> float:
    """``level`` if every code can be grouped by it; :class:`SubscriptionError` otherwise."""
    if isinstance(level, bool) or not isinstance(level, (int, float)) or not 0 <= level < 1e12:
        raise SubscriptionError(
            f"level={level!r}: the price step to group by, in the quote currency; 0 groups nothing"
        )
    if level and (others := [code for code in codes if not code.startswith("KRW-")]):
        raise SubscriptionError(
            f"level={level!r} with {', '.join(others)}: only KRW markets can be grouped "
            "(the exchange would send nothing); leave level out for these"
        )
    return level
