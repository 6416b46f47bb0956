"""The pytest plugin, in a pytest of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CONFTEST = """
import json, pathlib, pytest

@pytest.fixture(scope="session", autouse=True)
def at_the_end(upbit_simulator):
    yield
    seen = {"handshakes": len(upbit_simulator.handshakes), "open": len(upbit_simulator.connections)}
    pathlib.Path("seen.json").write_text(json.dumps(seen))
"""

SUITE = """
import threading, pytest
from upbit_stream import StreamConfig, UpbitStream

@pytest.mark.parametrize("number", range(40))
def test_a_stream_for_each(number, upbit_stream, upbit_simulator):
    trades = upbit_stream.trade("KRW-BTC", snapshot=False)
    assert upbit_stream.wait_connected(5)
    upbit_simulator.wait_for_subscription("trade", "KRW-BTC")
    upbit_simulator.trade("KRW-BTC")
    assert trades.get(timeout=5).code == "KRW-BTC"
    assert upbit_stream.stats.reconnects == 0
    assert upbit_stream.health().problems == ()

@pytest.mark.parametrize("number", range(10))
def test_streams_of_their_own(number, upbit_config):
    assert upbit_config.linger == 30
    with UpbitStream(config=StreamConfig(url=upbit_config.url)) as stream:
        assert stream.ticker("KRW-ETH").get(timeout=5)
"""


def run(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "pytest", "-p", "upbit_stream.testing", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_fifty_tests_make_one_connection_and_log_no_reconnect(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_suite.py").write_text(SUITE)
    out = run(tmp_path, "-q", "-o", "log_cli=true", "--log-cli-level=DEBUG")
    assert "50 passed" in out
    assert "again" not in out
    assert "reconnecting" not in out
    assert (tmp_path / "seen.json").read_text() == '{"handshakes": 1, "open": 1}'
    # Connecting, and connected; what lingered was closed when it was all over.
    assert out.count(": connected") == 1


LEFT = """
import threading
from upbit_stream import StreamConfig

def test_nothing(upbit_stream):
    assert upbit_stream.ticker("KRW-BTC").get(timeout=5)
"""

AFTERWARDS = """
import sys, threading, pytest
code = pytest.main(["-q", "-p", "upbit_stream.testing", "test_left.py"])
from upbit_stream import StreamConfig
print([one.name for one in threading.enumerate() if one.name.startswith("upbit-")])
print(StreamConfig().linger)
sys.exit(code)
"""


def test_after_the_session_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "test_left.py").write_text(LEFT)
    done = subprocess.run(
        [sys.executable, "-c", AFTERWARDS],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-2:] == ["[]", "0.0"]
