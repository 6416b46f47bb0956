"""A log handler that asks the stream something, as other people's handlers may."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from upbit_stream import UpbitStream

__all__ = ["asking"]


@contextmanager
def asking(stream: UpbitStream) -> Iterator[list[str]]:
    """A log handler that asks the stream: what was logged, and where it had no answer."""
    asked: list[str] = []

    class Curious(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            # Of another thread, so that it fails, and does not hang, where a lock is held.
            thread = threading.Thread(target=lambda: stream.stats)
            thread.start()
            thread.join(2)
            asked.append(f"{record.getMessage()}: {'no answer' * thread.is_alive()}")

    logger = logging.getLogger("upbit_stream")
    handler, level = Curious(), logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield asked
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
