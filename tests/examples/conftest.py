"""Examples, started and ended."""

from __future__ import annotations

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
def _ctrl_c(ctrl_c_is_not_ignored: None) -> None:
    """Of every test here."""


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    with ExitStack() as scripts:

        def start(sim: Simulator, script: str | Path, *arguments: str, **changes: str) -> Script:
            started = Script(sim, script, *arguments, directory=tmp_path, **changes)
            return scripts.enter_context(started)

        yield start
