"""``--demo``: a simulated exchange in this process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from upbit_stream.cli.failures import RunFailed
from upbit_stream.cli.texts import text

if TYPE_CHECKING:
    from upbit_stream.simulator import Simulator

__all__ = ["demo_simulator", "past_trades", "simulated"]

# Trades a second of the simulated market: lively, and next to nothing for any machine.
_RATE = 150.0

# Past trades of a market: enough for some screens of candles; and of all markets together, as they
# are made up while somebody waits.
_PAST = 1500
_PAST_OF_ALL = 20_000


def demo_simulator(codes: Sequence[str], *, history: int = 60) -> Simulator:
    """A simulated exchange with these markets, or with its own choice; each with so many past
    trades.
    """
    try:
        # Only when it is asked for: it needs an extra, and time.
        from upbit_stream.simulator import Simulator
    except ImportError as error:
        raise RunFailed(str(error)) from error
    if codes:
        return Simulator(codes=codes, rate=_RATE, history=history)
    return Simulator(rate=_RATE, history=history)


def past_trades(markets: int) -> int:
    """How many past trades each of so many markets should have, to look at its candles."""
    return max(60, min(_PAST, _PAST_OF_ALL // max(1, markets)))


def simulated() -> str:
    """For stderr, where what is shown does not say it itself."""
    return f"upbit-stream: {text('demo.simulated')}"
