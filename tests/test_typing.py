"""A type checker knows the event in each form of subscribing, in a script of a user's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
from decimal import Decimal
from upbit_stream import *

stream = UpbitStream(region="kr", access_key="a", secret_key="s")

@stream.trade("KRW-BTC")
def on_trade(trade: Trade) -> None:
    print(trade.trade_price * trade.trade_volume)

@stream.my_order()
def on_order(order: MyOrder) -> None:
    print(order.uuid.upper(), (order.price or 0) * 2)

@stream.indicator_signal("KRW-BTC", [Rsi(14).overbought(70), Macd().golden_cross()], timeframe="5m")
def on_signal(signal: IndicatorSignal) -> None:
    print(signal.trigger, signal.params.period, signal.value.rsi)

def on_asset(event: MyAsset) -> float:
    return sum(asset.balance + asset.locked for asset in event.assets)

stream.my_asset(on_asset)
stream.ticker("KRW-BTC", callback=lambda ticker: ticker.acc_trade_price.is_integer())
stream.announcement(lambda one: print(one.title.title()), categories=["notice"], include_body=True)
stream.indicator(["KRW-BTC"], Rsi(7), lambda one: print(one.value.rsi), timeframe="1d")
stream.candle("KRW-BTC", unit="1m", callback=print)

reveal_type(stream.ticker("KRW-BTC"))
reveal_type(stream.trade("KRW-BTC").get())
reveal_type(stream.candle("KRW-BTC").latest["KRW-BTC"])
reveal_type(stream.my_order())
reveal_type(stream.my_asset())
reveal_type(stream.announcement())
reveal_type(stream.indicator("KRW-BTC", Rsi(), timeframe="5m"))
reveal_type(stream.indicator_signal("KRW-BTC", Rsi().oversold(), timeframe="5m"))
for book in stream.orderbook("KRW-BTC"):
    reveal_type(book)
    reveal_type(book.best_bid)
reveal_type(stream.snapshot("trade", "KRW-BTC"))
reveal_type(stream.snapshot("candle.1m", "KRW-BTC"))
reveal_type(on_trade)
reveal_type(stream.trade("KRW-BTC", history=9).history)
"""

REVEALED = [
    "Subscription[upbit_stream.events.market.Ticker]",
    "upbit_stream.events.market.Trade",
    "upbit_stream.events.market.Candle",
    "Subscription[upbit_stream.events.account.MyOrder]",
    "Subscription[upbit_stream.events.account.MyAsset]",
    "Subscription[upbit_stream.events.account.Announcement]",
    "Subscription[upbit_stream.events.analysis.Indicator]",
    "Subscription[upbit_stream.events.analysis.IndicatorSignal]",
    "upbit_stream.events.market.Orderbook",
    "float | None",
    "dict[str, upbit_stream.events.market.Trade]",
    "dict[str, upbit_stream.events.market.Candle]",
    "upbit_stream.events.market.Trade)",
    "dict[str, tuple[upbit_stream.events.market.Trade, ...]]",
]

WRONG = [
    ("stream.trade('KRW-BTC', callback=on_ticker)", "arg-type"),
    ("stream.trade('KRW-BTC')(on_ticker)", "arg-type"),
    ("stream.my_asset('KRW-BTC')", "arg-type"),
    ("stream.indicator('KRW-BTC', Rsi().oversold(), timeframe='5m')", "arg-type"),
    ("stream.indicator_signal('KRW-BTC', Rsi(), timeframe='5m')", "arg-type"),
    ("stream.indicator('KRW-BTC', Rsi(), timeframe='7m')", "arg-type"),
    ("MovingAverage('WMA', 20)", "arg-type"),
    ("stream.trade('KRW-BTC').get().no_such_field", "attr-defined"),
]


ROOT = Path(__file__).parent.parent


def check(tmp_path: Path, text: str) -> str:
    script = tmp_path / "script.py"
    script.write_text(text, "utf-8")
    # In a folder of its own: the project's settings are not the user's. But what mypy knows of the
    # package since the project was checked (strictly, too, and for this version) it need not learn
    # again.
    known = ["--python-version=3.10", f"--cache-dir={ROOT / '.mypy_cache'}"]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", *known, script.name],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> str:
    wrong = "\n".join(call for call, _ in WRONG)
    text = f"{SCRIPT}\ndef on_ticker(ticker: Ticker) -> None: ...\n\n{wrong}\n"
    return check(tmp_path_factory.mktemp("user"), text)


@pytest.mark.long
@pytest.mark.xdist_group("typing")  # who share what mypy told
def test_every_form_is_typed(told: str) -> None:
    revealed = [line for line in told.splitlines() if "Revealed type" in line]
    assert len(revealed) == len(REVEALED), told
    for line, expected in zip(revealed, REVEALED, strict=True):
        assert expected in line.replace("def ", ""), told


@pytest.mark.long
@pytest.mark.xdist_group("typing")  # who share what mypy told
def test_what_is_right_is_quiet_and_what_is_wrong_is_told(told: str) -> None:
    first_wrong = SCRIPT.count("\n") + 4
    errors = [line for line in told.splitlines() if " error: " in line]
    assert len(errors) == len(WRONG), told
    for number, (line, (call, code)) in enumerate(zip(errors, WRONG, strict=True)):
        assert f"script.py:{first_wrong + number}:" in line, (call, told)
        assert f"[{code}]" in line, (call, told)
