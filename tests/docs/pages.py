"""The pages that a person reads, and the code in them.

The convention, for whoever writes a page (README.md, or anything in docs/):

- The ```python blocks of a page are one script: they share their names and run from top to bottom,
  within ``SECONDS`` in all. UPBIT_STREAM_URL, UPBIT_REST_URL and the keys lead to a simulator. The
  script ends by itself, with nothing on its standard error but the log of a lost connection; it may
  leave files in its directory, which is an empty one.
- A ```python title="bot.py" block is a file of its own, and shares nothing. It gets Ctrl-C after a
  few seconds, if it has not ended by then. One that is named ``test_….py`` is run by pytest.
- The commands of ```sh blocks are checked: ours by parsing their options, others must be known.
- What is not meant to be run is a ```text, ```pycon (a session with its output), ```ini … block.
- ``page.ko.md`` has the same code as ``page.md``, its comments aside.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import NamedTuple

__all__ = ["PAGES", "ROOT", "SECONDS", "Block", "blocks_of", "code_of", "script_of", "twins"]

ROOT = Path(__file__).parent.parent.parent

#: How long the script of a page may take.
SECONDS = 60.0

_OPENING = re.compile(r'^( *)```(\w*) *(?:title="([^"]+)")? *$')


class Block(NamedTuple):
    """A fenced block."""

    language: str
    #: The name of the file that it is; empty for most.
    title: str
    #: The number of its first line of code in the page, from 0.
    first: int
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """What is in it."""
        return "\n".join(self.lines) + "\n"


def _pages() -> list[str]:
    found = [*ROOT.glob("README*.md"), *(ROOT / "docs").rglob("*.md")]
    return sorted(str(path.relative_to(ROOT)) for path in found)


#: Every page, by its path from the root of the project.
PAGES = _pages()


def blocks_of(page: str) -> list[Block]:
    """The fenced blocks of a page, in order, without the indentation of their fences."""
    blocks = []
    lines = iter(enumerate((ROOT / page).read_text("utf-8").splitlines()))
    for number, line in lines:
        if "```" not in line or line.lstrip().startswith("<!--"):
            continue
        opening = _OPENING.match(line)
        assert opening, f"{page}:{number + 1}: not the beginning of a block: {line!r}"
        indentation, language, title = opening.groups()
        inside = []
        for _, within in lines:
            if within == indentation + "```":
                break
            assert within.startswith(indentation) or not within.strip(), f"{page}: {within!r}"
            inside.append(within[len(indentation) :])
        else:
            raise AssertionError(f"{page}:{number + 1}: this block has no end")
        blocks.append(Block(language, title or "", number + 1, tuple(inside)))
    return blocks


def script_of(page: str) -> str:
    """The page's python blocks as one script, each line at its number in the page, so that a
    traceback points there; empty if there are none.
    """
    lines: list[str] = []
    for block in blocks_of(page):
        if block.language == "python" and not block.title:
            lines += [""] * (block.first - len(lines))
            lines += block.lines
    return "\n".join(lines) + "\n" if lines else ""


def twins() -> list[tuple[str, str]]:
    """The pages that exist in both languages: English, Korean."""
    return [
        (page.removesuffix(".ko.md") + ".md", page) for page in PAGES if page.endswith(".ko.md")
    ]


def code_of(page: str) -> list[tuple[str, str, str]]:
    """The blocks of a page as language, title and code, without what may differ between two
    languages.
    """
    code = []
    for block in blocks_of(page):
        if block.language == "python":
            text = ast.dump(ast.parse(block.text))
        elif block.language == "text":  # pictures and outputs, which are translated
            text = ""
        else:
            text = re.sub(r" *#.*", "", block.text).replace(".ko.ipynb", ".ipynb")
        code.append((block.language, block.title, text))
    return code
