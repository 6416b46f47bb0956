"""Publishers and consumers as processes of their own, to be killed."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Mapping

from tests.process import Process

__all__ = ["Publisher", "Reader"]


class _Overheard(Process):
    """What it prints is read by a thread of the test's. It is killed at the end of the block."""

    def __init__(self, *arguments: str, environ: Mapping[str, str] | None = None) -> None:
        super().__init__(*arguments, environ=environ)
        self.lines: list[str] = []
        self._reading = threading.Thread(target=self._overhear)
        self._reading.start()

    def _overhear(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            # One that was torn by a kill was never told.
            if line.endswith("\n"):
                self.lines.append(line)

    def pause(self) -> None:
        """Have it stand still, as in a container that is frozen."""
        self.process.send_signal(signal.SIGSTOP)
        # Until all its threads do.
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def resume(self) -> None:
        """Have it go on."""
        self.process.send_signal(signal.SIGCONT)

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

    def _leave(self) -> None:
        self.kill()


class Publisher(_Overheard):
    """``upbit-stream publish`` of these codes' trades, and order books if they are asked for."""

    def __init__(self, url: str, broker: str, *codes: str, books: bool = False) -> None:
        types = ("-t", "trade", *(("-t", "orderbook") if books else ()))
        arguments = ("publish", *codes, *types, "--to", broker)
        super().__init__("-m", "upbit_stream", *arguments, environ={"UPBIT_STREAM_URL": url})

    def close(self) -> None:
        """Have it end by itself: it is asked as a service manager asks."""
        self.process.terminate()
        super().close()


class Reader(_Overheard):
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
