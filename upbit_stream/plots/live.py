"""A figure that follows a subscription, on a thread of its own."""

from __future__ import annotations

import contextvars
import logging
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from upbit_stream.delivery.channel import Channel
from upbit_stream.delivery.history import History, make_history
from upbit_stream.plots.audience import Audience
from upbit_stream.plots.pictures import Picture
from upbit_stream.workers import Worker, numbered

__all__ = ["LivePlot", "eyes_on"]

_log = logging.getLogger("upbit_stream")

#: Seconds between two redraws, at least.
INTERVAL = 0.1
# Of the time, the part that redraws may take: a large picture is drawn less often.
_SHARE = 0.1
# Seconds between two looks, at most: so late is it noticed that nobody has the figure any more.
_AT_MOST = 1.0
#: Events that are drawn.
SHOWN = 2_000

#: What is to be drawn at this moment.
Eyes = Callable[[], Sequence[Any]]


def eyes_on(channel: Channel[Any], code: str) -> Eyes:
    """What is to be seen of a code: its history, or what the looks themselves have come across."""
    history = channel.history
    if history is not None:
        return lambda: history.of(code)[-SHOWN:]
    seen: History[Any] = make_history(channel.demand.type, SHOWN)

    def look() -> Sequence[Any]:
        kept = seen.of(code)
        newest = channel.latest_of(code)
        if newest is None or (kept and kept[-1] is newest):
            return kept
        seen.add([newest])
        return seen.of(code)

    return look


class LivePlot:
    """Redraws a figure when there is something new, until the channel has ended or the figure is
    closed; only as long as someone can see it.

    The thread does not keep the figure; ipywidgets keeps a ``FigureWidget`` until it is closed.
    """

    def __init__(
        self, channel: Channel[Any], code: str, picture: Picture, eyes: Eyes, figure: Any
    ) -> None:
        self._channel = channel
        self._code = code
        self._picture = picture
        self._eyes = eyes
        self._figure = weakref.ref(figure)
        self._drawn: object = None
        self._ended = False  # written by whoever ends it, before it is woken
        self._wake = threading.Event()
        # The event's own method: the figure keeps the audience, and is not to keep this.
        self.audience = Audience(self._wake.set)
        # Without it ipykernel 7.0 cannot send anything from a thread.
        context = contextvars.copy_context()
        self.worker = Worker(numbered("upbit-plot"), lambda: context.run(self._follow))

    @property
    def figure(self) -> Any:
        """The figure, as long as it is followed; else None."""
        figure = self._figure()
        return figure if self.worker.alive and not _closed(figure) else None

    def end(self) -> None:
        """See :class:`~upbit_stream.companions.Companion`."""
        self._ended = True
        self._wake.set()

    def disown(self) -> None:
        """See :class:`~upbit_stream.companions.Companion`."""

    def _follow(self) -> None:
        pause = INTERVAL
        over = False
        while not over:
            self._rest(pause)
            over = self._over  # what came last is drawn, too
            figure = self._figure()
            if figure is None or _closed(figure):
                return
            began = time.monotonic()
            try:
                if seen := over or self.audience.there:
                    self.draw(figure)
                elif self._channel.history is None:
                    self._eyes()  # nobody else keeps what comes meanwhile
            except Exception:
                if not _closed(figure):
                    _log.exception(
                        "the plot of %s could not be drawn; it has ended, call plot() again",
                        self._code,
                    )
                return
            finally:
                del figure
            took = time.monotonic() - began
            pause = min(max(INTERVAL, took / _SHARE), _AT_MOST)
            if not seen and self._channel.history is not None:
                pause = _AT_MOST

    @property
    def _over(self) -> bool:
        return self._ended or self._channel.ended

    def _rest(self, seconds: float) -> None:
        """Wait: the least pause in any case, more of it until there is something new to know."""
        until = time.monotonic() + INTERVAL
        woken = self._wake.wait(seconds)
        self._wake.clear()
        # It is no reason to draw sooner that someone says once more that it is seen.
        while woken and not self._over and (left := until - time.monotonic()) > 0:
            self._wake.wait(left)
            self._wake.clear()

    def draw(self, figure: Any) -> None:
        """Draw what is new, if there is anything."""
        newest = self._channel.latest_of(self._code)
        if newest is not None and newest is not self._drawn:
            events = self._eyes()
            if events:
                self._picture.draw(figure, events)
                self._drawn = newest


def _closed(figure: Any) -> bool:
    """Whether a widget was closed; a figure that is none never is."""
    return getattr(figure, "comm", figure) is None
