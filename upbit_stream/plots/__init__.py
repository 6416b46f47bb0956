"""Pictures of a market, in notebooks such that follow it (extra ``notebook``).

================  ===============================================================
``pictures.py``   what is drawn: the price line, candlesticks, depth (plotly)
``live.py``       a figure that follows a subscription, and the thread that does
``widget.py``     plotly's widget, which tells whether it is seen
``audience.py``   whether anyone sees it
================  ===============================================================
"""

from __future__ import annotations

import threading
import weakref
from importlib import import_module
from typing import TYPE_CHECKING, Any

from upbit_stream.delivery.channel import Channel
from upbit_stream.engine import Engine
from upbit_stream.errors import SubscriptionError
from upbit_stream.kernel import in_kernel

if TYPE_CHECKING:
    from upbit_stream.plots.live import LivePlot
    from upbit_stream.plots.pictures import Picture

__all__ = ["follow", "plot"]

# Guards the table: the plots that are followed. (A plot that nobody has any more is not in it.)
_lock = threading.Lock()
_plots: weakref.WeakValueDictionary[tuple[Channel[Any], str], LivePlot]
_plots = weakref.WeakValueDictionary()


def plot(channel: Channel[Any], code: str | None, engine: Engine) -> Any:
    """A figure of ``code``: one that follows in a notebook, else one of this moment. See
    :meth:`upbit_stream.Subscription.plot`.
    """
    if in_kernel():
        return follow(channel, code, engine)
    go = _plotly()
    from upbit_stream.plots.live import LivePlot, eyes_on

    code, picture = _picture(channel, code)
    figure = go.Figure(picture.traces(), picture.layout())
    LivePlot(channel, code, picture, eyes_on(channel, code), figure).draw(figure)
    return figure


def follow(channel: Channel[Any], code: str | None, engine: Engine) -> Any:
    """A ``FigureWidget`` that follows, for each code of a channel one."""
    _plotly()
    from upbit_stream.plots.live import LivePlot, eyes_on

    code, picture = _picture(channel, code)
    if (figure := _followed(channel, code)) is not None:
        return figure
    try:
        from upbit_stream.plots.widget import FigureWidget

        figure = FigureWidget(picture.traces(), picture.layout())
    except ImportError as error:
        raise _missing("anywidget") from error
    live = LivePlot(channel, code, picture, eyes_on(channel, code), figure)
    live.audience.listen(figure)
    live.draw(figure)
    if not channel.ended:
        engine.start_if_new()
        engine.attend(live)
        with _lock:
            _plots[channel, code] = live
    return figure


def _followed(channel: Channel[Any], code: str) -> Any:
    """The figure that is there already; None: there is none."""
    with _lock:
        live = _plots.get((channel, code))
    if live is None:
        return None
    live.audience.expect()
    return live.figure


def _picture(channel: Channel[Any], code: str | None) -> tuple[str, Picture]:
    from upbit_stream.plots.pictures import picture_of

    type_ = channel.demand.type
    picture = None if code is None else picture_of(type_, code)
    if code is None or picture is None:
        raise SubscriptionError(
            f"there is no picture of {type_}: plot() draws tickers, trades, candles and order "
            "books; use to_frame() for the others, with history=1000"
        )
    return code, picture


def _plotly() -> Any:
    for package in ("numpy", "plotly"):
        try:
            import_module(package)
        except ImportError as error:
            raise _missing(package) from error
    return import_module("plotly.graph_objects")


def _missing(package: str) -> ImportError:
    return ImportError(f'plot() needs the {package} package: pip install "upbit-stream[notebook]"')
