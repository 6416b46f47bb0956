"""``upbit-stream watch``: from the options to a stream, and its events to the screen or a pipe."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

from rich.console import Console
from rich.live import Live

from upbit_stream.cli.board import Board
from upbit_stream.cli.demo import SIMULATED, demo_simulator
from upbit_stream.cli.failures import RunFailed, WrongUsage
from upbit_stream.cli.interrupt import Interrupt
from upbit_stream.cli.lines import json_writer, plain_writer, write_out
from upbit_stream.cli.notices import NoticeBox, told_on_stderr
from upbit_stream.cli.screen import can_draw
from upbit_stream.cli.subscribing import check_type, codes_of, subscribe
from upbit_stream.cli.table import Picture, Status, draw, palette_for
from upbit_stream.config import StreamConfig
from upbit_stream.errors import SubscriptionError, UpbitStreamError
from upbit_stream.stream import UpbitStream
from upbit_stream.subscription import Subscription

__all__ = ["WatchOptions", "watch"]

# Seconds between two drawings, and how many times longer than a drawing the pause is: a huge
# table on a slow machine is drawn less often instead of slowing down the stream.
_REDRAW = 0.1
_REST = 4

# Events written at a time, and the longest wait for the first one.
_BATCH = 500
_LOOK_AROUND = 0.2


@dataclass(frozen=True, kw_only=True)
class WatchOptions:
    """What was asked for on the command line."""

    codes: Sequence[str]
    type: str
    demo: bool
    seconds: float | None
    json: bool
    exact: bool
    region: str
    depth: int


def watch(options: WatchOptions, interrupt: Interrupt) -> None:
    """Show events until it was long enough, Ctrl-C, or nobody reads them any more.

    Raises :class:`~upbit_stream.cli.failures.CommandFailed`.
    """
    begun = time.monotonic()
    check_type(options.type)
    with ExitStack() as stack:
        numbers: Literal["float", "decimal"] = "decimal" if options.exact else "float"
        try:
            codes = codes_of(options.codes, demo=options.demo, example="watch KRW-BTC KRW-ETH")
            if options.demo:
                simulator = stack.enter_context(demo_simulator(codes))
                codes = simulator.codes
                config = StreamConfig(
                    url=simulator.url, rest_url=simulator.rest_url, numbers=numbers
                )
            else:
                config = StreamConfig(numbers=numbers)
            stream = UpbitStream(region=options.region, config=config)
            as_table = not options.json and can_draw(sys.stdout)
            board = Board(codes) if as_table else None
            subscription = subscribe(
                stream, options.type, codes, board.take if board else None, depth=options.depth
            )
        except (SubscriptionError, ValueError) as error:
            raise WrongUsage(str(error)) from error
        view = _View(stream, subscription, options, interrupt, begun)
        # Warnings are received before the stream starts and until it is closed.
        box = stack.enter_context(NoticeBox().receiving()) if board else None
        if box is None:
            stack.enter_context(told_on_stderr())
        if interrupt.asked:
            # While everything was loaded: do not even connect.
            return
        stack.enter_context(stream)
        try:
            if board is not None and box is not None:
                view.show_table(board, box)
            else:
                view.show_lines()
        except UpbitStreamError as error:
            raise RunFailed(str(error)) from error


class _View:
    """The running command. All of it is the main thread's."""

    def __init__(
        self,
        stream: UpbitStream,
        subscription: Subscription[Any],
        options: WatchOptions,
        interrupt: Interrupt,
        begun: float,
    ) -> None:
        self._stream = stream
        self._subscription = subscription
        self._options = options
        self._interrupt = interrupt
        self._begun = begun

    def _left(self) -> float:
        """Seconds until the end; 0 once it has come, by the clock or by Ctrl-C."""
        if self._interrupt.asked:
            return 0.0
        if self._options.seconds is None:
            return float("inf")
        return max(0.0, self._begun + self._options.seconds - time.monotonic())

    # On a terminal.

    def show_table(self, board: Board, box: NoticeBox) -> None:
        """Draw ten times a second; at the end the last picture stays on the screen."""
        console = Console()
        palette = palette_for(console.color_system)
        with Live(console=console, screen=True, auto_refresh=False) as live:
            while (left := self._left()) > 0:
                started = time.monotonic()
                picture = self._picture(board, box.last)
                live.update(draw(picture, *console.size, palette), refresh=True)
                drawing = time.monotonic() - started
                # Raises what has ended the stream for good.
                self._stream.run(min(left, max(_REDRAW, _REST * drawing)))
                if self._subscription.closed:
                    self._tell_end(box)
        width, height = console.size
        # The line of the prompt is not ours.
        console.print(draw(self._picture(board, box.last), width, height - 1, palette))

    def _tell_end(self, box: NoticeBox) -> NoReturn:
        """The subscription has ended, which is not our doing: say why."""
        # The whole stream may be about to end for the same reason, then this raises it.
        self._stream.wait_connected(_LOOK_AROUND)
        raise RunFailed(box.last or "the subscription has ended")

    def _picture(self, board: Board, notice: str | None) -> Picture:
        now = time.monotonic()
        stats = self._stream.stats
        # There is one subscription, hence one connection; its predecessors come before it.
        connection = next(reversed(self._stream.connections), None)
        rows, rate = board.look(now=now, clock_ns=time.time_ns(), messages=stats.messages)
        return Picture(
            type=self._options.type,
            rows=rows,
            status=Status(
                state=self._stream.state,
                latency=connection.ping_latency if connection else None,
                rate=rate,
                dropped=stats.dropped,
                reconnects=stats.reconnects,
                elapsed=now - self._begun,
            ),
            source=connection.url if connection else "",
            simulated=self._options.demo,
            notice=notice,
        )

    # Into a pipe.

    def show_lines(self) -> None:
        """Write a line for every event; whatever has come by then in one go."""
        if self._options.demo:
            print(SIMULATED, file=sys.stderr)
        write = json_writer() if self._options.json else plain_writer(self._options.type)
        while (left := self._left()) > 0:
            events = self._next_events(min(left, _LOOK_AROUND))
            if events and not write_out(b"".join(map(write, events)), self._interrupt):
                return

    def _next_events(self, timeout: float) -> list[Any]:
        """What has come; waits for the first event only."""
        events: list[Any] = []
        try:
            while len(events) < _BATCH:
                events.append(self._subscription.get(0 if events else timeout))
        except TimeoutError:
            pass
        except UpbitStreamError:
            # The end. First what came before it; it is raised again the next time.
            if not events:
                raise
        return events
