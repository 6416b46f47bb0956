"""An example as a process, started as a person would start it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import IO

from tests.cli.program import Collected, environment
from tests.conftest import ACCESS_KEY, PATIENCE, SECRET_KEY
from upbit_stream.simulator import Simulator

__all__ = ["EXAMPLES", "ROOT", "SCRIPTS", "Script"]

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = ROOT / "examples"
SCRIPTS = sorted(path.name for path in EXAMPLES.glob("*.py"))


class Script:
    """A running script (a name in ``examples/``, or a path) against a simulator; a context
    manager.
    """

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
        self.process = subprocess.Popen(
            (sys.executable, str(EXAMPLES / script), *arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(**{**variables, **changes}),
            cwd=directory,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        self.out = _collected(self.process.stdout, "stdout")
        self.err = _collected(self.process.stderr, "stderr")

    def interrupt(self) -> None:
        """What Ctrl-C does."""
        self.process.send_signal(getattr(signal, "CTRL_BREAK_EVENT", signal.SIGINT))

    def end(self) -> str:
        """What it has written, when it has ended by itself and without a complaint."""
        assert (self.process.wait(PATIENCE), self.err.all()) == (0, "")
        return self.out.all()

    def __enter__(self) -> Script:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE)
        self.out.all()
        self.err.all()
        for pipe in (self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()


def _collected(pipe: IO[bytes] | None, name: str) -> Collected:
    assert pipe is not None
    return Collected(lambda: os.read(pipe.fileno(), 65536), name)
