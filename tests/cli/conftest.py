from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import Program
from tests.cli.terminal import Terminal
from tests.cli.tmux import Tmux
from upbit_stream.cli import main

Start = Callable[..., Program]
StartOnTerminal = Callable[..., Terminal]
StartInTmux = Callable[..., Tmux]
Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def _ctrl_c(ctrl_c_is_not_ignored: None) -> None:
    """Of every test here."""


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a command that ends with the test."""
    with ExitStack() as programs:

        def start_program(*arguments: str, **variables: Any) -> Program:
            return programs.enter_context(Program(arguments, **variables))

        yield start_program


@pytest.fixture
def start_on_terminal() -> Iterator[StartOnTerminal]:
    """Starts a command in a terminal; both end with the test."""
    terminals: list[Terminal] = []

    def start_terminal(*arguments: str, **options: Any) -> Terminal:
        terminals.append(Terminal(arguments, **options))
        return terminals[-1]

    yield start_terminal
    for terminal in terminals:
        terminal.end()


@pytest.fixture
def start_in_tmux(tmp_path: Path) -> Iterator[StartInTmux]:
    """Starts a command in a terminal that can be looked at; both end with the test."""
    terminals: list[Tmux] = []

    def start_tmux(*arguments: str, **options: Any) -> Tmux:
        terminals.append(Tmux(arguments, tmp_path, **options))
        return terminals[-1]

    yield start_tmux
    for terminal in terminals:
        terminal.end()


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Call]:
    """Calls the command in this process: its exit code, and what it wrote to both outputs."""
    monkeypatch.delenv("UPBIT_STREAM_URL", raising=False)
    names = ("SIGINT", "SIGTERM", "SIGBREAK")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = [signal.getsignal(number) for number in numbers]

    def call_main(*arguments: str) -> tuple[int, str, str]:
        exit_code = main(arguments)
        return exit_code, *capfd.readouterr()

    yield call_main
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)
