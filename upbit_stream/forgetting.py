"""The wait that was forgotten: a script that ends before a callback was called would be mute."""

from __future__ import annotations

import atexit
import logging
import sys
import time
import weakref
from typing import Any, Protocol

from upbit_stream import kernel
from upbit_stream.connection.states import ConnectionState
from upbit_stream.delivery.channel import Channel
from upbit_stream.totals import StreamStats

__all__ = ["Patience"]

_log = logging.getLogger("upbit_stream")

# Seconds from the beginning to the end, at most: who stays longer waits by means of their own.
_HASTE = 1.0


class _Engine(Protocol):
    @property
    def closing(self) -> bool: ...
    @property
    def channels(self) -> tuple[Channel[Any], ...]: ...
    @property
    def state(self) -> ConnectionState: ...
    @property
    def stats(self) -> StreamStats: ...


class Patience:
    """Whether anyone gives the callbacks of a stream the time to be called."""

    def __init__(self, stream: object, engine: _Engine) -> None:
        self._engine = engine
        # Written by the person's threads, and never taken back.
        self._begun_at: float | None = None
        self._waited = False
        _patience[stream] = self

    def begin(self) -> None:
        """The stream is started."""
        if self._begun_at is None:
            self._begun_at = time.monotonic()

    def wait(self) -> None:
        """Someone waits for its end."""
        self._waited = True

    @property
    def lacking(self) -> bool:
        """Whether there are callbacks, and nobody has waited for one of them to be called."""
        if self._waited or self._engine.closing:
            return False
        if self._begun_at is not None:
            left_at_once = time.monotonic() - self._begun_at < _HASTE
        else:  # what waits for data has begun it, if it has begun
            left_at_once = self._engine.state is ConnectionState.DISCONNECTED
        return left_at_once and any(channel.callbacks for channel in self._engine.channels)

    def tell_left(self) -> None:
        """Tell that the end of ``with`` came too early; after the closing, when the patience was
        lacking before it.
        """
        if not self._engine.stats.received:
            _log.warning(
                "the end of `with` has closed the stream at once, and none of its callbacks was "
                "ever called; call stream.run() as the last line inside the `with`: it lets them "
                "work until Ctrl-C"
            )

    def tell_exit(self) -> None:
        """Tell that the program ends too early."""
        if not self._engine.stats.received:
            _log.warning(
                "the program ends, and none of the callbacks of its stream was ever called; call "
                "stream.run() at the end of the script: it lets them work until Ctrl-C"
            )


_patience: weakref.WeakKeyDictionary[object, Patience] = weakref.WeakKeyDictionary()


@atexit.register
def _look_at_exit() -> None:
    """Look at the streams that the script itself has in its variables. A module that is imported
    (by a test, by a child of multiprocessing) leaves its streams to others.
    """
    names = getattr(sys.modules.get("__main__"), "__dict__", {})
    by_hand = hasattr(sys, "ps1") or sys.flags.interactive or kernel.in_kernel()
    failed = hasattr(sys, "last_type")  # with a traceback: that has been told
    if by_hand or failed or names.get("__name__") != "__main__":
        return
    for stream, patience in list(_patience.items()):
        if patience.lacking and any(value is stream for value in list(names.values())):
            patience.tell_exit()
