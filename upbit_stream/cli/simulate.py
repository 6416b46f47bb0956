"""``upbit-stream simulate``: the simulated exchange as a process of its own."""

from __future__ import annotations

import errno
import os
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from upbit_stream.cli.failures import RunFailed, WrongUsage
from upbit_stream.cli.interrupt import Interrupt
from upbit_stream.cli.lines import write_out
from upbit_stream.cli.notices import told_on_stderr
from upbit_stream.errors import InvalidCodeError
from upbit_stream.protocol.codes import check_codes

if TYPE_CHECKING:
    from upbit_stream.simulator import Simulator

__all__ = ["SimulateOptions", "simulate"]

# What Windows says, which forbids what others find occupied.
_IN_USE = {errno.EADDRINUSE, getattr(errno, "WSAEADDRINUSE", errno.EADDRINUSE)}
if os.name == "nt":
    _IN_USE.add(errno.EACCES)

# Codes that are shown to be watched.
_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class SimulateOptions:
    """What was asked for on the command line."""

    host: str
    port: int
    rate: float
    codes: str
    seed: int
    tls_cert: Path | None
    tls_key: Path | None
    seconds: float | None
    realistic: bool


def simulate(options: SimulateOptions, interrupt: Interrupt) -> None:
    """Serve until Ctrl-C or until it was long enough.

    Raises :class:`~upbit_stream.cli.failures.CommandFailed`.
    """
    simulator = _simulator(options)
    with told_on_stderr():
        try:
            simulator.start()
        except OSError as error:
            raise RunFailed(_why_not(options, error)) from error
        try:
            if write_out(_welcome(simulator, options).encode(), interrupt):
                interrupt.wait(options.seconds)
        finally:
            simulator.stop()
