"""A simulator in a process of its own, for tests that load or kill it."""

from __future__ import annotations

import json
import subprocess
import sys
from types import TracebackType
from typing import Any


class SimulatorProcess:
    """``python -m upbit_stream.simulator`` with ``arguments``; a context manager."""

    def __init__(self, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "upbit_stream.simulator", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        where = self._read()
        self.url: str = where["url"]
        self.port: int = where["port"]

    def do(self, name: str, **arguments: Any) -> Any:
        """Have it do something, and wait for the result."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": name, **arguments}) + "\n")
        self._process.stdin.flush()
        answer = self._read()
        assert answer["ok"], answer["error"]
        return answer["result"]

    def kill(self) -> None:
        """End it as a crash would."""
        self._process.kill()
        self._process.communicate(timeout=20)

    def __enter__(self) -> SimulatorProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._process.poll() is None:
            self._process.communicate(timeout=20)

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the simulator process ended unexpectedly"
        answer: dict[str, Any] = json.loads(line)
        return answer
