"""PNGs with a palette: a browser's screenshot of text in a quarter of its bytes."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["shrink"]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_Pixels = NDArray[np.uint8]


def shrink(path: Path) -> None:
    """Write the picture anew, with at most 256 colours: those between two are rounded."""
    pixels = _read(path.read_bytes())
    for step in (1, 4, 8, 16, 24, 32, 48):
        rounded = np.minimum(255, (pixels.astype(np.uint16) + step // 2) // step * step)
        flat = rounded.reshape(-1, rounded.shape[2])[:, :3].astype(np.uint32)
        keys = flat[:, 0] << 16 | flat[:, 1] << 8 | flat[:, 2]
        colours, indexes = np.unique(keys, return_inverse=True)
        if len(colours) <= 256:
            break
    else:
        raise ValueError(f"{path} has too many colours")
    height, width = pixels.shape[:2]
    rows = indexes.reshape(height, width).astype(np.uint8)
    # A filter byte before each row: none.
    raw = np.pad(rows, ((0, 0), (1, 0))).tobytes()
    palette = b"".join(int(colour).to_bytes(3, "big") for colour in colours)
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    path.write_bytes(
        _SIGNATURE
        + _chunk(b"IHDR", head)
        + _chunk(b"PLTE", palette)
        + _chunk(b"IDAT", zlib.compress(raw, 9))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_SIGNATURE)
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        at += length + 12


def _read(data: bytes) -> _Pixels:
    """Height × width × channels, of what a browser writes: eight bits, RGB or RGBA."""
    assert data.startswith(_SIGNATURE)
    parts = list(_chunks(data))
    width, height, bits, kind = struct.unpack_from(">IIBB", dict(parts)[b"IHDR"])
    assert bits == 8
    channels = {2: 3, 6: 4}[kind]
    raw = zlib.decompress(b"".join(part for name, part in parts if name == b"IDAT"))
    size = width * channels
    pixels = np.zeros((height, size), np.uint8)
    above = np.zeros(size, np.uint8)
    for row in range(height):
        start = row * (size + 1)
        line = np.frombuffer(raw, np.uint8, size, start + 1)
        above = pixels[row] = _unfiltered(raw[start], line, above, channels)
    return pixels.reshape(height, width, channels)


def _unfiltered(filter_: int, line: _Pixels, above: _Pixels, channels: int) -> _Pixels:
    if filter_ == 0:
        return line
    if filter_ == 1:
        summed = np.cumsum(line.reshape(-1, channels), axis=0, dtype=np.uint8)
        return summed.reshape(-1)
    if filter_ == 2:
        return line + above
    out, up = bytearray(line.tobytes()), above.tobytes()
    for place in range(len(out)):
        left = out[place - channels] if place >= channels else 0
        corner = up[place - channels] if place >= channels else 0
        guess = (left + up[place]) // 2 if filter_ == 3 else _paeth(left, up[place], corner)
        out[place] = (out[place] + guess) & 255
    return np.frombuffer(bytes(out), np.uint8)


def _paeth(left: int, above: int, corner: int) -> int:
    guess = left + above - corner
    distances = (abs(guess - left), abs(guess - above), abs(guess - corner))
    return (left, above, corner)[distances.index(min(distances))]
