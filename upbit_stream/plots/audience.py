"""Whether a browser draws what a figure sends."""

from __future__ import annotations

import threading
from typing import Any

from upbit_stream.notebook.attention import Attention

__all__ = ["Audience"]

# With what the front end of a FigureWidget answers each redraw.
_ANSWER = "_js2py_traceDeltas"


class Audience:
    """Those who see one figure. It knows nothing of the stream, as the figure keeps it.

    ipywidgets keeps a widget until it is closed, also when the browser has left long ago.
    """

    def __init__(self) -> None:
        # Guards the field below it: answers come on the kernel's threads, looks on the plot's.
        self._lock = threading.Lock()
        self._attention = Attention()
        self.expect()

    def expect(self) -> None:
        """The figure is being displayed, most likely."""
        with self._lock:
            self._attention.expect()

    def listen(self, figure: Any) -> None:
        """Be told by the front end of a ``FigureWidget``."""
        figure.observe(self._note, _ANSWER)

    def _note(self, change: Any) -> None:
        if change.new is not None:  # it is taken away again when it was read
            with self._lock:
                self._attention.note("a browser", True)

    @property
    def there(self) -> bool:
        """Whether someone has answered lately, or may be about to."""
        with self._lock:
            return self._attention.paid
