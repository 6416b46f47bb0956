"""What callbacks print, show and raise."""

from __future__ import annotations

import re

import pytest

from tests.conftest import eventually
from tests.notebook.conftest import Trader
from tests.notebook.kernel import CellFailed, Kernel
from upbit_stream.simulator import Simulator


def plain(text: str) -> str:
    """Without colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


STREAM = "stream = UpbitStream(); stream.start()"


def test_output_lands_in_the_cell_that_registered(kernel: Kernel, trade: Trader) -> None:
    kernel.run(STREAM)
    one = kernel.run("""
from IPython.display import display
@stream.trade("KRW-BTC")
def first(trade):
    print("first", int(trade.trade_price))
    display({"of": "the first"})
""")
    two = kernel.run("""
@stream.trade("KRW-BTC")
def second(trade):
    print("second", int(trade.trade_price))
""")
    other = kernel.run("1 + 1")
    line = trade()
    eventually(lambda: f"first {line}" in kernel.text(one))
    eventually(lambda: f"second {line}" in kernel.text(two))
    assert "second" not in kernel.text(one)
    assert "first" not in kernel.text(two)
    assert kernel.text(other) == ""
    eventually(lambda: kernel.of_type(one, "display_data"))
    assert kernel.of_type(other, "display_data") == []


def test_an_exception_is_shown_once(kernel: Kernel, market: Simulator, trade: Trader) -> None:
    kernel.run(STREAM)
    run = kernel.run("""
@stream.trade("KRW-BTC")
def on_trade(trade):
    1 / 0
""")
    eventually(lambda: kernel.text(run, "stderr"))
    for _ in range(1000):
        trade()
    eventually(lambda: kernel.ask("stream.stats.errors >= 1000") == "True")
    shown = plain(kernel.text(run, "stderr"))
    assert shown.count("Traceback") == 1
    assert shown.count("ZeroDivisionError: division by zero") == 1
    assert "the callback on_trade raised for trade KRW-BTC; the stream goes on" in shown
    assert "on_trade(trade)" in shown
    # Of the person's frames only.
    assert "channel.py" not in shown


def test_the_same_exception_is_counted(kernel: Kernel, trade: Trader) -> None:
    kernel.run("from upbit_stream.notebook import failures; failures._COUNT_EVERY = 0")
    kernel.run(STREAM)
    run = kernel.run("""
@stream.trade("KRW-BTC")
def on_trade(trade):
    1 / 0
""")
    eventually(lambda: "division by zero" in plain(kernel.text(run, "stderr")))
    trade()
    trade()
    eventually(lambda: "(2 times more since it was shown)" in kernel.text(run, "stderr"))
    kernel.run("failures._COUNT_EVERY = 60")
    assert kernel.text(run, "stderr").count("Traceback") == 1


def test_another_exception_is_shown_as_well(kernel: Kernel, trade: Trader) -> None:
    kernel.run(STREAM)
    run = kernel.run("""
count = 0
@stream.trade("KRW-BTC")
def on_trade(trade):
    global count
    count += 1
    if count % 2:
        raise KeyError("odd")
    raise OSError("even")
""")
    eventually(lambda: "KeyError: 'odd'" in plain(kernel.text(run, "stderr")))
    for _ in range(10):
        trade()
    eventually(lambda: "OSError: even" in plain(kernel.text(run, "stderr")))
    assert kernel.text(run, "stderr").count("Traceback") == 2


@pytest.mark.parametrize("where", ["stderr", "stdout"])
def test_a_log_in_the_cell_shows_it_once(kernel: Kernel, trade: Trader, where: str) -> None:
    kernel.run(STREAM)
    run = kernel.run(f"""
import logging, sys
handler = logging.StreamHandler(sys.{where})
logging.getLogger().addHandler(handler)
@stream.trade("KRW-BTC")
def on_trade(trade):
    1 / 0
""")
    eventually(lambda: kernel.ask("stream.stats.errors") == "1")
    for _ in range(10):
        trade()
    eventually(lambda: kernel.ask("stream.stats.errors") == "11")
    kernel.run("logging.getLogger().removeHandler(handler)")
    eventually(lambda: "Traceback" in kernel.text(run, where))
    both = kernel.text(run, "stderr") + kernel.text(run)
    assert both.count("Traceback") == 1


def test_a_handler_that_raises(kernel: Kernel) -> None:
    kernel.run(STREAM)
    run = kernel.run("""
@stream.on_state
def on_state(state):
    raise ValueError("no")
""")
    kernel.run('stream.trade("KRW-BTC"); stream.wait_connected(10)')
    eventually(lambda: "ValueError" in kernel.text(run, "stderr"))
    assert kernel.text(run, "stderr").count("Traceback") == 1


def test_on_error_is_told_of_each_with_the_function(kernel: Kernel, trade: Trader) -> None:
    kernel.run(STREAM)
    kernel.run("""
told = []
stream.on_error(told.append)
@stream.trade("KRW-BTC")
def on_trade(trade):
    1 / 0
""")
    eventually(lambda: kernel.ask("len(told)") == "1")
    trade()
    eventually(lambda: kernel.ask("len(told)") == "2")
    assert kernel.ask("told[0].callback is on_trade") == "True"


def test_a_callback_in_which_no_line_is_the_persons(kernel: Kernel, trade: Trader) -> None:
    kernel.run(STREAM)
    run = kernel.run('stream.trade("KRW-BTC", {}.update)')
    trade()
    eventually(lambda: "TypeError: 'Trade' object is not iterable" in kernel.text(run, "stderr"))


def test_what_cannot_be_a_callback_is_refused(kernel: Kernel) -> None:
    kernel.run(STREAM)
    for code in (
        'stream.trade("KRW-BTC", 5)',
        "stream.on_state(5)",
        '@stream.trade("KRW-BTC")\ndef on_trade(): ...',
        "@stream.on_state\nasync def on_state(state): ...",
    ):
        with pytest.raises(CellFailed, match="TypeError"):
            kernel.run(code)
