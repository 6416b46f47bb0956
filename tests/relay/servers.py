"""Brokers for tests: of their own, each on a free port, ended by its process."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import eventually

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Broker", "NatsServer", "RedisServer", "free_port", "needs_nats", "needs_redis"]

# Where systems have programs of administrators, which not everyone's PATH leads to.
_PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin"))

REDIS = shutil.which("redis-server", path=_PATH)
NATS = shutil.which("nats-server", path=_PATH)

_HOW = "is not there; on Debian: apt-get install redis-server nats-server"
needs_redis = pytest.mark.skipif(REDIS is None, reason=f"redis-server {_HOW}")
needs_nats = pytest.mark.skipif(NATS is None, reason=f"nats-server {_HOW}")

# Outside of what systems take for outgoing connections: one that is started again finds it free.
_PORTS = range(20_000, 32_000)


def free_port() -> int:
    """A port that nobody listens on."""
    for port in random.sample(_PORTS, 50):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise OSError(f"no free port in {_PORTS}")


class Broker(ABC):
    """A context manager."""

    def __init__(self, *options: str) -> None:
        self.port = free_port()
        self._options = options
        self._place = Path(tempfile.mkdtemp(prefix="upbit-broker-"))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def url(self) -> str:
        """Where it is."""

    @abstractmethod
    def _command(self) -> list[str]:
        """How it is started."""

    @abstractmethod
    def _answers(self) -> bool:
        """Whether it is ready."""

    def start(self) -> None:
        """Start it, without what it held before, and wait until it answers."""
        shutil.rmtree(self._place, ignore_errors=True)
        self._place.mkdir()
        self.start_again()

    def start_again(self) -> None:
        """Start it with what it has on disk, and wait until it answers."""
        self._process = subprocess.Popen(
            [*self._command(), *self._options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        eventually(self._answers)

    def kill(self) -> None:
        """End it as a crash would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(20)

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    def pause(self) -> None:
        """Have it hang: it takes connections, and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Have it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def __enter__(self) -> Self:
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

    def _says(self, question: bytes) -> bytes:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)) as it:
            it.settimeout(5)
            if question:
                it.sendall(question)
            return it.recv(1000)
        return b""


class RedisServer(Broker):
    """Holds everything in memory only, unless ``options`` say otherwise."""

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def _command(self) -> list[str]:
        where = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._place)]
        return [REDIS or "redis-server", *where, "--save", ""]

    def _answers(self) -> bool:
        return self._says(b"PING\r\n").startswith((b"+PONG", b"-NOAUTH"))

    def client(self) -> Any:
        """A client of redis-py."""
        import redis

        return redis.Redis(port=self.port)


class NatsServer(Broker):
    """With JetStream, in a directory of its own."""

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def _command(self) -> list[str]:
        where = ["-a", "127.0.0.1", "-p", str(self.port), "-sd", str(self._place)]
        return [NATS or "nats-server", "-js", *where]

    def _answers(self) -> bool:
        return self._says(b"").startswith(b"INFO")
