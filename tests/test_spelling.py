"""A name that does not exist is answered with the one that was meant."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from upbit_stream import HealthThresholds, ReconnectPolicy, StreamConfig, UpbitStream

# Any: the calls are wrong, and a type checker says so (tests/test_typing.py).
WRONG: list[tuple[Callable[[Any], Any], str]] = [
    (
        lambda s: s.orderbook("KRW-BTC", dept=5),
        "orderbook() has no option 'dept'; did you mean 'depth'?",
    ),
    (
        lambda s: s.trade("KRW-BTC", calback=print),
        "trade() has no option 'calback'; did you mean 'callback'?",
    ),
    (
        lambda s: s.ticker("KRW-BTC", xyz=5),
        "ticker() has no option 'xyz'; choose among codes, callback, snapshot, realtime, overflow, "
        "queue_size, history",
    ),
    (
        lambda s: s.snapshot("ticker", "KRW-BTC", time_out=5),
        "snapshot() has no option 'time_out'; did you mean 'timeout'?",
    ),
    (
        lambda s: s.my_asset(histroy=5),
        "my_asset() has no option 'histroy'; did you mean 'history'?",
    ),
    (
        lambda s: s.trade("KRW-BTC", "KRW-ETH", "KRW-XRP"),
        "trade() takes only codes and callback by place, and was given 3; put several codes "
        'into one list: trade(["KRW-BTC", "KRW-ETH"])',
    ),
    (
        lambda s: s.orderbook("KRW-BTC", print, 5),
        "orderbook() takes only codes and callback by place, and was given 3; give what "
        "is more by its name, as in orderbook(codes, callback, depth=…)",
    ),
    (
        lambda s: s.candle("KRW-BTC", print, "1m"),
        "candle() takes only codes and callback by place, and was given 3; give what "
        "is more by its name, as in candle(codes, callback, unit=…)",
    ),
    (
        lambda s: s.my_asset(print, 5),
        "my_asset() takes only callback by place, and was given 2; give what is more by its name, "
        "as in my_asset(callback, overflow=…)",
    ),
    (
        lambda s: s.snapshot("ticker", "KRW-BTC", "KRW-ETH"),
        "snapshot() takes only type and codes by place, and was given 3; put several codes "
        'into one list: snapshot(type, ["KRW-BTC", "KRW-ETH"])',
    ),
    (
        lambda s: s.live("KRW-BTC", "KRW-ETH"),
        "live() takes only codes by place, and was given 2; put several codes into one "
        'list: live(["KRW-BTC", "KRW-ETH"])',
    ),
    (lambda s: s.trade(), 'trade() needs codes; call it as in trade("KRW-BTC")'),
    (
        lambda s: s.candle(callback=print, unit="1m"),
        'candle() needs codes; call it as in candle("KRW-BTC")',
    ),
    (
        lambda s: s.snapshot("KRW-BTC"),
        'snapshot() needs codes; call it as in snapshot("ticker", "KRW-BTC")',
    ),
    (
        lambda s: s.indicator("KRW-BTC", []),
        'indicator() needs timeframe; call it as in indicator("KRW-BTC", Rsi(14), timeframe="5m")',
    ),
    (
        lambda s: s.indicator(),
        "indicator() needs codes, indicators and timeframe; call it as in "
        'indicator("KRW-BTC", Rsi(14), timeframe="5m")',
    ),
    (
        lambda s: s.indicator_signal(timeframe="5m"),
        "indicator_signal() needs codes and indicators; call it as in "
        'indicator_signal("KRW-BTC", Rsi(14).overbought(70), timeframe="5m")',
    ),
    (
        lambda s: s.trade("KRW-BTC", codes="KRW-ETH"),
        "trade() was given codes by place and by name; give it once",
    ),
]
WRONG_MAKING: list[tuple[Callable[[], object], str]] = [
    (
        lambda: UpbitStream("kr"),  # type: ignore[call-arg]
        "UpbitStream() takes nothing by place, and was given 1; give what is more by its name, as "
        "in UpbitStream(region=…)",
    ),
    (
        lambda: StreamConfig(redundency=2),  # type: ignore[call-arg]
        "StreamConfig() has no option 'redundency'; did you mean 'redundancy'?",
    ),
    (
        lambda: dataclasses.replace(StreamConfig(), overflw="latest"),  # type: ignore[call-arg]
        "StreamConfig() has no option 'overflw'; did you mean 'overflow'?",
    ),
    (
        lambda: ReconnectPolicy(max_attempt=2),  # type: ignore[call-arg]
        "ReconnectPolicy() has no option 'max_attempt'; did you mean 'max_attempts'?",
    ),
    (
        lambda: HealthThresholds(ping=2),  # type: ignore[call-arg]
        "HealthThresholds() has no option 'ping'; choose among ping_latency, "
        "message_success_rate, reconnection_frequency",
    ),
    (
        lambda: UpbitStream(redundancy=2),  # type: ignore[call-arg]
        "UpbitStream() has no option 'redundancy'; give it to StreamConfig, as in "
        "UpbitStream(config=StreamConfig(redundancy=…))",
    ),
    (
        lambda: UpbitStream(redundency=2),  # type: ignore[call-arg]
        "UpbitStream() has no option 'redundency'; give it to StreamConfig, as in "
        "UpbitStream(config=StreamConfig(redundancy=…))",
    ),
    (
        lambda: UpbitStream(secretkey="the-secret"),  # type: ignore[call-arg]
        "UpbitStream() has no option 'secretkey'; did you mean 'secret_key'?",
    ),
]


@pytest.mark.parametrize(("call", "text"), WRONG, ids=[text for _, text in WRONG])
def test_an_option(call: Callable[[Any], Any], text: str) -> None:
    stream = UpbitStream(access_key="a", secret_key="s")
    with pytest.raises(TypeError) as caught:
        call(stream)
    assert str(caught.value) == text
    assert stream.subscriptions == ()


def test_a_change_of_the_codes() -> None:
    trades: Any = UpbitStream().trade("KRW-BTC")
    for change in (trades.add, trades.remove):
        told = f"{change.__name__}() takes only codes by place, and was given 2; "
        with pytest.raises(TypeError) as caught:
            change("KRW-BTC", "KRW-ETH")
        list_ = f'put several codes into one list: {change.__name__}(["KRW-BTC", "KRW-ETH"])'
        assert str(caught.value) == told + list_
        with pytest.raises(TypeError) as caught:
            change("KRW-BTC", 5)
        assert str(caught.value) == f"{told}leave out what is more"
        with pytest.raises(TypeError) as caught:
            change()
        name = change.__name__
        assert str(caught.value) == f'{name}() needs codes; call it as in {name}("KRW-BTC")'
    assert trades.codes == ("KRW-BTC",)


@pytest.mark.parametrize(("make", "text"), WRONG_MAKING, ids=[text for _, text in WRONG_MAKING])
def test_an_option_of_what_is_made(make: Callable[[], object], text: str) -> None:
    with pytest.raises(TypeError) as caught:
        make()
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("trades", "trade"),
        ("orderbooks", "orderbook"),
        ("candels", "candle"),
        ("on_trade", "trade"),
        ("subscribe_ticker", "ticker"),
        ("subscribe", "trade"),
        ("stop", "close"),
        ("subscription", "subscriptions"),
    ],
)
def test_a_method(name: str, meant: str) -> None:
    with pytest.raises(AttributeError) as caught:
        getattr(UpbitStream(), name)
    assert str(caught.value) == f"UpbitStream has no {name!r}; did you mean {meant!r}?"


@pytest.mark.parametrize("name", ["zzzzzz", "_repr_markdown_", "_trade"])
def test_what_is_like_nothing(name: str) -> None:
    assert not hasattr(UpbitStream(), name)
    with pytest.raises(AttributeError) as caught:
        getattr(UpbitStream(), name)
    assert str(caught.value) == f"UpbitStream has no {name!r}"


def test_settings_are_copied_and_pickled_as_before() -> None:
    config = StreamConfig(redundancy=2)
    assert pickle.loads(pickle.dumps(config)) == copy.deepcopy(config) == config
    assert dataclasses.replace(config, queue_size=5).queue_size == 5
