"""Noticing that time has passed without us: a suspended machine, a stopped process, a set clock."""

from __future__ import annotations

import time

__all__ = ["Clocks"]

# Seconds. Less than that is a busy machine, or a clock that is being corrected.
_JUMP = 5.0


class Clocks:
    """Compares the wall clock with the monotonic one, which on most systems stands still while the
    machine sleeps; and what was due with when it came.
    """

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def jump(self, now: float, due: float) -> float | None:
        """How many seconds passed unnoticed before ``now``, at which something comes that was due
        at ``due`` (both of ``time.monotonic()``); negative when the clock was set back. None when
        that is not worth mentioning.
        """
        offset = time.time() - time.monotonic()
        shift, self._offset = offset - self._offset, offset
        late = now - due
        furthest = shift if abs(shift) > late else late
        return furthest if abs(furthest) > _JUMP else None
