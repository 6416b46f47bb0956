"""A script that forgot to wait says so; whoever waits, in whatever way, hears nothing."""

from __future__ import annotations

import logging
import subprocess
import sys
import textwrap
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.conftest import eventually
from upbit_stream import StreamConfig, Trade, UpbitStream
from upbit_stream.simulator import Simulator

EXIT = "the program ends, and none of the callbacks of its stream was ever called; call stream.run"
WITH = "the end of `with` has closed the stream at once"

# Nothing listens there, so nothing comes.
HEAD = """
import time
from upbit_stream import StreamConfig, UpbitStream
config = StreamConfig(url="ws://127.0.0.1:9")
"""


def told(script: str, *, head: str = HEAD, flags: tuple[str, ...] = ()) -> str:
    """What a script says on stderr."""
    whole = head + textwrap.dedent(script)
    command = [sys.executable, *flags, "-c", whole]
    ended = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
    )
    assert ended.stdout == ""
    return ended.stderr


def test_a_script_without_run_says_so_at_its_end() -> None:
    never_begun = """
        stream = UpbitStream(config=config)
        @stream.trade("KRW-BTC")
        def on_trade(trade):
            print(trade)
        """
    begun = "stream = UpbitStream(config=config)\nstream.trade('KRW-BTC', print)\nstream.start()"
    for script in (never_begun, begun):
        lines = told(script).splitlines()
        assert len([line for line in lines if line.startswith(EXIT)]) == 1, lines


@pytest.mark.parametrize(
    "script",
    [
        pytest.param("stream = UpbitStream(config=config)", id="nothing is subscribed"),
        pytest.param(
            "stream = UpbitStream(config=config)\ntrades = stream.trade('KRW-BTC')",
            id="nothing is to be called",
        ),
        pytest.param(
            "stream = UpbitStream(config=config)\nstream.trade('KRW-BTC', print)\nstream.close()",
            id="closed by hand",
        ),
        pytest.param(
            "stream = UpbitStream(config=config)\nstream.trade('KRW-BTC', print)\nstream.run(0.1)",
            id="run",
        ),
        pytest.param(
            """
            stream = UpbitStream(config=config)
            stream.trade('KRW-BTC', print)
            stream.start()
            time.sleep(1.1)
            """,
            id="waited by its own means",
        ),
        pytest.param(
            """
            import threading
            stream = UpbitStream(config=config)
            stream.trade('KRW-BTC', print)
            stream.start()
            threading.Timer(1.1, stream.close).start()
            """,
            id="a thread goes on",
        ),
        pytest.param(
            "stream = UpbitStream(config=config)\nstream.trade('KRW-BTC', print)\n1 / 0",
            id="it failed",
        ),
    ],
)
def test_who_waits_or_does_not_want_to_hears_nothing(script: str) -> None:
    assert "stream.run()" not in told(script)


def test_a_module_with_a_stream_that_is_only_imported_hears_nothing(tmp_path: Path) -> None:
    module = "stream = UpbitStream(config=config)\nstream.trade('KRW-BTC', print)\n"
    (tmp_path / "market.py").write_text(HEAD + module, "utf-8")
    assert told(f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import market", head="") == ""
    # A child of multiprocessing imports the script itself once more.
    (tmp_path / "script.py").write_text(
        HEAD + module + "import multiprocessing\n"
        "if __name__ == '__main__':\n"
        "    child = multiprocessing.get_context('spawn').Process(target=int)\n"
        "    child.start(); child.join(30)\n"
        "    stream.run(0.1)\n",
        "utf-8",
    )
    command = [sys.executable, str(tmp_path / "script.py")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert "stream.run()" not in ended.stderr, ended.stderr


def test_whoever_types_at_a_prompt_hears_nothing() -> None:
    script = "stream = UpbitStream(config=config)\nstream.trade('KRW-BTC', print)"
    assert "stream.run()" not in told(script, flags=("-i",))


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if "stream.run()" in one.getMessage()]


def test_a_with_that_ends_at_once_says_so(
    caplog: pytest.LogCaptureFixture, config: StreamConfig
) -> None:
    with UpbitStream(config=StreamConfig(url="ws://127.0.0.1:9")) as stream:
        stream.trade("KRW-BTC", callback=print)
    (line,) = warnings(caplog)
    assert line.startswith(WITH)


def test_a_with_in_which_something_waits_says_nothing(
    caplog: pytest.LogCaptureFixture, sim: Simulator, config: StreamConfig
) -> None:
    caplog.set_level(logging.WARNING)
    nowhere = StreamConfig(url="ws://127.0.0.1:9")
    seen: list[Trade] = []
    with UpbitStream(config=config) as stream:
        stream.trade("KRW-BTC", callback=seen.append)
        eventually(lambda: seen)
    with UpbitStream(config=nowhere) as stream:
        stream.trade("KRW-BTC", callback=seen.append)
        stream.run(0.05)
    with UpbitStream(config=nowhere) as stream:
        stream.trade("KRW-BTC", callback=seen.append)
        stream.close()
    with UpbitStream(config=nowhere) as stream:
        stream.trade("KRW-BTC")
    with UpbitStream(config=nowhere) as stream:
        stream.trade("KRW-BTC", callback=seen.append)
        time.sleep(1.1)
    with suppress(ZeroDivisionError), UpbitStream(config=nowhere) as stream:
        stream.trade("KRW-BTC", callback=seen.append)
        _ = 1 / 0
    assert warnings(caplog) == []
