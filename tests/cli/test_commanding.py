"""A command's signature is made of the fields of its options."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from upbit_stream.cli.commanding import command_of
from upbit_stream.cli.interrupt import Interrupt
from upbit_stream.cli.options import LiveOptions


@dataclass(frozen=True, kw_only=True)
class Options(LiveOptions):
    """One more, one that is another by default."""

    out: Annotated[str, typer.Option("--out")]
    depth: int = 3


def test_own_fields_come_before_inherited_ones() -> None:
    signature = inspect.signature(command_of(Options, lambda options, interrupt: None))
    assert list(signature.parameters) == [
        "context", "out", "codes", "demo", "seconds", "json", "exact", "region", "depth",
    ]  # fmt: skip
    assert signature.parameters["out"].default is inspect.Parameter.empty
    assert signature.parameters["depth"].default == 3


@pytest.mark.parametrize(("ends", "exit_code"), [(None, 0), (True, 0), (False, 1)])
def test_what_was_given_is_one_value(ends: bool | None, exit_code: int) -> None:
    given: list[Options] = []

    def run(options: Options, interrupt: Interrupt) -> bool | None:
        given.append(options)
        return ends

    app = typer.Typer()
    app.command()(command_of(Options, run))
    arguments = ["KRW-BTC", "--out", "here", "--json", "--seconds", "2"]
    ended = CliRunner().invoke(app, arguments, obj=Interrupt())
    assert (ended.exit_code, ended.exception if exit_code == 0 else None) == (exit_code, None)
    assert given == [Options(codes=["KRW-BTC"], out="here", json=True, seconds=2.0)]
