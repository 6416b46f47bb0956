"""A stream's variable that is bound again."""

from __future__ import annotations

from tests.conftest import eventually
from tests.notebook.kernel import Kernel


def streams(kernel: Kernel) -> str:
    """How many streams the kernel's process keeps open."""
    kernel.run("from upbit_stream.endings import _engines")
    return kernel.ask("sum(not engine.closing for engine in _engines)")


def test_what_is_in_out_and_in_subscriptions_is_closed(kernel: Kernel) -> None:
    kernel.run("stream = UpbitStream(); stream.start(); stream")
    kernel.run('trades = stream.trade("KRW-BTC", print); trades')
    kernel.run("first = __import__('weakref').ref(stream)")
    kernel.run("stream = UpbitStream(); stream.start(); stream")
    assert kernel.ask("first() is not None and trades.closed") == "True"
    assert kernel.ask("stream.subscriptions") == "()"


def test_it_is_closed_in_the_middle_of_the_cell(kernel: Kernel) -> None:
    kernel.run('stream = UpbitStream(); trades = stream.trade("KRW-BTC"); stream.start()')
    run = kernel.run("stream = UpbitStream(); stream.run(0.01); print(trades.closed)")
    assert kernel.text(run) == "True\n"


def test_a_callback_that_mentions_it(kernel: Kernel) -> None:
    cell = """
def make():
    stream = UpbitStream()
    stream.trade("KRW-BTC", lambda trade: stream.stats)
    stream.start()
    return stream
stream = make()
"""
    for _ in range(5):
        kernel.run(cell)
    assert streams(kernel) == "1"


def test_a_bot_with_a_stream(kernel: Kernel) -> None:
    cell = """
class Bot:
    def __init__(self, stream):
        self.stream = stream
        stream.trade("KRW-BTC", self.on_trade)
        stream.start()
    def on_trade(self, trade): ...
stream = UpbitStream()
bot = Bot(stream)
"""
    for _ in range(5):
        kernel.run(cell)
    assert streams(kernel) == "1"


def test_what_another_variable_leads_to_stays_open(kernel: Kernel) -> None:
    kernel.run("""
stream = UpbitStream()
stream.start()
everything = {"mine": [stream]}
""")
    kernel.run("stream = UpbitStream(); stream.start()")
    assert kernel.ask("everything['mine'][0].trade('KRW-BTC').closed") == "False"
    kernel.run("del everything")
    eventually(lambda: streams(kernel) == "1")


def test_a_cell_that_raises_closes_it_too(kernel: Kernel) -> None:
    kernel.run('stream = UpbitStream(); trades = stream.trade("KRW-BTC"); stream.start()')
    run = kernel.begin("stream = UpbitStream(); 1 / 0")
    eventually(lambda: kernel.of_type(run, "error"))
    assert kernel.ask("trades.closed") == "True"
