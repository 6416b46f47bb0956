"""``python script.py | head -1``: what is said when nobody reads what callbacks print."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap

import pytest

from tests.conftest import eventually
from upbit_stream import StreamConfig, UpbitStream
from upbit_stream.simulator import Simulator

SCRIPT = """
    from upbit_stream import StreamConfig, UpbitStream

    failed = []
    stream = UpbitStream(config=StreamConfig(url="{url}"))

    def show(event):
        print(event, flush=True)

    @stream.on_error
    def on_error(error):
        failed.append(error)
        if len(failed) == 50:
            stream.close()
        print(error, flush=True)

    stream.trade("KRW-BTC", show)
    stream.run()
"""


@pytest.mark.skipif(os.name == "nt", reason="a broken pipe is another error there")
def test_it_is_said_once_and_the_stream_can_be_ended() -> None:
    with Simulator(rate=200, codes=["KRW-BTC"]) as sim:
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(SCRIPT).format(url=sim.url)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith("Trade(")
        process.stdout.close()  # as head does
        with process.stderr:
            told = process.stderr.read()
        process.wait(20)
    said = told.partition("Exception ignored")[0]  # the interpreter's own, at the exit
    assert [line.partition(":")[0] for line in said.splitlines()] == [
        "the callback show raised for trade KRW-BTC",
        "the on_error handler on_error raised",
    ]
    assert said.count("standard output is closed") == 2


def test_another_pipe_that_breaks_is_logged_as_ever(
    config: StreamConfig, sim: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    mine, theirs = socket.socketpair()
    theirs.close()
    with mine, UpbitStream(config=config) as stream:
        stream.trade("KRW-BTC", lambda trade: mine.send(b"x"))
        eventually(lambda: stream.stats.errors)
        eventually(lambda: any(record.exc_info for record in caplog.records))
    assert "standard output" not in caplog.text
