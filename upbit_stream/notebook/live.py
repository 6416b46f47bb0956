"""The live view: a table that follows the market, drawn by a thread as long as someone sees it."""

from __future__ import annotations

import contextvars
import threading
import time
import weakref
from collections.abc import Iterable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if find_spec("anywidget") is None:
    raise ImportError('stream.live() needs anywidget: pip install "upbit-stream[notebook]"')

import anywidget
import traitlets

from upbit_stream.config import OverflowPolicy
from upbit_stream.delivery.channel import Channel
from upbit_stream.delivery.glance import Glance
from upbit_stream.engine import Engine
from upbit_stream.events import Event
from upbit_stream.kernel import in_kernel
from upbit_stream.notebook.attention import Attention
from upbit_stream.notebook.footing import foot_of
from upbit_stream.notebook.hearing import hear, hear_beside_cells
from upbit_stream.notebook.rows import Sparks, price_of, row_of
from upbit_stream.notebook.scripts import script, style
from upbit_stream.notebook.words import say
from upbit_stream.protocol.demands import MarketDemand
from upbit_stream.workers import Worker, numbered

if TYPE_CHECKING:
    from upbit_stream.notebook.cells import Cell

__all__ = ["LiveView"]

# Seconds from one redraw to the next: eight a second, so that a late one makes no eleventh.
_EVERY = 0.125
# Of the time, the part that drawing may take.
_SHARE = 0.2
# Seconds between two points of the sparklines, and two looks at the health.
_SAMPLE = 1.0
# Lines that are shown; a table of 855 is read by nobody.
_LINES = 50


class LiveView(anywidget.AnyWidget):
    """What :meth:`upbit_stream.UpbitStream.live` shows. It draws at most ten times a second, and
    only while its cell can be seen.

    As long as it has not ended it holds its stream, as a subscription does; and ipywidgets holds
    it. It ends when :meth:`stop` or ``close()`` is called, when the stream is closed, and when its
    cell is run again.
    """

    _esm = script("live.js")
    _css = style("live.css")

    _labels = traitlets.Dict().tag(sync=True)
    _rows: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _sparks = traitlets.Dict().tag(sync=True)
    _more = traitlets.Unicode().tag(sync=True)
    _foot = traitlets.Dict().tag(sync=True)

    def __init__(self, engine: Engine, stream: object, codes: tuple[str, ...]) -> None:
        self._engine = engine
        self._stream: object = stream
        engine.start()
        self._own = _subscribe(engine, codes) if codes else None
        _take_place(self)
        # Guards the three below it; not held while drawing.
        self._lock = threading.Lock()
        self._attention = Attention()
        self._stopped = False
        self._worker: Worker | None = None
        self._wake = threading.Event()
        # Without it ipykernel 7.0 cannot send anything from a thread.
        self._context = contextvars.copy_context()
        # The drawing thread's.
        self._lines = Sparks()
        self._sampled_at = float("-inf")
        super().__init__(_labels=_labels())
        hear(self, self._told)
        hear_beside_cells(self)
        self._draw()

    # What ends it.

    def stop(self) -> None:
        """Draw no more, and unsubscribe what was subscribed for this view; what was drawn stays.
        The stream goes on.
        """
        with self._lock:
            self._stopped = True
        self._wake.set()
        if self._own is not None:
            self._engine.unsubscribe(self._own)
        if self._worker is None:
            self._draw()
        self._let_go()

    def close(self) -> None:
        """Stop, and vanish from the page."""
        with self._lock:
            self._stopped = True
        self._wake.set()
        if self._own is not None:
            self._engine.unsubscribe(self._own)
        super().close()
        self._let_go()

    def _let_go(self) -> None:
        # At last, and without a lock: this may be what closes the stream.
        self._stream = None

    def __del__(self) -> None:
        # That of ipywidgets closes. But an open view is kept by ipywidgets itself: what comes here
        # is closed, or was never made. And it comes by way of the collector, at any moment, also
        # in a thread that holds the locks that close() takes.
        pass

    @property
    def _over(self) -> bool:
        return self._stopped or self._engine.closing

    # Who sees it.

    def _repr_mimebundle_(self, **options: Any) -> Any:
        # Most likely it is seen now. The front end's own word comes when the cell has ended.
        with self._lock:
            self._attention.expect()
        self._look_after()
        return super()._repr_mimebundle_(**options)

    def _told(self, content: dict[str, Any]) -> None:
        """What the front end says: which of its views is seen, and that the button was pressed."""
        if content.get("stop"):
            self.stop()
        elif "visible" in content:
            with self._lock:
                self._attention.note(str(content.get("view")), bool(content["visible"]))
            self._look_after()

    def _look_after(self) -> None:
        """Have a thread while there is someone who looks."""
        with self._lock:
            if self._worker is None and self._attention.paid and not self._over:
                self._worker = Worker(
                    numbered("upbit-live"), lambda: self._context.copy().run(self._follow)
                )
                self._worker.start()
        if self._over:
            self._draw()  # it may have ended while nobody looked
        self._wake.set()

    # The thread.

    def _follow(self) -> None:
        try:
            while self._wanted():
                self._wake.clear()
                began, worked = time.monotonic(), time.thread_time()
                self._draw()
                # Its own work: what it waited for others says nothing of its cost.
                spent = time.thread_time() - worked
                self._rest(began + max(_EVERY, spent / _SHARE))
        except BaseException:
            with self._lock:
                self._worker = None  # the front end's next word brings another
            raise
        if self._over:
            self._draw()  # that it is over

    def _wanted(self) -> bool:
        with self._lock:
            if self._attention.paid and not self._over:
                return True
            # In the same breath, so that whoever looks from now on starts another.
            self._worker = None
            return False

    def _rest(self, until: float) -> None:
        # What wakes it makes it look whether it is over; no sooner does it draw.
        while (left := until - time.monotonic()) > 0 and not self._over:
            self._wake.wait(left)
            self._wake.clear()

    def _draw(self) -> None:
        now = time.monotonic()
        events = self._newest()
        shown = list(events)[:_LINES]
        moment = time.time_ns()
        with self.hold_sync():  # all of it is one message
            self._rows = [row_of(code, events[code], moment) for code in shown]
            hidden = len(events) - len(shown)
            self._more = f"… +{hidden:,}" if hidden else "" if shown else say("no event yet")
            if now - self._sampled_at >= _SAMPLE or self._over:
                self._sampled_at = now
                self._sparks = self._lines.sample({one: price_of(events[one]) for one in shown})
                self._foot = foot_of(self._engine, stopped=self._stopped)

    def _newest(self) -> dict[str, list[Event]]:
        """The newest events of each code that is shown."""
        channels: Iterable[Channel[Any]] = self._engine.channels
        if self._own is not None:
            channels = (self._own,)
        found: dict[str, list[Event]] = {}
        for channel in channels:
            latest = channel.latest
            for code in channel.demand.codes:
                found.setdefault(code, []).extend(filter(None, (latest.get(code),)))
        return found


def _subscribe(engine: Engine, codes: tuple[str, ...]) -> Channel[Any]:
    channel = engine.subscribe(
        MarketDemand.make("ticker", codes, True, True),
        queue_size=1,
        overflow=OverflowPolicy.LATEST,
        kind=Glance,
    )
    channel.iterate()
    return channel


def _labels() -> dict[str, str]:
    words = {name: say(name) for name in ("code", "price", "change", "age", "stop")}
    return {**words, "turnover": say("turnover (24 h)"), "spark": say("last minute")}


# The views of this process, each with the run of the cell that has made it.
_views: weakref.WeakKeyDictionary[LiveView, Cell] = weakref.WeakKeyDictionary()


def _take_place(view: LiveView) -> None:
    """Close the views that an earlier run of this cell has shown."""
    if not in_kernel():
        return
    from upbit_stream.notebook.cells import current_cell

    cell = current_cell()
    for other, made_by in list(_views.items()):
        if made_by.place == cell.place and made_by.run != cell.run:
            other.close()
    _views[view] = cell
