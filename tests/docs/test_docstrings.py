"""The examples in the docstrings run, too: the reference shows them."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import ROOT
from tests.docs.test_blocks import environment, run

__all__ = ["environment"]

# Those whose docstrings the reference shows.
_MODULES = [
    "__init__.py", "indicators.py", "monitoring/diagnostics.py", "recording/recorder.py",
    "simulator/__init__.py", "stream.py", "subscribing.py", "subscription.py",
]  # fmt: skip

# Each block has what a reader would have typed before it. One that runs until Ctrl-C gets it.
_PROGRAM = """
import os, signal, threading
from contextlib import closing
from upbit_stream import *
from upbit_stream.simulator import Simulator

def block(source, place):
    # Not its own `with`: that tells who leaves at once, as a part of a program does.
    with closing(UpbitStream()) as stream:
        stream.start()
        ctrl_c = threading.Timer(0.7, os.kill, (os.getpid(), signal.SIGINT))
        if ".run()" in source:
            ctrl_c.start()
        exec(compile(source, place, "exec"), {**globals(), "stream": stream})
        ctrl_c.cancel()

"""


def examples(path: Path) -> Iterator[tuple[int, str]]:
    """The indented blocks behind a ``::`` in the docstrings of a module, with their lines."""
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            lines = iter((ast.get_docstring(node) or "").splitlines())
            for line in lines:
                if line.rstrip().endswith("::"):
                    block = []
                    for within in lines:
                        if within.strip() and not within.startswith("    "):
                            break
                        block.append(within)
                    yield getattr(node, "lineno", 1), textwrap.dedent("\n".join(block)).strip("\n")


@pytest.mark.long
def test_the_examples_of_the_docstrings(environment: dict[str, str], tmp_path: Path) -> None:
    calls = []
    for name in _MODULES:
        found = list(examples(ROOT / "upbit_stream" / name))
        assert found, name
        calls += [f"block({source!r}, {f'{name}:{line}'!r})\n" for line, source in found]
    assert len(calls) >= 9
    (tmp_path / "examples.py").write_text(_PROGRAM + "".join(calls), "utf-8")
    run(["examples.py"], environment, tmp_path)


def test_an_example_is_found(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text('def f():\n    """So::\n\n        f()\n\n    It ends.\n    """\n', "utf-8")
    assert list(examples(module)) == [(1, "f()")]
