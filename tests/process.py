"""Python processes that tests talk to, or kill; the simulator is one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Process", "SimulatorProcess"]


class Process:
    """Python with ``arguments`` and, beside ours, the variables ``environ``. It ends when its
    standard input does, at the latest with the block of this context manager.
    """

    def __init__(
        self, *arguments: str, environ: Mapping[str, str] | None = None, stderr: int | None = None
    ) -> None:
        self._arguments = arguments
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env={**os.environ, **(environ or {})},
            text=True,
        )

    def say(self, line: str) -> None:
        """Give it a line to read."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def read(self) -> str:
        """The next line that it writes."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the process ended unexpectedly: {self._arguments}"
        return line

    def kill(self) -> None:
        """End it as a crash would."""
        self.process.kill()
        self._end()

    def _end(self) -> None:
        """Close the pipes and wait."""
        self.process.communicate(timeout=20)

    def _leave(self) -> None:
        """It still runs at the end of the block."""
        self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self.process.poll() is None:
            self._leave()


class SimulatorProcess(Process):
    """``python -m upbit_stream.simulator`` with ``arguments``."""

    def __init__(self, *arguments: str, stderr: int | None = None) -> None:
        super().__init__("-m", "upbit_stream.simulator", *arguments, stderr=stderr)
        where = json.loads(self.read())
        self.url: str = where["url"]
        self.port: int = where["port"]

    def ask(self, name: str, **arguments: Any) -> dict[str, Any]:
        """Have it do something; its answer."""
        self.say(json.dumps({"do": name, **arguments}))
        answer: dict[str, Any] = json.loads(self.read())
        return answer

    def do(self, name: str, **arguments: Any) -> Any:
        """Have it do something, and wait for the result."""
        answer = self.ask(name, **arguments)
        assert answer["ok"], answer["error"]
        return answer["result"]
