"""The command ``upbit-stream``: watch or record the market, test the connection, serve a simulated
exchange.

========================  =====================================================================
``app.py``                the commands, their options and help texts
``watch.py``              ``watch``: from the options to a stream, then one of two ways to show it
``board.py``              what is known of each code at this moment, and how fast it comes
``columns.py``            which columns each type has, and how numbers are written
``table.py``              the picture: pure functions from a state to lines of text
``lines.py``              the same events as plain lines or JSON, for pipes
``record.py``             ``record``: events to a file, and how far it is
``subscribing.py``        from types and codes on the command line to subscriptions
``simulate.py``           ``simulate``: the simulator as a process
``diagnose.py``           ``diagnose``: the connection test, its progress, and its report
``demo.py``               ``--demo``: a simulated exchange in this process
``screen.py``             whether an output is a terminal that can be drawn on
``interrupt.py``          Ctrl-C as a wish that is looked at, not as an exception out of nowhere
``notices.py``            where the warnings of the library go
``failures.py``           how a command ends that cannot do what it was asked for
========================  =====================================================================

typer and rich come with the ``cli`` extra, so nothing here may import them before :func:`main`
has had the chance to say that they are missing.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from upbit_stream.cli.failures import CommandFailed
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
    interrupt.install()
    try:
        return _run(arguments, interrupt)
    finally:
        interrupt.retire()


def _run(arguments: Sequence[str] | None, interrupt: Interrupt) -> int:
    try:
        from upbit_stream.cli.app import app
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.partition(".")[0] not in _FROM_THE_EXTRA:
            raise
        return _fail(
            f'the command line needs the package {missing.name}: pip install "upbit-stream[cli]"',
            1,
        )
    try:
        app(args=arguments, prog_name=_NAME, obj=interrupt)
    except CommandFailed as failed:
        return _fail(str(failed), failed.exit_code)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    return 0


def _fail(message: str, exit_code: int) -> int:
    # One line, whatever the message quotes.
    print(f"{_NAME}: {' '.join(message.split())}", file=sys.stderr)
    return exit_code
