"""The watchdog: one thread for the process, which looks at every stream once a second."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Protocol

from upbit_stream.errors import HealthWarning
from upbit_stream.monitoring.resources import Growth, ResourceTrend, measure
from upbit_stream.workers import Worker

__all__ = ["Ward", "Watchdog", "watchdog"]

_log = logging.getLogger("upbit_stream")

# Seconds between two looks.
_LOOK_EVERY = 1.0

# Seconds between two looks at what the process uses.
_MEASURE_EVERY = 10.0

_UNITS = {
    "rss": ("MiB of resident memory", 1024 * 1024),
    "descriptors": ("open descriptors", 1),
    "threads": ("threads", 1),
}


class Ward(Protocol):
    """What the watchdog looks after."""

    def look(self, now: float) -> None:
        """Once a second, on the watchdog's thread: it must not wait for anything. ``now`` is of
        ``time.monotonic()``.
        """

    def warn(self, warning: HealthWarning) -> None:
        """Tell whoever is to be told."""


class Watchdog:
    """Its thread lives from the first ward to the last."""

    def __init__(self) -> None:
        # Guards the two below it. Not held while looking.
        self._lock = threading.Lock()
        self._wards: tuple[Ward, ...] = ()
        self._worker: Worker | None = None
        # A SimpleQueue because a finalizer may ring in the middle of anything.
        self._bell: SimpleQueue[None] = SimpleQueue()
        # The thread's own.
        self._trend = ResourceTrend()
        self._measure_at = float("inf")

    def watch(self, ward: Ward) -> None:
        """Look after ``ward``, too."""
        with self._lock:
            self._wards = (*self._wards, ward)
            if self._worker is None or not self._worker.alive:
                self._measure_at = time.monotonic() + _MEASURE_EVERY
                self._worker = Worker("upbit-watchdog", self._run)
                self._worker.start()

    def unwatch(self, ward: Ward, deadline: float) -> bool:
        """Look after ``ward`` no more. If it was the last one, wait until the thread has ended;
        False when that was not so by ``deadline``.
        """
        with self._lock:
            self._wards = tuple(one for one in self._wards if one is not ward)
            worker = None if self._wards else self._worker
        if worker is None:
            return True
        self.ring()
        return worker.join(deadline)

    def ring(self) -> None:
        """Have a look now. Safe in a finalizer."""
        self._bell.put(None)

    def _run(self) -> None:
        while True:
            with self._lock:
                wards = self._wards
                if not wards:
                    self._worker = None
                    return
            try:
                self._look(wards, time.monotonic())
            except Exception:
                # A bug of ours. It must be seen, and must not be the end of the watch.
                _log.exception(
                    "a bug of this package: the watchdog could not look after everything, and "
                    "goes on "
                    "(please report it)"
                )
            with suppress(Empty):
                self._bell.get(timeout=_LOOK_EVERY)

    def _look(self, wards: Sequence[Ward], now: float) -> None:
        for ward in wards:
            ward.look(now)
        if now >= self._measure_at:
            self._measure_at = now + _MEASURE_EVERY
            for growth in self._trend.add(now, measure()):
                for ward in wards:
                    ward.warn(_warning(growth))


def _warning(growth: Growth) -> HealthWarning:
    unit, scale = _UNITS[growth.what]
    return HealthWarning(
        f"this process grows: {growth.before / scale:,.0f} {unit} have become "
        f"{growth.after / scale:,.0f} ({growth.slope * 3600 / scale:+,.1f} an hour); if that goes "
        "on, it will end badly. Look for what is kept: lists that callbacks append to, streams "
        "that are never closed",
        kind=growth.what,
    )


_watchdog = Watchdog()


def watchdog() -> Watchdog:
    """The watchdog of this process."""
    return _watchdog


def _after_fork() -> None:
    # The parent's wards are the parent's, and its thread does not exist here.
    global _watchdog
    _watchdog = Watchdog()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
