"""Interrupting, restarting and shutting down the kernel."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import eventually
from tests.notebook.conftest import SETUP, Trader
from tests.notebook.kernel import Kernel
from upbit_stream.simulator import Simulator

RUN = """
stream = UpbitStream()
@stream.trade("KRW-BTC")
def on_trade(trade):
    print(int(trade.trade_price))
stream.run()
print("ran")
"""


def test_interrupting_ends_the_run_and_not_the_stream(kernel: Kernel, trade: Trader) -> None:
    run = kernel.begin(RUN)
    line = trade()
    eventually(lambda: line in kernel.text(run))
    kernel.interrupt()
    kernel.finish(run)
    assert kernel.text(run).endswith("ran\n")
    assert kernel.ask("stream.state.value") == "connected"
    again = kernel.begin("stream.run()")
    line = trade()
    eventually(lambda: line in kernel.text(run))
    kernel.interrupt()
    kernel.finish(again)


def test_shutting_down_leaves_nothing(market: Simulator, tmp_path: Path) -> None:
    environ = {"UPBIT_STREAM_URL": market.url, "UPBIT_REST_URL": market.rest_url}
    with Kernel(environ, tmp_path) as kernel:
        kernel.run(SETUP)
        kernel.run('stream = UpbitStream(); stream.trade("KRW-BTC", print); stream.start()')
        kernel.run("stream.wait_connected(10)")
        eventually(lambda: len(market.connections) == 1)
        assert kernel.shut_down() == 0
        eventually(lambda: not market.connections)


def test_a_connection_lingers_for_the_next_cell(kernel: Kernel) -> None:
    assert kernel.ask("StreamConfig().linger") == "30.0"
    assert kernel.ask("StreamConfig(linger=0).linger") == "0"
