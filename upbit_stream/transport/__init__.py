"""websocket-client made fast: many frames per system call. Knows nothing of Upbit.

`frames.py` cuts bytes into messages, `websocket.py` is what a connection holds, `opening.py` makes
one, `upgrade.py` is the HTTP part of that, and `staged.py` does the same step by step.
"""

from __future__ import annotations

from upbit_stream.transport.opening import open_websocket
from upbit_stream.transport.websocket import BulkWebSocket, ConnectionClosed

__all__ = ["BulkWebSocket", "ConnectionClosed", "open_websocket"]
