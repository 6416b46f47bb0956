"""``--demo``: a simulated exchange in this process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from upbit_stream.cli.failures import RunFailed
from upbit_stream.cli.texts import text

if TYPE_CHECKING:
    from upbit_stream.simulator import Simulator

__all__ = ["demo_simulator", "simulated"]

# Trades a second of the simulated market: lively, and next to nothing for any machine.
_RATE = 150.0


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


def simulated() -> str:
    """For stderr, where what is shown does not say it itself."""
    return f"upbit-stream: {text('demo.simulated')}"
