"""Every exception and warning says what happened, why, and what to do next.

``pytest tests/test_errors_teach.py -s`` prints them all, as a person meets them, for reading. Most
are provoked for real; those that nobody has thought of: test_error_texts.py.
"""

from __future__ import annotations

import dataclasses
import logging
import re
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.conftest import ACCESS_KEY, GatedCallback, eventually
from upbit_stream import (
    CallbackError,
    Drop,
    Gap,
    HealthThresholds,
    HealthWarning,
    MovingAverage,
    OverflowPolicy,
    ReconnectPolicy,
    Recorder,
    RecordingError,
    Rsi,
    SignalSpec,
    SilentCodesWarning,
    StreamConfig,
    Trade,
    UpbitStream,
    UpbitStreamError,
    WebSocketDiagnostics,
    read_recording,
)
from upbit_stream.connection import router
from upbit_stream.delivery.channel import Channel
from upbit_stream.delivery.notices import NoticeBoard
from upbit_stream.indicators import check_indicators, check_signals
from upbit_stream.monitoring.lookout import Lookout
from upbit_stream.monitoring.resources import Growth
from upbit_stream.monitoring.watchdog import _warning
from upbit_stream.protocol.demands import MarketDemand
from upbit_stream.recovery.gaps import GapTally
from upbit_stream.simulator import Simulator

# A next step begins a clause, in the imperative; or the stream takes it by itself, and says so.
_DO = (
    *("add", "ask", "call", "check", "choose", "close", "end", "give", "leave", "look", "make"),
    *("mend", "name", "pip", "record", "run", "set", "subscribe", "take", "try", "use", "wait"),
    "write",
)
_GOES_ON = (
    "can be ",
    "tried again",
    "please report it",
    "connecting again",
    "trying again",
    "asked for again",
    "goes on",
    "go on",
    "gives it",
)
STEP = re.compile(
    rf"(?:^|[:;.,(] (?:or |and |for those: )?|\bor |\band |\) )({'|'.join(_DO)})\b"
    rf"|[Dd]id you mean|{'|'.join(_GOES_ON)}",
    re.IGNORECASE,
)


def test_what_has_no_step_is_found() -> None:
    assert not STEP.search("the market is closed")
    assert not STEP.search("it went wrong: no use")


def teach(text: str) -> str:
    """``text``, which must have a next step, is printed for reading."""
    print(f"  {text}")
    assert STEP.search(text), f"no next step in: {text}"
    assert len(text) < 600, text
    assert ACCESS_KEY not in text
    return text


def told_by(action: Callable[[], object]) -> str:
    """What ``action`` raises, for people."""
    with pytest.raises((UpbitStreamError, ValueError, TypeError, ImportError, TimeoutError)) as one:
        action()
    return teach(f"{type(one.value).__name__}: {one.value}")


# What is wrong at the call.

Act = Callable[[UpbitStream], object]

_AT_THE_CALL: dict[str, Act] = {
    "lower case": lambda s: s.trade("krw-btc"),
    "wrong way round": lambda s: s.trade("BTC-KRW"),
    "two in one": lambda s: s.trade("KRW-BTC,KRW-ETH"),
    "no code at all": lambda s: s.trade("bitcoin"),
    "a number": lambda s: s.trade(1),  # type: ignore[arg-type]
    "none": lambda s: s.trade([]),
    "depth": lambda s: s.orderbook("KRW-BTC", depth=10),
    "level": lambda s: s.orderbook("KRW-BTC", level=-1),
    "level of a BTC market": lambda s: s.orderbook("BTC-ETH", level=10),
    "unit": lambda s: s.candle("KRW-BTC", unit="2m"),
    "nothing of it": lambda s: s.trade("KRW-BTC", snapshot=False, realtime=False),
    "snapshot of orders": lambda s: s.snapshot("myOrder", "KRW-BTC"),
    "callback": lambda s: s.trade("KRW-BTC", 5),  # type: ignore[arg-type]
    "overflow": lambda s: s.trade("KRW-BTC", overflow="oldest"),  # type: ignore[arg-type]
    "queue size": lambda s: s.trade("KRW-BTC", queue_size=0),
    "handler": lambda s: s.on_gap(None),  # type: ignore[arg-type]
    "no keys": lambda s: s.my_order(),
    "codes of assets": lambda s: s.my_asset("KRW-BTC"),  # type: ignore[arg-type]
    "category": lambda s: s.announcement(categories="news"),
    "categories": lambda s: s.announcement(categories=5),  # type: ignore[arg-type]
    "run": lambda s: s.run(-1),
    "replay": lambda s: s.trade("KRW-BTC").replay("gap"),  # type: ignore[arg-type]
    "replay of tickers": lambda s: s.trade("KRW-BTC").replay(
        Drop("ticker", OverflowPolicy.DROP_OLDEST, 1, {}, {}, None, None)
    ),
    "remove all": lambda s: s.trade("KRW-BTC").remove("KRW-BTC"),
    "iterate beside callbacks": lambda s: s.trade("KRW-BTC", print).get(),
    "callbacks beside iteration": lambda s: _after(s.trade("KRW-BTC"), iter, lambda t: t(print)),
    "closed subscription": lambda s: _after(
        s.trade("KRW-BTC"), lambda t: t.close(), lambda t: t.get()
    ),
    "add to a closed one": lambda s: _after(
        s.trade("KRW-BTC"), lambda t: t.close(), lambda t: t.add("KRW-ETH")
    ),
    "closed stream": lambda s: _after(s, lambda t: t.close(), lambda t: t.trade("KRW-BTC")),
    "start of a closed stream": lambda s: _after(s, lambda t: t.close(), lambda t: t.start()),
    "run of a closed stream": lambda s: _after(s, lambda t: t.close(), lambda t: t.run(1)),
    "region": lambda s: UpbitStream(region="us"),
    "Korea only": lambda s: UpbitStream(
        region="sg", access_key=ACCESS_KEY, secret_key="x" * 64
    ).announcement(),
    "config": lambda s: UpbitStream(config={}),  # type: ignore[arg-type]
    "key": lambda s: UpbitStream(access_key=b"key"),  # type: ignore[arg-type]
    "diagnosed": lambda s: WebSocketDiagnostics(5),  # type: ignore[arg-type]
    "diagnosis of nothing": lambda s: WebSocketDiagnostics().run_connection_test(0),
    "diagnosis with two configs": lambda s: WebSocketDiagnostics(s, config=StreamConfig()),
    "period": lambda s: Rsi(33),
    "type of average": lambda s: MovingAverage("WMA", 20),  # type: ignore[arg-type]
    "threshold": lambda s: Rsi(14).overbought(75),
    "no signals of it": lambda s: Rsi(2).oversold(),
    "no trigger": lambda s: SignalSpec(Rsi(), "golden_cross"),
    "parameters of a trigger": lambda s: SignalSpec(Rsi(), "oversold"),
    "class, not indicator": lambda s: check_indicators([Rsi]),
    "no indicators": lambda s: check_indicators([]),
    "signal as indicator": lambda s: check_indicators(Rsi().oversold()),
    "indicator as signal": lambda s: check_signals(Rsi()),
    "something as signal": lambda s: check_signals(5),
}

_SETTINGS: list[dict[str, Any]] = [
    {"url": "http://127.0.0.1"},
    {"url": 5},
    {"wire_format": "XML"},
    {"numbers": "fraction"},
    {"ping_interval": 90},
    {"ping_timeout": 0},
    {"connect_timeout": float("inf")},
    {"stale_after": "long"},
    {"linger": -1},
    {"backfill": 1},
    {"redundancy": 3},
    {"redundancy": 2, "shard_above": 100},
    {"health": 5},
    {"reconnect": 5},
    {"queue_size": 1.5},
    {"queue_size": 0},
    {"overflow": "wait"},
    {"ssl_context": True},
]


def _after(what: Any, first: Callable[[Any], object], second: Callable[[Any], object]) -> object:
    first(what)
    return second(what)


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> Iterator[UpbitStream]:
    """A stream without keys, which has not started."""
    for name in ("UPBIT_ACCESS_KEY", "UPBIT_SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)
    one = UpbitStream(config=StreamConfig(url="ws://127.0.0.1:9/websocket/v1"))
    yield one
    one.close()


@pytest.mark.parametrize("name", _AT_THE_CALL)
def test_at_the_call(name: str, stream: UpbitStream) -> None:
    told_by(lambda: _AT_THE_CALL[name](stream))


@pytest.mark.parametrize("settings", _SETTINGS, ids=str)
def test_settings(settings: dict[str, Any]) -> None:
    assert next(iter(settings)) in told_by(lambda: StreamConfig(**settings))


def test_settings_of_settings() -> None:
    told_by(lambda: HealthThresholds(message_success_rate=95))
    told_by(lambda: ReconnectPolicy(jitter=2))
    told_by(lambda: ReconnectPolicy(max_attempts=0))


# In a process of its own: this one has them imported.
_WITHOUT_EXTRAS = """
import sys

for name in ("websockets", "zstandard", "pyarrow"):
    sys.modules[name] = None

from upbit_stream import Recorder

for name in ("a.jsonl.zst", "a.parquet"):
    try:
        Recorder(name)
    except ImportError as error:
        print("ImportError:", error)
try:
    import upbit_stream.simulator
except ImportError as error:
    print("ImportError:", error)
"""


def test_extras_that_are_missing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT_EXTRAS],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    told = [teach(line) for line in done.stdout.splitlines()]
    assert [text.count('pip install "upbit-stream[') for text in told] == [1, 1, 1]


# What comes of connecting.


_DOORS: dict[str, Callable[[Simulator], None]] = {
    "refused": lambda sim: sim.refuse(),
    "401": lambda sim: sim.fail_handshakes(401, 9),
    "404": lambda sim: sim.fail_handshakes(404, 9),
    "429": lambda sim: sim.fail_handshakes(429, 9),
    "503": lambda sim: sim.fail_handshakes(503, 9),
    "silent": lambda sim: sim.stall_handshakes(),
}


@pytest.mark.parametrize("name", _DOORS)
def test_a_connection_that_does_not_come_about(name: str, sim: Simulator) -> None:
    _DOORS[name](sim)
    config = StreamConfig(
        url=sim.url, connect_timeout=0.3, reconnect=ReconnectPolicy(max_attempts=1)
    )
    with UpbitStream(config=config) as stream:
        trades = stream.trade("KRW-BTC")
        told_by(lambda: trades.get(timeout=20))
        if name == "429":  # for everyone in this process, so it is not left behind
            sim.forget()


def test_a_certificate() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with (
        Simulator(rate=0, ssl_context=context) as sim,
        UpbitStream(config=StreamConfig(url=sim.url)) as stream,
    ):
        trades = stream.trade("KRW-BTC")
        assert "certificate" in told_by(lambda: trades.get(timeout=20))


def test_keys_that_are_wrong(sim: Simulator) -> None:
    config = StreamConfig(url=sim.url)
    with UpbitStream(access_key="nobody", secret_key="x" * 64, config=config) as stream:
        orders = stream.my_order()
        assert "keys" in told_by(lambda: orders.get(timeout=20))


def test_nothing_comes(sim: Simulator, config: StreamConfig) -> None:
    with UpbitStream(config=config) as stream:
        trades = stream.trade("KRW-BTC", snapshot=False)
        stream.wait_connected(20)
        assert "quiet" in told_by(lambda: trades.get(timeout=0.01))
    sim.stall_handshakes()
    with UpbitStream(config=config) as stream:
        trades = stream.trade("KRW-BTC")
        assert "connecting" in told_by(lambda: trades.get(timeout=0.01))
        told_by(lambda: stream.snapshot("ticker", "KRW-BTC", timeout=0.01))
        told_by(lambda: stream.list_subscriptions(timeout=0.01))


# What on_error is told, and the log.


class Heard:
    """What a stream tells."""

    def __init__(self, stream: UpbitStream) -> None:
        self.errors: list[UpbitStreamError] = []
        stream.on_error(self.errors.append)

    def wait(self, kind: type[UpbitStreamError]) -> str:
        """The first of a kind, which must come."""

        def found() -> list[UpbitStreamError]:
            return [error for error in self.errors if isinstance(error, kind)]

        eventually(found)
        return teach(f"{kind.__name__}: {found()[0]}")


def test_what_on_error_is_told(
    sim: Simulator,
    config: StreamConfig,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(router, "_SILENCE", 0.5)
    config = dataclasses.replace(config, reconnect=ReconnectPolicy(min_interval=0))
    with caplog.at_level(logging.WARNING, "upbit_stream"), UpbitStream(config=config) as stream:
        heard = Heard(stream)

        @stream.trade("KRW-BTC")
        def on_trade(trade: Trade) -> None:
            raise KeyError(trade.code)

        heard.wait(CallbackError)
        stream.ticker("KRW-BTCC")
        heard.wait(SilentCodesWarning)
        before = len(heard.errors)
        sim.send_garbage("not_json")
        sim.send_raw(b'{"ty":"weather","cd":"KRW-BTC"}')
        sim.send_raw(b'{"ty":"trade"}')
        eventually(lambda: len(heard.errors) >= before + 3)
        for error in heard.errors[before:]:
            teach(f"{type(error).__name__}: {error}")
        sim.refuse_requests(["KRW-XRP"])
        culprit = stream.orderbook("KRW-XRP")
        eventually(lambda: culprit.closed)
        told_by(lambda: culprit.get(timeout=1))
        connections = len(sim.handshakes)
        sim.reset()
        eventually(lambda: len(sim.handshakes) > connections)
    for record in caplog.records:
        teach(f"{record.levelname}: {record.getMessage()}")


def test_a_list_that_differs(sim: Simulator, config: StreamConfig) -> None:
    with UpbitStream(config=config) as stream:
        heard = Heard(stream)
        stream.trade("KRW-BTC").get(timeout=20)
        sim.forget_subscription("trade", "KRW-BTC")
        stream.list_subscriptions()
        heard.wait(UpbitStreamError)


def test_what_the_watchdog_tells() -> None:
    told: list[HealthWarning] = []
    lookout = Lookout(30.0, told.append)
    channel: Channel[Trade] = Channel(
        MarketDemand("trade", ("KRW-BTC", "KRW-ETH")),
        queue_size=10,
        overflow=OverflowPolicy.DROP_OLDEST,
        notices=NoticeBoard(),
    )
    stuck = GatedCallback()
    channel.add_callback(stuck)
    channel.start()
    trade = Trade(type="trade", code="KRW-BTC", timestamp=1)
    channel.put([trade], lambda: None)
    eventually(lambda: channel.queue_length == 0)
    channel.put([trade] * 9, lambda: None)
    now = time.monotonic()
    lookout.look([channel], now)
    lookout.look([channel], now + 60)
    lookout._say_silent(channel, ["KRW-ETH"])
    told.append(_warning(Growth("rss", 10 << 20, 900 << 20, 1e5)))
    stuck.release.set()
    channel.end()
    assert [warning.kind for warning in told] == ["queue", "callback", "silence", "rss"]
    for warning in told:
        teach(f"HealthWarning: {str(warning).partition(chr(10))[0]}")


def test_gaps() -> None:
    tally = GapTally()
    tally.add("trade", "KRW-BTC", 0, 3000, count=0, why="/trades/ticks was answered with HTTP 500")
    tally.add("trade", "KRW-ETH", 0, 3000, count=17)
    lost, found = tally.collect()
    assert isinstance(lost, Gap)
    teach(f"Gap: {lost}")
    print(f"  Gap: {found}")


# Recording.


def test_recordings(tmp_path: Path) -> None:
    told_by(lambda: Recorder(tmp_path / "events.csv"))
    told_by(lambda: Recorder(tmp_path / "events.jsonl", format="parquet"))
    told_by(lambda: Recorder(tmp_path / "events.jsonl", format="csv"))  # type: ignore[arg-type]
    told_by(lambda: Recorder(tmp_path / "events.jsonl", flush_interval=0))
    told_by(lambda: Recorder(tmp_path / "no" / "events.jsonl"))
    other = tmp_path / "other.jsonl"
    other.write_text("no,event\n", "utf-8")
    told_by(lambda: Recorder(other))
    assert "cannot be read on" in told_by(lambda: list(read_recording(other)))
    path = tmp_path / "events.jsonl"
    with Recorder(path) as recorder:
        told_by(lambda: recorder("event"))  # type: ignore[arg-type]
        told_by(lambda: Recorder(path))
        recorder(Trade(type="trade", code="KRW-BTC", timestamp=1))
    with pytest.raises(RecordingError) as closed:
        recorder(Trade(type="trade", code="KRW-BTC", timestamp=2))
    teach(f"RecordingError: {closed.value}")
    with pytest.raises(FileNotFoundError):
        read_recording(tmp_path / "nothing.jsonl")
