"""Every example runs, as a user would run it. (The lines of the README: tests/docs.)"""

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
EXAMPLES = sorted(path.name for path in (ROOT / "examples").glob("*.py"))

#: What each example is given, and what it must have printed.
RUNS = {
    "decorator.py": (["1"], r"^KRW-(BTC|ETH) 0\.\d{8} (sold|bought) at [\d,]+$"),
    "account.py": (["3"], r"(?s)order KRW-.*(BTC|KRW): \d+\.\d{10,} free, \S+ locked"),
    "callback.py": (["1"], r"(?s)state: connected.*KRW-XRP [\d,]+.*1m candle of.*events in all"),
    "record.py": (["1"], r"(?s)^\d{2,} events, \d+ bytes in 1 file.*^KRW-BTC: \d+\.\d{8} traded"),
    "iterator.py": (["5"], r"^\d+\.\d / \d+\.\d, spread \d+\.\d, \d+\.\d{4} BTC bid"),
}


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


@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name: str, environment: dict[str, str], tmp_path: Path) -> None:
    arguments, expected = RUNS[name]
    out = run([str(ROOT / "examples" / name), *arguments], environment, tmp_path)
    assert re.search(expected, out, re.MULTILINE), out
