"""Every block of code in the README and in the documentation runs, as a reader would run it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ACCESS_KEY, SECRET_KEY
from tests.docs.pages import PAGES, SECONDS, blocks_of, code_of, script_of, twins
from upbit_stream.simulator import Limits, Simulator

# Seconds that a program which runs until Ctrl-C is left alone.
_A_WHILE = 3.0

# A page that breaks a connection on purpose shows what is logged of it.
_OF_A_LOST_CONNECTION = re.compile(r"(public|private|info)-\d+ \(ws://.*; connecting again ")

_LANGUAGES = {"python", "sh", "text", "pycon", "ini", "json", "yaml", "toml", "promql"}

_KOREAN = {korean for _, korean in twins()}
# What both languages have is run once: test_both_languages_have_the_same_code compares them.
_SCRIPTS = [
    pytest.param(page, marks=pytest.mark.long if page == "README.md" else ())
    for page in PAGES
    if page not in _KOREAN and script_of(page)
]
_FILES = [
    (page, block.title)
    for page in PAGES
    if page not in _KOREAN
    for block in blocks_of(page)
    if block.language == "python" and block.title
]


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    # Each page is a process of its own, and none of them counts the handshakes of the others.
    with Simulator(rate=300, limits=Limits.off()) as simulator:
        yield {
            **os.environ,
            "UPBIT_STREAM_URL": simulator.url,
            "UPBIT_REST_URL": simulator.rest_url,
            "UPBIT_ACCESS_KEY": ACCESS_KEY,
            "UPBIT_SECRET_KEY": SECRET_KEY,
            "PYTHONIOENCODING": "utf-8",
            "PYTHONUNBUFFERED": "1",
            "PYTHONWARNINGS": "error",
            "HEALTH_PORT": "0",
        }


def run(
    arguments: list[str], environment: dict[str, str], directory: Path, a_while: float | None = None
) -> str:
    """What it prints; with ``a_while`` it gets Ctrl-C then."""
    with subprocess.Popen(
        [sys.executable, *arguments],
        env=environment,
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        try:
            if a_while is not None:
                try:
                    process.wait(a_while)
                except subprocess.TimeoutExpired:
                    process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=SECONDS)
        finally:
            process.kill()
    assert process.returncode == 0, f"{err}\n{out}"
    assert [line for line in err.splitlines() if not _OF_A_LOST_CONNECTION.match(line)] == []
    return out


@pytest.mark.parametrize("page", _SCRIPTS)
def test_the_blocks_of_a_page_are_a_script_that_runs(
    page: str, environment: dict[str, str], tmp_path: Path
) -> None:
    script = tmp_path / page.replace("/", "-").replace(".md", ".py")
    script.write_text(script_of(page), "utf-8")
    run([str(script)], environment, tmp_path)


@pytest.mark.parametrize(("page", "title"), _FILES)
def test_a_block_with_a_name_is_a_program(
    page: str, title: str, environment: dict[str, str], tmp_path: Path
) -> None:
    (block,) = (block for block in blocks_of(page) if block.title == title)
    (tmp_path / title).write_text(block.text, "utf-8")
    if title.startswith("test_"):
        run(["-m", "pytest", "-q", title], environment, tmp_path)
    else:
        run([title], environment, tmp_path, _A_WHILE)


@pytest.mark.parametrize("page", PAGES)
def test_the_language_of_every_block_is_told(page: str) -> None:
    assert {block.language for block in blocks_of(page)} <= _LANGUAGES


@pytest.mark.parametrize(("english", "korean"), twins())
def test_both_languages_have_the_same_code(english: str, korean: str) -> None:
    assert code_of(english) == code_of(korean)


def test_the_first_lines_of_the_readme(environment: dict[str, str], tmp_path: Path) -> None:
    first = next(block for block in blocks_of("README.ko.md") if block.language == "python")
    assert 5 <= len([line for line in first.lines if line.strip()]) <= 12
    script = tmp_path / "readme.py"
    script.write_text(first.text, "utf-8")
    out = run([str(script)], environment, tmp_path, _A_WHILE)
    assert re.search(r"^KRW-(BTC|ETH) \d+\.\d+ ", out, re.MULTILINE), out
