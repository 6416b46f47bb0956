"""``upbit-stream simulate``: the simulated exchange as a process of its own."""

from __future__ import annotations

import errno
import os
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from upbit_stream.cli.failures import RunFailed, WrongUsage
from upbit_stream.cli.interrupt import Interrupt
from upbit_stream.cli.lines import write_out
from upbit_stream.cli.notices import told_on_stderr
from upbit_stream.errors import RecordingError
from upbit_stream.protocol.codes import check_codes

if TYPE_CHECKING:
    from upbit_stream.simulator import Simulator

__all__ = ["SimulateOptions", "simulate"]

# Codes that the line to copy has.
_SHOWN = 3

# Windows says of an occupied port now this, now that it is forbidden.
_IN_USE = (errno.EADDRINUSE, errno.EACCES) if os.name == "nt" else (errno.EADDRINUSE,)


@dataclass(frozen=True, kw_only=True)
class SimulateOptions:
    """What was asked for on the command line."""

    host: str
    port: int
    rate: float
    codes: str | None
    seed: int
    realistic: bool
    tls_cert: Path | None
    tls_key: Path | None
    replay: Path | None
    replay_speed: float | None
    seconds: float | None


def simulate(options: SimulateOptions, interrupt: Interrupt) -> None:
    """Serve until it was long enough, or Ctrl-C.

    Raises :class:`~upbit_stream.cli.failures.CommandFailed`.
    """
    simulator = _simulator(options)
    with told_on_stderr():
        try:
            simulator.start()
        except OSError as error:
            raise RunFailed(_why_not(options, error)) from error
        try:
            # A reader that leaves (| head -3) has read the URLs; the server goes on.
            write_out(_welcome(simulator, options).encode(), interrupt)
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
        return Simulator(
            host=options.host,
            port=options.port,
            codes=check_codes(choose_codes(options.codes)),
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
        raise WrongUsage(f"cannot read {options.replay}: {error.strerror or error}") from error
    except msgspec.MsgspecError as error:
        raise WrongUsage(
            f"{options.replay} is no recording: one frame of JSON a line is needed ({error})"
        ) from error
    except ValueError as error:
        raise WrongUsage(str(error)) from error


def _tls(options: SimulateOptions) -> ssl.SSLContext | None:
    from upbit_stream.simulator.control import server_tls

    certificate, key = options.tls_cert, options.tls_key
    if certificate is None:
        if key is not None:
            raise WrongUsage("--tls-key needs --tls-cert, the certificate that belongs to it")
        return None
    try:
        return server_tls(str(certificate), None if key is None else str(key))
    # An SSLError is an OSError, too.
    except OSError as error:
        files = " and ".join(str(file) for file in (certificate, key) if file is not None)
        raise WrongUsage(
            f"cannot serve TLS with {files}: {error.strerror or error}; a certificate and its "
            "key in PEM format are needed"
        ) from error


def _why_not(options: SimulateOptions, error: OSError) -> str:
    where = f"port {options.port} of {options.host}"
    if error.errno in _IN_USE:
        return f"{where} is in use by another program; choose another --port, 0 finds a free one"
    return f"cannot listen on {where}: {error.strerror or error}"


def _welcome(simulator: Simulator, options: SimulateOptions) -> str:
    from upbit_stream.simulator import DEFAULT_KEYS

    settings = [("UPBIT_STREAM_URL", simulator.url)]
    if options.tls_cert is not None:
        settings.append(("SSL_CERT_FILE", str(options.tls_cert)))
    command = f"upbit-stream watch {' '.join(simulator.codes[:_SHOWN])}"
    codes = len(simulator.codes)
    ((access_key, secret_key),) = DEFAULT_KEYS.items()  # of an account that nobody has
    return (
        f"A simulated Upbit is running: {codes} code{'s' * (codes != 1)}, "
        f"{options.rate:g} trades a second. Ctrl-C ends it.\n"
        "\n"
        f"  WebSocket  {simulator.url}\n"
        f"  REST       {simulator.rest_url}\n"
        f"  Keys       UPBIT_ACCESS_KEY={access_key}\n"
        f"             UPBIT_SECRET_KEY={secret_key}\n"
        "\n"
        "To watch it, in another terminal:\n"
        "\n"
        f"  {_shell_line(settings, command)}\n"
    )


def _shell_line(settings: Sequence[tuple[str, str]], command: str) -> str:
    """A command with environment variables, as the usual shell of this system wants it."""
    if os.name == "nt":
        return "".join(f'$env:{name}="{value}"; ' for name, value in settings) + command
    return "".join(f"{name}={value} " for name, value in settings) + command
