"""The feed over a broker: one process reads the exchange, and any number of others, on any machine,
get its events with the same callbacks as before.

It needs the extra of the broker: ``pip install "upbit-stream[redis]"``.
"""

from typing import TYPE_CHECKING

from upbit_stream.lazy import lazily

if TYPE_CHECKING:
    from upbit_stream.relay.place import RelaySource
    from upbit_stream.relay.relay import Relay
    from upbit_stream.relay.stats import RelayStats

__all__ = ["Relay", "RelaySource", "RelayStats"]

# Imported when it is asked for: a stream that reads from a broker needs no relay.
__getattr__, __dir__ = lazily(
    __name__,
    {
        "Relay": "upbit_stream.relay.relay",
        "RelaySource": "upbit_stream.relay.place",
        "RelayStats": "upbit_stream.relay.stats",
    },
)
