"""Whether anyone sees a figure."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from upbit_stream.notebook.attention import Attention
from upbit_stream.notebook.hearing import hear

__all__ = ["Audience"]


class Audience:
    """Those who see one figure. It knows nothing of the stream, as the figure keeps it.

    ipywidgets keeps a widget until it is closed, also when the browser has left long ago.
    """

    def __init__(self, wake: Callable[[], object]) -> None:
        # Called when someone looks again.
        self._wake = wake
        # Guards the field below it: words come on the kernel's threads, looks on the plot's.
        self._lock = threading.Lock()
        self._attention = Attention()
        self.expect()

    def expect(self) -> None:
        """The figure is being displayed, most likely."""
        with self._lock:
            self._attention.expect()
        self._wake()

    def listen(self, figure: Any) -> None:
        """Be told by the figure's front end."""
        hear(figure, self._told)

    def _told(self, content: dict[str, Any]) -> None:
        if "visible" in content:
            with self._lock:
                self._attention.note(str(content.get("view")), bool(content["visible"]))
            self._wake()

    @property
    def there(self) -> bool:
        """Whether someone looks, or may be about to."""
        with self._lock:
            return self._attention.paid
