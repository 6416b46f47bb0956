"""Pictures of the plots: they are widgets, and follow in the browser, too."""

from __future__ import annotations

import time

import pytest

from tests.conftest import eventually
from tests.screenshots.lab import IMAGES, Laboratory
from upbit_stream.simulator import Simulator

pytestmark = [pytest.mark.screenshots, pytest.mark.timeout(300)]

CELLS = [
    """
from upbit_stream import UpbitStream
stream = UpbitStream()
candles = stream.candle("KRW-BTC", unit="1m", history=200)
trades = stream.trade("KRW-BTC", history=2000)
book = stream.orderbook("KRW-BTC")
stream.run(2)
""",
    "candles.plot()",
    "trades.plot()",
    "book.plot()",
    "stream.run(40)",
    "stream.close()",
]
# How many times as fast as ours the clock of the market runs: a candle of a minute a second.
_HASTE = 60


def test_plots(lab: Laboratory) -> None:
    began = time.time()
    with Simulator(rate=120, clock=lambda: began + _HASTE * (time.time() - began)) as sim:
        shown = lab.run(CELLS, {"UPBIT_STREAM_URL": sim.url, "UPBIT_REST_URL": sim.rest_url})
        # When they were shown, there were two or three candles: the page has those that came since.
        sticks = shown.output(1).locator(".boxlayer path.box")
        eventually(lambda: sticks.count() >= 30)
        eventually(lambda: "/" in (shown.output(3).locator(".gtitle").text_content() or ""))
        for cell, name in ((1, "candlestick"), (2, "price-line"), (3, "order-book")):
            shown.photograph(cell, IMAGES / f"{name}.png")
        shown.close()


def test_a_plot_that_is_seen_goes_on(lab: Laboratory) -> None:
    cells = [
        "from upbit_stream import UpbitStream\nstream = UpbitStream()",
        'trades = stream.trade("KRW-BTC", history=100)\ntrades.plot()',
    ]
    with Simulator(rate=50, codes=["KRW-BTC"]) as sim:
        shown = lab.run(cells, {"UPBIT_STREAM_URL": sim.url, "UPBIT_REST_URL": sim.rest_url})
        # No cell runs, and it was displayed long ago: what the browser says is what counts.
        time.sleep(10)
        title, texts = shown.output(1).locator(".gtitle"), set[str | None]()

        def moves() -> bool:
            texts.add(title.text_content())
            return len(texts) >= 5

        eventually(moves, 5.0)
        shown.close()


# How often the figure was drawn, told by a cell whose output the browser shows.
COUNT = """
import threading, time
from IPython.display import display
drawn = 0
def count(*_):
    global drawn
    drawn += 1
figure.data[0].on_change(count, "y")
told = display("", display_id=True)
def tell():
    while True:
        told.update(str(drawn))
        time.sleep(0.1)
threading.Thread(target=tell, daemon=True).start()
"""


def test_it_rests_when_it_is_not_seen(lab: Laboratory) -> None:
    cells = [
        "from upbit_stream import UpbitStream\nstream = UpbitStream()",
        'trades = stream.trade("KRW-BTC", history=100)\nfigure = trades.plot()\nfigure',
        COUNT,
    ]
    with Simulator(rate=50, codes=["KRW-BTC"]) as sim:
        shown = lab.run(cells, {"UPBIT_STREAM_URL": sim.url, "UPBIT_REST_URL": sim.rest_url})

        def drawn() -> int:
            return int(shown.output(2).first.inner_text().strip("' \n") or 0)

        def goes_on() -> None:
            before = drawn()
            eventually(lambda: drawn() > before + 3)

        def rests() -> None:
            def rested() -> bool:
                before = drawn()
                time.sleep(1.5)
                return drawn() == before

            eventually(rested)

        shown.output(1).first.locator(".gtitle").wait_for()
        goes_on()
        # Hidden, scrolled away, and shown again.
        hide = "(node, how) => node.style.display = how"
        shown.output(1).first.evaluate(hide, "none")
        rests()
        shown.output(1).first.evaluate(hide, "")
        goes_on()
        move = "(node, how) => { node.style.position = 'relative'; node.style.top = how; }"
        shown.output(1).first.evaluate(move, "-5000px")
        rests()
        shown.output(1).first.evaluate(move, "0")
        goes_on()
        shown.close()
