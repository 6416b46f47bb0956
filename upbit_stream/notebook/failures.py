"""What a callback raises, shown in its cell: once with its traceback, then counted."""

from __future__ import annotations

import logging
import sys
import threading
import time
import traceback
from types import TracebackType

from ipykernel.zmqshell import ZMQInteractiveShell

__all__ = ["Reported"]

_log = logging.getLogger("upbit_stream")

# Kinds of failures of one callback that are shown; a kind is a type and a line.
_KINDS = 5
# Seconds between two lines about how often it went on.
_COUNT_EVERY = 60.0

# IPython's formatter of tracebacks keeps its state in itself.
_formatting = threading.Lock()


class Reported:
    """The failures of one callback. Used by the thread that calls it alone, in its context."""

    def __init__(self) -> None:
        self._shown: set[tuple[type[BaseException], str, int]] = set()
        self._again = 0
        self._told_at = time.monotonic()

    def report(self, headline: str, error: BaseException) -> None:
        """Show ``error``, or count it if the person has seen its like."""
        kind = _kind(error)
        if kind not in self._shown and len(self._shown) < _KINDS:
            self._shown.add(kind)
            _show(headline, error)
            return
        self._again += 1
        now = time.monotonic()
        if now - self._told_at >= _COUNT_EVERY:
            _log.warning("%s (%d times more since it was shown)", headline, self._again)
            self._told_at = now


def _show(headline: str, error: BaseException) -> None:
    # A log that the person has set up gets it as anywhere. Without one, logging would write the
    # line to the cell, where it stands already.
    if _log.hasHandlers():
        _log.error(headline, exc_info=error)
    if not _logs_to_cell():
        print(f"{headline}.\n{_format(error)}", file=sys.stderr, flush=True)


def _logs_to_cell() -> bool:
    """Whether a handler of the log writes to the cell's output itself."""
    logger: logging.Logger | None = _log
    while logger is not None:
        for handler in logger.handlers:
            if getattr(handler, "stream", None) in (sys.stdout, sys.stderr):
                return True
        logger = logger.parent if logger.propagate else None
    return False


def _kind(error: BaseException) -> tuple[type[BaseException], str, int]:
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1] if frames else None
    return type(error), last.filename if last else "", (last.lineno or 0) if last else 0


def _format(error: BaseException) -> str:
    """The traceback as the notebook writes those of its cells, from the person's own frame on."""
    trace = _without_ours(error.__traceback__)
    if trace is None:  # it could not even be called: too many arguments, say
        return "".join(traceback.format_exception_only(type(error), error))
    with _formatting:
        try:
            formatter = ZMQInteractiveShell.instance().InteractiveTB
            return "\n".join(formatter.structured_traceback(type(error), error, trace))
        except Exception:
            return "".join(traceback.format_exception(type(error), error, trace))


def _without_ours(trace: TracebackType | None) -> TracebackType | None:
    while trace is not None:
        module = str(trace.tb_frame.f_globals.get("__name__", ""))
        if not module.startswith("upbit_stream."):
            return trace
        trace = trace.tb_next
    return None
