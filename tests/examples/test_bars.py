"""Bars made of the stream's trades are the market's own, whatever happens to the connection."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timezone
from decimal import Decimal

import pytest

from tests.conftest import eventually
from tests.examples.conftest import Run
from upbit_stream.simulator import Simulator

CODES = ("KRW-BTC", "KRW-ETH")
#: Open, high, low, close, volume of each bar, by code and beginning.
Bars = dict[tuple[str, str], tuple[Decimal, ...]]


def told(text: str) -> Bars:
    """What was printed last of each bar."""
    rows = re.findall(r"^(KRW-\w+) (\S+ \S+) (.+)$", text, re.M)
    return {
        (code, when): tuple(Decimal(number) for number in numbers.replace(",", "").split())
        for code, when, numbers in rows
    }


def made(sim: Simulator) -> Bars:
    """What the market itself says."""
    bars: Bars = {}
    for code in CODES:
        for row in sim.trades(code, history=True):
            moment = datetime.fromtimestamp(row.timestamp // 1000, timezone.utc)
            price, volume = (Decimal(units) / 10**8 for units in (row.price, row.volume))
            begun = bars.get((code, f"{moment:%Y-%m-%d %H:%M:%S}"))
            first, high, low, _, before = begun or (price, price, price, price, Decimal(0))
            bar = (first, max(high, price), min(low, price), price, before + volume)
            bars[code, f"{moment:%Y-%m-%d %H:%M:%S}"] = bar
    return bars


def lose_the_connection_twice(sim: Simulator) -> None:
    sim.reset()
    sim.burst(100, CODES)
    eventually(sim.subscriptions)
    sim.refuse()
    sim.reset()
    trades = sim.stats["trades"]
    eventually(lambda: sim.stats["trades"] > trades + 400)  # more than a bar of them
    sim.accept()


def bring_trades_out_of_order(sim: Simulator) -> None:
    sim.reorder_trades(ratio=0.2)


@pytest.mark.long
@pytest.mark.parametrize(
    ("trouble", "sign"),
    [
        (lose_the_connection_twice, r"trade KRW-.*: \d+ events of .* missed, and fetched"),
        (bring_trades_out_of_order, ""),
    ],
)
def test_each_bar_is_that_of_the_ledger(
    trouble: Callable[[Simulator], None], sign: str, run: Run
) -> None:
    with Simulator(rate=300, codes=CODES) as sim:
        script = run(sim, "bars.py", "100", "1")
        script.out.wait_for(lambda text: {code for code, _ in told(text)} == set(CODES))
        trouble(sim)
        script.out.wait_for(lambda text: re.search(sign, text))
        so_far = len(told(script.out.text))
        script.out.wait_for(lambda text: len(told(text)) > so_far + 4)
        script.interrupt()
        assert script.process.wait(20) == 0
        bars, ledger = told(script.out.all()), made(sim)
    for code in CODES:
        times = sorted(when for of, when in bars if of == code)
        expected = {
            key: bar for key, bar in ledger.items()
            if key[0] == code and times[0] <= key[1] <= times[-1]
        }  # fmt: skip
        mine = {key: bar for key, bar in bars.items() if key[0] == code}
        assert mine == expected, script.out.text
