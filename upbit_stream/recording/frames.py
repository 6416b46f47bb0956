"""Lines in compressed frames, one after the other in a file.

Each frame is complete in itself and has a checksum, so whatever was appended as a frame reads
back, whatever became of what came after it. ``zstdcat`` shows such a file as lines.

Importing this module needs zstandard, and says so where it is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from upbit_stream.errors import RecordingError

try:
    import zstandard
except ModuleNotFoundError as error:
    raise ImportError(
        'compressed recordings need the zstandard package: pip install "upbit-stream[recording]"'
    ) from error

__all__ = ["Frame", "frames_of", "packer"]

_PIECE = 1 << 20
_MAGIC = b"\x28\xb5\x2f\xfd"
# Of 22. Higher ones take several times as long for a few percent.
_LEVEL = 3


class Frame(NamedTuple):
    """What was in a frame, and where in the file it ends."""

    content: bytes
    end: int


def packer() -> Callable[[bytes], bytes]:
    """A function that makes a frame of bytes; for one thread."""
    return zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compress


def frames_of(path: Path, offset: int = 0) -> Iterator[Frame]:
    """Every whole frame from ``offset``, where one begins. What is behind the last whole one is
    the torn tail of a crash, and left out.

    Raises :class:`RecordingError` for a broken frame with others behind it: that was no crash.
    """
    reader = zstandard.ZstdDecompressor()
    with path.open("rb") as file:
        file.seek(offset)
        start, rest = offset, b""
        while True:
            frame, content = reader.decompressobj(), []
            piece, read = rest, 0
            while not frame.eof:
                piece = piece or file.read(_PIECE)
                if not piece:
                    return
                read += len(piece)
                try:
                    content.append(frame.decompress(piece))
                except zstandard.ZstdError as error:
                    _check_tail(path, start, str(error))
                    return
                piece = b""
            rest = frame.unused_data
            start += read - len(rest)
            yield Frame(b"".join(content), start)


def _check_tail(path: Path, start: int, problem: str) -> None:
    """Whether what begins at ``start`` is a tail that was never written to its end."""
    with path.open("rb") as file:
        file.seek(start + 1)
        before = b""
        while piece := file.read(_PIECE):
            if _MAGIC in before + piece:
                raise RecordingError(
                    f"{path} is damaged at byte {start}, in the middle ({problem}); "
                    "what is before it can be read from a copy that is cut there"
                )
            before = piece[-len(_MAGIC) + 1 :]
