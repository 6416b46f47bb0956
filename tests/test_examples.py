"""The lines of the README, run as a user would run them. (Examples: tests/examples.)"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ACCESS_KEY, SECRET_KEY
from upbit_stream.simulator import Simulator

ROOT = Path(__file__).parent.parent


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    with Simulator(rate=300) as simulator:
        yield {
            **os.environ,
            "UPBIT_STREAM_URL": simulator.url,
            "UPBIT_ACCESS_KEY": ACCESS_KEY,
            "UPBIT_SECRET_KEY": SECRET_KEY,
            "PYTHONIOENCODING": "utf-8",
            "PYTHONWARNINGS": "error",
        }


def run(arguments: list[str], environment: dict[str, str], directory: Path) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        env=environment,
        cwd=directory,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def first_lines(readme: str) -> str:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / readme).read_text("utf-8"), re.DOTALL)
    return str(blocks[0])


@pytest.mark.long
def test_the_lines_of_the_readme(environment: dict[str, str], tmp_path: Path) -> None:
    english, korean = (first_lines(name) for name in ("README.md", "README.ko.md"))
    without_comments = [re.sub(r" *#.*", "", block) for block in (english, korean)]
    assert without_comments[0] == without_comments[1]
    assert 5 <= len([line for line in english.splitlines() if line.strip()]) <= 12
    script = tmp_path / "readme.py"
    script.write_text(korean, "utf-8")
    out = run([str(script)], environment, tmp_path)
    assert re.search(r"^KRW-(BTC|ETH) \d+\.\d+ ", out, re.MULTILINE), out
