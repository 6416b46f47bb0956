"""A faithful local Upbit, with faults on demand.

::

    from upbit_stream.simulator import Simulator

    with Simulator() as sim:
        stream = UpbitStream(config=StreamConfig(url=sim.url))

One port serves the three WebSocket endpoints and REST, from one background thread. Needs the
``simulator`` extra.
"""

from __future__ import annotations

from importlib.util import find_spec

if find_spec("websockets") is None:
    raise ImportError(
        'the simulator needs the websockets package: pip install "upbit-stream[simulator]"'
    )

from upbit_stream.simulator.settings import Limits, Timing
from upbit_stream.simulator.simulator import DEFAULT_KEYS, Simulator

__all__ = ["DEFAULT_KEYS", "Limits", "Simulator", "Timing"]
