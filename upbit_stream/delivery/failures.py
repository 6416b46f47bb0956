"""Callbacks that raise: counted, logged, told. The stream goes on."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime, timezone

from upbit_stream.delivery.callbacks import SelfShowing, callback_name, original
from upbit_stream.delivery.notices import NoticeBoard, NoticeKind
from upbit_stream.delivery.output import OUTPUT_LOST, is_output_lost
from upbit_stream.errors import CallbackError
from upbit_stream.events import Event

__all__ = ["Failures"]

_log = logging.getLogger("upbit_stream")

# Seconds between two logged tracebacks.
_LOG_EVERY = 1.0


class Failures:
    """Those of one subscription. Written by its dispatch thread alone, read by anyone."""

    def __init__(self, notices: NoticeBoard) -> None:
        self._notices = notices
        self.count = 0
        #: When it happened last (aware, UTC).
        self.last_at: datetime | None = None
        self._unlogged = 0
        self._logged_at = 0.0
        self._output_lost = False

    def tell(self, callback: Callable[..., object], event: Event, error: BaseException) -> None:
        """``callback`` raised ``error`` for ``event``."""
        self.count += 1
        self.last_at = datetime.now(timezone.utc)
        headline = f"the callback {callback_name(callback)} raised for {_title(event)}"
        if isinstance(callback, SelfShowing):
            callback.show(f"{headline}; the stream goes on", error)
        else:
            self._log(headline, error)
        told = CallbackError(
            f"{headline}: {_text(error)}; the stream goes on, look at the traceback in the log (or "
            "at __cause__)",
            callback=original(callback),
            event=event,
        )
        told.__cause__ = error
        self._notices.post(NoticeKind.ERROR, told)

    def _log(self, headline: str, error: BaseException) -> None:
        if is_output_lost(error):
            if not self._output_lost:
                self._output_lost = True
                _log.error("%s: %s", headline, OUTPUT_LOST)
            return
        now = time.monotonic()
        if now - self._logged_at >= _LOG_EVERY:
            also = f" ({self._unlogged} more were not logged)" if self._unlogged else ""
            self._logged_at, self._unlogged = now, 0
            _log.error("%s; the stream goes on%s", headline, also, exc_info=error)
        else:
            self._unlogged += 1


def _title(event: Event) -> str:
    return event.type if event.code is None else f"{event.type} {event.code}"


def _text(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # other people's __str__
        return type(error).__name__
