"""Where the warnings of the library go, so that they neither vanish nor tear the table."""

from __future__ import annotations

import logging
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, TextIO

from upbit_stream.cli.harmless import harmless, harmless_lines
from upbit_stream.errors import UpbitStreamError

if TYPE_CHECKING:
    _StreamHandler = logging.StreamHandler[TextIO]
else:
    _StreamHandler = logging.StreamHandler

__all__ = ["NoticeBox", "NoticeLines", "told_on_stderr"]

# Tracebacks that are kept until the table is gone.
_KEPT = 10


class _Formatter(logging.Formatter):
    """What is logged may quote a server."""

    def format(self, record: logging.LogRecord) -> str:
        return harmless_lines(super().format(record))


_FORMAT = _Formatter("upbit-stream: %(message)s")


class NoticeBox(logging.Handler):
    """Keeps the last warning for the table, and every traceback for afterwards.

    Warnings come from any thread, the main thread looks; ``logging`` holds the handler's own
    lock around :meth:`emit`, and a look is one read.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._last: str | None = None
        self._count = 0
        self._tracebacks: deque[logging.LogRecord] = deque(maxlen=_KEPT)

    @property
    def last(self) -> str | None:
        """The last warning, on one line."""
        return self._last

    @property
    def count(self) -> int:
        """How many warnings there were."""
        return self._count

    def emit(self, record: logging.LogRecord) -> None:
        self._count += 1
        self._last = harmless(" ".join(record.getMessage().split()))
        if record.exc_info:
            self._tracebacks.append(record)

    @contextmanager
    def receiving(self) -> Iterator[NoticeBox]:
        """Receive what is logged by whomever, until the end; then tell the tracebacks, which
        show bugs, on stderr.
        """
        try:
            with _logging_to(self):
                yield self
        finally:
            for record in self._tracebacks:
                print(_FORMAT.format(record), file=sys.stderr)


class NoticeLines(_StreamHandler):
    """Tells warnings at once, as plain lines on stderr."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self.setLevel(logging.WARNING)
        self.setFormatter(_FORMAT)
        self.addFilter(_is_news)
        # Written under the handler's own lock, as in NoticeBox.
        self._count = 0

    @property
    def count(self) -> int:
        """How many warnings there were."""
        return self._count

    def emit(self, record: logging.LogRecord) -> None:
        super().emit(record)
        self._count += 1

    @contextmanager
    def receiving(self) -> Iterator[NoticeLines]:
        """Receive what is logged by whomever, until the end."""
        with _logging_to(self):
            yield self


def told_on_stderr() -> AbstractContextManager[NoticeLines]:
    """Let warnings be plain lines on stderr."""
    return NoticeLines().receiving()


def _is_news(record: logging.LogRecord) -> bool:
    """Whether the record says something that the command does not say itself: the error that
    ends the stream is raised, too, and becomes the command's last sentence.
    """
    arguments = record.args if isinstance(record.args, tuple) else ()
    fatal = record.levelno == logging.ERROR and record.exc_info is None
    return not (fatal and any(isinstance(one, UpbitStreamError) for one in arguments))


@contextmanager
def _logging_to(handler: logging.Handler) -> Iterator[None]:
    # The root, because the simulator's libraries have something to say now and then, too.
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
