"""Functions that cannot do as a callback or a handler, refused when they are given.

Afterwards each event would raise, on a thread where nobody looks; or, of a coroutine function,
nothing would happen at all.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from upbit_stream.delivery.callbacks import callback_name

__all__ = ["check_callback", "check_handler"]


def check_callback(callback: object, event: str) -> None:
    """Refuse what cannot be called with one ``event`` (its name as an argument); ``TypeError``."""
    if not callable(callback):
        hint = ""
        if isinstance(callback, (str, list, tuple)):
            hint = '; several codes go into one list, such as ["KRW-BTC", "KRW-ETH"]'
            if event == "candle":
                hint += ', and the length of a candle into unit="1m"'
        raise TypeError(f"callback={callback!r}: give a function that takes one event{hint}")
    _check(callback, "a callback", event)


def check_handler(handler: object, kind: str) -> None:
    """The same for a handler of ``kind``: ``on_state`` is one of ``"state"``."""
    if not callable(handler):
        raise TypeError(f"on_{kind}({handler!r}): give a function that takes one argument")
    _check(handler, f"an on_{kind} handler", kind)


def _check(function: Callable[..., Any], what: str, argument: str) -> None:
    name = callback_name(function)
    if _is_asynchronous(function):
        raise TypeError(
            f"{name} is an async function, and {what} is called by a thread without an event loop: "
            f"give a plain one, such as lambda {argument}: asyncio.run_coroutine_threadsafe("
            f"{name}({argument}), loop); or look at examples/with_asyncio.py, which hands events "
            "over by loop.call_soon_threadsafe"
        )
    try:
        # Of the function itself: what functools.wraps says is about what it calls.
        signature = inspect.signature(function, follow_wrapped=False)
    except (TypeError, ValueError):
        return  # of builtins it cannot always be had
    try:
        signature.bind(object())
    except TypeError:
        raise TypeError(
            f"{name}{signature} cannot be called with one argument, as {what} is: "
            f"write {_right_form(function, argument)}"
        ) from None


def _is_asynchronous(function: Callable[..., Any]) -> bool:
    # An object that can be called is what its class says.
    return any(
        is_so(one)
        for is_so in (inspect.iscoroutinefunction, inspect.isasyncgenfunction)
        for one in (function, type(function).__call__)
    )


def _right_form(function: Callable[..., Any], argument: str) -> str:
    name = getattr(function, "__name__", None)
    if name == "<lambda>":
        return f"lambda {argument}: …"
    if inspect.ismethod(function):
        return f"def {name}(self, {argument}): …"
    return f"def {name if inspect.isfunction(function) else 'f'}({argument}): …"
