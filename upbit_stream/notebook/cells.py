"""Callbacks that know their cell: what they print, show and raise appears there."""

from __future__ import annotations

import contextvars
import inspect
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

from ipykernel.zmqshell import ZMQInteractiveShell

from upbit_stream.delivery.callbacks import SelfShowing
from upbit_stream.notebook.failures import Reported

__all__ = ["Cell", "CellCallback", "current_cell"]


class Cell(NamedTuple):
    """A cell that runs, or ran."""

    #: This run of it.
    run: str
    #: The cell itself: the front end's name for it, or else its text.
    place: str


def current_cell() -> Cell:
    """The cell that has called us; from another thread of the person's own the newest one."""
    return _cell(_parent())


def _cell(parent: dict[str, Any]) -> Cell:
    run = str(parent.get("header", {}).get("msg_id", ""))
    place = parent.get("metadata", {}).get("cellId") or parent.get("content", {}).get("code", "")
    return Cell(run, str(place))


def _parent() -> dict[str, Any]:
    shell: Any = ZMQInteractiveShell.instance()
    parent = shell.get_parent()
    return parent if isinstance(parent, dict) else {}


class CellCallback(SelfShowing):
    """A callback in the surroundings of the cell that registered it.

    A kernel keeps in context variables which cell an output belongs to. So the callback is called
    in a copy of its cell's context, by one thread at a time.
    """

    def __init__(self, function: Callable[[Any], object]) -> None:
        parent = _parent()
        self.function = function
        self.cell = _cell(parent)
        #: Callbacks with the same role take each other's place; None: never.
        self.role = _role(function, self.cell)
        self._context = contextvars.copy_context()
        publisher = ZMQInteractiveShell.instance().display_pub
        self._called = function
        if not _keeps_context(publisher):
            self._called = _Displaying(function, publisher, parent)
        self._reported = Reported()

    def __call__(self, what: Any) -> object:
        return self._context.run(self._called, what)

    def show(self, headline: str, error: BaseException) -> None:
        """Show ``error`` in the cell, with its traceback, the first time."""
        self._context.run(self._reported.report, headline, error)


def _role(function: Callable[[Any], object], cell: Cell) -> Hashable:
    """What tells that one callback is a new version of another."""
    name = getattr(function, "__qualname__", None) or type(function).__qualname__
    if "<lambda>" in name:
        return None
    named = inspect.isfunction(function) or inspect.isclass(function)
    if named and "<locals>" not in name:
        return function.__module__, name
    # Methods of different objects have the same name, what a function has made has that of its
    # like, and a partial has none: they only are new versions of what this very cell registered.
    return cell.place, name


def _keeps_context(publisher: object) -> bool:
    # Before ipykernel 7 what display() publishes belonged to the newest cell, on any thread.
    return isinstance(getattr(publisher, "_parent_header", None), contextvars.ContextVar)


class _Displaying:
    """Calls ``function``, and has what it displays belong to the cell with the message
    ``parent``. (What it prints does anyway.)
    """

    def __init__(
        self, function: Callable[[Any], object], publisher: Any, parent: dict[str, Any]
    ) -> None:
        self._function = function
        self._publisher = publisher
        self._header = parent.get("header", {})

    def __call__(self, what: Any) -> object:
        self._publisher.register_hook(self._redirect)  # of this thread alone
        try:
            return self._function(what)
        finally:
            self._publisher.unregister_hook(self._redirect)

    def _redirect(self, message: dict[str, Any]) -> dict[str, Any]:
        message["parent_header"] = self._header
        return message
