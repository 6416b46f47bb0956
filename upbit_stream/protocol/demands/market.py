"""Demands of the public endpoint: tickers, trades, order books, candles."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import get_args

import msgspec

from upbit_stream.errors import SubscriptionError
from upbit_stream.events import CandleUnit, Event, Orderbook
from upbit_stream.protocol.codes import check_codes
from upbit_stream.protocol.demands.base import Demand, Sink, not_in_won
from upbit_stream.protocol.requests import TypeRequest

__all__ = [
    "CANDLE_UNITS",
    "DEPTHS",
    "MarketDemand",
    "OrderbookDemand",
    "candle_type",
    "snapshot_demand",
]

CANDLE_UNITS: tuple[str, ...] = get_args(CandleUnit)
#: Rows that an order book can be asked for; the exchange answers anything else with 30.
DEPTHS = (1, 5, 15, 30)
FULL_DEPTH = DEPTHS[-1]


class MarketDemand(Demand, frozen=True):
    """Tickers, trades or candles."""

    @classmethod
    def make(cls, type_: str, codes: object, snapshot: object, realtime: object) -> MarketDemand:
        """A checked demand for ``codes`` (one string or an iterable)."""
        return cls(type_, check_codes(codes), *_check_parts(snapshot, realtime))

    @classmethod
    def merge(cls, members: Sequence[Demand]) -> Iterable[TypeRequest]:
        codes = dict.fromkeys(code for member in members for code in member.codes)
        yield TypeRequest(members[0].type, tuple(codes), _parts(members))


class OrderbookDemand(Demand, frozen=True):
    """Order books of ``depth`` rows, prices grouped by ``level``."""

    depth: int = FULL_DEPTH
    level: float = 0

    @classmethod
    def make_book(
        cls, codes: object, snapshot: object, realtime: object, depth: object, level: object
    ) -> OrderbookDemand:
        """A checked demand."""
        checked = check_codes(codes)
        return cls(
            "orderbook",
            checked,
            *_check_parts(snapshot, realtime),
            depth=_check_depth(depth),
            level=_check_level(level, checked),
        )

    @property
    def group(self) -> Hashable:
        return self.level

    @classmethod
    def merge(cls, members: Sequence[OrderbookDemand]) -> Iterable[TypeRequest]:
        # A code that is wanted in several depths is asked for in the largest.
        depths: dict[str, int] = {}
        for member in members:
            for code in member.codes:
                depths[code] = max(member.depth, depths.get(code, 0))
        codes = (
            code if depth == FULL_DEPTH else f"{code}.{depth}" for code, depth in depths.items()
        )
        level = members[0].level
        grouping = {"level": int(level) if level == int(level) else level} if level else {}
        yield TypeRequest("orderbook", tuple(codes), {**grouping, **_parts(members)})

    def adding(self, codes: tuple[str, ...]) -> OrderbookDemand:
        _check_level(self.level, codes)
        return super().adding(codes)

    def is_complete(self, event: Event) -> bool:
        return not isinstance(event, Orderbook) or len(event.orderbook_units or ()) >= self.depth

    def concerns(self, event: Event) -> bool:
        if not isinstance(event, Orderbook) or event.level is None:
            return True
        # As floats: a Decimal 0.1 is not the float 0.1.
        return float(event.level) == self.level

    def sieve(self, sink: Sink) -> Sink:
        depth = self.depth

        def fitting(book: Orderbook) -> None:
            if not self.concerns(book):
                return
            units = book.orderbook_units
            if depth < FULL_DEPTH and units is not None and len(units) > depth:
                book = msgspec.structs.replace(book, orderbook_units=units[:depth])
            sink(book)

        return fitting


def snapshot_demand(type_: object, codes: object) -> Demand:
    """A checked demand for one snapshot of each code."""
    if type_ == "orderbook":
        return OrderbookDemand.make_book(codes, True, False, FULL_DEPTH, 0)
    known = ("ticker", "trade", "orderbook", *(f"candle.{unit}" for unit in CANDLE_UNITS))
    if type_ not in known:
        raise SubscriptionError(
            f"there are no snapshots of {type_!r}: choose one of {', '.join(known)}"
        )
    return MarketDemand.make(str(type_), codes, True, False)


def candle_type(unit: object) -> str:
    """The wire's type for candles of ``unit``; :class:`SubscriptionError` names the units."""
    if unit not in CANDLE_UNITS:
        raise SubscriptionError(
            f"unit={unit!r} is no candle unit: choose one of {', '.join(CANDLE_UNITS)}"
            f"{_unit_meant(unit)}"
        )
    return f"candle.{unit}"


def _unit_meant(unit: object) -> str:
    """What is meant by hours, which the exchange counts in minutes; and by a bare number."""
    named = str(unit).strip().lower()
    hours = named.removesuffix("h")
    if hours != named and hours.isdecimal():
        named = f"{int(hours) * 60}m"
    elif named.isdecimal():
        named = f"{named}m"
    return f'. Did you mean "{named}"?' if named in CANDLE_UNITS else ""


def _parts(members: Sequence[Demand]) -> Mapping[str, bool]:
    """Snapshots or realtime alone are asked for only when nobody wants the other."""
    if not any(member.realtime for member in members):
        return {"is_only_snapshot": True}
    if not any(member.snapshot for member in members):
        return {"is_only_realtime": True}
    return {}


def _check_parts(snapshot: object, realtime: object) -> tuple[bool, bool]:
    if not snapshot and not realtime:
        raise SubscriptionError(
            "snapshot=False with realtime=False asks for nothing; leave one of them on"
        )
    return bool(snapshot), bool(realtime)


def _check_depth(depth: object) -> int:
    if isinstance(depth, bool) or not isinstance(depth, int) or depth not in DEPTHS:
        larger = [known for known in DEPTHS if type(depth) is int and known > depth]
        advice = f"; take {larger[0]} and use the first ones" if larger else ""
        raise SubscriptionError(
            f"depth={depth!r}: choose one of {', '.join(map(str, DEPTHS))} rows{advice}"
        )
    return depth


def _check_level(level: object, codes: Sequence[str]) -> float:
    if isinstance(level, bool) or not isinstance(level, (int, float)) or not 0 <= level < 1e12:
        raise SubscriptionError(
            f"level={level!r}: give the price step to group by, in the quote currency; 0 groups "
            "nothing"
        )
    if level and (others := not_in_won(codes)):
        raise SubscriptionError(
            f"level={level!r} with {', '.join(others)}: only KRW markets can be grouped "
            "(the exchange would send nothing); leave level out for these"
        )
    return level
