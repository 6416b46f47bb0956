"""plotly's widget, which in addition tells whether anyone can see it."""

from __future__ import annotations

from importlib.util import find_spec

if find_spec("anywidget") is None:
    raise ImportError('plot() needs anywidget: pip install "upbit-stream[notebook]"')

import plotly.graph_objects as go  # type: ignore[import-untyped]
import traitlets

from upbit_stream.notebook.scripts import script

__all__ = ["FigureWidget"]


class FigureWidget(go.FigureWidget):  # type: ignore[misc]
    """One whose front end says of each of its views whether it is seen: on the screen, in a page
    that is in front.
    """

    _esm = script("plot.js")
    # What draws it: plotly's own script.
    _drawing = traitlets.Unicode(str(go.FigureWidget._esm)).tag(sync=True)
