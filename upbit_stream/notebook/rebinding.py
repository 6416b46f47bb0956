"""Variables that are bound again: the stream that a name stood for is closed.

Dropping the last reference closes a stream anyway. But a notebook keeps references that nobody
thinks of (``_``, ``Out``, a subscription in a variable, the frames of the last exception), so a
name that stands for something else now is what counts.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from ipykernel.zmqshell import ZMQInteractiveShell

from upbit_stream.stream import UpbitStream

__all__ = ["sweep"]

# Seconds that closing one may hold up the cell.
_CLOSE = 1.0
# How far it is looked for who still holds a stream: objects in all, and items of a container.
_OBJECTS = 20_000
_ITEMS = 1_000
# What IPython keeps of cells that have run.
_CACHES = ("In", "Out")


def sweep() -> None:
    """Look at the notebook's variables, and close the streams that have lost theirs."""
    # A callback may come by here in the middle of a cell; the end of the cell is soon enough.
    if threading.current_thread() is threading.main_thread():
        _watcher().look()


class _Watcher:
    """Which name stood for which stream. Used on the kernel's main thread alone."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._bound: dict[str, weakref.ref[UpbitStream]] = {}
        # Those without their name that another variable leads to, so far.
        self._nameless: list[weakref.ref[UpbitStream]] = []
        shell.events.register("post_run_cell", self._after_cell)

    def _after_cell(self, *_: object) -> None:
        sweep()

    def look(self) -> None:
        """Close what has lost its name, and note who has one."""
        names: dict[str, Any] = self._shell.user_ns
        lost = self._nameless + [
            bound
            for name, bound in self._bound.items()
            # A name that was deleted was not bound again.
            if name in names and names[name] is not bound()
        ]
        self._bound = {
            name: weakref.ref(value)
            for name, value in list(names.items())
            if isinstance(value, UpbitStream) and not name.startswith("_")
        }
        self._nameless = []
        for bound in lost:
            if (stream := bound()) is None:
                continue
            if _held(stream, names):
                self._nameless.append(bound)
            else:
                stream.close(_CLOSE)


_only: list[_Watcher] = []


def _watcher() -> _Watcher:
    if not _only:
        _only.append(_Watcher(ZMQInteractiveShell.instance()))
    return _only[0]


def _held(stream: UpbitStream, names: dict[str, Any]) -> bool:
    """Whether a variable still leads to ``stream``: as its value, in a container, or in an object
    of a class of the notebook's own.
    """
    visible = [name for name in list(names) if not name.startswith("_") and name not in _CACHES]
    left = deque(names.get(name) for name in visible)
    seen: set[int] = set()
    while left and len(seen) < _OBJECTS:
        value = left.popleft()
        if value is stream:
            return True
        if id(value) not in seen:
            seen.add(id(value))
            left.extend(islice(_inside(value), _ITEMS))
    return False


def _inside(value: object) -> Iterator[object]:
    inside: Iterable[object] = ()
    if isinstance(value, dict):
        inside = list(value.values())
    elif isinstance(value, (list, tuple, set, frozenset, deque)):
        inside = list(value)
    elif type(value).__module__ == "__main__":
        inside = list(getattr(value, "__dict__", {}).values())
    return iter(inside)
