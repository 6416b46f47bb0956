"""``upbit-stream publish`` and ``relay-status``."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.conftest import eventually
from tests.relay.servers import RedisServer, needs_redis
from upbit_stream import ConnectionPool, UpbitStream

pytestmark = needs_redis


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, to its end."""
    command = [sys.executable, "-m", "upbit_stream", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_what_is_published_is_read_and_seen(redis_server: RedisServer) -> None:
    arguments = ["publish", "--demo", "KRW-BTC", "-t", "trade", "-t", "ticker"]
    command = [sys.executable, "-m", "upbit_stream", *arguments, "--to", redis_server.url]
    publisher = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        with UpbitStream(source=redis_server.url, pool=ConnectionPool()) as stream:
            assert stream.trade("KRW-BTC").get(20).code == "KRW-BTC"
            status: dict[str, Any] = {}

            def reported() -> bool:
                status.update(json.loads(run("relay-status", redis_server.url, "--json").stdout))
                readers = status["consumers"].values()
                return bool(status["publishers"]) and any(one["received"] for one in readers)

            eventually(reported)
            table = run("relay-status", redis_server.url)
    finally:
        publisher.terminate()
        out, told = publisher.communicate(timeout=20)
    (one,) = status["publishers"].values()
    assert (one["state"], one["pid"], one["lanes"]) == ("connected", publisher.pid, 2)
    assert len(status["consumers"]) == 1
    assert table.returncode == 0
    assert "Publisher" in table.stdout
    assert "connected" in table.stdout
    assert publisher.returncode == 0
    assert "events published" in out.splitlines()[-1]
    assert out.splitlines()[-1].startswith(f"{redis_server.url}: ")
    assert told == "upbit-stream: simulated data, not the exchange's\n"


def test_that_nobody_publishes_is_an_exit_code(redis_server: RedisServer) -> None:
    done = run("relay-status", redis_server.url)
    assert done.returncode == 1
    assert "no publisher is connected" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "exit_code", "told"),
    [
        (("publish", "KRW-BTC", "--to", "http://h"), 2, "give the URL of a broker"),
        (("publish", "--to", "redis://h"), 2, "name at least one market"),
        (("publish", "KRW-BTC", "-t", "trades", "--to", "redis://h"), 2, "did you mean 'trade'"),
        (("relay-status", "nonsense"), 2, "give the URL of a broker"),
        (("relay-status", "redis://127.0.0.1:1"), 1, "redis://127.0.0.1:1"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    arguments: tuple[str, ...], exit_code: int, told: str
) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (exit_code, "")
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
