"""A stream's variable that is bound again."""

from __future__ import annotations

from pathlib import Path

import pytest

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


# A module of the person's own.
BOTS = """
import threading

released = threading.Event()
kept = None

class Bot:
    def __init__(self, stream): self.stream = stream
    def stats(self): return self.stream.stats

class Slim:
    __slots__ = ("stream",)
    def __init__(self, stream): self.stream = stream

def keep(stream):
    global kept
    kept = stream

def asking(stream):
    return lambda: stream.stats

def telling(stream):
    yield
    yield stream.stats

def working(box):
    mine = box.pop()
    released.wait(20)
"""


@pytest.mark.parametrize(
    "holder",
    [
        "held = bots.Bot(stream)",
        "held = bots.Slim(stream)",
        "held = bots.Bot(stream).stats",
        "held = bots.asking(stream)",
        "held = functools.partial(print, stream)",
        "held = bots.telling(stream); next(held)",
        "held = {stream: 1}",
        "bots.keep(stream)",
        "threading.Thread(target=bots.working, args=([stream],)).start()",
        "threading.Thread(target=(lambda mine: bots.released.wait(20)), args=(stream,)).start()",
    ],
)
def test_whatever_leads_to_it_keeps_it_open(kernel: Kernel, tmp_path: Path, holder: str) -> None:
    (tmp_path / "bots.py").write_text(BOTS)
    kernel.run(f"""
import functools, sys
sys.modules.pop("bots", None)
sys.path.insert(0, {str(tmp_path)!r})
import bots
stream = UpbitStream()
stream.start()
""")
    kernel.run(holder)
    kernel.run("stream = UpbitStream(); stream.start()")
    assert streams(kernel) == "2"
    kernel.run("held = bots.kept = None; bots.released.set()")
    eventually(lambda: streams(kernel) == "1")
    kernel.run("sys.path.pop(0)")


def test_an_object_that_cannot_be_looked_into(kernel: Kernel) -> None:
    kernel.run("""
class Lazy(dict):
    def values(self): raise RuntimeError("not loaded")
    def __iter__(self): raise RuntimeError("not loaded")
    @property
    def __class__(self): raise RuntimeError("not loaded")
lazy = Lazy()
stream = UpbitStream()
stream.start()
""")
    kernel.run("stream = UpbitStream(); stream.start()")
    kernel.run("del Lazy, lazy")
    assert streams(kernel) == "1"


def test_it_is_told_unless_its_own_cell_is_run_again(kernel: Kernel) -> None:
    told = "closing the stream that stream stood for: the name stands for something else now"
    # With the last line, Out leads to each of them.
    first = kernel.run("stream = UpbitStream(); stream.start(); stream", "one")
    again = kernel.run("stream = UpbitStream(); stream.start(); stream", "one")
    other = kernel.run("stream = UpbitStream(); stream", "two")
    eventually(lambda: told in kernel.text(other, "stderr"))
    assert kernel.text(first, "stderr") == kernel.text(again, "stderr") == ""
    kernel.run("stream.close()")
    last = kernel.run("stream = None", "three")  # nothing is left to be closed
    assert kernel.text(last, "stderr") == ""


def test_a_cell_that_raises_closes_it_too(kernel: Kernel) -> None:
    kernel.run('stream = UpbitStream(); trades = stream.trade("KRW-BTC"); stream.start()')
    run = kernel.begin("stream = UpbitStream(); 1 / 0")
    eventually(lambda: kernel.of_type(run, "error"))
    assert kernel.ask("trades.closed") == "True"
