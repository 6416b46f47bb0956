"""A cell that is run again does not add: its callbacks take the place of those it had."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any
from weakref import WeakKeyDictionary

from upbit_stream.delivery.channel import Channel
from upbit_stream.delivery.notices import NoticeBoard, NoticeKind
from upbit_stream.engine import Engine
from upbit_stream.notebook.cells import Cell, CellCallback, current_cell

__all__ = ["replace_callback", "replace_handler", "replace_subscription"]

# What each callback was registered for. A subscription's codes may change later; what the cell
# says does not.
_registered_for: WeakKeyDictionary[CellCallback, Hashable] = WeakKeyDictionary()

# Which cell has made a subscription, and what for.
_made_by: WeakKeyDictionary[Channel[Any], tuple[Cell, Hashable]] = WeakKeyDictionary()


def replace_subscription(engine: Engine, channel: Channel[Any]) -> None:
    """Close what an earlier run of this cell has subscribed in the same way, unless it has
    callbacks: a loop that is run again takes its events from the new one, and those of the old one
    would pile up.
    """
    cell, wanted = current_cell(), _wanted(channel)
    for other in engine.channels:
        made = _made_by.get(other)
        if made is None or other.callbacks or made[1] != wanted:
            continue
        if made[0].place == cell.place and made[0].run != cell.run:
            engine.unsubscribe(other)
    _made_by[channel] = cell, wanted


def replace_callback(
    engine: Engine, channel: Channel[Any], function: Callable[[Any], object]
) -> None:
    """Have ``channel`` call ``function``, and let go of what an earlier run of a cell registered
    under the same name for the same subscription: type, codes, options.

    A subscription that only had such callbacks is closed.
    """
    new = CellCallback(function)
    wanted = _registered_for[new] = _wanted(channel)
    channel.add_callback(new, instead_of=_earlier(channel.callbacks, new, wanted))
    for other in engine.channels:
        earlier = () if other is channel else _earlier(other.callbacks, new, wanted)
        if earlier and not other.remove_callbacks(earlier):
            engine.unsubscribe(other)


def replace_handler(
    notices: NoticeBoard, kind: NoticeKind, function: Callable[[Any], object]
) -> None:
    """The same for a handler of the stream's notices."""
    new = CellCallback(function)
    _registered_for[new] = kind
    notices.register(kind, new, instead_of=_earlier(notices.handlers(kind), new, kind))


def _wanted(channel: Channel[Any]) -> Hashable:
    return channel.demand, channel.overflow, channel.queue_size


def _earlier(
    those: tuple[Callable[[Any], object], ...], new: CellCallback, wanted: Hashable
) -> tuple[object, ...]:
    """Of ``those`` the ones that ``new`` is a new version of. Two that one run of a cell has
    registered are two.
    """
    return tuple(
        one
        for one in those
        if isinstance(one, CellCallback)
        and new.role is not None
        and one.role == new.role
        and one.cell.run != new.cell.run
        and _registered_for.get(one) == wanted
    )
