"""The options that several commands share, each told once.

The commands have them as fields of their options, by these names (see
:mod:`~upbit_stream.cli.commanding`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from upbit_stream.cli.completing import (
    complete_code,
    complete_depth,
    complete_region,
    complete_type,
)
from upbit_stream.cli.failures import WrongUsage
from upbit_stream.cli.texts import text

__all__ = [
    "Codes",
    "Demo",
    "Depth",
    "DiagnosedCodes",
    "Exact",
    "Json",
    "LiveOptions",
    "RecordedCodes",
    "RecordedTypes",
    "Region",
    "Seconds",
    "Types",
    "Url",
    "check_seconds",
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


def check_seconds(seconds: float | None) -> None:
    """Raises :class:`WrongUsage` for a time that cannot be waited for."""
    if seconds is not None and not (seconds > 0 and math.isfinite(seconds)):
        raise WrongUsage(text("failed.seconds", seconds=f"{seconds:g}"))


@dataclass(frozen=True, kw_only=True)
class LiveOptions:
    """What every command asks that follows the market."""

    codes: Codes = None
    demo: Demo = False
    seconds: Seconds = None
    json: Json = False
    exact: Exact = False
    region: Region = "kr"
    depth: Depth = 30

    def __post_init__(self) -> None:
        check_seconds(self.seconds)
