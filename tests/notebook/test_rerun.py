"""Cells that are run again: nothing is added, nothing stays behind."""

from __future__ import annotations

from tests.conftest import eventually
from tests.notebook.conftest import Trader
from tests.notebook.kernel import Kernel
from upbit_stream.simulator import Simulator

STREAM = "stream = UpbitStream(); stream.start(); stream"
CALLBACK = """
@stream.trade("KRW-BTC")
def on_trade(trade):
    print(int(trade.trade_price))
"""
HANDLER = """
@stream.on_state
def on_state(state):
    print("state", state.value)
"""
BASE = ["upbit-dispatch-trade", "upbit-io-public", "upbit-watchdog"]


def kinds(kernel: Kernel) -> list[str]:
    """The kinds of the package's threads in the kernel."""
    names = kernel.run("print(*threads())")
    return [name.rstrip("0123456789").rstrip("-") for name in kernel.text(names).split()]


def test_ten_times_the_same_cells(kernel: Kernel, market: Simulator, trade: Trader) -> None:
    handshakes = len(market.handshakes)
    for _ in range(10):
        kernel.run(STREAM, "one")
        last = kernel.run(CALLBACK, "two")
        kernel.run("stream.wait_connected(10)", "three")
    line = trade()
    eventually(lambda: line in kernel.text(last))
    assert kernel.ask("len(stream.subscriptions)") == "1"
    assert kernel.text(last).count(line) == 1
    assert len(market.connections) == 1
    # What lingers is taken up by the next stream.
    assert len(market.handshakes) - handshakes == 1
    assert kinds(kernel) == BASE


def test_only_the_callback_again(kernel: Kernel, trade: Trader) -> None:
    kernel.run(STREAM)
    *earlier, last = [kernel.run(CALLBACK) for _ in range(10)]
    line = trade()
    eventually(lambda: line in kernel.text(last))
    assert kernel.text(last).count(line) == 1
    assert not any(line in kernel.text(run) for run in earlier)
    assert kernel.ask("len(stream.subscriptions)") == "1"


def test_a_held_subscription_decorated_again(kernel: Kernel, trade: Trader) -> None:
    kernel.run(STREAM)
    kernel.run('held = stream.trade("KRW-BTC")')
    cell = "@held\ndef on_trade(trade): print(int(trade.trade_price))"
    *earlier, last = [kernel.run(cell) for _ in range(3)]
    line = trade()
    eventually(lambda: line in kernel.text(last))
    assert kernel.text(last).count(line) == 1
    assert not any(line in kernel.text(run) for run in earlier)
    assert kernel.ask("held.closed") == "False"


def test_codes_that_were_added_meanwhile(kernel: Kernel) -> None:
    kernel.run(STREAM)
    cell = """
held = stream.trade("KRW-BTC", print)
held.add("KRW-ETH")
"""
    for _ in range(3):
        kernel.run(cell)
    assert kernel.ask("[one.codes for one in stream.subscriptions]") == ("[('KRW-BTC', 'KRW-ETH')]")


def test_handlers(kernel: Kernel, market: Simulator) -> None:
    kernel.run(STREAM)
    *earlier, last = [kernel.run(HANDLER) for _ in range(3)]
    kernel.run(CALLBACK)
    eventually(lambda: "state connected" in kernel.text(last))
    assert kernel.text(last).count("state connected") == 1
    assert not any(kernel.text(run) for run in earlier)


def test_another_name_or_none_adds(kernel: Kernel, trade: Trader) -> None:
    kernel.run(STREAM)
    kernel.run(CALLBACK)
    other = kernel.run(CALLBACK.replace("on_trade", "on_trade_too"))
    nameless = 'stream.trade("KRW-BTC", lambda trade: print(int(trade.trade_price)))'
    one, two = kernel.run(nameless), kernel.run(nameless)
    line = trade()
    eventually(lambda: all(line in kernel.text(each) for each in (one, two, other)))
    assert kernel.ask("len(stream.subscriptions)") == "4"


def test_other_options_are_another_subscription(kernel: Kernel) -> None:
    kernel.run(STREAM)
    kernel.run(CALLBACK)
    kernel.run(CALLBACK.replace('"KRW-BTC"', '"KRW-BTC", queue_size=5'))
    kernel.run(CALLBACK.replace("KRW-BTC", "KRW-ETH"))
    assert kernel.ask("len(stream.subscriptions)") == "3"


def test_two_of_one_name_in_one_run_are_two(kernel: Kernel) -> None:
    kernel.run(STREAM)
    cell = """
def printing(word):
    def on_trade(trade): print(word)
    return on_trade
for word in "ab":
    stream.trade("KRW-BTC", printing(word))
"""
    for _ in range(3):
        kernel.run(cell)
    assert kernel.ask("len(stream.subscriptions)") == "2"


def test_what_a_function_made_in_two_cells_is_two_but_a_cell_again_is_not(kernel: Kernel) -> None:
    kernel.run(STREAM)
    kernel.run("""
def printing(word):
    def on_trade(trade): print(word)
    return on_trade
""")
    for _ in range(3):
        kernel.run('first = stream.trade("KRW-BTC", printing("one"))', "one")
        kernel.run('second = stream.trade("KRW-BTC", printing("two"))', "two")
    assert kernel.ask("first.closed, second.closed") == "False False"
    assert kernel.ask("len(stream.subscriptions)") == "2"


def test_methods_of_two_objects_are_two_but_a_cell_again_is_not(kernel: Kernel) -> None:
    kernel.run(STREAM)
    kernel.run("class Bot:\n    def on_trade(self, trade): ...")
    for _ in range(3):
        kernel.run('bot = Bot(); stream.trade("KRW-BTC", bot.on_trade)', "one")
        kernel.run('more = Bot(); stream.trade("KRW-BTC", more.on_trade)', "two")
    assert kernel.ask("len(stream.subscriptions)") == "2"


def test_a_loop_that_is_run_again(kernel: Kernel) -> None:
    kernel.run(STREAM)
    cell = """
for book in stream.orderbook("KRW-BTC"):
    break
book = stream.orderbook("KRW-ETH"); book
"""
    for _ in range(5):
        kernel.run(cell, "one")
    kernel.run(cell, "two")
    assert kernel.ask("[one.codes for one in stream.subscriptions]") == str(
        [("KRW-BTC",), ("KRW-ETH",)] * 2
    )


def test_in_one_run_two_of_them_are_two(kernel: Kernel) -> None:
    kernel.run(STREAM)
    kernel.run('both = [stream.trade("KRW-BTC") for _ in range(2)]')
    assert kernel.ask("len(stream.subscriptions)") == "2"
