"""The feed over a broker: one process reads the exchange, and any number of others, on any machine,
get its events with the same callbacks as before.

It needs the extra of the broker: ``pip install "upbit-stream[redis]"``.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from upbit_stream.relay.place import RelaySource
    from upbit_stream.relay.relay import Relay, RelayStats

__all__ = ["Relay", "RelaySource", "RelayStats"]

# Imported when it is asked for: a stream that reads from a broker needs no relay.
_LAZY = {
    "Relay": "upbit_stream.relay.relay",
    "RelaySource": "upbit_stream.relay.place",
    "RelayStats": "upbit_stream.relay.relay",
}


def __getattr__(name: str) -> Any:
    module = _LAZY.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(module), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
