"""Variables that are bound again: the stream that a name stood for is closed.

Dropping the last reference closes a stream anyway. But a notebook keeps references that nobody
thinks of (``_``, ``Out``, a subscription in a variable, the frames of the last exception), so a
name that stands for something else now is what counts.
"""

from __future__ import annotations

import logging
import threading
import weakref
from typing import Any, NamedTuple

from ipykernel.zmqshell import ZMQInteractiveShell

from upbit_stream.notebook.cells import current_cell
from upbit_stream.notebook.holding import leads_to
from upbit_stream.stream import UpbitStream

__all__ = ["sweep"]

_log = logging.getLogger("upbit_stream")

# Seconds that closing one may hold up the cell.
_CLOSE = 1.0


def sweep() -> None:
    """Look at the notebook's variables, and close the streams that have lost theirs."""
    # A callback may come by here in the middle of a cell; the end of the cell is soon enough.
    if threading.current_thread() is threading.main_thread():
        _watcher().look()


class _Bound(NamedTuple):
    """A name that stands for a stream, or stood."""

    name: str
    stream: weakref.ref[UpbitStream]
    #: The cell (its place) that has bound it.
    place: str


class _Watcher:
    """Which name stood for which stream. Used on the kernel's main thread alone."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._bound: dict[str, _Bound] = {}
        # Those without their name that something else leads to, so far.
        self._nameless: list[_Bound] = []
        shell.events.register("post_run_cell", self._after_cell)

    def _after_cell(self, *_: object) -> None:
        sweep()

    def look(self) -> None:
        """Close what has lost its name, and note who has one."""
        names: dict[str, Any] = self._shell.user_ns
        place = current_cell().place
        lost = self._nameless + [
            bound
            for name, bound in self._bound.items()
            # A name that was deleted was not bound again.
            if name in names and names[name] is not bound.stream()
        ]
        self._bound = {
            name: self._note(name, value, place)
            for name, value in list(names.items())
            # Not isinstance(): it would ask an object that stands for another.
            if issubclass(type(value), UpbitStream) and not name.startswith("_")
        }
        self._nameless = []
        for bound in lost:
            stream = bound.stream()
            if stream is None or stream._engine.closing:
                continue
            if leads_to(stream, names):
                self._nameless.append(bound)
            else:
                _tell(bound, place)
                stream.close(_CLOSE)

    def _note(self, name: str, stream: UpbitStream, place: str) -> _Bound:
        known = self._bound.get(name)
        if known is not None and known.stream() is stream:
            return known
        return _Bound(name, weakref.ref(stream), place)


def _tell(bound: _Bound, place: str) -> None:
    # That its own cell, run again, puts another in its place is what a person expects.
    level = logging.INFO if place == bound.place else logging.WARNING
    _log.log(
        level,
        "closing the stream that %s stood for: the name stands for something else now, and no "
        "other variable leads to it",
        bound.name,
    )


_only: list[_Watcher] = []


def _watcher() -> _Watcher:
    if not _only:
        _only.append(_Watcher(ZMQInteractiveShell.instance()))
    return _only[0]
