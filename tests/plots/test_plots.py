"""Pictures of a market, and such that follow it."""

from __future__ import annotations

import gc
import itertools
import os
import subprocess
import sys
import textwrap
import threading
import time
from contextvars import ContextVar
from decimal import Decimal
from pathlib import Path
from typing import Any

import nbformat
import plotly.graph_objects as go  # type: ignore[import-untyped]
import pytest
from nbclient import NotebookClient

from tests.conftest import ACCESS_KEY, SECRET_KEY, eventually, our_threads
from upbit_stream import (
    Candle,
    Orderbook,
    OrderbookUnit,
    StreamConfig,
    Subscription,
    SubscriptionError,
    Ticker,
    Trade,
    UpbitStream,
)
from upbit_stream.plots import follow
from upbit_stream.plots.live import LivePlot, eyes_on
from upbit_stream.plots.pictures import picture_of
from upbit_stream.simulator import Simulator

UP, DOWN = "#dc4a5a", "#3f83e0"


def drawn(type_: str, *events: object) -> go.Figure:
    picture = picture_of(type_, "KRW-BTC")
    assert picture is not None
    figure = go.Figure(picture.traces(), picture.layout())
    picture.draw(figure, events)
    return figure


def plots() -> list[str]:
    return [name for name in our_threads() if name.startswith("upbit-plot")]


def followed(subscription: Subscription[Any], code: str = "KRW-BTC") -> Any:
    """As in a notebook."""
    return follow(subscription._channel, code, subscription._engine)


# What is drawn.


def test_a_price_line_in_utc_red_when_it_rose() -> None:
    trades = [
        Trade(type="trade", code="KRW-BTC", trade_timestamp=1787728554797 + n, trade_price=price)
        for n, price in enumerate([116_543_000.0, 116_542_000.0, 116_544_000.5])
    ]
    figure = drawn("trade", *trades)
    (line,) = figure.data
    assert line.x[0] == "2026-08-26 07:15:54.797000"
    assert list(line.y) == [116_543_000.0, 116_542_000.0, 116_544_000.5]
    assert line.line.color == UP
    assert figure.layout.title.text == "<b>KRW-BTC</b>  116,544,000.5"
    assert drawn("trade", *trades[:2]).data[0].line.color == DOWN


def test_tickers_with_exact_and_tiny_numbers() -> None:
    price: Any = Decimal("0.00000123")
    figure = drawn("ticker", Ticker(type="ticker", timestamp=1, trade_price=price))
    assert list(figure.data[0].y) == [1.23e-06]
    assert "0.00000123" in figure.layout.title.text
    assert figure.data[0].mode == "markers"  # a line needs two


def test_candlesticks_with_their_volumes() -> None:
    candle = Candle(
        type="candle.15m",
        code="KRW-BTC",
        candle_date_time_utc="2026-08-26T08:00:00",
        opening_price=5.0,
        high_price=7.0,
        low_price=3.0,
        trade_price=4.0,
        candle_acc_trade_volume=2.5,
    )
    figure = drawn("candle.15m", candle)
    sticks, volumes = figure.data
    assert list(sticks.x) == list(volumes.x) == ["2026-08-26 08:00:00.000000"]
    assert [sticks.open[0], sticks.high[0], sticks.low[0], sticks.close[0]] == [5, 7, 3, 4]
    assert list(volumes.y) == [2.5]
    assert list(volumes.marker.color) == [0]  # it fell
    assert volumes.marker.colorscale[0][1].startswith("rgba(63, 131, 224")
    assert sticks.increasing.line.color == UP
    assert figure.layout.title.text == "<b>KRW-BTC 15m</b>  4"


def test_the_depth_of_a_book() -> None:
    rows = [(101, 1, 100, 2), (102, 3, 99, 4), (103, 1, 0, 0)]
    units = tuple(
        OrderbookUnit(ask_price=a, ask_size=b, bid_price=c, bid_size=d) for a, b, c, d in rows
    )
    figure = drawn("orderbook", Orderbook(type="orderbook", orderbook_units=units))
    bids, asks = figure.data
    assert (list(bids.x), list(bids.y)) == ([100, 99], [2, 6])
    assert (list(asks.x), list(asks.y)) == ([101, 102, 103], [1, 4, 5])
    assert (bids.line.color, asks.line.color) == (UP, DOWN)
    assert figure.layout.title.text.endswith("100 / 101")
    empty = drawn("orderbook", Orderbook(type="orderbook"))
    assert list(empty.data[0].x) == []


# Following.


def test_a_figure_follows_in_its_place(config: StreamConfig, sim: Simulator) -> None:
    with UpbitStream(config=config) as stream:
        trades = stream.trade(["KRW-BTC", "KRW-ETH"], history=30)
        figure = followed(trades)
        line = figure.data[0]
        assert plots()
        eventually(lambda: len(line.x) == 1)
        sim.burst(200, codes=["KRW-BTC"])
        sim.burst(5, codes=["KRW-ETH"])
        newest = sim.ledger("KRW-BTC")[-1]
        eventually(lambda: trades.latest["KRW-BTC"].sequential_id == newest)
        prices = [trade.trade_price for trade in trades.history["KRW-BTC"]]
        eventually(lambda: list(line.y) == prices)
        assert len(line.x) == 30
        assert followed(trades) is figure  # a cell that is run again
        other = followed(trades, "KRW-ETH")
        assert other is not figure
        assert len(plots()) == 2
        eventually(lambda: len(other.data[0].x) == 6)
    assert not plots()


def test_it_is_drawn_in_the_context_of_its_cell(config: StreamConfig, sim: Simulator) -> None:
    cell: ContextVar[str] = ContextVar("cell")
    cell.set("mine")
    redraws: list[tuple[str, str]] = []
    with UpbitStream(config=config) as stream:
        trades = stream.trade("KRW-BTC")
        figure = followed(trades)
        figure.data[0].on_change(
            lambda *_: redraws.append((threading.current_thread().name, cell.get("none"))), "y"
        )
        eventually(lambda: trades.latest)
        sim.trade("KRW-BTC")  # the snapshot may have been drawn before
        eventually(lambda: redraws)
    thread, context = redraws[-1]
    assert thread.startswith("upbit-plot")
    assert context == "mine"


def test_without_a_history_it_shows_what_it_saw(config: StreamConfig, sim: Simulator) -> None:
    with UpbitStream(config=config) as stream:
        tickers, books = stream.ticker("KRW-BTC"), stream.orderbook("KRW-BTC")
        candles = stream.candle("KRW-BTC", unit="240m")
        line, depth, sticks = (followed(one) for one in (tickers, books, candles))
        eventually(lambda: len(line.data[0].x) == 1)
        sim.trade("KRW-BTC")
        eventually(lambda: len(line.data[0].x) >= 2)
        eventually(lambda: len(depth.data[0].x) == len(books.latest["KRW-BTC"].bids))
        eventually(lambda: 1 <= len(sticks.data[0].x) <= 2)
        price = tickers.latest["KRW-BTC"].trade_price
        eventually(lambda: line.data[0].y[-1] == price)
        eventually(lambda: sticks.data[0].close[-1] == price)


def test_ten_redraws_a_second_at_most_and_none_for_nothing(sim: Simulator) -> None:
    config = StreamConfig(url=sim.url, rest_url=sim.rest_url)
    redraws: list[float] = []
    with UpbitStream(config=config) as stream:
        trades = stream.trade("KRW-BTC", history=100)
        figure = followed(trades)
        figure.data[0].on_change(lambda *_: redraws.append(time.monotonic()), "y")
        eventually(lambda: trades.latest)
        sim.rate = 2000
        eventually(lambda: len(redraws) >= 12)
        sim.rate = 0
        eventually(
            lambda: (
                trades.latest["KRW-BTC"].sequential_id == sim.ledger("KRW-BTC")[-1]
                and list(figure.data[0].y) == [one.trade_price for one in trades.history["KRW-BTC"]]
            )
        )
        time.sleep(0.4)  # in which it is drawn for the last time
        # The figure is not touched while nothing comes: what is changed by hand stays.
        figure.layout.title.text = "mine"
        time.sleep(0.4)
        assert figure.layout.title.text == "mine"
    assert min(later - earlier for earlier, later in itertools.pairwise(redraws)) >= 0.1
    assert len(redraws) < trades.stats.received / 10


@pytest.mark.parametrize("history", [10, 0])
def test_nothing_is_done_for_nobody(monkeypatch: pytest.MonkeyPatch, history: int) -> None:
    monkeypatch.setattr("upbit_stream.notebook.attention._WELCOME", 0.2)
    redraws: list[object] = []

    def tell(view: str, visible: bool) -> None:
        """As the front end does."""
        figure._handle_custom_msg({"view": view, "visible": visible}, [])

    def none_for(trades: int) -> None:
        """So many trades come, and nothing is drawn."""
        before, received = len(redraws), subscription.stats.received
        eventually(lambda: subscription.stats.received > received + trades)
        assert len(redraws) <= before + 1  # that had begun

    with (
        Simulator(rate=0, codes=["KRW-BTC"]) as sim,
        UpbitStream(config=StreamConfig(url=sim.url, rest_url=sim.rest_url)) as stream,
    ):
        subscription = stream.trade("KRW-BTC", history=history)
        figure = followed(subscription)
        figure.data[0].on_change(lambda *_: redraws.append(None), "y")
        (plot,) = stream._engine.companions._those
        assert isinstance(plot, LivePlot)
        eventually(lambda: len(figure.data[0].x) and not plot.audience.there)
        shown = len(figure.data[0].x)
        sim.rate = 200
        none_for(200)
        for view in ("one", "two"):
            tell(view, True)
        before = len(redraws)
        eventually(lambda: len(redraws) >= before + 3)
        # What came while nobody looked is there, too.
        assert len(figure.data[0].x) >= (10 if history else shown + 8)
        tell("one", False)
        before = len(redraws)
        eventually(lambda: len(redraws) >= before + 3)
        tell("two", False)
        none_for(50)
        tell("two", True)
        monkeypatch.setattr("upbit_stream.notebook.attention._LEASE", 0)  # it says nothing more
        none_for(50)
        monkeypatch.setattr("upbit_stream.notebook.attention._WELCOME", 3600)
        before = len(redraws)
        assert followed(subscription) is figure  # a cell that is run again shows it again
        eventually(lambda: len(redraws) >= before + 3)
        monkeypatch.setattr("upbit_stream.notebook.attention._WELCOME", 0)
        none_for(50)
        sim.rate = 0
        newest = sim.ledger("KRW-BTC")[-1]
        eventually(lambda: subscription.latest["KRW-BTC"].sequential_id == newest)
    # What came last is drawn, too.
    assert figure.data[0].y[-1] == subscription.latest["KRW-BTC"].trade_price


def test_it_is_drawn_at_once_when_someone_looks_again(sim: Simulator) -> None:
    """And what is said in between makes no redraw sooner than the last one allows."""
    redraws: list[float] = []
    with UpbitStream(config=StreamConfig(url=sim.url, rest_url=sim.rest_url)) as stream:
        trades = stream.trade("KRW-BTC", history=10)
        figure = followed(trades)
        figure.data[0].on_change(lambda *_: redraws.append(time.monotonic()), "y")
        eventually(lambda: trades.latest)
        sim.rate = 500
        until = time.monotonic() + 1
        while time.monotonic() < until:
            figure._handle_custom_msg({"view": "one", "visible": True}, [])
            time.sleep(0.005)
    # The last one comes with the end of the stream.
    between = [later - earlier for earlier, later in itertools.pairwise(redraws[:-1])]
    assert len(between) >= 3
    assert min(between) >= 0.1


def test_the_thread_ends_with_the_figure(config: StreamConfig, sim: Simulator) -> None:
    with UpbitStream(config=config) as stream:
        trades = stream.trade("KRW-BTC")
        figure = followed(trades)
        assert plots()
        figure.close()
        eventually(lambda: not plots())
        again = followed(trades)
        assert again is not figure
        assert plots()


def test_the_thread_ends_with_the_subscription(config: StreamConfig, sim: Simulator) -> None:
    with UpbitStream(config=config) as stream:
        trades, others = stream.trade("KRW-BTC"), stream.trade("KRW-BTC")
        figures = followed(trades), followed(others)
        eventually(lambda: all(len(figure.data[0].x) for figure in figures))
        trades.close()
        eventually(lambda: len(plots()) == 1)
        last = followed(trades)  # what there was can still be seen
        assert len(last.data[0].x) == 1
        assert len(plots()) == 1


def test_the_thread_ends_when_nobody_has_the_figure(config: StreamConfig, sim: Simulator) -> None:
    with UpbitStream(config=config) as stream:
        trades = stream.trade("KRW-BTC")
        eventually(lambda: trades.latest)
        # Not a widget: of those there is a table, from which they go when they are closed.
        channel, picture = trades._channel, picture_of("trade", "KRW-BTC")
        assert picture is not None
        figures = [go.Figure(picture.traces(), picture.layout())]
        plot = LivePlot(channel, "KRW-BTC", picture, eyes_on(channel, "KRW-BTC"), figures[0])
        stream._engine.attend(plot)
        eventually(lambda: len(figures[0].data[0].x))
        figures.clear()
        gc.collect()
        eventually(lambda: not plots())


def test_a_stream_that_nobody_has_any_more_takes_its_plots_along(
    config: StreamConfig, sim: Simulator
) -> None:
    stream = UpbitStream(config=config)
    figure = followed(stream.trade("KRW-BTC"))
    eventually(lambda: len(figure.data[0].x))  # it has started
    del stream
    gc.collect()
    eventually(lambda: not our_threads())
    assert len(figure.data[0].x) == 1


def test_a_picture_that_cannot_be_drawn_is_told_once_and_ends(
    config: StreamConfig, sim: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a handler of the figure")

    with UpbitStream(config=config) as stream:
        trades = stream.trade("KRW-BTC")
        figure = followed(trades)
        figure.data[0].on_change(fail, "y")
        eventually(lambda: trades.latest)
        sim.trade("KRW-BTC")  # the snapshot may have been drawn before
        eventually(lambda: not plots())
    assert [record.getMessage() for record in caplog.records] == [
        "the plot of KRW-BTC could not be drawn; it has ended, call plot() again"
    ]


# What a person calls.


def test_in_a_script_it_is_a_figure_of_this_moment(config: StreamConfig, sim: Simulator) -> None:
    with UpbitStream(config=config) as stream:
        books, trades = stream.orderbook("KRW-BTC"), stream.trade(["KRW-ETH", "KRW-BTC"], history=9)
        eventually(lambda: books.latest and len(trades.latest) == 2)
        sim.burst(20, codes=["KRW-ETH"])
        eventually(lambda: trades.stats.received == 22)
        figure = trades.plot()  # of the first code
        assert type(figure) is go.Figure
        assert len(figure.data[0].x) == 9
        assert "KRW-ETH" in figure.layout.title.text
        assert len(trades.plot("KRW-BTC").data[0].x) == 1
        assert len(books.plot().data[0].x) > 10
        assert not plots()
        assert figure.to_html(include_plotlyjs=False)


def test_what_has_no_picture(config: StreamConfig) -> None:
    with UpbitStream(config=config, access_key=ACCESS_KEY, secret_key=SECRET_KEY) as stream:
        for subscription in (stream.my_order("KRW-BTC"), stream.my_asset()):
            with pytest.raises(SubscriptionError, match="there is no picture of my"):
                subscription.plot()
        with pytest.raises(SubscriptionError, match="KRW-XRP: not among the codes"):
            stream.trade("KRW-BTC").plot("KRW-XRP")
    idle = UpbitStream(config=config)
    assert len(idle.trade("KRW-BTC").plot().data[0].x) == 0  # nothing can have come
    assert idle.close()


@pytest.mark.parametrize(
    ("call", "missing"),
    [
        ("trades.plot()", "numpy"),
        ("trades.plot()", "plotly"),
        ("follow(trades._channel, 'KRW-BTC', stream._engine)", "numpy"),
        ("follow(trades._channel, 'KRW-BTC', stream._engine)", "plotly"),
        ("follow(trades._channel, 'KRW-BTC', stream._engine)", "anywidget"),
    ],
)
def test_without_a_package_it_says_what_to_install(call: str, missing: str) -> None:
    told = without(missing, call)
    assert told == f'plot() needs the {missing} package: pip install "upbit-stream[notebook]"\n'


def test_without_pandas_there_are_pictures_all_the_same() -> None:
    assert without("pandas", "trades.plot()") == ""


def without(package: str, call: str) -> str:
    """What ``call`` says where ``package`` is not installed."""
    script = f"""
        import sys
        sys.modules["{package}"] = None
        from upbit_stream import StreamConfig, UpbitStream
        from upbit_stream.plots import follow
        stream = UpbitStream(config=StreamConfig(url="ws://127.0.0.1:9/websocket/v1"))
        trades = stream.trade("KRW-BTC")
        try:
            {call}
        except ImportError as error:
            print(error)
    """
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=True,
    ).stdout


CELLS = (
    """
    import threading, time
    from upbit_stream import UpbitStream
    stream = UpbitStream()
    trades = stream.trade("KRW-BTC", history=100)
    """,
    "figure = trades.plot()\nfigure",
    "figure = trades.plot()\nfigure",
    """
    deadline = time.monotonic() + 20
    while len(figure.data[0].x) < 5 and time.monotonic() < deadline:
        time.sleep(0.05)
    threads = [one.name for one in threading.enumerate() if one.name.startswith("upbit-plot")]
    print(type(figure).__name__, len(figure.data[0].x) >= 5, len(threads))
    """,
    """
    stream.close()
    print([one.name for one in threading.enumerate() if one.name.startswith("upbit-plot")])
    """,
)


def test_in_a_notebook_it_is_a_widget_that_follows(tmp_path: Path) -> None:
    notebook = nbformat.v4.new_notebook(  # type: ignore[no-untyped-call]
        cells=[nbformat.v4.new_code_cell(textwrap.dedent(one).strip()) for one in CELLS]  # type: ignore[no-untyped-call]
    )
    with Simulator(rate=200) as sim:
        environ = {"UPBIT_STREAM_URL": sim.url, "IPYTHONDIR": str(tmp_path)}
        client = NotebookClient(notebook, timeout=60, kernel_name="python3")
        client.execute(env={**os.environ, **environ})
    _, first, second, state, end = notebook.cells
    widget = "application/vnd.jupyter.widget-view+json"
    models = [cell.outputs[-1].data[widget]["model_id"] for cell in (first, second)]
    assert models[0] == models[1]  # run again, it is the same one
    assert state.outputs[0].text == "FigureWidget True 1\n"
    assert end.outputs[0].text == "[]\n"
