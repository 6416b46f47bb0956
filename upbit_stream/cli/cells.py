"""Texts by the cells that they take on a terminal: a Hangul syllable takes two."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size

from upbit_stream.cli.harmless import harmless

__all__ = ["left", "right", "width", "wrap"]

width = cell_len


def left(text: str, size: int) -> str:
    """``text`` at the left of ``size`` cells; longer ones stay as they are."""
    return text + " " * (size - cell_len(text))


def right(text: str, size: int) -> str:
    """``text`` at the right of ``size`` cells; longer ones stay as they are."""
    return " " * (size - cell_len(text)) + text


def wrap(text: str, size: int, *, lines: int | None = None) -> list[str]:
    """``text`` in lines of at most ``size`` cells, broken at spaces where there are any; at most
    so many ``lines``, the last of which then ends with dots. It may come from outside.
    """
    wrapped: list[str] = []
    line = ""
    for word in harmless(" ".join(text.split())).split(" "):
        joined = f"{line} {word}" if line else word
        if cell_len(joined) <= size:
            line = joined
            continue
        if line:
            wrapped.append(line)
        while cell_len(word) > size:
            head = set_cell_size(word, size).rstrip()
            wrapped.append(head)
            word = word[len(head) :]
        line = word
    if line:
        wrapped.append(line)
    if lines is not None and len(wrapped) > lines:
        wrapped = wrapped[:lines]
        wrapped[-1] = set_cell_size(wrapped[-1] + " " * size, size - 4).rstrip() + " ..."
    return wrapped
