"""Whether someone sees a view, from what the front end says and from what it cannot say."""

from __future__ import annotations

import time

from upbit_stream.notebook.activity import activity

__all__ = ["Attention"]

# Seconds for which a word holds. The front end repeats it every five.
_LEASE = 12.0
# Seconds for which a view is taken for seen that was displayed, before its first word.
_WELCOME = 6.0


class Attention:
    """What the views of one model have said. Its owner holds a lock around every call.

    While a cell runs, most kernels hear nothing of the front end; so its words hold until the cell
    is over.
    """

    def __init__(self) -> None:
        # Of each view that is seen: when that was said.
        self._seen: dict[str, float] = {}
        self._expected_at: float | None = None
        # Begins to listen at the latest now, in the cell.
        self._activity = activity()

    def expect(self) -> None:
        """It is being displayed."""
        self._expected_at = time.monotonic()

    def note(self, view: str, seen: bool) -> None:
        """A view has said that it is seen, or that it is not."""
        self._expected_at = None
        if seen:
            self._seen[view] = time.monotonic()
        else:
            self._seen.pop(view, None)

    @property
    def paid(self) -> bool:
        """Whether there is someone who looks."""
        now = time.monotonic()

        def holds(said_at: float | None, seconds: float) -> bool:
            return said_at is not None and now - self._activity.held_until(said_at, now) < seconds

        self._seen = {view: at for view, at in self._seen.items() if holds(at, _LEASE)}
        return bool(self._seen) or holds(self._expected_at, _WELCOME)
