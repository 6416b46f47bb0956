"""A Redis server for tests: of its own, on a free port, ended by its process."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from tests.conftest import eventually

__all__ = ["RedisServer", "needs_redis"]

needs_redis = pytest.mark.skipif(
    shutil.which("redis-server") is None,
    reason="redis-server is not there: install your system's package of that name",
)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


class RedisServer:
    """A context manager. What it holds is in memory only, unless ``options`` say otherwise."""

    def __init__(self, *options: str) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        self._options = options
        self._place = Path(tempfile.mkdtemp(prefix="upbit-redis-"))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        arguments = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1"]
        arguments += ["--save", "", "--dir", str(self._place), *self._options]
        self._process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL)
        eventually(self._answers)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)) as it:
            it.sendall(b"PING\r\n")
            return it.recv(100).startswith((b"+PONG", b"-NOAUTH"))
        return False

    def kill(self) -> None:
        """End it as a crash would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(20)

    def pause(self) -> None:
        """Have it hang: it takes connections, and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Have it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def client(self) -> Any:
        """A client of redis-py."""
        import redis

        return redis.Redis(port=self.port)

    def __enter__(self) -> RedisServer:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()
        shutil.rmtree(self._place, ignore_errors=True)
