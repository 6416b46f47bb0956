"""From a class of options to a command: each option is told once, as a field.

typer reads options from signatures. So that a command's options are one value, which can be handed
on and whose fields can be inherited, its signature is made of them.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any, TypeVar, get_type_hints

import typer

from upbit_stream.cli.interrupt import Interrupt

__all__ = ["command_of"]

Options = TypeVar("Options")


def command_of(
    options: type[Options], run: Callable[[Options, Interrupt], bool | None]
) -> Callable[..., None]:
    """A command for typer: it calls ``run`` with ``options``, a dataclass, made of what was given.

    Where ``run`` returns False, the command's exit code is 1. In the help, the fields of the class
    itself stand before those that it has inherited.
    """

    def command(context: typer.Context, **given: Any) -> None:
        interrupt = context.obj
        assert isinstance(interrupt, Interrupt), "main() gives it to the app"
        if run(options(**given), interrupt) is False:
            raise typer.Exit(1)

    hints = get_type_hints(options, include_extras=True)
    asked = [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty
            if field.default is dataclasses.MISSING
            else field.default,
            annotation=hints[field.name],
        )
        for field in _fields(options)
    ]
    first = inspect.Parameter(
        "context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context
    )
    command.__annotations__ = {one.name: one.annotation for one in (first, *asked)}
    command.__signature__ = inspect.Signature([first, *asked])  # type: ignore[attr-defined]
    return command


def _fields(options: Any) -> list[dataclasses.Field[Any]]:
    inherited = {
        field.name
        for base in options.__bases__
        if dataclasses.is_dataclass(base)
        for field in dataclasses.fields(base)
    }
    return sorted(dataclasses.fields(options), key=lambda field: field.name in inherited)
