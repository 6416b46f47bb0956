"""The notebooks, executed by a real kernel as if somebody pressed "Run all"."""

from __future__ import annotations

import ast
import copy
import os
import re
import tempfile
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
from nbclient import NotebookClient
from traitlets.config import Config

from tests.examples.script import EXAMPLES

NOTEBOOKS = EXAMPLES / "notebooks"
NAMES = sorted(path.name for path in NOTEBOOKS.glob("*.ipynb"))

#: What the outputs of a notebook have to show, one after the other.
SHOWN = {
    "first_steps": [
        r"text/html\n<UpbitStream kr connected",
        r"KRW-BTC: [\d,]+ KRW, [+-]\d+\.\d\d% today\nKRW-ETH: ",
        r"(\d\d:\d\d:\d\d \d+\.\d{8} BTC (sold|bought) at [\d,]+\n){10}",
        r"bid [\d,]+, ask [\d,]+, spread [\d,]+\n",
        r"text/html\n\w*Orderbook\w*\(",
        r"trade_price +signed_change_rate +acc_trade_price_24h\n(.*\n)*?KRW-SOL +\d",
        r"application/vnd\.jupyter\.widget-view\+json\nFigureWidget\(",
        r"application/vnd\.jupyter\.widget-view\+json\n.*LiveView",
        r"healthy: (True|False)\n[\d,]+ messages, 0 reconnects",
        r"closed in time: True",
    ],
    "first_steps.ko": [
        r"KRW-BTC: [\d,]+원, [+-]\d+\.\d\d% \(전일 대비\)\nKRW-ETH: ",
        r"(\d\d:\d\d:\d\d \d+\.\d{8} BTC (매도|매수), 가격 [\d,]+\n){10}",
        r"매수 [\d,]+, 매도 [\d,]+, 차이 [\d,]+\n",
        r"application/vnd\.jupyter\.widget-view\+json\n.*LiveView",
        r"정상: (True|False)\n메시지 [\d,]+개, 재연결 0번",
        r"제때 닫힘: True",
    ],
    "health": [
        r"'state: connecting', 'state: connected'",
        r"healthy: (True|False)\nping \d+\.\d ms, \d+ messages a second\n",
        r"text/html\nConnectionHealth",
        r"'state: reconnecting',\n 'state: connected',\n 'gap: trade KRW-.* missed, and fetched'",
        r"lost: 0 doubled: 0\nfetched: [1-9]\d*\n",
        r"1 reconnect: the connection dropped \(1006",
        r"dropped: [1-9]\d*, by the others: 0\n",
        r"'drop', 'error'",
        r"p95: \d+\.\d ms\ntext/html\nDiagnosticsReport",
        r"closed in time: True",
    ],
}


def read(name: str) -> Any:
    return nbformat.read(NOTEBOOKS / name, as_version=4)  # type: ignore[no-untyped-call]


def code_of(name: str) -> list[str]:
    return [cell.source for cell in read(name).cells if cell.cell_type == "code"]


def outputs_of(notebook: Any) -> str:
    """What the cells have written and shown, as text; before it what it is beside text."""
    told = ""
    for out in (out for cell in notebook.cells for out in cell.get("outputs", ())):
        if out.output_type != "stream":
            kinds = sorted(kind for kind in out["data"] if kind != "text/plain")
            told += "\n".join((*kinds, out["data"]["text/plain"], ""))
        elif out.name != "stderr":
            told += out["text"]
    return told


# What the live views have drawn last stays on the page. (Nobody but a page hears of it.)
_DRAWN_LAST = """
import gc
from upbit_stream.notebook.live import LiveView
views = [one for one in gc.get_objects() if isinstance(one, LiveView)]
print([[f"{code} {price}" for code, price, *_ in view._rows] for view in views])
"""


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "times"), [("first_steps.ipynb", 2), ("first_steps.ko.ipynb", 1), ("health.ipynb", 1)]
)
def test_it_runs_from_top_to_bottom(
    name: str, times: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("UPBIT_STREAM_URL", raising=False)
    notebook = read(name)
    notebook.cells = [copy.deepcopy(cell) for _ in range(times) for cell in notebook.cells]
    if name.startswith("first_steps"):
        notebook.cells.append(nbformat.v4.new_code_cell(_DRAWN_LAST))  # type: ignore[no-untyped-call]
    # TCP ports are chosen before the kernel binds them, and others may be quicker. (The name of a
    # local socket may not be long, and that of tmp_path is.)
    with tempfile.TemporaryDirectory() as place:
        local = {"transport": "ipc", "ip": f"{place}/kernel"} if os.name != "nt" else {}
        client = NotebookClient(
            notebook,
            timeout=60,
            kernel_name="python3",
            resources={"metadata": {"path": str(tmp_path)}},
            config=Config({"KernelManager": local}),
        )
        client.execute()  # raises what a cell raises
    assert not psutil.Process().children()
    text = outputs_of(notebook)
    if name.startswith("first_steps"):
        drawn = text.splitlines()[-1]
        assert len(re.findall(r"KRW-\w+ \d[\d,]+'", drawn)) == 3 * times, drawn
    for shown in SHOWN[name.removesuffix(".ipynb")] * times:
        found = re.search(shown, text)
        assert found, (shown, text)
        text = text[found.end() :]


@pytest.mark.parametrize("name", NAMES)
def test_it_is_kept_without_outputs(name: str) -> None:
    notebook = read(name)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert (cell.outputs, cell.execution_count) == ([], None)


@pytest.mark.parametrize("name", ["first_steps", "health"])
def test_both_languages_have_the_same_code(name: str) -> None:
    english, korean = code_of(f"{name}.ipynb"), code_of(f"{name}.ko.ipynb")
    for one, other in zip(english, korean, strict=True):
        mine, theirs = parts_of(one), parts_of(other)
        assert len(mine) == len(theirs), other
        for wanted, part in zip(mine, theirs, strict=True):
            assert part == wanted or re.search("[가-힣]", part), other
    for kind, cells in (("English", read(f"{name}.ipynb")), ("Korean", read(f"{name}.ko.ipynb"))):
        texts = [cell.source for cell in cells.cells if cell.cell_type == "markdown"]
        assert all(bool(re.search("[가-힣]", text)) == (kind == "Korean") for text in texts)


class _WithoutText(ast.NodeTransformer):
    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.JoinedStr:
        node.values = [one for one in node.values if isinstance(one, ast.FormattedValue)]
        return node


def parts_of(code: str) -> list[str]:
    """What a program is made of, but for its comments and the text around values in f-strings."""
    return [
        f"{type(node).__name__} {[one for _, one in ast.iter_fields(node) if is_plain(one)]}"
        for node in ast.walk(_WithoutText().visit(ast.parse(code)))
    ]


def is_plain(value: object) -> bool:
    return isinstance(value, (str, int, float))
