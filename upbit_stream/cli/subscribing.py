"""From what was asked for on the command line to subscriptions."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from upbit_stream.cli.columns import TYPES
from upbit_stream.cli.failures import WrongUsage
from upbit_stream.cli.texts import text
from upbit_stream.config import StreamConfig
from upbit_stream.protocol.codes import check_codes
from upbit_stream.protocol.demands import OrderbookDemand
from upbit_stream.stream import UpbitStream
from upbit_stream.subscription import Subscription

if TYPE_CHECKING:
    from upbit_stream.simulator import Simulator

__all__ = ["check_type", "codes_of", "config_of", "subscribe"]


def check_type(type_: str) -> None:
    """Raises :class:`WrongUsage` for a type that there is not."""
    if type_ in TYPES:
        return
    near = difflib.get_close_matches(type_.lower(), TYPES, 1, 0.5)
    hint = text("usage.perhaps", name=near[0]) if near else ""
    raise WrongUsage(text("failed.type", type=type_, types=", ".join(TYPES)) + hint)


def codes_of(codes: Sequence[str] | None, *, demo: bool, example: str) -> tuple[str, ...]:
    """The codes that were given; none means those of the simulator."""
    if codes:
        return check_codes(codes)
    if not demo:
        raise WrongUsage(text("failed.codes", example=example, command=example.partition(" ")[0]))
    return ()


def config_of(simulator: Simulator | None, *, exact: bool) -> StreamConfig:
    """The settings of a stream to the exchange, or to the simulator of ``--demo``."""
    numbers: Literal["float", "decimal"] = "decimal" if exact else "float"
    if simulator is None:
        return StreamConfig(numbers=numbers)
    return StreamConfig(url=simulator.url, rest_url=simulator.rest_url, numbers=numbers)


def subscribe(
    stream: UpbitStream,
    type_: str,
    codes: Sequence[str],
    callback: Callable[[Any], object] | None,
    *,
    depth: int,
) -> Subscription[Any]:
    """Subscribe to a type that was checked; a wrong depth is refused with every type."""
    OrderbookDemand.make_book(codes, True, False, depth, 0)
    if type_ == "ticker":
        return stream.ticker(codes, callback)
    if type_ == "trade":
        return stream.trade(codes, callback)
    if type_ == "orderbook":
        return stream.orderbook(codes, callback, depth=depth)
    return stream.candle(codes, callback, unit=type_.partition(".")[2])
