"""What examples reckon from prices, against markets of which all is known."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from tests.conftest import eventually
from tests.examples.conftest import Run
from upbit_stream import Orderbook, StreamConfig, UpbitStream
from upbit_stream.simulator import Simulator
from upbit_stream.simulator.listing import DEFAULT_CODES

KRW_FEE, USDT_FEE = Decimal("0.0005"), Decimal("0.0025")


def books(sim: Simulator, codes: tuple[str, ...]) -> list[Orderbook]:
    config = StreamConfig(url=sim.url, rest_url=sim.rest_url, numbers="decimal")
    with UpbitStream(config=config) as stream:
        found = stream.snapshot("orderbook", codes)
    return [book for book in (found[code] for code in codes) if isinstance(book, Orderbook)]


def test_the_arbitrage_is_what_a_walk_through_the_markets_brings(run: Run) -> None:
    codes = ("KRW-BTC", "USDT-BTC", "KRW-USDT")
    with Simulator(rate=0, codes=codes) as sim:
        # Cheap, so that a tick is a percent, and the sides of a book matter.
        for code, price in zip(codes, ("105", "0.0755", "1390"), strict=True):
            sim.trade(code, price=price)
        script = run(sim, "arbitrage.py")
        script.out.wait_for(lambda text: text.count("\n") == 2)
        krw, usdt, rate = books(sim, codes)

        # A million won through the won market first, one step after the other.
        won: Any = Decimal(10**6)
        coins = won / krw.asks[0].price * (1 - KRW_FEE)
        dollars = coins * usdt.bids[0].price * (1 - USDT_FEE)
        there = dollars * rate.bids[0].price * (1 - KRW_FEE)
        dollars = won / rate.asks[0].price * (1 - KRW_FEE)
        coins = dollars / usdt.asks[0].price * (1 - USDT_FEE)
        back = coins * krw.bids[0].price * (1 - KRW_FEE)
        told = re.findall(r"BTC +(\w+) +(\d+\.\d\d)% for (\d+\.\d{8}) BTC", script.out.text)
        assert [(way, left) for way, left, _ in told] == [
            ("krw_first", f"{there / 10**4:.2f}"),
            ("usdt_first", f"{back / 10**4:.2f}"),
        ]
        # For no more than waits in each of the three books.
        sizes = [Decimal(size) for _, _, size in told]
        rest = rate.bids[0].size / usdt.bids[0].price, rate.asks[0].size / usdt.asks[0].price
        most = [
            min(krw.asks[0].size, usdt.bids[0].size, rest[0]),
            min(krw.bids[0].size, usdt.asks[0].size, rest[1]),
        ]
        assert sizes == [round(size, 8) for size in most]

        # A dearer won market: whoever buys for USDT and sells there gains.
        sim.trade("KRW-BTC", price=120)
        text = script.out.wait_for(lambda text: text.count("usdt_first") > 1)
        assert float(re.findall(r"usdt_first +(\d+\.\d\d)%", text)[-1]) > 105


def test_a_crossing_is_told_once_also_when_nobody_was_connected(run: Run) -> None:
    with Simulator(rate=0) as sim:
        script = run(sim, "alert.py", "100", "KRW-BTC=100000000")
        script.out.wait_for(lambda text: "KRW-BTC is at " in text)  # where it stands
        for price in (100_000_000, 99_999_000) * 5:  # it trembles at the level
            sim.trade("KRW-BTC", price=price)
        script.out.wait_for(lambda text: ", below" in text)
        sim.trade("KRW-BTC", price=100_050_000)
        script.out.wait_for(lambda text: text.count(", above") == 2)
        sim.reset()  # there and back while nobody was connected
        sim.trade("KRW-BTC", price=90_000_000)
        sim.trade("KRW-BTC", price=110_000_000)
        script.out.wait_for(lambda text: text.count(", above") == 3)
        script.interrupt()
        assert script.process.wait(20) == 0
    out = script.out.all()
    told = re.findall(r"KRW-BTC (is at|has gone to) [\d,]+, (\w+) 100,000,000", out)
    crossed = [("has gone to", side) for side in ("below", "above", "below", "above")]
    assert told == [("is at", "above"), *crossed]


def test_a_signal_of_the_exchange_is_an_alert(run: Run) -> None:
    with Simulator(rate=0) as sim:
        script = run(sim, "alert.py")
        assert sim.wait_for_subscription("indicator_signal", "KRW-BTC", timeout=20)
        message = {
            "code": "KRW-BTC", "timeframe": "5m", "indicator": "rsi", "params": {"period": 14},
            "trigger": "overbought", "event_params": {"threshold": 70}, "value": {"rsi": 71.52},
        }  # fmt: skip
        sim.emit("indicator_signal", message)
        script.out.wait_for(lambda text: "KRW-BTC is overbought: RSI 71.5" in text)
        # Without a level, two around the present price.
        levels = re.findall(r"KRW-BTC is at \S+, (\w+) ([\d,.]+)\n", script.out.text)
        price = Decimal(sim.trades("KRW-BTC", history=True)[-1].price) / 10**8
        assert {word: float(level.replace(",", "")) for word, level in levels} == {
            "above": float(price * Decimal("0.999")), "below": float(price * Decimal("1.001")),
        }  # fmt: skip


def test_without_keys_there_are_levels_all_the_same(run: Run) -> None:
    with Simulator(rate=0) as sim:
        keys = {"UPBIT_ACCESS_KEY": "", "UPBIT_SECRET_KEY": ""}
        script = run(sim, "alert.py", "100", "KRW-BTC=1", **keys)
        text = script.out.wait_for(lambda text: ", above 1\n" in text)
        assert "no signals: " in text


def test_the_scanner_has_those_that_moved_most_on_top(run: Run) -> None:
    with Simulator(rate=0, codes=(*DEFAULT_CODES, "BTC-ETH", "USDT-BTC")) as sim:
        script = run(sim, "scanner.py")

        def see(pattern: str) -> None:
            # It shows a table with the first ticker after a second: so there must be tickers.
            eventually(lambda: sim.trade("KRW-BTC") and re.search(pattern, script.out.text))

        see(f" {len(DEFAULT_CODES)} markets")  # the snapshots, and none of the other currencies
        expected = []
        for code, percent in (("KRW-ETH", -10), ("KRW-XRP", 5), ("KRW-SOL", -2)):
            before = sim.trades(code, history=True)[-1].price
            sim.trade(code, price=round(before / 10**8 * (1 + percent / 100)))
            change = sim.trades(code)[-1].price / before - 1
            expected.append(rf"  {code} +{re.escape(f'{change:+.3%}')} .*\n")
        see("".join(expected))
