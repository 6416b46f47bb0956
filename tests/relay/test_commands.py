"""``upbit-stream publish`` and ``relay-status``."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import pytest

from tests.conftest import eventually
from tests.relay.servers import RedisServer, free_port, needs_redis
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
    # No table without a row, but what to do.
    assert done.stdout.splitlines() == [
        "nobody publishes here: no publisher is connected to this broker",
        f"begin with: upbit-stream publish KRW-BTC KRW-ETH --to {redis_server.url}",
        "",
        f'nobody reads here; a program does with UpbitStream(source="{redis_server.url}")',
    ]


def test_who_publishes_to_nobody_is_told_how_to_read(redis_server: RedisServer) -> None:
    command = [sys.executable, "-m", "upbit_stream", "publish", "--demo", "KRW-BTC", "KRW-ETH"]
    publisher = subprocess.Popen(
        [*command, "--to", redis_server.url], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    try:
        assert publisher.stdout is not None
        begin = publisher.stdout.readline()
        assert begin == f"publishing trade of 2 codes to {redis_server.url}; connecting\n"
        told: list[str] = []

        def seen() -> bool:
            told[:] = run("relay-status", redis_server.url).stdout.splitlines()
            return told[0].startswith("Publisher")

        eventually(seen)
    finally:
        publisher.terminate()
        publisher.communicate(timeout=20)
    assert told[-1].startswith("nobody reads here; ")


def test_a_publisher_whose_broker_is_away_says_what_it_waits_for() -> None:
    url = f"redis://127.0.0.1:{free_port()}"
    arguments = ["publish", "--demo", "KRW-BTC", "--to", url]
    command = [sys.executable, "-m", "upbit_stream", *arguments, "--seconds", "1", "--json"]
    with_json = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for seconds in ("1", "5", "20"):  # on a busy machine it may take longer until something comes
        done = run(*arguments, "--seconds", seconds)
        begin, *lines = done.stdout.splitlines()
        assert begin == f"publishing trade of 1 code to {url}; connecting"
        if len(lines) > 1:
            break
    waits = re.fullmatch(
        r"waiting for up to 5 s for ([\d,]+) events that are still unsent", lines[-2]
    )
    assert waits is not None
    # All of them were dropped, told, and counted before the last line.
    assert f" 0 waiting, {waits[1]} dropped" in lines[-1]
    count = waits[1].replace(",", "")
    assert f"upbit-stream: {count} trade events were dropped" in done.stderr.replace(",", "")
    assert done.returncode == 1
    away = f"upbit-stream: {url}: the connection was refused (is it running?); trying again"
    assert any(line.startswith(away) for line in done.stderr.splitlines())
    (line,) = with_json.communicate(timeout=60)[0].splitlines()
    assert json.loads(line)["to"] == url


@pytest.mark.parametrize(
    ("arguments", "exit_code", "told"),
    [
        (("publish", "KRW-BTC", "--to", "http://h"), 2, "give the URL of a broker"),
        (("publish", "--to", "redis://h"), 2, "name at least one market"),
        (("publish", "KRW-BTC", "-t", "trades", "--to", "redis://h"), 2, "did you mean 'trade'"),
        (("relay-status", "nonsense"), 2, "give the URL of a broker"),
        (("relay-status", "redis://127.0.0.1:1"), 1, "redis://127.0.0.1:1"),
        (
            ("relay-status", "redis://127.0.0.1:1"),
            1,
            "upbit-stream: redis://127.0.0.1:1: the connection was refused (is it running?)\n",
        ),
        (
            ("relay-status", "nats://127.0.0.1:1"),
            1,
            "upbit-stream: nats://127.0.0.1:1: the connection was refused (is it running?)\n",
        ),
        (
            ("relay-status", "redis://no.invalid"),
            1,
            "upbit-stream: redis://no.invalid: the host name cannot be resolved (is it right?)\n",
        ),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    arguments: tuple[str, ...], exit_code: int, told: str
) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (exit_code, "")
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
