"""The running screen: draws what is known, and does what the keys say."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence

from rich.text import Text

from upbit_stream.cli.feeds import Feed
from upbit_stream.cli.interrupt import Interrupt
from upbit_stream.cli.keys import Keys
from upbit_stream.cli.lines import write_out
from upbit_stream.cli.memory import Memory
from upbit_stream.cli.screen import Screen
from upbit_stream.cli.style import console_of, palette_for
from upbit_stream.cli.views.drawing import draw
from upbit_stream.cli.views.picture import VIEWS, Picture, blocks_of, view_of

__all__ = ["Viewer"]

# Seconds between two drawings, after a key too, and how many times longer than a drawing the pause
# is: a huge table on a slow machine is drawn less often instead of slowing down the stream.
_REDRAW = 0.1
_AFTER_KEY = 0.03
_REST = 4

_PAGE = 10


class Viewer:
    """One screen. All of it is the main thread's."""

    def __init__(
        self,
        feed: Feed,
        memory: Memory,
        type_: str,
        interrupt: Interrupt,
        *,
        simulated: bool,
        notice: Callable[[], str | None],
        seconds_left: Callable[[], float],
    ) -> None:
        self._feed = feed
        self._memory = memory
        self._interrupt = interrupt
        self._simulated = simulated
        self._notice = notice
        self._seconds_left = seconds_left
        self._types = list(feed.types)
        self._type = type_
        self._chosen = 0
        # A table for each code: what fits several codes best. Books and charts are of one.
        self._as_table = False
        self._all_trades = len(memory.codes) > 1
        self._helping = False
        self._ended = False
        self._console = console_of()
        self._palette = palette_for(self._console.color_system)
        self._blocks = blocks_of(getattr(sys.stdout, "encoding", None))

    def run(self) -> None:
        """Draw until it was long enough, a key or a signal; the last picture stays.

        Raises what the feed raises.
        """
        self._show()
        with Keys(sys.stdin) as keys:
            screen = Screen(
                self._console,
                write=lambda data: write_out(data, self._interrupt),
                release=keys.release,
                resume=keys.resume,
            )
            with screen:
                while not self._is_over():
                    began = time.monotonic()
                    screen.show(self._drawn(*screen.size))
                    pause = max(_REDRAW, _REST * (time.monotonic() - began))
                    self._heed_keys(keys, screen, began, pause)
                    self._feed.tend()
                    # With nobody to say that it was looked at long enough.
                    self._ended = self._ended or screen.gone or (self._feed.over and not keys.come)
        width, height = screen.size
        self._helping = False
        # The line of the prompt is not ours.
        screen.leave_behind(self._drawn(width, height - 1))

    def _heed_keys(self, keys: Keys, screen: Screen, began: float, pause: float) -> None:
        """Wait until it is time for the next drawing, ``pause`` seconds after the last one
        ``began``, and do what keys say meanwhile.
        """
        until = began + min(pause, self._seconds_left())
        while not self._is_over() and (left := until - time.monotonic()) > 0:
            for key in keys.read(left):
                if key == "ctrl-l":
                    screen.forget()
                self._press(key)
                # At once, but not more often than one can look.
                until = min(until, max(time.monotonic(), began + _AFTER_KEY))

    def _is_over(self) -> bool:
        return self._ended or self._interrupt.asked or self._seconds_left() <= 0

    def _show(self) -> None:
        self._feed.show(self._type, self._memory.codes[self._chosen])

    # Drawing.

    def _drawn(self, width: int, height: int) -> list[Text]:
        return draw(self._picture(), width, height, self._palette)

    def _picture(self) -> Picture:
        rows, rate = self._memory.look(
            self._type,
            now=time.monotonic(),
            clock_ns=self._feed.clock_ns(),
            messages=self._feed.messages,
        )
        code = self._memory.codes[self._chosen]
        view = view_of(self._type)
        trades = self._memory.trades(None if self._all_trades else code) if view == "trade" else []
        candles = self._memory.candles(code, self._type) if view == "candle" else []
        return Picture(
            type=self._type,
            rows=rows,
            status=self._feed.status(rate),
            source=self._feed.source,
            simulated=self._simulated,
            types=self._types,
            chosen=self._chosen,
            as_table=self._as_table or view == "ticker",
            trades=trades,
            all_trades=self._all_trades,
            candles=candles,
            notice=self._notice(),
            helping=self._helping,
            blocks=self._blocks,
        )

    # Keys.

    def _press(self, key: str) -> None:
        if key in ("q", "Q", "hang up") or (key == "escape" and not self._helping):
            self._ended = True
        elif key == "?" or self._helping:
            self._helping = not self._helping
        elif key in ("tab", "back tab"):
            self._go_to(self._neighbour(self._types, self._type, -1 if key == "back tab" else 1))
        elif key in ("1", "2", "3", "4"):
            self._go_to_view(int(key) - 1)
        elif key in _STEPS:
            self._choose(_STEPS[key])
        elif key in ("t", "enter"):
            self._enter(key)
        elif key == "a":
            self._all_trades = not self._all_trades
        elif key == "u" and view_of(self._type) == "candle":
            self._go_to(self._neighbour(self._feed.units, self._type, 1))
        else:
            self._feed.press(key)

    def _enter(self, key: str) -> None:
        if view_of(self._type) != "ticker":
            self._as_table = not self._as_table
        elif key == "enter":
            # From the table of prices to the book of the chosen code.
            self._as_table = False
            self._go_to_view(1)

    def _choose(self, step: int) -> None:
        codes = len(self._memory.codes)
        if abs(step) == 1:
            self._chosen = (self._chosen + step) % codes
        else:
            self._chosen = min(codes - 1, max(0, self._chosen + step))
        if view_of(self._type) == "trade" and not self._as_table:
            self._all_trades = False
        self._show()

    def _go_to_view(self, place: int) -> None:
        for type_ in self._types:
            if view_of(type_) == VIEWS[place]:
                self._go_to(type_)

    def _go_to(self, type_: str) -> None:
        view = view_of(type_)
        self._types = [type_ if view_of(one) == view else one for one in self._types]
        self._type = type_
        self._show()

    @staticmethod
    def _neighbour(types: Sequence[str], type_: str, step: int) -> str:
        place = types.index(type_) if type_ in types else 0
        return types[(place + step) % len(types)]


_STEPS = {
    "down": 1, "right": 1, "n": 1, "j": 1, "up": -1, "left": -1, "p": -1, "k": -1,
    "page down": _PAGE, "page up": -_PAGE, "home": -(10**6), "end": 10**6,
}  # fmt: skip
