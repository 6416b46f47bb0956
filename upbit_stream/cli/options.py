"""The options that several commands share, each told once.

typer reads them from the signatures of the commands, where they stand by these names.
"""

from __future__ import annotations

import math
from typing import Annotated, Any

import typer

from upbit_stream.cli.completing import (
    complete_code,
    complete_depth,
    complete_region,
    complete_type,
)
from upbit_stream.cli.failures import WrongUsage
from upbit_stream.cli.interrupt import Interrupt
from upbit_stream.cli.texts import text

__all__ = [
    "Codes",
    "Demo",
    "Depth",
    "DiagnosedCodes",
    "Exact",
    "Json",
    "RecordedCodes",
    "RecordedTypes",
    "Region",
    "Seconds",
    "Types",
    "Url",
    "check_seconds",
    "interrupt_of",
]


def _codes(words: str) -> Any:
    return typer.Argument(metavar="CODE", help=text(words), autocompletion=complete_code)


def _types(words: str) -> Any:
    return typer.Option(
        "--type", "-t", metavar="TYPE", help=text(words), show_default=False,
        autocompletion=complete_type,
    )  # fmt: skip


Codes = Annotated[list[str] | None, _codes("option.codes")]
RecordedCodes = Annotated[list[str] | None, _codes("option.codes_recorded")]
DiagnosedCodes = Annotated[list[str] | None, _codes("option.codes_diagnosed")]
Types = Annotated[list[str] | None, _types("option.types")]
RecordedTypes = Annotated[list[str] | None, _types("option.types_recorded")]
Demo = Annotated[bool, typer.Option("--demo", help=text("option.demo"))]
Json = Annotated[bool, typer.Option("--json", help=text("option.json"))]
Exact = Annotated[bool, typer.Option("--exact", help=text("option.exact"))]
Seconds = Annotated[
    float | None, typer.Option("--seconds", metavar="N", help=text("option.seconds"))
]
Depth = Annotated[
    int,
    typer.Option("--depth", metavar="ROWS", help=text("option.depth"),
                 autocompletion=complete_depth),
]  # fmt: skip
Region = Annotated[
    str,
    typer.Option("--region", metavar="REGION", help=text("option.region"),
                 autocompletion=complete_region),
]  # fmt: skip
Url = Annotated[str | None, typer.Option("--url", metavar="URL", help=text("option.url"))]


def check_seconds(seconds: float | None) -> float | None:
    """``seconds``, if they can be waited for; raises :class:`WrongUsage`."""
    if seconds is not None and not (seconds > 0 and math.isfinite(seconds)):
        raise WrongUsage(text("failed.seconds", seconds=f"{seconds:g}"))
    return seconds


def interrupt_of(context: typer.Context) -> Interrupt:
    """The wish to end, which ``main`` has given to the app."""
    interrupt = context.obj
    assert isinstance(interrupt, Interrupt), "main() gives it to the app"
    return interrupt
