"""What cannot work is refused at the call, by name, and leaves nothing half-registered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from upbit_stream import (
    InvalidCodeError,
    ReconnectPolicy,
    Rsi,
    StreamConfig,
    SubscriptionError,
    UpbitStream,
    UpbitStreamError,
)

# Any: the calls are wrong, and a type checker would say so.
Call = Callable[[Any], Any]

WRONG_CODES = [
    ("krw-btc", "KRW-BTC"),
    ("BTC-KRW", "KRW-BTC"),
    ("BTC-USDT", "USDT-BTC"),
    ("KRW/ETH", "KRW-ETH"),
    ("KRWETH", "KRW-ETH"),
    ("BTCUSDT", "USDT-BTC"),
    ("USDTBTC", "USDT-BTC"),
    ("BTCKRW", "KRW-BTC"),
    ("btceth", "BTC-ETH"),
    ("btc", "KRW-BTC"),
    ("KRW-KRW", None),
    ("", None),
    ([], None),
    (None, None),
    (7, None),
    ("KRW-BTC,KRW-ETH", None),
    (b"KRW-BTC", None),
    (["KRW-BTC", None], None),
    (["KRW-BTC", "eth-krw"], "KRW-ETH"),
]


@pytest.mark.parametrize(("codes", "suggestion"), WRONG_CODES)
def test_wrong_codes(codes: Any, suggestion: str | None) -> None:
    stream = UpbitStream()
    for subscribe in (stream.ticker, stream.trade, stream.orderbook, stream.candle):
        with pytest.raises(InvalidCodeError) as caught:
            subscribe(codes)
        message = str(caught.value)
        wrong = codes[-1] if isinstance(codes, list) and codes else codes
        assert repr(wrong) in message
        assert '"KRW-BTC"' in message or "as a list" in message
        assert caught.value.suggestion == suggestion
        if suggestion:
            assert f"Did you mean {suggestion!r}?" in message
    assert stream.subscriptions == ()


WRONG_CALLS: list[tuple[str, Call, type[Exception], str]] = [
    (
        "depth",
        lambda s: s.orderbook("KRW-BTC", depth=7),
        SubscriptionError,
        "depth=7.*1, 5, 15, 30",
    ),
    ("depth text", lambda s: s.orderbook("KRW-BTC", depth="5"), SubscriptionError, "depth='5'"),
    ("depth bool", lambda s: s.orderbook("KRW-BTC", depth=True), SubscriptionError, "depth=True"),
    ("unit", lambda s: s.candle("KRW-BTC", unit="2m"), SubscriptionError, "unit='2m'.*1s, 1m, 3m"),
    ("unit none", lambda s: s.candle("KRW-BTC", unit=None), SubscriptionError, "unit=None"),
    (
        "level on a BTC market",
        lambda s: s.orderbook(["KRW-BTC", "BTC-ETH"], level=10),
        SubscriptionError,
        "level=10 with BTC-ETH.*KRW markets",
    ),
    ("level", lambda s: s.orderbook("KRW-BTC", level=-1), SubscriptionError, "level=-1"),
    (
        "neither snapshot nor realtime",
        lambda s: s.trade("KRW-BTC", snapshot=False, realtime=False),
        SubscriptionError,
        "asks for nothing",
    ),
    ("queue size", lambda s: s.trade("KRW-BTC", queue_size=-1), ValueError, "queue_size=-1"),
    ("queue size 0", lambda s: s.trade("KRW-BTC", queue_size=0), ValueError, "queue_size=0"),
    ("queue size 1.5", lambda s: s.trade("KRW-BTC", queue_size=1.5), TypeError, "queue_size=1.5"),
    (
        "overflow",
        lambda s: s.trade("KRW-BTC", overflow="wait"),
        ValueError,
        "overflow='wait'.*'drop_oldest', 'drop_newest', 'latest', 'block'",
    ),
    # What the wire page says the exchange refuses, or is silent about.
    ("codes on my_asset", lambda s: s.my_asset(["KRW-BTC"]), SubscriptionError, "takes no codes"),
    (
        "codes added to my_asset",
        lambda s: s.my_asset().add("KRW-BTC"),
        SubscriptionError,
        "no code",
    ),
    ("orders of a wrong code", lambda s: s.my_order("btc"), InvalidCodeError, "mean 'KRW-BTC'"),
    ("no codes", lambda s: s.indicator([], Rsi(), timeframe="5m"), InvalidCodeError, "is empty"),
    (
        "indicators of a BTC market",
        lambda s: s.indicator(["KRW-BTC", "BTC-ETH"], Rsi(), timeframe="5m"),
        SubscriptionError,
        "BTC-ETH: .* KRW markets only",
    ),
    (
        "a BTC market added to indicators",
        lambda s: s.indicator("KRW-BTC", Rsi(), timeframe="5m").add("BTC-ETH"),
        SubscriptionError,
        "BTC-ETH: .* KRW markets only",
    ),
    (
        "signals of a USDT market",
        lambda s: s.indicator_signal("USDT-BTC", Rsi().oversold(), timeframe="5m"),
        SubscriptionError,
        "USDT-BTC: .* KRW markets only",
    ),
    (
        "unknown category",
        lambda s: s.announcement(categories=["notice", "sports"]),
        SubscriptionError,
        "'sports' is no category.*notice, trade, wallet",
    ),
    ("category 5", lambda s: s.announcement(categories=5), SubscriptionError, "categories=5"),
    (
        "timeframe",
        lambda s: s.indicator("KRW-BTC", Rsi(), timeframe="10m"),
        SubscriptionError,
        "timeframe='10m'.*'5m', '15m', '60m', '240m' or '1d'",
    ),
    (
        "no indicators",
        lambda s: s.indicator("KRW-BTC", [], timeframe="5m"),
        SubscriptionError,
        "empty",
    ),
    (
        "an indicator by its name",
        lambda s: s.indicator("KRW-BTC", "rsi", timeframe="5m"),
        SubscriptionError,
        r"write Rsi\(\)",
    ),
    (
        "an indicator where a signal is wanted",
        lambda s: s.indicator_signal("KRW-BTC", Rsi(14), timeframe="5m"),
        SubscriptionError,
        r"no trigger: use .overbought\(\) or .oversold\(\)",
    ),
    (
        "a signal where an indicator is wanted",
        lambda s: s.indicator("KRW-BTC", Rsi(14).oversold(), timeframe="5m"),
        SubscriptionError,
        "give it to indicator_signal",
    ),
    (
        "more than 100 combinations",
        lambda s: s.indicator([f"KRW-A{n}" for n in range(101)], Rsi(), timeframe="5m"),
        SubscriptionError,
        "101 combinations",
    ),
    ("snapshot type", lambda s: s.snapshot("candle", "KRW-BTC"), SubscriptionError, "candle.1s"),
    ("callback", lambda s: s.trade("KRW-BTC", 5), TypeError, "callback=5"),
    (
        "a code as callback",
        lambda s: s.trade("KRW-BTC", "KRW-ETH"),
        TypeError,
        r"several codes go into one list, such as \[",
    ),
    (
        "a length as callback",
        lambda s: s.candle("KRW-BTC", "1m"),
        TypeError,
        'the length of a candle into unit="1m"',
    ),
    ("an hour", lambda s: s.candle("KRW-BTC", unit="1h"), SubscriptionError, 'mean "60m"'),
    ("four hours", lambda s: s.candle("KRW-BTC", unit="4H"), SubscriptionError, 'mean "240m"'),
    ("a bare number", lambda s: s.candle("KRW-BTC", unit=5), SubscriptionError, 'mean "5m"'),
    ("decorated", lambda s: s.trade("KRW-BTC")(5), TypeError, "callback=5"),
    ("handler", lambda s: s.on_state(5), TypeError, r"on_state\(5\)"),
]


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [row[1:] for row in WRONG_CALLS],
    ids=[row[0] for row in WRONG_CALLS],
)
def test_wrong_calls(call: Call, kind: type[Exception], message: str) -> None:
    stream = UpbitStream(access_key="a", secret_key="s")
    with pytest.raises(kind, match=message):
        call(stream)
    # Where something was to be done with one that is right, that one is as it was.
    assert [one.codes for one in stream.subscriptions] in ([], [()], [("KRW-BTC",)])


def test_a_refused_subscription_is_not_half_registered() -> None:
    stream = UpbitStream(access_key="a", secret_key="s")
    for name, call, kind, _ in WRONG_CALLS:
        if issubclass(kind, UpbitStreamError) and "added to" not in name:
            with pytest.raises(kind):
                call(stream)
    assert stream.subscriptions == ()


WRONG_SETTINGS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"url": "http://x"}, ValueError, "url='http://x'.*ws://"),
    ({"url": "api.upbit.com"}, ValueError, "ws:// or wss://"),
    ({"url": 5}, TypeError, "url=5"),
    ({"url": "ws://localhost:99999/x"}, ValueError, "valid port"),
    ({"url": "ws://localhost:abc/x"}, ValueError, "valid port"),
    ({"url": "ws://local host/x"}, ValueError, "url='ws://local host/x'"),
    ({"url": "ws://localhost/x?y=1"}, ValueError, "no query"),
    ({"ping_interval": 60}, ValueError, "ping_interval=60.*idle"),
    ({"rest_url": "ws://x"}, ValueError, "rest_url='ws://x'.*http://"),
    ({"wire_format": "XML"}, ValueError, "wire_format='XML'.*'SIMPLE'"),
    ({"numbers": "fraction"}, ValueError, "numbers='fraction'.*float"),
    ({"ping_interval": 0}, ValueError, "ping_interval=0"),
    ({"ping_timeout": -1}, ValueError, "ping_timeout=-1"),
    ({"connect_timeout": "10"}, TypeError, "connect_timeout='10'"),
    ({"connect_timeout": float("inf")}, ValueError, "give a finite number"),
    ({"queue_size": -5}, ValueError, "queue_size=-5"),
    ({"queue_size": True}, TypeError, "queue_size=True"),
    ({"overflow": "none"}, ValueError, "overflow='none'"),
    ({"reconnect": 5}, TypeError, "reconnect=5"),
    ({"ssl_context": "cert.pem"}, TypeError, "ssl_context='cert.pem'"),
    ({"max_message_size": 0}, ValueError, "max_message_size=0"),
]


@pytest.mark.parametrize(("settings", "kind", "message"), WRONG_SETTINGS)
def test_wrong_settings(settings: dict[str, Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        StreamConfig(**settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"base": 0},
        {"factor": 0.5},
        {"cap": -1},
        {"jitter": 2},
        {"min_interval": -1},
        {"max_attempts": 0},
    ],
)
def test_wrong_policies(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        ReconnectPolicy(**settings)


def test_a_list_in_one_string_is_told_to_be_a_list() -> None:
    with pytest.raises(InvalidCodeError, match=r"\['KRW-BTC', 'KRW-ETH'\]"):
        UpbitStream().trade("KRW-BTC, KRW-ETH")


@pytest.mark.parametrize("seconds", [float("nan"), -1, "x", True])
def test_times_that_are_none(seconds: Any) -> None:
    stream = UpbitStream()
    for call in (stream.run, stream.wait_connected, stream.close):
        with pytest.raises((ValueError, TypeError), match=r"(seconds|timeout)="):
            call(seconds)
    assert stream.close(None)


def test_an_unknown_region() -> None:
    with pytest.raises(ValueError, match=r"region='us'.*'kr', 'sg', 'id', 'th'"):
        UpbitStream(region="us")
    with pytest.raises(TypeError, match="give a StreamConfig"):
        UpbitStream(config={"url": "ws://x"})  # type: ignore[arg-type]
