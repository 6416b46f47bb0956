"""From what was asked for on the command line to subscriptions."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from typing import Any

from upbit_stream.cli.columns import TYPES
from upbit_stream.cli.failures import WrongUsage
from upbit_stream.protocol.codes import check_codes
from upbit_stream.stream import UpbitStream
from upbit_stream.subscription import Subscription

__all__ = ["check_type", "codes_of", "subscribe"]


def check_type(type_: str) -> None:
    """Raises :class:`WrongUsage` for a type that there is not."""
    if type_ in TYPES:
        return
    near = difflib.get_close_matches(type_.lower(), TYPES, 1, 0.5)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise WrongUsage(f"there is no type {type_!r}: choose one of {', '.join(TYPES)}{hint}")


def codes_of(codes: Sequence[str], *, demo: bool, example: str) -> tuple[str, ...]:
    """The codes that were given; none means those of the simulator."""
    if codes:
        return check_codes(codes)
    if not demo:
        raise WrongUsage(
            f'name at least one market, as in "upbit-stream {example}", or try '
            f'"upbit-stream {example.partition(" ")[0]} --demo"'
        )
    return ()


def subscribe(
    stream: UpbitStream,
    type_: str,
    codes: Sequence[str],
    callback: Callable[[Any], object] | None,
    *,
    depth: int,
) -> Subscription[Any]:
    """Subscribe to a type that was checked."""
    if type_ == "ticker":
        return stream.ticker(codes, callback)
    if type_ == "trade":
        return stream.trade(codes, callback)
    if type_ == "orderbook":
        return stream.orderbook(codes, callback, depth=depth)
    return stream.candle(codes, callback, unit=type_.partition(".")[2])
