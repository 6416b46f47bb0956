"""What nobody closed: at the interpreter's exit, and in the child of a fork."""

from __future__ import annotations

import atexit
import os
import time
import weakref
from typing import Protocol

from upbit_stream.errors import StreamClosedError

__all__ = ["UNATTENDED_CLOSE", "close_at_exit", "forked"]

#: Seconds for closing what the person did not close: at interpreter exit, or when the last
#: reference was dropped.
UNATTENDED_CLOSE = 3.0


class _Closable(Protocol):
    @property
    def closing(self) -> bool: ...
    def let_go(self) -> None: ...
    def close(self, timeout: float) -> bool: ...
    def disown(self) -> None: ...


# Weak: being listed here keeps no engine alive (its threads do, as long as they run).
_engines: weakref.WeakSet[_Closable] = weakref.WeakSet()


def close_at_exit(engine: _Closable) -> None:
    """Close it when the interpreter exits, unless it was; disown it in the child of a fork."""
    _engines.add(engine)


def forked() -> StreamClosedError:
    """What is told to whoever uses a stream of the parent in the child."""
    return StreamClosedError(
        "this stream was opened before a fork, and stays with the parent process; make a new "
        "UpbitStream in this one"
    )


@atexit.register
def _close_all() -> None:
    # All are told before the first is waited for: together they get the time of one.
    left = [engine for engine in _engines if not engine.closing]
    deadline = time.monotonic() + UNATTENDED_CLOSE
    for engine in left:
        engine.let_go()
    for engine in left:
        engine.close(max(0.0, deadline - time.monotonic()))


def _after_fork() -> None:
    for engine in list(_engines):
        engine.disown()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
