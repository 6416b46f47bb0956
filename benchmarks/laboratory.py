"""Runs jobs: the server in a process, each client in a process of its own, one after the other."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import msgspec

from benchmarks.job import Job, Result

__all__ = ["Laboratory"]

ROOT = Path(__file__).parent.parent
_TIME_LIMIT = 300.0


class Laboratory:
    """The server, for as long as the ``with`` lasts."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._authority = str(Path(self._folder.name) / "authority.pem")
        self._server = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.server", self._authority],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        self._port = int(self._line())

    def __enter__(self) -> Laboratory:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._server:  # it closes the pipes, and waits
            self._server.kill()
        self._folder.cleanup()

    def measure(self, job: Job) -> Result:
        """Do ``job``. Raises ``RuntimeError`` with what the client said when it failed."""
        job = msgspec.structs.replace(
            job, port=self._port, authority=self._authority if job.tls else ""
        )
        text = msgspec.json.encode(job).decode()
        assert self._server.stdin is not None
        self._server.stdin.write(text + "\n")
        self._server.stdin.flush()
        assert self._line() == "ready"
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "benchmarks.measures", text],
            capture_output=True,
            text=True,
            cwd=ROOT,
            timeout=_TIME_LIMIT,
            check=False,
        )
        if done.returncode or not done.stdout:
            raise RuntimeError(f"{job.client}: {done.stderr[-2000:]}")
        return msgspec.json.decode(done.stdout.splitlines()[-1], type=Result)

    def in_turns(self, jobs: Sequence[Job], rounds: int) -> list[list[Result]]:
        """Every job once, then every job again …: what disturbs the machine disturbs all. The
        results of each job, a round each.
        """
        results: list[list[Result]] = [[] for _ in jobs]
        for _ in range(rounds):
            for job, found in zip(jobs, results, strict=True):
                found.append(self.measure(job))
        return results

    def _line(self) -> str:
        assert self._server.stdout is not None
        return self._server.stdout.readline().strip()
