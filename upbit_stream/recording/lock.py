"""One recorder for a recording: a second one would cut off what the first one is writing."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from upbit_stream.errors import RecordingError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

__all__ = ["Lock"]


class Lock:
    """Held from its making to :meth:`release`, or to the end of the process, however it ends.

    Raises :class:`RecordingError` when another one is held, ``OSError`` when there cannot be one.
    """

    def __init__(self, path: Path, recording: Path) -> None:
        self._path = path
        while True:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                _take(self._descriptor)
            except OSError as error:
                os.close(self._descriptor)
                raise RecordingError(
                    f"{recording} is being recorded to by another recorder; choose another file"
                ) from error
            if self._is_current():
                return
            # Its last holder has removed it between our two steps.
            os.close(self._descriptor)

    def release(self) -> None:
        """Let the next one record."""
        # While it is held, so that nobody can hold a file that is about to vanish for long.
        if sys.platform != "win32":
            self._path.unlink(missing_ok=True)
        os.close(self._descriptor)
        if sys.platform == "win32":
            self._path.unlink(missing_ok=True)

    def forget(self) -> None:
        """In the child of a fork: the lock is the parent's, and stays held."""
        os.close(self._descriptor)

    def _is_current(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._descriptor), os.stat(self._path))
        except FileNotFoundError:
            return False


if sys.platform == "win32":

    def _take(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:

    def _take(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
