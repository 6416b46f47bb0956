"""An example as a process, started as a person would start it."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.cli.program import Program
from tests.conftest import ACCESS_KEY, SECRET_KEY
from upbit_stream.simulator import Simulator

__all__ = ["EXAMPLES", "ROOT", "SCRIPTS", "Script"]

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = ROOT / "examples"
SCRIPTS = sorted(path.name for path in EXAMPLES.glob("*.py"))


class Script(Program):
    """A running script (a name in ``examples/``, or a path) against a simulator."""

    def __init__(
        self, sim: Simulator, script: str | Path, *arguments: str, directory: Path, **changes: str
    ) -> None:
        variables = {
            "UPBIT_STREAM_URL": sim.url,
            "UPBIT_ACCESS_KEY": ACCESS_KEY,
            "UPBIT_SECRET_KEY": SECRET_KEY,
            "PYTHONIOENCODING": "utf-8",
            "PYTHONPATH": str(EXAMPLES),
            "PYTHONUNBUFFERED": "1",
            "PYTHONWARNINGS": "error",
        }
        program = (sys.executable, str(EXAMPLES / script))
        super().__init__(
            arguments, program=program, directory=directory, **{**variables, **changes}
        )

    def all(self) -> str:
        """What it has written, when it has ended by itself and without a complaint."""
        assert (self.exit_code(), self.err.all()) == (0, "")
        return self.out.all()
