"""Examples, started and ended."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from tests.examples.script import Script
from upbit_stream.simulator import Simulator


class Run(Protocol):
    """Starts a script against a simulator; it ends with the test."""

    def __call__(
        self, sim: Simulator, script: str | Path, *arguments: str, **changes: str
    ) -> Script: ...


@pytest.fixture(autouse=True)
def ctrl_c_is_not_ignored() -> Iterator[None]:
    """Children inherit an ignored signal, and tests in the background of a script have that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    with ExitStack() as scripts:

        def start(sim: Simulator, script: str | Path, *arguments: str, **changes: str) -> Script:
            started = Script(sim, script, *arguments, directory=tmp_path, **changes)
            return scripts.enter_context(started)

        yield start
