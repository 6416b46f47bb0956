"""The pages about the terminal: every command in them can be given, every picture is there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.cli.conftest import Call

GUIDE = Path(__file__).parents[2] / "docs" / "guide"
PAGES = (GUIDE / "terminal.md", GUIDE / "terminal.ko.md")


def commands(page: Path) -> list[str]:
    """The commands of a page, without what stands behind them in a pipe."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.splitlines()]
    return [line.partition("|")[0].partition(">")[0].strip() for line in lines]


def test_both_languages_have_the_same_commands() -> None:
    assert commands(PAGES[0]) == commands(PAGES[1])
    assert len(commands(PAGES[0])) > 15


@pytest.mark.parametrize(
    "command", [one for one in commands(PAGES[0]) if one.startswith("upbit-stream")]
)
def test_every_command_is_understood(call: Call, command: str) -> None:
    _, *arguments = shlex.split(command)
    # Unknown options are refused before the help is shown.
    exit_code, out, told = call(*arguments, "--help")
    assert (exit_code, told) == (0, "")
    assert out.startswith("Usage: upbit-stream")


@pytest.mark.parametrize("page", PAGES, ids=["en", "ko"])
def test_every_picture_is_there(page: Path) -> None:
    pictures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", page.read_text(encoding="utf-8"))
    assert len(pictures) == 6
    assert all((page.parent / picture).exists() for picture in pictures)
