"""Who a publisher or a consumer is at the broker."""

from __future__ import annotations

import os
import secrets
import socket

__all__ = ["identity"]


def identity(number: str) -> str:
    """A name that nobody else has: host, process, number, and something random, for in containers
    hosts and processes are often called the same.
    """
    return f"{socket.gethostname()}-{os.getpid()}-{number}-{secrets.token_hex(3)}"
