"""The commands together.

typer reads their annotations when the program runs, so the names in them must be importable where
they are written.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer
from typer.main import get_command

from upbit_stream.cli.commands.diagnose import diagnose_command
from upbit_stream.cli.commands.doctor import doctor_command
from upbit_stream.cli.commands.markets import markets_command
from upbit_stream.cli.commands.publish import publish_command
from upbit_stream.cli.commands.record import record_command
from upbit_stream.cli.commands.relay_status import relay_status_command
from upbit_stream.cli.commands.replay import replay_command
from upbit_stream.cli.commands.simulate import simulate_command
from upbit_stream.cli.commands.watch import watch_command
from upbit_stream.cli.failures import WrongUsage
from upbit_stream.cli.helping import Command, Group
from upbit_stream.cli.interrupt import Interrupt
from upbit_stream.cli.texts import text
from upbit_stream.version import __version__

__all__ = ["app", "run"]

app = typer.Typer(
    cls=Group,
    # Its tracebacks show local variables, and with them, sooner or later, somebody's keys.
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# In the order in which the help has them.
_COMMANDS: dict[str, Callable[..., None]] = {
    "watch": watch_command,
    "record": record_command,
    "replay": replay_command,
    "markets": markets_command,
    "diagnose": diagnose_command,
    "doctor": doctor_command,
    "simulate": simulate_command,
    "publish": publish_command,
    "relay-status": relay_status_command,
}
for _name, _function in _COMMANDS.items():
    app.command(_name, cls=Command, help=text(f"{_name}.help"), short_help=text(f"{_name}.short"))(
        _function
    )


def _tell_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"upbit-stream {__version__}")
        raise typer.Exit


@app.callback(help=text("app.help"), invoke_without_command=True)
def _upbit_stream(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_tell_version, is_eager=True, help=text("option.version")
        ),
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit


def run(arguments: Sequence[str] | None, name: str, interrupt: Interrupt) -> int:
    """Do what the arguments say; the exit code.

    Raises :class:`~upbit_stream.cli.failures.CommandFailed`.
    """
    command: Any = get_command(app)
    try:
        ended = command.main(
            args=None if arguments is None else list(arguments),
            prog_name=name,
            standalone_mode=False,
            obj=interrupt,
        )
    except _USAGE_ERROR as error:
        raise WrongUsage(_told(error, name)) from error
    # What typer.Exit was given; a command that ends by itself returns nothing.
    return ended if isinstance(ended, int) else 0


# It has no class of its own.
_NO_COMMAND = re.compile(r"[Nn]o such command '([^']*)'")

# What typer raises for arguments that cannot be meant; it is its own class in newer ones and
# click's in older ones.
_USAGE_ERROR: type[Exception] = typer.BadParameter.__mro__[1]


def _told(error: Any, name: str) -> str:
    """The sentence for it."""
    kind = type(error).__name__
    context = getattr(error, "ctx", None)
    where = context.command_path if context else name
    if kind == "NoSuchOption":
        near = [one for one in error.possibilities or () if one]
        words = text("usage.no_such_option", option=error.option_name)
        words += text("usage.perhaps", name=near[0]) if near else ""
    elif kind == "MissingParameter":
        words = text("usage.missing", name=error.param.opts[0] if error.param else "?")
    elif kind == "BadParameter" and error.param is not None:
        words = text("usage.bad_value", name=error.param.opts[0], why=error.message)
    elif match := _NO_COMMAND.search(error.format_message()):
        words = text("usage.no_such_command", command=match[1])
        near = difflib.get_close_matches(match[1], _COMMANDS, 1)
        words += text("usage.perhaps", name=near[0]) if near else ""
    else:
        words = error.format_message()
    return f"{words.rstrip('.')}; {text('usage.see', command=where)}"
