"""A file that is appended to, and is whole again when that fails."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["AppendedFile", "sync_directory"]


class AppendedFile:
    """The file of a part. Owned by one thread at a time. Everything raises ``OSError``."""

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        #: Bytes that were appended whole. What is behind them is cut off.
        self.size = size
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
        self._descriptor = os.open(path, flags, 0o666)
        try:
            self._cut()
        except OSError:
            self.close()
            raise

    def append(self, data: bytes) -> None:
        """Append ``data`` and have it reach the disk; when that fails, nothing of it is there.

        The wait for the disk is what makes "written" hold through a loss of power, too. It is a
        few milliseconds, on a thread that nobody waits for.
        """
        # What an attempt that failed has left; most often nothing.
        self._cut()
        left = memoryview(data)
        while left:
            left = left[os.write(self._descriptor, left) :]
        os.fsync(self._descriptor)
        self.size += len(data)

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._descriptor)

    def _cut(self) -> None:
        if os.fstat(self._descriptor).st_size > self.size:
            os.ftruncate(self._descriptor, self.size)


def sync_directory(path: Path) -> None:
    """Have a new name, or a changed one, in this directory reach the disk, where systems can."""
    if os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
