"""What is sent: messages of the simulated exchange, encoded once."""

from __future__ import annotations

from functools import cache

from benchmarks.job import Kind
from upbit_stream import WireFormat
from upbit_stream.simulator.frames import encoders, payload_of
from upbit_stream.simulator.listing import all_codes
from upbit_stream.simulator.market import Exchange

__all__ = ["STAMP", "codes", "payloads"]

#: Where the time of sending goes, as long as nanoseconds are.
STAMP = b"1111111111111111111"

_SEED = 4
_MOMENT = 1_795_507_500.0  # the clock stands still, so that every recording is the same
_EACH = 5  # messages of one code that differ


@cache
def codes(count: int) -> tuple[str, ...]:
    """The busiest markets."""
    return all_codes(count)


@cache
def payloads(kind: Kind, wire_format: str, count: int) -> tuple[bytes, ...]:
    """Five messages of each of ``count`` codes, in turns."""
    exchange = Exchange(
        codes(count), seed=_SEED, clock=lambda: _MOMENT, trade_lag=0.0, past=50, kept=50, rate=0.0
    )
    encoder = encoders()[WireFormat(wire_format)]
    made = []
    for _ in range(_EACH):
        for fill in exchange.trades(count, codes(count)):
            if kind == "ticker":
                frame = encoder.ticker(exchange.market(fill.code), "REALTIME")
            elif kind == "trade":
                frame = encoder.trade(fill, "REALTIME")
            else:
                book = exchange.market(fill.code).publish(fill.timestamp)
                units = int(kind.split()[1])
                frame = encoder.orderbook(fill.code, book, units, 0, "REALTIME")
            made.append(payload_of(frame))
    return tuple(made)
