"""The command ``upbit-stream``: watch, record and replay the market, test the connection and the
machine, serve a simulated exchange.

========================  =====================================================================
``app.py``                the commands together
``commands/``             each command: its options, and what it does
``options.py``            the options that several commands share
``helping.py``            ``--help``
``completing.py``         what the shell proposes
``texts/``                everything that is said, in English and Korean
``style.py``              colours and styles, by what they mean
``cells.py``              texts by their width on a terminal
``harmless.py``           texts from outside, without orders to the terminal
``viewer.py``             the running screen: draws, and does what the keys say
``views/``                what it shows: pure functions from a state to lines of text
``screen.py``             the terminal as a surface, given back as it was
``keys.py``               keys as they are pressed
``feeds.py``              where a screen's events come from: a stream
``playing.py``            or a recording
``memory.py``             what has come and is shown; ``board.py`` the newest of each code
``past.py``               the candles before now
``continuing.py``         what a file holds that is recorded on to
``columns.py``            which columns each type has, and how numbers are written
``lines.py``              events as plain lines or JSON, for pipes
``subscribing.py``        from types and codes on the command line to subscriptions
``demo.py``               ``--demo``: a simulated exchange in this process
``interrupt.py``          Ctrl-C as a wish that is looked at, not as an exception out of nowhere
``notices.py``            where the warnings of the library go
``failures.py``           how a command ends that cannot do what it was asked for
========================  =====================================================================

typer and rich come with the ``cli`` extra, so nothing here may import them before :func:`main`
has had the chance to say that they are missing.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence

from upbit_stream.cli.failures import CommandFailed
from upbit_stream.cli.harmless import harmless
from upbit_stream.cli.interrupt import Interrupt

__all__ = ["main"]

_NAME = "upbit-stream"
_FROM_THE_EXTRA = ("rich", "typer")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code. ``arguments`` are those of the process by default.

    0: done, also by Ctrl-C. 1: it could not go on, or the connection that it tested is not well.
    2: it was asked for something impossible.
    """
    # First of all, because the imports behind it take long enough for an impatient Ctrl-C.
    interrupt = Interrupt()
    _write_what_can_be_written()
    interrupt.install()
    try:
        return _run(arguments, interrupt)
    finally:
        interrupt.retire()


def _run(arguments: Sequence[str] | None, interrupt: Interrupt) -> int:
    try:
        from upbit_stream.cli.app import run
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.partition(".")[0] not in _FROM_THE_EXTRA:
            raise
        return _fail(
            f'the command line needs the package {missing.name}: pip install "upbit-stream[cli]"',
            1,
        )
    try:
        return run(arguments, _NAME, interrupt)
    except CommandFailed as failed:
        return _fail(str(failed), failed.exit_code)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0


def _write_what_can_be_written() -> None:
    """A sign that an old encoding does not have is a question mark, not the end."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _fail(message: str, exit_code: int) -> int:
    # One line, whatever the message quotes.
    print(f"{_NAME}: {harmless(' '.join(message.split()))}", file=sys.stderr)
    return exit_code
