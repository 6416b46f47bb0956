"""What a callback is to the threads that call it: mostly just a callable."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

__all__ = ["SelfShowing", "callback_name", "original"]


class SelfShowing(ABC):
    """A callback, or a handler, that knows where a person would look for what it raises."""

    #: What the person gave.
    function: Callable[[Any], object]

    @abstractmethod
    def __call__(self, what: Any) -> object:
        """Call ``function``."""

    @abstractmethod
    def show(self, headline: str, error: BaseException) -> None:
        """The call raised ``error``: show it, instead of its being logged as usual."""


def original(callback: Callable[..., Any]) -> Callable[..., Any]:
    """The callback as the person gave it."""
    return callback.function if isinstance(callback, SelfShowing) else callback


def callback_name(callback: Callable[..., Any]) -> str:
    """A callback, for people."""
    function = original(callback)
    return getattr(function, "__qualname__", None) or repr(function)
