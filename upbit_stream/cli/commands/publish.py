"""``upbit-stream publish``: events to a broker, for any number of readers on any machine."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Annotated

import msgspec
import typer

from upbit_stream.cli.board import Meter
from upbit_stream.cli.commanding import command_of
from upbit_stream.cli.demo import demo_simulator, simulated
from upbit_stream.cli.failures import RunFailed, WrongUsage
from upbit_stream.cli.harmless import harmless_json
from upbit_stream.cli.interrupt import Interrupt
from upbit_stream.cli.lines import write_out
from upbit_stream.cli.notices import told_on_stderr
from upbit_stream.cli.options import LiveOptions, Types
from upbit_stream.cli.subscribing import check_type, codes_of, config_of, subscribe
from upbit_stream.cli.texts import text
from upbit_stream.errors import SubscriptionError, UpbitStreamError
from upbit_stream.relay.brokers import public_url
from upbit_stream.relay.relay import Relay
from upbit_stream.stream import UpbitStream

__all__ = ["PublishOptions", "publish", "publish_command"]

# What is published unless something is named.
_TYPES = ("trade",)

# Seconds between two looks, and between two lines.
_LOOK_EVERY = 0.2
_LINE_EVERY = 5.0

# Seconds that the end may take: what is buffered is sent first.
_CLOSE = 5.0
_LAST_WORDS = 1.0


@dataclass(frozen=True, kw_only=True)
class PublishOptions(LiveOptions):
    """What was asked for on the command line."""

    to: Annotated[str, typer.Option("--to", metavar="URL", help=text("option.to"))]
    types: Types = None
    buffer: Annotated[
        int, typer.Option("--buffer", min=1, metavar="N", help=text("option.buffer"))
    ] = 100_000
    max_length: Annotated[
        int, typer.Option("--max-length", min=1, metavar="N", help=text("option.max_length"))
    ] = 10_000
    max_age: Annotated[
        float | None,
        typer.Option("--max-age", min=0.0, metavar="SECONDS", help=text("option.max_age")),
    ] = None


def publish(options: PublishOptions, interrupt: Interrupt) -> None:
    """Publish until it was long enough, or Ctrl-C.

    Raises :class:`~upbit_stream.cli.failures.CommandFailed`, also when something is left at the
    end that the broker did not take.
    """
    types = tuple(dict.fromkeys(options.types or _TYPES))
    for type_ in types:
        check_type(type_)
    with ExitStack() as stack:
        try:
            example = "publish KRW-BTC --to redis://localhost:6379"
            codes = codes_of(options.codes, demo=options.demo, example=example)
            simulator = stack.enter_context(demo_simulator(codes)) if options.demo else None
            codes = simulator.codes if simulator else codes
            config = config_of(simulator, exact=options.exact)
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
        url = public_url(options.to)
        if not options.json:
            count = text("codes.one" if len(codes) == 1 else "codes.many", count=len(codes))
            begin = text("publish.begin", codes=count, types=", ".join(types), url=url)
            _say(begin, interrupt)
        try:
            with closing(stream):  # its own `with` warns who leaves at once
                stream.start()
                _show(stream, relay, options, interrupt)
        except UpbitStreamError as error:
            raise RunFailed(str(error)) from error
        if (left := relay.stats.buffered) and relay.error is None and not options.json:
            _say(text("publish.end", count=f"{left:,}", seconds=f"{_CLOSE:g}"), interrupt)
        # If that was not enough, what is dropped is told and counted before the last line is said.
        sent = relay.close(_CLOSE) or relay.close(_LAST_WORDS)
        line = _line(relay, options, None)
        _say(line if options.json else f"{url}: {line}", interrupt)
        if relay.error is not None:
            raise RunFailed(str(relay.error))
        if not sent:
            raise RunFailed(text("failed.not_taken", url=url))


def _show(stream: UpbitStream, relay: Relay, options: PublishOptions, interrupt: Interrupt) -> None:
    """A line every few seconds, until it is over; raises what ended the stream for good."""
    if options.demo:
        print(simulated(), file=sys.stderr)
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
            line = _line(relay, options, rate)
            _say(line if options.json else f"{time.strftime('%H:%M:%S')}  {line}", interrupt)


def _line(relay: Relay, options: PublishOptions, rate: float | None) -> str:
    stats = relay.stats
    if options.json:
        told = {"to": public_url(options.to), **msgspec.structs.asdict(stats)}
        return harmless_json(told).decode()
    away = "" if stats.connected or rate is None else text("publish.away")
    return away + text(
        "publish.line",
        published=f"{stats.published:,}",
        rate="" if rate is None else f" ({rate:,.0f}/s)",
        duplicates=f"{stats.duplicates:,}",
        buffered=f"{stats.buffered:,}",
        dropped=text("status.dropped", count=f"{stats.dropped:,}"),
    )


def _say(line: str, interrupt: Interrupt) -> None:
    write_out(f"{line}\n".encode(), interrupt)


publish_command = command_of(PublishOptions, publish)
