"""The clients that are compared, by name; each is a module with a ``consume``.

``consume(job, callbacks)`` connects, subscribes, and gives every message to every callback, until
``job.messages`` have come. Each as its documentation shows it; only the address is ours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol, cast

from benchmarks.job import Job

__all__ = ["CLIENTS", "Callback", "find", "is_here"]

Callback = Callable[[Any], object]


class Consume(Protocol):
    """What a client's module has."""

    def __call__(self, job: Job, callbacks: Sequence[Callback]) -> None: ...


#: Name → module, and the package that it needs.
CLIENTS = {
    "upbit_stream": ("ours", "upbit_stream"),
    "upbit_stream, duplicates unchecked": ("unchecked", "upbit_stream"),
    "the limit": ("limit", "msgspec"),
    "nothing but reading": ("drain", "websocket"),
    "picows + msgspec": ("picows_msgspec", "picows"),
    "websocket-client + json": ("websocket_client", "websocket"),
    "websockets + json": ("websockets_sync", "websockets"),
    "ccxt": ("ccxt_pro", "ccxt"),
    "pyupbit": ("pyupbit_manager", "pyupbit"),
    "upbit-sdk": ("upbit_sdk", "upbit"),
}


def is_here(name: str) -> bool:
    """Whether the client's package is installed."""
    return find_spec(CLIENTS[name][1]) is not None


def find(name: str) -> Consume:
    """The client's ``consume``."""
    return cast(Consume, import_module(f"benchmarks.clients.{CLIENTS[name][0]}").consume)
