"""Standard output that nobody reads any more: ``python script.py | head -5``."""

from __future__ import annotations

import select
import sys

__all__ = ["OUTPUT_LOST", "is_output_lost"]

#: Told once, and without a traceback: whatever prints raises from now on.
OUTPUT_LOST = (
    "standard output is closed, so nobody reads what is printed; the stream goes on, and this is "
    "not logged again (to end it then, close the stream when on_error is told of a BrokenPipeError)"
)


def is_output_lost(error: BaseException) -> bool:
    """Whether ``error`` came of printing. A socket of the person's own breaks with the same."""
    if not isinstance(error, BrokenPipeError) or not hasattr(select, "poll"):
        return False  # on Windows it is another error
    poll = select.poll()
    try:
        poll.register(sys.stdout.fileno(), 0)
        return bool(poll.poll(0))  # hung up, or an error: nothing else was asked for
    except (OSError, ValueError, AttributeError):  # there is none, or it is no file
        return False
