"""``upbit-stream simulate``: the simulated exchange as a process of its own."""

from __future__ import annotations

import errno
import os
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from upbit_stream.cli.commanding import command_of
from upbit_stream.cli.demo import past_trades
from upbit_stream.cli.failures import RunFailed, WrongUsage
from upbit_stream.cli.harmless import harmless_json
from upbit_stream.cli.interrupt import Interrupt
from upbit_stream.cli.lines import write_out
from upbit_stream.cli.notices import told_on_stderr
from upbit_stream.cli.options import Json, Seconds, check_seconds
from upbit_stream.cli.texts import text
from upbit_stream.errors import RecordingError
from upbit_stream.protocol.codes import check_codes

if TYPE_CHECKING:
    from upbit_stream.simulator import Simulator

__all__ = ["SimulateOptions", "simulate", "simulate_command"]

# Codes that the line to copy has.
_SHOWN = 3

_LAST_PORT = 65535

# Windows says of an occupied port now this, now that it is forbidden.
_IN_USE = (errno.EADDRINUSE, errno.EACCES) if os.name == "nt" else (errno.EADDRINUSE,)


@dataclass(frozen=True, kw_only=True)
class SimulateOptions:
    """What was asked for on the command line."""

    host: Annotated[str, typer.Option("--host", metavar="HOST", help=text("option.host"))] = (
        "127.0.0.1"
    )
    port: Annotated[int, typer.Option("--port", metavar="PORT", help=text("option.port"))] = 0
    rate: Annotated[float, typer.Option("--rate", metavar="N", help=text("option.rate"))] = 100.0
    codes: Annotated[
        str | None, typer.Option("--codes", metavar="N|LIST", help=text("option.markets"))
    ] = None
    seed: Annotated[int, typer.Option("--seed", metavar="N", help=text("option.seed"))] = 1
    realistic: Annotated[bool, typer.Option("--realistic", help=text("option.realistic"))] = False
    tls_cert: Annotated[
        Path | None, typer.Option("--tls-cert", metavar="FILE", help=text("option.tls_cert"))
    ] = None
    tls_key: Annotated[
        Path | None, typer.Option("--tls-key", metavar="FILE", help=text("option.tls_key"))
    ] = None
    replay: Annotated[
        Path | None, typer.Option("--replay", metavar="FILE", help=text("option.replay"))
    ] = None
    replay_speed: Annotated[
        float | None,
        typer.Option("--replay-speed", metavar="FACTOR", help=text("option.replay_speed")),
    ] = None
    seconds: Seconds = None
    json: Json = False

    def __post_init__(self) -> None:
        check_seconds(self.seconds)


def simulate(options: SimulateOptions, interrupt: Interrupt) -> None:
    """Serve until it was long enough, or Ctrl-C.

    Raises :class:`~upbit_stream.cli.failures.CommandFailed`.
    """
    if not 0 <= options.port <= _LAST_PORT:
        raise WrongUsage(text("failed.port", port=options.port))
    simulator = _simulator(options)
    with told_on_stderr():
        try:
            simulator.start()
        except OSError as error:
            raise RunFailed(_why_not(options, error)) from error
        try:
            # A reader that leaves (| head -3) has read the URLs; the server goes on.
            told = _json(simulator) if options.json else _welcome(simulator, options)
            write_out(told.encode(), interrupt)
            interrupt.wait(options.seconds)
        finally:
            simulator.stop()


def _simulator(options: SimulateOptions) -> Simulator:
    try:
        # Only when it is asked for: it needs an extra, and time.
        from upbit_stream.simulator import Simulator, Timing
        from upbit_stream.simulator.control import choose_codes
    except ImportError as error:
        raise RunFailed(str(error)) from error
    try:
        codes = check_codes(choose_codes(options.codes))
        return Simulator(
            host=options.host,
            port=options.port,
            codes=codes,
            history=past_trades(len(codes)),
            rate=options.rate,
            seed=options.seed,
            timing=Timing.realistic() if options.realistic else Timing(),
            ssl_context=_tls(options),
            replay=options.replay,
            replay_speed=options.replay_speed,
        )
    except ImportError as error:
        raise RunFailed(str(error)) from error
    except RecordingError as error:
        raise WrongUsage(str(error)) from error
    except OSError as error:
        why = error.strerror or str(error)
        raise WrongUsage(text("failed.read", file=options.replay, why=why)) from error
    except msgspec.MsgspecError as error:
        raise WrongUsage(text("failed.recording", file=options.replay, why=error)) from error
    except ValueError as error:
        raise WrongUsage(str(error)) from error


def _tls(options: SimulateOptions) -> ssl.SSLContext | None:
    from upbit_stream.simulator.control import server_tls

    certificate, key = options.tls_cert, options.tls_key
    if certificate is None:
        if key is not None:
            raise WrongUsage(text("failed.tls_key"))
        return None
    try:
        return server_tls(str(certificate), None if key is None else str(key))
    # An SSLError is an OSError, too.
    except OSError as error:
        files = ", ".join(str(file) for file in (certificate, key) if file is not None)
        why = error.strerror or str(error)
        raise WrongUsage(text("failed.tls", files=files, why=why)) from error


def _why_not(options: SimulateOptions, error: OSError) -> str:
    if error.errno in _IN_USE:
        return text("failed.port_in_use", port=options.port, host=options.host)
    why = error.strerror or str(error)
    return text("failed.listen", port=options.port, host=options.host, why=why)


def _json(simulator: Simulator) -> str:
    from upbit_stream.simulator import DEFAULT_KEYS

    ((access_key, secret_key),) = DEFAULT_KEYS.items()  # of an account that nobody has
    told = {
        "url": simulator.url,
        "rest_url": simulator.rest_url,
        "access_key": access_key,
        "secret_key": secret_key,
        "codes": simulator.codes,
        "rate": simulator.rate,
    }
    return harmless_json(told).decode() + "\n"


def _welcome(simulator: Simulator, options: SimulateOptions) -> str:
    from upbit_stream.simulator import DEFAULT_KEYS

    settings = [("UPBIT_STREAM_URL", simulator.url)]
    if options.tls_cert is not None:
        settings.append(("SSL_CERT_FILE", str(options.tls_cert)))
    command = f"upbit-stream watch {' '.join(simulator.codes[:_SHOWN])}"
    codes = len(simulator.codes)
    ((access_key, secret_key),) = DEFAULT_KEYS.items()  # of an account that nobody has
    return text(
        "simulate.welcome",
        codes=text("codes.one" if codes == 1 else "codes.many", count=codes),
        rate=f"{options.rate:g}",
        url=simulator.url,
        rest_url=simulator.rest_url,
        access_key=access_key,
        secret_key=secret_key,
        line=_shell_line(settings, command),
        program=_shell_line(settings, "python first.py"),
    )


def _shell_line(settings: Sequence[tuple[str, str]], command: str) -> str:
    """A command with environment variables, as the usual shell of this system wants it."""
    if os.name == "nt":
        return "".join(f'$env:{name}="{value}"; ' for name, value in settings) + command
    return "".join(f"{name}={value} " for name, value in settings) + command


simulate_command = command_of(SimulateOptions, simulate)
