"""The commands, their options and their help. What they do is in the modules beside it.

typer reads the annotations when the program runs, so the names in them must be importable here.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from upbit_stream.cli.diagnose import DiagnoseOptions, diagnose
from upbit_stream.cli.failures import WrongUsage
from upbit_stream.cli.interrupt import Interrupt
from upbit_stream.cli.record import RecordOptions, record
from upbit_stream.cli.simulate import SimulateOptions, simulate
from upbit_stream.cli.watch import WatchOptions, watch
from upbit_stream.monitoring.diagnostics import DEFAULT_SECONDS
from upbit_stream.version import __version__

__all__ = ["app"]

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    # Its tracebacks show local variables, and with them, sooner or later, somebody's keys.
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _tell_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"upbit-stream {__version__}")
        raise typer.Exit


# In the help texts "\b" keeps the lines of a paragraph as they are.
@app.callback()
def _upbit_stream(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_tell_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Upbit's live market data in the terminal.

    \b
    Examples:
      upbit-stream watch --demo                       try it, without a network
      upbit-stream watch KRW-BTC KRW-ETH              prices as they change
      upbit-stream watch KRW-BTC -t trade --json      every trade, as a line of JSON
      upbit-stream record KRW-BTC -o btc.jsonl.zst    every trade, into a file
      upbit-stream diagnose                           is the connection well, and if not, why
      upbit-stream simulate --port 8765               a simulated exchange to test against
    """


@app.command("watch", short_help="Show live data: a table, or lines for a pipe.")
def _watch(
    context: typer.Context,
    codes: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CODE",
            help="Markets, such as KRW-BTC; with --demo those of the simulator by default.",
        ),
    ] = None,
    type_: Annotated[
        str,
        typer.Option(
            "--type",
            "-t",
            metavar="TYPE",
            help="ticker, trade, orderbook, candle.1s … candle.240m.",
        ),
    ] = "ticker",
    demo: Annotated[
        bool, typer.Option("--demo", help="Watch a simulated market; needs no network.")
    ] = False,
    seconds: Annotated[
        float | None, typer.Option(metavar="N", help="Stop after N seconds.")
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="One line of JSON for each event, also on a terminal.")
    ] = False,
    exact: Annotated[
        bool, typer.Option("--exact", help="Numbers with every digit of the wire, not as floats.")
    ] = False,
    region: Annotated[
        str, typer.Option(metavar="REGION", help="The country's exchange: kr, sg, id or th.")
    ] = "kr",
    depth: Annotated[
        int, typer.Option(metavar="ROWS", help="Rows of an order book: 1, 5, 15 or 30.")
    ] = 5,
) -> None:
    """Show live data: a table on a terminal, a line for each event in a pipe.

    Ctrl-C ends it. UPBIT_STREAM_URL in the environment leads to another server.

    \b
    Examples:
      upbit-stream watch KRW-BTC KRW-ETH
      upbit-stream watch KRW-BTC --type orderbook
      upbit-stream watch --demo --type trade --seconds 10
      upbit-stream watch KRW-BTC --type trade --json | head -100 > trades.jsonl
    """
    options = WatchOptions(
        codes=tuple(codes or ()),
        type=type_,
        demo=demo,
        seconds=_check_seconds(seconds),
        json=json,
        exact=exact,
        region=region,
        depth=depth,
    )
    watch(options, _interrupt(context))


@app.command("record", short_help="Record live data into a file that survives a crash.")
def _record(
    context: typer.Context,
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", metavar="FILE", help="Its name tells the format; it is gone on with."
        ),
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
    format_: Annotated[
        str | None,
        typer.Option(
            "--format", metavar="FORMAT", help="jsonl, zstd or parquet, when the name tells none."
        ),
    ] = None,
    rotate: Annotated[
        str | None,
        typer.Option(metavar="LIMIT", help="Begin another file at 100MB, after 1h, or 100MB,1h."),
    ] = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="Record a simulated market; needs no network.")
    ] = False,
    seconds: Annotated[
        float | None, typer.Option(metavar="N", help="Stop after N seconds.")
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
    """Record live data: what was written reads back whole, whatever ends the program.

    Ctrl-C ends it. The exit code is 1 when an event is not in the recording. Beside the file is a
    manifest with counts, times and gaps. upbit_stream.read_recording() reads it, and upbit-stream
    simulate --replay serves it.

    \b
    Examples:
      upbit-stream record KRW-BTC --out trades.jsonl.zst
      upbit-stream record KRW-BTC KRW-ETH -t trade -t orderbook -o market.parquet --rotate 1h
      upbit-stream record --demo --seconds 10 --out demo.jsonl
    """
    options = RecordOptions(
        codes=tuple(codes or ()),
        types=tuple(types or ("trade",)),
        out=out,
        format=format_,
        rotate=rotate,
        demo=demo,
        seconds=_check_seconds(seconds),
        exact=exact,
        region=region,
        depth=depth,
    )
    record(options, _interrupt(context))


@app.command("diagnose", short_help="Test the connection, and say what is wrong with it.")
def _diagnose(
    context: typer.Context,
    codes: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CODE",
            help="Markets to test with; without: Bitcoin, Ether and XRP.",
        ),
    ] = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="Test with a simulated exchange; needs no network.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="The report as one line of JSON, and nothing else.")
    ] = False,
    seconds: Annotated[
        float, typer.Option(metavar="N", help="Look at running streams for N seconds.")
    ] = DEFAULT_SECONDS,
    url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Another server: ws://… or wss://…, up to /websocket/v1."),
    ] = None,
    region: Annotated[
        str, typer.Option(metavar="REGION", help="The country's exchange: kr, sg, id or th.")
    ] = "kr",
) -> None:
    """Test the connection: name, network, certificate, upgrade, data; then latency, throughput,
    stability and snapshots of running streams. No keys are needed.

    The exit code is 0 when all is well, 1 when it is not (or after Ctrl-C, before it is known).
    UPBIT_STREAM_URL in the environment leads to another server.

    \b
    Examples:
      upbit-stream diagnose
      upbit-stream diagnose --demo --seconds 3
      upbit-stream diagnose KRW-BTC KRW-ETH --seconds 60
      upbit-stream diagnose --json > report.json
    """
    options = DiagnoseOptions(
        codes=tuple(codes or ()),
        demo=demo,
        json=json,
        seconds=_check_seconds(seconds) or DEFAULT_SECONDS,
        url=url,
        region=region,
    )
    if not diagnose(options, _interrupt(context)):
        raise typer.Exit(1)


@app.command("simulate", short_help="Serve a simulated Upbit to test against.")
def _simulate(
    context: typer.Context,
    host: Annotated[
        str, typer.Option(metavar="HOST", help="The address to listen on.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="PORT", help="0 finds a free one.")
    ] = 0,
    rate: Annotated[
        float, typer.Option(metavar="N", help="Trades a second, over all markets.")
    ] = 100.0,
    codes: Annotated[
        str | None,
        typer.Option(
            metavar="N|LIST",
            help="How many markets, or their codes with commas between.  [default: 20]",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(metavar="N", help="The same seed gives the same market.")
    ] = 1,
    realistic: Annotated[
        bool, typer.Option("--realistic", help="Delays as measured on the exchange.")
    ] = False,
    tls_cert: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Serve wss:// with this certificate (PEM)."),
    ] = None,
    tls_key: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Its key, when that is in a file of its own."),
    ] = None,
    replay: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Send a recording, or frames, one a line."),
    ] = None,
    replay_speed: Annotated[
        float | None,
        typer.Option(
            metavar="FACTOR",
            help="1: as fast as recorded, 10: ten times as fast. Without: all at once.",
            show_default=False,
        ),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(metavar="N", help="Stop after N seconds.")
    ] = None,
) -> None:
    """Serve a simulated Upbit, WebSocket and REST, for programs to be tested against.

    Ctrl-C ends it.

    \b
    Examples:
      upbit-stream simulate --port 8765
      upbit-stream simulate --rate 5000 --codes 200
      upbit-stream simulate --codes KRW-BTC,BTC-ETH --realistic
      upbit-stream simulate --replay trades.jsonl.zst --replay-speed 1
    """
    options = SimulateOptions(
        host=host,
        port=port,
        rate=rate,
        codes=codes,
        seed=seed,
        realistic=realistic,
        tls_cert=tls_cert,
        tls_key=tls_key,
        replay=replay,
        replay_speed=replay_speed,
        seconds=_check_seconds(seconds),
    )
    simulate(options, _interrupt(context))


def _check_seconds(seconds: float | None) -> float | None:
    if seconds is not None and not (seconds > 0 and math.isfinite(seconds)):
        raise WrongUsage(f"--seconds {seconds:g}: a number above 0 is needed")
    return seconds


def _interrupt(context: typer.Context) -> Interrupt:
    interrupt = context.obj
    assert isinstance(interrupt, Interrupt), "main() gives it to the app"
    return interrupt
