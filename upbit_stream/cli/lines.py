"""Events as lines on standard output, for pipes and logs."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from datetime import tzinfo
from typing import Any

from upbit_stream.cli.columns import RATE_RANK, columns_of
from upbit_stream.cli.failures import RunFailed
from upbit_stream.cli.harmless import harmless, harmless_json
from upbit_stream.cli.interrupt import Interrupt
from upbit_stream.cli.texts import text

__all__ = ["json_writer", "plain_writer", "write_out"]


def plain_writer(type_: str, zone: tzinfo | None = None) -> Callable[[Any], bytes]:
    """A function that writes an event as one line for people; times are local, or ``zone``'s."""
    columns = [
        (text(f"column.{column.key}").lower(), column)
        for column in columns_of(type_)
        if column.rank < RATE_RANK
    ]

    def write(event: Any) -> bytes:
        moment = event.received_datetime.astimezone(zone)
        cells = "".join(f"  {title} {column.cell(event).text}" for title, column in columns)
        told = harmless(f"{event.code}{cells}")
        return f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03} {told}\n".encode()

    return write


def json_writer() -> Callable[[Any], bytes]:
    """A function that writes an event as one line of JSON: all of its fields, by their names."""
    return lambda event: harmless_json(event.to_dict()) + b"\n"


def write_out(data: bytes, interrupt: Interrupt) -> bool:
    """Write to standard output, now; False when nobody reads it any more (``| head``).

    Bytes, because the text layer of Windows would recode them and change the line ends.
    """
    out = sys.stdout.buffer
    left = memoryview(data)
    try:
        with interrupt.breaks_into_writing():
            # With "python -u" there is no buffer, and a signal may end a write halfway.
            while left:
                left = left[out.write(left) :]
            out.flush()
    except KeyboardInterrupt:
        _forget_stdout()
        return False
    except OSError as error:
        _forget_stdout()
        if _reader_left(error):
            return False
        raise RunFailed(text("failed.output", why=error.strerror or error)) from error
    return True


def _reader_left(error: OSError) -> bool:
    # On Windows a pipe without a reader is an invalid argument.
    return error.errno == errno.EPIPE or (os.name == "nt" and error.errno == errno.EINVAL)


def _forget_stdout() -> None:
    """Let what is still buffered go nowhere: Python flushes once more when it exits, and would
    complain (or wait) again.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
