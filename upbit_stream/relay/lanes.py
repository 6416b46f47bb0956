"""A lane: the events of one type and code. Each has an order of its own on every broker."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import NamedTuple

from upbit_stream.errors import SubscriptionError
from upbit_stream.protocol.demands import CANDLE_UNITS, Demand, OrderbookDemand
from upbit_stream.protocol.endpoints import Endpoint

__all__ = ["TYPES", "Lane", "check_relayable", "lanes_of", "selection_of"]

#: What can be relayed: the public market data.
TYPES = ("ticker", "trade", "orderbook", *(f"candle.{unit}" for unit in CANDLE_UNITS))


class Lane(NamedTuple):
    """The wire's type (``trade``, ``candle.1m``) and a code."""

    type: str
    code: str

    def __str__(self) -> str:
        return f"{self.type} {self.code}"


def check_relayable(demand: Demand) -> None:
    """:class:`SubscriptionError` for what is not carried by a broker."""
    if demand.endpoint is not Endpoint.PUBLIC:
        raise SubscriptionError(
            f"{demand.type} does not go over a broker, which carries public market data (ticker, "
            "trade, orderbook, candle): use an UpbitStream without a source for it"
        )
    if isinstance(demand, OrderbookDemand) and demand.level:
        raise SubscriptionError(
            f"level={demand.level!r}: a broker carries order books that are not grouped; leave "
            "level out"
        )


def lanes_of(demand: Demand) -> list[Lane]:
    """The lanes that a demand is about."""
    return [Lane(demand.type, code) for code in demand.codes]


def selection_of(names: Iterable[str]) -> str:
    """What names these lanes together, in whatever order: members of a group share with those who
    want the same.
    """
    wanted = sorted(names)
    return f"{len(wanted)}-{zlib.crc32(chr(10).join(wanted).encode()):08x}"
