"""Publishers and consumers as processes of their own, to be killed."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from types import TracebackType

__all__ = ["Publisher", "Reader"]


class _Process:
    """A context manager. What it prints is read by a thread of the test's."""

    def __init__(self, *arguments: str, **environ: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **environ},
            text=True,
        )
        self.lines: list[str] = []
        self._reading = threading.Thread(target=self._read)
        self._reading.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            # One that was torn by a kill was never told.
            if line.endswith("\n"):
                self.lines.append(line)

    def kill(self) -> None:
        """End it as a crash would."""
        self.process.kill()
        self._end()

    def close(self) -> None:
        """Have it end by itself."""
        self._end()
        assert self.process.returncode == 0

    def _end(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(20)
        self._reading.join(20)
        self.process.stdout.close()

    def __enter__(self) -> _Process:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.kill()


class Publisher(_Process):
    """``upbit-stream publish`` of these codes' trades, and order books if they are asked for."""

    def __init__(self, url: str, broker: str, *codes: str, books: bool = False) -> None:
        types = ("-t", "trade", *(("-t", "orderbook") if books else ()))
        arguments = ("publish", *codes, *types, "--to", broker)
        super().__init__("-m", "upbit_stream", *arguments, UPBIT_STREAM_URL=url)

    def close(self) -> None:
        """Have it end by itself: it is asked as a service manager asks."""
        self.process.terminate()
        super().close()


class Reader(_Process):
    """A consumer of these codes' trades (or another type)."""

    def __init__(self, source: str, *codes: str, type_: str = "trade") -> None:
        super().__init__("-m", "tests.relay.reading", source, type_, *codes)

    @property
    def gaps(self) -> list[str]:
        """The gaps that it was told of."""
        return [line for line in self.lines.copy() if line.startswith("gap")]

    def ids(self, code: str) -> list[int]:
        """The trades of a code, as they came."""
        rows = [line.split() for line in self.lines.copy()]
        return [int(row[1]) for row in rows if row[0] == code]
