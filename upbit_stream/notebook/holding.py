"""Whether what a person has made still leads to an object.

Of what there is, only references are looked at: no code of the person's own is called.
"""

from __future__ import annotations

import gc
import os
import sys
import sysconfig
import threading
from collections import deque
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from types import CodeType, FrameType, FunctionType, ModuleType, TracebackType
from typing import Any

__all__ = ["leads_to"]

# How far is looked: objects in all, and items of one.
_OBJECTS = 20_000
_ITEMS = 1_000
# What IPython keeps of cells that have run.
_CACHES = ("In", "Out", "_ih", "_oh", "_dh")

# Packages whose objects are not looked into. The kernel's lead to everything, and so do ours: that
# a subscription leads to its stream says nothing. The others hold numbers.
_KERNEL = {"IPython", "ipykernel", "jupyter_client", "traitlets", "comm", "zmq", "tornado"}
_KERNEL |= {"asyncio", "debugpy", "ipywidgets", "anywidget"}
_NUMBERS = {"numpy", "pandas", "polars", "pyarrow", "matplotlib", "plotly"}
_OPAQUE = frozenset({"upbit_stream"} | _KERNEL | _NUMBERS)

_STDLIB = os.path.normcase(sysconfig.get_paths()["stdlib"])


def leads_to(wanted: object, names: dict[str, Any]) -> bool:
    """Whether a visible one of the variables ``names`` leads to ``wanted``, or a running thread
    does: as an item, an attribute, an argument, in a closure.
    """
    visible = [name for name in list(names) if not name.startswith("_") and name not in _CACHES]
    left = deque(chain([names.get(name) for name in visible], _running()))
    # Those that were seen are kept, or another may get the number of one that is gone.
    seen: dict[int, object] = {id(names): names}
    seen.update((id(names.get(name)), names.get(name)) for name in _CACHES)
    while left and len(seen) < _OBJECTS:
        value = left.popleft()
        if value is wanted:
            return True
        # What the collector does not track (numbers, texts) leads nowhere.
        if gc.is_tracked(value) and id(value) not in seen:
            seen[id(value)] = value
            left.extend(_inside(value))
    return False


def _running() -> Iterator[object]:
    """The threads, and the variables of the person's own functions that they are in. Not of ours:
    a callback is called as long as its stream is open.
    """
    frames = sys._current_frames()
    for thread in threading.enumerate():
        if thread.name.startswith("upbit-"):
            continue
        yield thread
        frame = frames.get(thread.ident or 0)
        while frame is not None:
            if frame.f_code.co_name != "<module>" and _is_own(frame.f_globals):
                yield from list(frame.f_locals.values())
            frame = frame.f_back


def _inside(value: object) -> list[object]:
    try:
        return _references(value)
    except Exception:  # it was changed meanwhile, say
        return []


def _references(value: Any) -> list[object]:
    kind = type(value)
    if kind is dict:
        if "__builtins__" in value and not _is_own(value):  # the variables of a module
            return []
        return [*islice(value.keys(), _ITEMS), *islice(value.values(), _ITEMS)]
    if kind in (list, tuple, set, frozenset, deque):
        return list(islice(value, _ITEMS))
    if kind is FunctionType:
        more = (value.__closure__, value.__defaults__, value.__kwdefaults__)
        return [*more, value.__dict__, value.__globals__]
    if issubclass(kind, ModuleType):
        return [vars(value)] if _is_own(vars(value)) else []
    # The frames of an exception: nobody thinks of them.
    if kind in (TracebackType, FrameType, CodeType) or _is_opaque(value):
        return []
    return gc.get_referents(value)[:_ITEMS]


def _is_opaque(value: Any) -> bool:
    if issubclass(type(value), type):
        package = value.__module__.partition(".")[0]
        return package in _OPAQUE or package in sys.stdlib_module_names
    return type(value).__module__.partition(".")[0] in _OPAQUE


def _is_own(variables: dict[str, Any]) -> bool:
    """Whether these are the variables of the notebook, or of a module of the person's own."""
    name, file = variables.get("__name__"), variables.get("__file__")
    if name == "__main__":
        return True
    if not (isinstance(name, str) and isinstance(file, str)) or name.partition(".")[0] in _OPAQUE:
        return False
    installed = {"site-packages", "dist-packages"} & set(Path(file).parts)
    return not installed and not os.path.normcase(file).startswith(_STDLIB)
