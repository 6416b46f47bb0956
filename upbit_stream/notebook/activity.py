"""Whether a cell runs, during which the kernel hears nothing of the front end."""

from __future__ import annotations

import sys
import time
from functools import cache
from typing import Any

from upbit_stream.kernel import in_kernel

__all__ = ["activity"]


class _Activity:
    """When the newest cell began and ended. Written on the kernel's main thread alone."""

    def __init__(self) -> None:
        self._began_at = float("-inf")
        self._ended_at = float("-inf")

    def attach(self, shell: Any) -> None:
        """Be told by IPython. The cell that runs at this moment has begun before."""
        self._began_at = time.monotonic()
        shell.events.register("pre_run_cell", self._begin)
        shell.events.register("post_run_cell", self._end)

    def _begin(self, *_: object) -> None:
        self._began_at = time.monotonic()

    def _end(self, *_: object) -> None:
        self._ended_at = time.monotonic()

    def held_until(self, since: float, now: float) -> float:
        """Until when a word that was said at ``since`` could not have been taken back."""
        if self._began_at > self._ended_at:
            return now
        return self._ended_at if self._ended_at > since else since


@cache
def activity() -> _Activity:
    """That of this process."""
    made = _Activity()
    if in_kernel():
        made.attach(sys.modules["ipykernel.zmqshell"].ZMQInteractiveShell.instance())
    return made
