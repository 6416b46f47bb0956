"""Trades of the past, once more: what a queue dropped, or a gap left out."""

from __future__ import annotations

import time
from collections.abc import Mapping

from upbit_stream.delivery.drops import Drop
from upbit_stream.engine import Engine
from upbit_stream.errors import BackfillError, StreamClosedError, SubscriptionError
from upbit_stream.events import Trade
from upbit_stream.recovery.gaps import Gap
from upbit_stream.recovery.history import IDS_PER_MS, History, TradeStretch

__all__ = ["fetch_trades"]


def fetch_trades(
    engine: Engine, told: Gap | Drop, codes: tuple[str, ...], timeout: float
) -> list[Trade]:
    """The trades of ``codes`` in the ranges of ``told``, in the order of their times and ids.

    Raises :class:`BackfillError` when not all of them could be had within ``timeout`` seconds,
    :class:`SubscriptionError` for what is not about trades, and :class:`StreamClosedError`.
    """
    if not isinstance(told, (Gap, Drop)):
        raise TypeError(f"replay({told!r}): give a Gap (of on_gap) or a Drop (of on_drop)")
    if told.type != "trade":
        raise SubscriptionError(
            f"only trades can be fetched again, not {told.type}; look at subscription.latest for "
            "the present state"
        )
    if engine.closing:
        raise StreamClosedError("this stream is closed; make a new UpbitStream")
    deadline = time.monotonic() + timeout
    history = History(engine.rest, engine.config.numbers)
    trades: list[Trade] = []
    failures: dict[str, str] = {}
    for code, (first, last) in _ranges(told, codes).items():
        stretch = TradeStretch(code=code, after=first * IDS_PER_MS - 1, until=last)
        found = history.find(stretch, deadline)
        trades += found.events
        if found.why:
            failures[code] = found.why
    trades.sort(key=lambda trade: (trade.trade_timestamp, trade.sequential_id))
    if failures:
        reasons = "; ".join(f"{code}: {why}" for code, why in failures.items())
        raise BackfillError(
            f"not all trades could be fetched ({reasons}); those that could are in .trades; try "
            "again "
            "in a minute, or with more time (timeout=…)",
            trades=trades,
        )
    return trades


def _ranges(told: Gap | Drop, codes: tuple[str, ...]) -> Mapping[str, tuple[int, int]]:
    return {code: span for code, span in told.ranges.items() if code in codes}
