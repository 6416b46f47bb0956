"""``upbit-stream publish``: events to a broker, for any number of readers on any machine."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Annotated, Literal

import typer

from upbit_stream.cli.board import Meter
from upbit_stream.cli.demo import SIMULATED, demo_simulator
from upbit_stream.cli.failures import RunFailed, WrongUsage
from upbit_stream.cli.interrupt import Interrupt
from upbit_stream.cli.lines import write_out
from upbit_stream.cli.notices import told_on_stderr
from upbit_stream.cli.subscribing import check_type, codes_of, subscribe
from upbit_stream.config import StreamConfig
from upbit_stream.errors import SubscriptionError, UpbitStreamError
from upbit_stream.relay.brokers import public_url
from upbit_stream.relay.relay import Relay
from upbit_stream.stream import UpbitStream

__all__ = ["PublishOptions", "publish", "publish_command"]

# Seconds between two looks, and between two lines.
_LOOK_EVERY = 0.2
_LINE_EVERY = 5.0

# Seconds that the end may take: what is buffered is sent first.
_CLOSE = 5.0


@dataclass(frozen=True, kw_only=True)
class PublishOptions:
    """What was asked for on the command line."""

    codes: Sequence[str]
    types: Sequence[str]
    to: str
    buffer: int
    max_length: int
    max_age: float | None
    demo: bool
    seconds: float | None
    exact: bool
    region: str
    depth: int


def publish(options: PublishOptions, interrupt: Interrupt) -> None:
    """Publish until it was long enough, or Ctrl-C.

    Raises :class:`~upbit_stream.cli.failures.CommandFailed`, also when something is left at the
    end that the broker did not take.
    """
    types = tuple(dict.fromkeys(options.types))
    for type_ in types:
        check_type(type_)
    numbers: Literal["float", "decimal"] = "decimal" if options.exact else "float"
    with ExitStack() as stack:
        try:
            codes = codes_of(
                options.codes, demo=options.demo, example=f"publish KRW-BTC --to {_EXAMPLE}"
            )
            config = StreamConfig(numbers=numbers)
            if options.demo:
                simulator = stack.enter_context(demo_simulator(codes))
                codes = simulator.codes
                config = StreamConfig(
                    url=simulator.url, rest_url=simulator.rest_url, numbers=numbers
                )
            stream = UpbitStream(region=options.region, config=config)
            stack.enter_context(told_on_stderr())
            relay = Relay(
                stream,
                options.to,
                buffer=options.buffer,
                max_length=options.max_length,
                max_age=options.max_age,
            )
            stack.callback(relay.close, 0.0)
            for type_ in types:
                relay.publish(subscribe(stream, type_, codes, None, depth=options.depth))
        except (SubscriptionError, ValueError) as error:
            raise WrongUsage(str(error)) from error
        except ImportError as error:
            raise RunFailed(str(error)) from error
        try:
            with stream:
                _show(stream, relay, options, interrupt)
        except UpbitStreamError as error:
            raise RunFailed(str(error)) from error
        sent = relay.close(_CLOSE)
        _say(_line(relay, options, None), interrupt)
        if relay.error is not None:
            raise RunFailed(str(relay.error))
        if not sent:
            raise RunFailed(f"not everything was taken by {public_url(options.to)}")


_EXAMPLE = "redis://localhost:6379"


def _show(stream: UpbitStream, relay: Relay, options: PublishOptions, interrupt: Interrupt) -> None:
    """A line every few seconds, until it is over; raises what ended the stream for good."""
    if options.demo:
        print(SIMULATED, file=sys.stderr)
    begun = time.monotonic()
    next_line = begun + _LINE_EVERY
    meter = Meter()
    while not interrupt.asked and relay.error is None:
        now = time.monotonic()
        if options.seconds is not None and now - begun >= options.seconds:
            return
        stream.run(_LOOK_EVERY)
        (rate,) = meter.per_second(time.monotonic(), (relay.stats.published,))
        if now >= next_line:
            next_line += _LINE_EVERY
            _say(f"{time.strftime('%H:%M:%S')}  {_line(relay, options, rate)}", interrupt)


def _line(relay: Relay, options: PublishOptions, rate: float | None) -> str:
    stats = relay.stats
    told = f"{public_url(options.to)}: {stats.published:,} events published"
    told += "" if rate is None else f"  {rate:,.0f}/s"
    told += f", {stats.duplicates:,} were there, {stats.buffered:,} wait, {stats.dropped:,} dropped"
    return told if stats.connected or rate is None else f"{told}  (the broker is away)"


def _say(line: str, interrupt: Interrupt) -> None:
    write_out(f"{line}\n".encode(), interrupt)


def publish_command(
    context: typer.Context,
    to: Annotated[
        str, typer.Option("--to", metavar="URL", help="The broker: redis://[:password@]host:port.")
    ],
    codes: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CODE",
            help="Markets, such as KRW-BTC; with --demo those of the simulator by default.",
        ),
    ] = None,
    types: Annotated[
        list[str] | None,
        typer.Option(
            "--type",
            "-t",
            metavar="TYPE",
            help="ticker, trade, orderbook, candle.1s … candle.240m; may be given several times.  "
            "[default: trade]",
            show_default=False,
        ),
    ] = None,
    buffer: Annotated[
        int, typer.Option(min=1, metavar="N", help="Events of each type kept while it is away.")
    ] = 100_000,
    max_length: Annotated[
        int, typer.Option(min=1, metavar="N", help="Entries that it keeps of each type and code.")
    ] = 10_000,
    max_age: Annotated[
        float | None,
        typer.Option(min=0.0, metavar="SECONDS", help="Keep entries for so long instead."),
    ] = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="Publish a simulated market; needs no exchange.")
    ] = False,
    seconds: Annotated[
        float | None, typer.Option(min=0.0, metavar="N", help="Stop after N seconds.")
    ] = None,
    exact: Annotated[
        bool, typer.Option("--exact", help="Numbers with every digit of the wire, not as floats.")
    ] = False,
    region: Annotated[
        str, typer.Option(metavar="REGION", help="The country's exchange: kr, sg, id or th.")
    ] = "kr",
    depth: Annotated[
        int, typer.Option(metavar="ROWS", help="Rows of an order book: 1, 5, 15 or 30.")
    ] = 30,
) -> None:
    """Publish live data to a broker; UpbitStream(source=URL) reads it, on any machine.

    Run two of them, on two machines, with the same markets: each event is there once, and either
    may die at any moment. Ctrl-C ends it.

    \b
    Examples:
      upbit-stream publish KRW-BTC KRW-ETH --to redis://localhost:6379
      upbit-stream publish KRW-BTC -t trade -t orderbook --to redis://:secret@broker:6379
      upbit-stream publish --demo --to redis://localhost:6379
    """
    options = PublishOptions(
        codes=tuple(codes or ()),
        types=tuple(types or ("trade",)),
        to=to,
        buffer=buffer,
        max_length=max_length,
        max_age=max_age,
        demo=demo,
        seconds=seconds,
        exact=exact,
        region=region,
        depth=depth,
    )
    interrupt = context.obj
    assert isinstance(interrupt, Interrupt), "main() gives it to the app"
    publish(options, interrupt)
