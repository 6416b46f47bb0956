"""``upbit-stream watch``: from the options to a stream, and its events to the screen or a pipe."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from upbit_stream.cli.commanding import command_of
from upbit_stream.cli.completing import complete_type
from upbit_stream.cli.demo import demo_simulator, past_trades, simulated
from upbit_stream.cli.failures import RunFailed, WrongUsage
from upbit_stream.cli.feeds import LiveFeed
from upbit_stream.cli.interrupt import Interrupt
from upbit_stream.cli.lines import json_writer, plain_writer, write_out
from upbit_stream.cli.memory import Memory
from upbit_stream.cli.notices import NoticeBox, NoticeLines
from upbit_stream.cli.options import Depth, LiveOptions
from upbit_stream.cli.past import Past
from upbit_stream.cli.screen import can_draw
from upbit_stream.cli.subscribing import check_type, codes_of, config_of, subscribe
from upbit_stream.cli.texts import text
from upbit_stream.cli.viewer import Viewer
from upbit_stream.config import resolve_urls
from upbit_stream.errors import SubscriptionError, UpbitStreamError
from upbit_stream.protocol.endpoints import find_region
from upbit_stream.recovery.rest import RestClient
from upbit_stream.stream import UpbitStream

__all__ = ["WatchOptions", "watch", "watch_command"]

# Events written at a time, and the longest wait for the first one.
_BATCH = 500
_LOOK_AROUND = 0.2

# After so many warnings, and nothing else, somebody should say what to do.
_WARNINGS = 3

# Markets of a demo, when the options name none.
_DEMO_MARKETS = 20

# The candles of the fourth view, when the options name none.
_UNIT = "1m"


@dataclass(frozen=True, kw_only=True)
class WatchOptions(LiveOptions):
    """What was asked for on the command line."""

    type: Annotated[
        str,
        typer.Option(
            "--type", "-t", metavar="TYPE", help=text("option.type"), autocompletion=complete_type
        ),
    ] = "ticker"
    depth: Depth = 15


def watch(options: WatchOptions, interrupt: Interrupt) -> None:
    """Show events until it was long enough, Ctrl-C, or nobody reads them any more.

    Raises :class:`~upbit_stream.cli.failures.CommandFailed`.
    """
    begun = time.monotonic()
    check_type(options.type)
    with ExitStack() as stack:
        try:
            codes = codes_of(options.codes, demo=options.demo, example="watch KRW-BTC KRW-ETH")
            simulator = None
            if options.demo:
                simulator = stack.enter_context(
                    demo_simulator(codes, history=past_trades(len(codes) or _DEMO_MARKETS))
                )
                codes = simulator.codes
                for code in codes:
                    # Lets it make up that past now, not while the first ping is measured.
                    simulator.candles(code, "1m", 1)
            config = config_of(simulator, exact=options.exact)
            stream = UpbitStream(region=options.region, config=config)
            clock = _Clock(options.seconds, interrupt, begun)
            # What is impossible is refused here, before anything starts.
            shown: _Lines | _OnScreen = (
                _OnScreen(stream, codes, options, interrupt, clock)
                if not options.json and can_draw(sys.stdout)
                else _Lines(stream, codes, options, interrupt, clock)
            )
        except (SubscriptionError, ValueError) as error:
            raise WrongUsage(str(error)) from error
        # Warnings are received before the stream starts and until it is closed.
        stack.enter_context(shown.warnings())
        if interrupt.asked:
            # While everything was loaded: do not even connect.
            return
        stack.enter_context(stream)
        try:
            shown.show()
        except UpbitStreamError as error:
            raise RunFailed(str(error)) from error
        if clock.ran_out and not stream.stats.messages:
            raise RunFailed(text("failed.nothing_came", hint=text("failed.hint")))


def _needs_hint(stream: UpbitStream, warnings: int) -> bool:
    return warnings >= _WARNINGS and not stream.stats.messages


class _Clock:
    """How long it shall go on."""

    def __init__(self, seconds: float | None, interrupt: Interrupt, begun: float) -> None:
        self.begun = begun
        self._end = float("inf") if seconds is None else begun + seconds
        self._interrupt = interrupt

    def left(self) -> float:
        """Seconds until the end; 0 once it has come, by the clock or by Ctrl-C."""
        return 0.0 if self._interrupt.asked else max(0.0, self._end - time.monotonic())

    @property
    def ran_out(self) -> bool:
        """Whether it was long enough, and nobody had enough of it before."""
        return not self._interrupt.asked and time.monotonic() >= self._end


class _OnScreen:
    """Views that keys switch. All of it is the main thread's."""

    def __init__(
        self,
        stream: UpbitStream,
        codes: Sequence[str],
        options: WatchOptions,
        interrupt: Interrupt,
        clock: _Clock,
    ) -> None:
        memory = Memory(codes)
        rest_url = resolve_urls(stream.config, find_region(options.region))[1]
        self._past = Past(RestClient(rest_url, stream.config.ssl_context), memory)
        self._box = box = NoticeBox()
        unit = options.type.partition(".")[2] or _UNIT
        feed = LiveFeed(
            stream, memory, self._past, box, clock.begun, depth=options.depth, unit=unit
        )
        feed.show(options.type, codes[0])
        self._viewer = Viewer(
            feed,
            memory,
            options.type,
            interrupt,
            simulated=options.demo,
            notice=lambda: self._notice(stream),
            seconds_left=clock.left,
        )

    def _notice(self, stream: UpbitStream) -> str | None:
        last = self._box.last
        return f"{last}. {text('failed.hint')}" if _needs_hint(stream, self._box.count) else last

    def warnings(self) -> AbstractContextManager[object]:
        """Receives them, to be shown below."""
        return self._box.receiving()

    def show(self) -> None:
        """Until the end."""
        with self._past:
            self._viewer.run()


class _Lines:
    """A line for every event. All of it is the main thread's."""

    def __init__(
        self,
        stream: UpbitStream,
        codes: Sequence[str],
        options: WatchOptions,
        interrupt: Interrupt,
        clock: _Clock,
    ) -> None:
        self._subscription = subscribe(stream, options.type, codes, None, depth=options.depth)
        self._stream = stream
        self._options = options
        self._interrupt = interrupt
        self._clock = clock
        self._notices = NoticeLines()

    def warnings(self) -> AbstractContextManager[object]:
        """Tells them at once."""
        return self._notices.receiving()

    def show(self) -> None:
        """Write whatever has come by then in one go."""
        if self._options.demo:
            print(simulated(), file=sys.stderr)
        write = json_writer() if self._options.json else plain_writer(self._options.type)
        hinted = False
        while (left := self._clock.left()) > 0:
            if not hinted and _needs_hint(self._stream, self._notices.count):
                print(f"upbit-stream: {text('failed.hint')}", file=sys.stderr, flush=True)
                hinted = True
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


watch_command = command_of(WatchOptions, watch)
