"""What holds for every example: it runs, Ctrl-C ends it, it is short, and it is listed."""

from __future__ import annotations

import ast
import re
from typing import NamedTuple

import pytest

from tests.conftest import eventually
from tests.examples.conftest import Run
from tests.examples.script import EXAMPLES, ROOT, SCRIPTS
from upbit_stream.simulator import Simulator
from upbit_stream.simulator.listing import all_codes


class Expected(NamedTuple):
    """What an example is given, and what it writes."""

    #: Before Ctrl-C; the last line of it at least.
    shown: str = ""
    #: After it.
    at_end: str = ""
    arguments: tuple[str, ...] = ()
    log: str = "^$"


EXPECTED = {
    "account.py": Expected(
        r"order \w{8} (sell|buy) KRW-(.|\n)*balance BTC: 0\.\d{10,} free, 0\.0125 locked"
    ),
    "alert.py": Expected(
        r"\d\d:\d\d:\d\d KRW-BTC is at [\d,.]+, (above|below) [\d,]+", r"^((?!no signals)(.|\n))*$"
    ),
    "arbitrage.py": Expected(r"(BTC|XRP|DOGE) +(krw|usdt)_first +\d+\.\d\d% for \d+\.\d{8} [A-Z]+"),
    "bars.py": Expected(
        r"code +from \(UTC\) +open +high +low +close +volume\n"
        r"KRW-(BTC|ETH) \d{4}-\d\d-\d\d \d\d:\d\d:\d\d( +[\d,]+){4} +\d+\.\d{8}",
        arguments=("100", "1"),
    ),
    "bot.py": Expected(log=r"connected(.|\n)*disconnected(.|\n)*\d+ trades handled"),
    "callback.py": Expected(
        r"state: connected(.|\n)*KRW-XRP [\d,]+(.|\n)*1m candle of", r"\d+ events in all"
    ),
    "first_trade.py": Expected(r"KRW-(BTC|ETH) 0\.\d{8} (sold|bought) at [\d,]+"),
    "health_endpoint.py": Expected(r"health at http://127\.0\.0\.1:\d+/", arguments=("100", "0")),
    "iterator.py": Expected(r"\d+\.\d / \d+\.\d, spread \d+\.\d, \d+\.\d{4} BTC bid"),
    "record_replay.py": Expected(
        at_end=r"\d+ events in \d+\.\d s, 0 lost, traded: (KRW-BTC .*)\nreplayed in .*: \1\n"
    ),
    "scanner.py": Expected(r"\d\d:\d\d:\d\d UTC, 25 markets\n  KRW-\w+ +[+-]\d\.\d{3}% +[\d,.]+"),
    "threads.py": Expected(at_end=r"KRW-BTC: \d+\.\d{8} traded at [\d,]+\.\d\d on average"),
    "with_asyncio.py": Expected(r"KRW-BTC is at [\d,]+\n(.*\n)*KRW-(BTC|ETH) \d\.\d{8} at [\d,]+"),
}


# What needs a broker is run by the tests of the relay.
@pytest.mark.parametrize("name", [name for name in SCRIPTS if name != "two_machines.py"])
def test_it_runs_until_ctrl_c(name: str, run: Run) -> None:
    expected = EXPECTED[name]
    with Simulator(rate=300, codes=all_codes(60)) as sim:
        script = run(sim, name, *expected.arguments)
        script.out.wait_for(lambda text: re.search(expected.shown, text))
        # Those that write nothing before their end have begun when the market has gone on.
        eventually(sim.subscriptions)
        trades = sim.stats["trades"]
        eventually(lambda: sim.stats["trades"] > trades + 100)
        script.interrupt()
        assert script.process.wait(20) == 0
    assert re.search(expected.at_end, script.out.all()), script.out.text
    assert re.search(expected.log, script.err.all()), script.err.text


def test_it_runs_for_as_long_as_it_is_told(run: Run) -> None:
    with Simulator(rate=300) as sim:
        scripts = [run(sim, name, "1") for name in ("first_trade.py", "with_asyncio.py")]
        assert [script.all() for script in scripts][1].startswith("KRW-BTC is at ")


@pytest.mark.parametrize("name", SCRIPTS)
def test_it_is_short_and_begins_with_what_it_does(name: str) -> None:
    text = (EXAMPLES / name).read_text("utf-8")
    assert len(text.splitlines()) < 60
    told = ast.get_docstring(ast.parse(text))
    assert told is not None
    assert (
        f"\n    {'UPBIT_ACCESS_KEY=… UPBIT_SECRET_KEY=… ' * (name == 'account.py')}python " in told
    )
    assert re.search(rf"python examples/{name} (\[(SECONDS|COUNT)\]|BROKER)", told)
    assert "``upbit-stream simulate" in told
    assert "``UPBIT_STREAM_URL``" in told


def test_only_the_public_face_is_used() -> None:
    allowed = {"upbit_stream", "upbit_stream.relay", "upbit_stream.simulator"}
    for name in SCRIPTS:
        for node in ast.walk(ast.parse((EXAMPLES / name).read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module is not None:
                assert not node.module.startswith("upbit_stream") or node.module in allowed, name
            hidden = isinstance(node, ast.Attribute) and re.match("_(?!_)", node.attr)
            assert not hidden, name


@pytest.mark.parametrize("readme", ["README.md", "README.ko.md"])
def test_every_example_is_listed(readme: str) -> None:
    text = (EXAMPLES / readme).read_text("utf-8")
    there = [*SCRIPTS, *(f"notebooks/{path.name}" for path in EXAMPLES.glob("notebooks/*.ipynb"))]
    listed = re.findall(r"\]\(([\w/.]+\.(?:py|ipynb))\)", text)
    assert sorted(listed) == sorted(there)


def test_their_types_are_checked() -> None:
    settings = (ROOT / "setup.cfg").read_text("utf-8")
    assert re.search(r"^\[mypy\]\nstrict = True\n(.*\n)*?files = .*\bexamples\b", settings, re.M)
