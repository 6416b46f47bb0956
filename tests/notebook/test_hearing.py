"""The live view's button while a cell runs: heard in our own waits, and no cell out of its turn."""

from __future__ import annotations

import signal
import threading

import pytest
from ipykernel._version import version_info

from tests.conftest import eventually
from tests.notebook.conftest import Trader
from tests.notebook.kernel import CellFailed, Kernel
from upbit_stream.notebook import hearing
from upbit_stream.simulator import Simulator

SHOW = """
stream = UpbitStream()
stream.start()
view = stream.live("KRW-BTC")
view
"""
# What waits in a cell, each until the kernel is interrupted.
WAITS = {
    "run": "stream.run()",
    "run for a time": "stream.run(3600)",
    "iterate": "for book in stream.orderbook('KRW-ETH'): pass",
    "iterate while much comes": "for trade in stream.trade('KRW-XRP'): pass",
    "get": "books = stream.orderbook('KRW-SOL', snapshot=False); books.get()",
    "get within a time": "books = stream.orderbook('KRW-SOL', snapshot=False); books.get(3600)",
}


def begin(kernel: Kernel, code: str) -> str:
    """Run a cell, and wait until it has begun: what the kernel has read before waits."""
    run = kernel.begin(f"print('begun')\n{code}")
    eventually(lambda: kernel.text(run).startswith("begun\n"))
    return run


def state(kernel: Kernel, widget: str) -> str:
    return str(kernel.value(widget, "_foot")["state"])


@pytest.fixture
def widget(kernel: Kernel) -> str:
    """A live view that is seen."""
    name = kernel.widget(kernel.run(SHOW))
    kernel.say(name, view="one", visible=True)
    return name


@pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS)
def test_the_button_acts_while_our_call_waits(
    kernel: Kernel, market: Simulator, widget: str, wait: str
) -> None:
    eventually(lambda: state(kernel, widget) == "connected")
    run = begin(kernel, wait)
    market.rate = 500 if "KRW-XRP" in wait else 0
    try:
        said = kernel.say(widget, view="one", stop=True)
        eventually(lambda: state(kernel, widget) == "stopped")
        # The front end is told so, and that the cell goes on.
        eventually(lambda: kernel.is_over(said))
        assert not kernel.is_over(run)
        eventually(lambda: kernel.of_type(run, "status") == [{"execution_state": "busy"}] * 2)
    finally:
        market.rate = 0
        kernel.interrupt()
    if "run" in wait:
        kernel.finish(run)
    else:
        with pytest.raises(CellFailed, match="KeyboardInterrupt"):
            kernel.finish(run)
    assert kernel.ask("len(stream.subscriptions)") == ("0" if "run" in wait else "1")


def test_no_cell_runs_before_its_turn(kernel: Kernel, widget: str) -> None:
    kernel.run("order = []")
    first = begin(kernel, "stream.run(); order.append('first')")
    others = [kernel.begin(f"order.append({number})") for number in range(5)]
    kernel.say(widget, view="one", visible=False)
    others += [kernel.begin(f"order.append({number})") for number in range(5, 10)]
    said = kernel.say(widget, view="one", stop=True)
    eventually(lambda: state(kernel, widget) == "stopped")
    eventually(lambda: kernel.is_over(said))
    assert not any(map(kernel.is_over, [first, *others]))
    kernel.interrupt()
    for run in [first, *others]:
        kernel.finish(run)
    assert kernel.ask("order") == str(["first", *range(10)])


def test_what_is_said_to_others_waits_for_its_turn(kernel: Kernel, widget: str) -> None:
    kernel.run("""
import ipywidgets
told = []
other = ipywidgets.Button()
other.on_msg(lambda _, content, __: told.append(content["number"]))
""")
    name = kernel.ask("other.model_id")
    run = begin(kernel, "stream.run(); told.append('ran')")
    words = [kernel.say(name, number=number) for number in range(3)]
    said = kernel.say(widget, view="one", stop=True)
    eventually(lambda: kernel.is_over(said))
    assert not any(map(kernel.is_over, words))
    kernel.interrupt()
    kernel.finish(run)
    for word in words:
        kernel.finish(word)
    assert kernel.ask("told") == "['ran', 0, 1, 2]"


def test_a_word_that_fails_ends_nothing(kernel: Kernel, widget: str) -> None:
    kernel.run("view._attention.note = None")
    run = begin(kernel, "stream.run()")
    said = kernel.say(widget, view="one", visible=True)
    eventually(lambda: kernel.is_over(said))
    stopped = kernel.say(widget, view="one", stop=True)
    eventually(lambda: kernel.is_over(stopped))
    eventually(lambda: state(kernel, widget) == "stopped")
    assert "the browser said to a widget could not be handled" in kernel.text(run, "stderr")
    kernel.interrupt()
    kernel.finish(run)


def test_what_the_cell_prints_stays_its_own(kernel: Kernel, trade: Trader, widget: str) -> None:
    run = kernel.begin("""
stream.trade("KRW-BTC", lambda trade: print("callback"))
stream.run()
print("ran")
""")
    trade()
    eventually(lambda: "callback\n" in kernel.text(run))
    said = kernel.say(widget, view="one", stop=True)
    eventually(lambda: kernel.is_over(said))
    kernel.interrupt()
    kernel.finish(run)
    assert kernel.text(run).endswith("ran\n")
    assert kernel.text(said) == ""


def test_a_thread_of_the_person_and_no_cell(kernel: Kernel, widget: str) -> None:
    run = kernel.run("""
import threading
waits = threading.Thread(target=stream.run, args=(0.3,))
waits.start()
waits.join(10)
print(waits.is_alive())
""")
    assert kernel.text(run) == "False\n"


@pytest.mark.skipif(version_info < (7,), reason="ipykernel 6 has one channel for everything")
def test_with_a_channel_for_widgets_it_acts_in_any_cell(kernel: Kernel, widget: str) -> None:
    shell = kernel.subshell()
    assert shell is not None
    run = begin(kernel, "hold = threading.Event(); hold.wait(60)")
    said = kernel.say(widget, shell=shell, view="one", stop=True)
    eventually(lambda: state(kernel, widget) == "stopped")
    eventually(lambda: kernel.is_over(said))
    assert not kernel.is_over(run)
    kernel.interrupt()
    with pytest.raises(CellFailed, match="KeyboardInterrupt"):
        kernel.finish(run)


def test_without_such_a_channel_it_acts_after_the_cell(kernel: Kernel, widget: str) -> None:
    run = kernel.begin("threading.Event().wait(0.5); print(len(stream.subscriptions))")
    kernel.say(widget, view="one", stop=True)
    kernel.finish(run)
    assert kernel.text(run) == "1\n"
    eventually(lambda: state(kernel, widget) == "stopped")


def test_an_interrupt_is_kept_for_later() -> None:
    done: list[str] = []

    def work(name: str, interrupted: bool) -> None:
        with hearing._interrupts_later():
            if interrupted:
                signal.raise_signal(signal.SIGINT)
            done.append(name)

    with pytest.raises(KeyboardInterrupt):
        work("main", True)
    thread = threading.Thread(target=work, args=("other", False))
    thread.start()
    thread.join(10)
    assert done == ["main", "other"]


def test_a_kernel_of_an_unknown_kind(kernel: Kernel, trade: Trader, widget: str) -> None:
    kernel.run("from upbit_stream.notebook import hearing; hearing._ear = lambda: None")
    kernel.run("trades = stream.trade('KRW-BTC')")
    trade()
    kernel.run("stream.run(0.1); trades.get(10)")
    kernel.run("import importlib; importlib.reload(hearing)")
