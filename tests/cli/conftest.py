from __future__ import annotations

import signal
from collections.abc import Callable, Iterator

import pytest
from cli_program import Program
from cli_terminal import Terminal


@pytest.fixture(autouse=True)
def ctrl_c_is_not_ignored() -> Iterator[None]:
    """Children inherit an ignored signal, and tests in the background of a script have that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def start() -> Iterator[Callable[..., Program]]:
    """Starts a command that ends with the test."""
    programs: list[Program] = []

    def start_program(*arguments: str, **variables: str) -> Program:
        programs.append(Program(arguments, **variables))
        return programs[-1]

    yield start_program
    for program in programs:
        program.end()


@pytest.fixture
def start_on_terminal() -> Iterator[Callable[..., Terminal]]:
    """Starts a command in a terminal; both end with the test."""
    terminals: list[Terminal] = []

    def start_terminal(*arguments: str, **options: object) -> Terminal:
        terminals.append(Terminal(arguments, **options))  # type: ignore[arg-type]
        return terminals[-1]

    yield start_terminal
    for terminal in terminals:
        terminal.end()
