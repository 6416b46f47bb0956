"""Whether a notebook's kernel runs this process, and what is different then.

Elsewhere each of these looks into a dict and does the plain thing.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from upbit_stream.delivery.channel import Channel
    from upbit_stream.delivery.notices import NoticeKind
    from upbit_stream.engine import Engine

__all__ = ["add_callback", "add_handler", "in_kernel", "look_around", "subscribed", "turns"]


def in_kernel() -> bool:
    """Whether an IPython kernel runs here. Nothing is imported to find out."""
    module = sys.modules.get("ipykernel.zmqshell")
    shell = getattr(module, "ZMQInteractiveShell", None)
    return shell is not None and bool(shell.initialized())


def subscribed(engine: Engine, channel: Channel[Any]) -> None:
    """In a notebook: it takes the place of what an earlier run of the cell subscribed."""
    if in_kernel():
        from upbit_stream.notebook.rerun import replace_subscription

        look_around()
        replace_subscription(engine, channel)


def add_callback(engine: Engine, channel: Channel[Any], callback: Callable[[Any], object]) -> None:
    """Have the subscription call ``callback``; in a notebook instead of the one that an earlier run
    of the cell registered.
    """
    if in_kernel():
        from upbit_stream.notebook.rerun import replace_callback

        look_around()
        replace_callback(engine, channel, callback)
    else:
        channel.add_callback(callback)


def add_handler(engine: Engine, kind: NoticeKind, handler: Callable[[Any], object]) -> None:
    """The same for ``on_state`` and its like."""
    if in_kernel():
        from upbit_stream.notebook.rerun import replace_handler

        look_around()
        replace_handler(engine.notices, kind, handler)
    else:
        engine.notices.register(kind, handler)


def look_around() -> None:
    """In a notebook: close the streams whose variables have been bound again."""
    if in_kernel():
        from upbit_stream.notebook.rebinding import sweep

        sweep()


def turns(seconds: float | None) -> Iterator[float | None]:
    """Until when (of ``time.monotonic()``; None: for ever) to wait in each turn of a wait of so
    many seconds. In a notebook our widgets hear of their buttons between the turns; elsewhere there
    is one turn.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    if in_kernel():
        from upbit_stream.notebook.hearing import turns as heard

        yield from heard(deadline)
    else:
        yield deadline
