"""The commands in the README and the documentation: ours have these options, others are known."""

from __future__ import annotations

import shlex

import pytest
from typer.main import get_command

from tests.docs.pages import PAGES, ROOT, blocks_of
from upbit_stream.cli.app import app

#: Commands that no test parses, and why.
_EXEMPT = {
    "pip": "installs; the first two of the README are run by .ci/run",
    "ruff": "run by .ci/run, from the README",
    "mypy": "run by .ci/run, from the README",
    "pytest": "run by .ci/run, from the README",
    "jupyter": "opens a notebook, which is there: see below; run by tests/examples",
    "mkdocs": "built by test_site.py",
    "python": "a program of the page, or a module of the project; see the test below",
    "systemctl": "the system's",
    "journalctl": "the system's",
    "curl": "the system's",
    "head": "the system's",
    "jq": "the system's",
    ".": "the shell's",
    "cd": "the shell's",
    "export": "the shell's",
    "git": "the system's",
}

# Modules of the project that are commands.
_MODULES = {"upbit_stream", "benchmarks", "tests.chaos", "tests.surface", "venv", "pip"}


def commands_of(page: str) -> list[list[str]]:
    """Each simple command of the page's shell blocks, as words, without the assignments before it
    and the redirections behind it.
    """
    commands = []
    for block in blocks_of(page):
        if block.language != "sh":
            continue
        for line in block.text.replace("\\\n", " ").splitlines():
            lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
            lexer.whitespace_split = True
            words: list[str] = []
            for word in [*lexer, ";"]:
                if set(word) <= set(";&|"):
                    if words:
                        commands.append(words)
                    words = []
                elif words or "=" not in word:
                    words.append(word)
    return [_without_redirections(words) for words in commands]


def _without_redirections(words: list[str]) -> list[str]:
    end = next((at for at, word in enumerate(words) if set(word) <= set("<>")), len(words))
    return words[:end]


@pytest.mark.parametrize("page", PAGES)
def test_commands(page: str) -> None:
    for words in commands_of(page):
        name, *arguments = words
        for word in words:
            assert not word.endswith(".ipynb") or (ROOT / word).is_file(), word
        if name == "python" and arguments[0] == "-m":
            assert arguments[1] in _MODULES, words
            name, *arguments = arguments[1:]
            if name != "upbit_stream":
                continue
        if name in ("upbit-stream", "upbit_stream"):
            _parse(arguments)
        else:
            assert name in _EXEMPT, f"{page}: nobody checks {words!r}"


def _parse(arguments: list[str]) -> None:
    """Fails where the command line would refuse these arguments; does not run them."""
    command = get_command(app)
    left = list(arguments)
    while left and left[0] in getattr(command, "commands", {}):
        command = getattr(command, "commands")[left.pop(0)]  # noqa: B009 (of a group alone)
    known = {name for option in command.params for name in option.opts} | {"--help", "-h"}
    if set(left) & {"--help", "-h"} or hasattr(command, "commands"):
        # What acts while it is parsed: it is looked up, and not done.
        assert set(left) <= known, f"upbit-stream {' '.join(arguments)}: not an option"
    else:
        command.make_context(command.name, left)


def test_a_wrong_option_would_be_found() -> None:
    _parse(["watch", "KRW-BTC", "--type", "trade"])
    _parse(["--version"])
    with pytest.raises(Exception, match="No such option"):
        _parse(["watch", "--no-such-option"])
    with pytest.raises(AssertionError, match="not an option"):
        _parse(["--no-such-option"])
