"""A stream's whole public face, with a broker as source: each of it works, or says why not."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import eventually
from tests.relay.desk import Desk, ids
from tests.relay.servers import RedisServer, needs_redis
from upbit_stream import (
    Candle,
    ConnectionFailedError,
    ConnectionPool,
    ConnectionState,
    Gap,
    Orderbook,
    StreamConfig,
    SubscriptionError,
    Ticker,
    Trade,
    UpbitStream,
    UpbitStreamError,
    WebSocketDiagnostics,
)
from upbit_stream.indicators import BollingerBands, Volume
from upbit_stream.relay import RelaySource, brokers
from upbit_stream.relay.status import read_status

pytestmark = needs_redis


class Stage:
    """A stream that reads from a broker, and what is published there."""

    def __init__(self, desk: Desk, stream: UpbitStream) -> None:
        self.desk = desk
        self.sim = desk.sim
        self.stream = stream


@pytest.fixture
def stage(redis_desk: Desk) -> Iterator[Stage]:
    with redis_desk.reader() as stream:
        yield Stage(redis_desk, stream)


def refuses(match: str, call: Callable[[UpbitStream], object]) -> Callable[[Stage], None]:
    def check(stage: Stage) -> None:
        with pytest.raises(SubscriptionError, match=match):
            call(stage.stream)

    return check


def delivers(kind: type, subscribe: Callable[[UpbitStream], Any]) -> Callable[[Stage], None]:
    def check(stage: Stage) -> None:
        with subscribe(stage.stream) as subscription:
            assert isinstance(subscription.get(10), kind)

    return check


def state(stage: Stage) -> None:
    assert stage.stream.wait_connected(10)
    assert stage.stream.state is ConnectionState.CONNECTED
    assert stage.stream.region == "kr"
    assert stage.stream.config is stage.desk.config


def looking_in(stage: Stage) -> None:
    stream = stage.stream
    trades = stream.trade("KRW-BTC")
    trades.get(10)
    (info,) = stream.connections
    assert info.name.startswith("relay")
    assert info.url == stage.desk.server.url
    assert [one.type for one in stream.subscriptions] == ["trade"]
    assert stream.stats.messages >= 1
    eventually(lambda: stream.health().ping_latency is not None)
    assert stream.health().connections[0].name == info.name
    assert "connected" in repr(stream)


def lists(stage: Stage) -> None:
    stage.stream.trade(["KRW-BTC", "KRW-ETH"])
    rows = stage.stream.list_subscriptions()
    assert rows == {"public": [{"type": "trade", "codes": ["KRW-BTC", "KRW-ETH"]}]}


def snapshots(stage: Stage) -> None:
    assert set(stage.stream.snapshot("trade", ["KRW-BTC", "KRW-ETH"])) == {"KRW-BTC", "KRW-ETH"}


def renews(stage: Stage) -> None:
    trades: list[Trade] = []
    stage.stream.trade("KRW-BTC", callback=trades.append)
    eventually(lambda: trades)
    for count in range(1, 4):
        stage.stream.renew()
        stage.sim.burst(20, ["KRW-BTC"])
        eventually(lambda: stage.stream.stats.reconnects == count)  # noqa: B023
        eventually(lambda: stage.stream.state is ConnectionState.CONNECTED)
    eventually(lambda: len(trades) == 61)
    assert ids(trades)[1:] == stage.sim.ledger("KRW-BTC")
    assert stage.stream.stats.reconnects_by_kind == {"replaced": 3}


def replays(stage: Stage) -> None:
    trades = stage.stream.trade("KRW-BTC")
    newest = trades.get(10)
    stage.sim.burst(10, ["KRW-BTC"])
    last = [trades.get(10) for _ in range(10)][-1]
    span = newest.timestamp, last.timestamp
    gap = Gap(
        type="trade",
        codes=("KRW-BTC",),
        recovered=False,
        by_code={},
        from_timestamp=span[0],
        to_timestamp=span[1],
        ranges={"KRW-BTC": span},
        why="a test",
    )
    assert set(ids(trades.replay(gap))) >= set(stage.sim.ledger("KRW-BTC"))


def keeps_history(stage: Stage) -> None:
    trades = stage.stream.trade("KRW-BTC", history=10)
    eventually(lambda: trades.latest)
    stage.sim.burst(20, ["KRW-BTC"])
    due = stage.sim.ledger("KRW-BTC")[-10:]
    eventually(lambda: ids(list(trades.history["KRW-BTC"])) == due)
    assert len(trades.to_pandas()) == 10


def tells(stage: Stage) -> None:
    told: list[object] = []
    stream = stage.stream
    for register in (stream.on_error, stream.on_drop, stream.on_gap, stream.on_state):
        register(told.append)
    stream.trade("KRW-BTC", callback=lambda trade: 1 / 0)
    eventually(lambda: any(isinstance(one, UpbitStreamError) for one in told))


def tells_health(stage: Stage) -> None:
    told: list[object] = []
    config = dataclasses.replace(stage.desk.config, health_interval=0.1)
    with stage.desk.reader(config=config) as stream:
        stream.on_health(told.append)
        stream.trade("KRW-BTC")
        eventually(lambda: told)


def exports_metrics(stage: Stage) -> None:
    stage.stream.trade("KRW-BTC").get(10)
    stage.sim.trade("KRW-BTC")
    eventually(lambda: stage.stream.health().lag is not None)
    lag = stage.stream.metrics.registry.get_sample_value(
        "upbit_stream_connection_lag_seconds", {"connection": "relay-1"}
    )
    assert lag is not None
    assert 0 <= lag < 10


def runs(stage: Stage) -> None:
    stage.stream.start()
    stage.stream.run(0.01)


def closes(stage: Stage) -> None:
    stage.stream.trade("KRW-BTC")
    assert stage.stream.close()
    assert stage.stream.state is ConnectionState.DISCONNECTED


def lives_in_a_notebook(stage: Stage) -> None:
    view = stage.stream.live("KRW-BTC")
    eventually(lambda: [one.type for one in stage.stream.subscriptions] == ["ticker"])
    view.close()


FACE: dict[str, Callable[[Stage], None]] = {
    "announcement": refuses("does not go over a broker", lambda one: one.announcement()),
    "candle": delivers(Candle, lambda one: one.candle("KRW-BTC", unit="1m")),
    "close": closes,
    "config": state,
    "connections": looking_in,
    "health": looking_in,
    "indicator": refuses(
        "does not go over a broker",
        lambda one: one.indicator("KRW-BTC", Volume(), timeframe="5m"),
    ),
    "indicator_signal": refuses(
        "does not go over a broker",
        lambda one: one.indicator_signal(
            "KRW-BTC", BollingerBands().crosses_above(), timeframe="5m"
        ),
    ),
    "list_subscriptions": lists,
    "live": lives_in_a_notebook,
    "my_asset": refuses("does not go over a broker", lambda one: one.my_asset()),
    "my_order": refuses("does not go over a broker", lambda one: one.my_order()),
    "on_drop": tells,
    "on_error": tells,
    "on_gap": tells,
    "on_health": tells_health,
    "on_state": tells,
    "orderbook": delivers(Orderbook, lambda one: one.orderbook("KRW-BTC", depth=5)),
    "region": state,
    "renew": renews,
    "run": runs,
    "snapshot": snapshots,
    "start": runs,
    "state": state,
    "stats": looking_in,
    "subscriptions": looking_in,
    "ticker": delivers(Ticker, lambda one: one.ticker("KRW-BTC", overflow="latest")),
    "trade": delivers(Trade, lambda one: one.trade("KRW-BTC", realtime=False)),
    "wait_connected": state,
    # Beside those of the stream.
    "metrics": exports_metrics,
    "orderbook level": refuses("not grouped", lambda one: one.orderbook("KRW-BTC", level=1000)),
    "Subscription.history": keeps_history,
    "Subscription.replay": replays,
}


def test_the_table_is_whole() -> None:
    lines = (Path(__file__).parents[1] / "data" / "surface.txt").read_text().splitlines()
    begin = next(i for i, line in enumerate(lines) if line.startswith("class UpbitStream("))
    members = []
    for line in lines[begin + 1 :]:
        if not line.startswith("    "):
            break
        members.append(line.split("(")[0].split()[0])
    assert {one for one in members if not one.startswith("_")} <= set(FACE)


@pytest.mark.parametrize("name", FACE)
def test_it_works_or_says_why_not(name: str, stage: Stage) -> None:
    FACE[name](stage)


@pytest.mark.parametrize("settings", [{"redundancy": 2}, {"shard_above": 1000.0}])
def test_settings_that_would_do_nothing_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="publishes"):
        UpbitStream(source="redis://127.0.0.1:1", config=StreamConfig(**settings))


def test_a_code_that_nobody_publishes_is_told(
    redis_server: RedisServer, config: StreamConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("upbit_stream.connection.router._SILENCE", 0.1)
    for source in (redis_server.url, f"{redis_server.url}?name=desk"):
        told: list[Exception] = []
        with UpbitStream(source=source, config=config, pool=ConnectionPool()) as stream:
            stream.on_error(told.append)
            trades = stream.trade("KRW-BTC")
            eventually(lambda: trades.missing == ("KRW-BTC",))  # noqa: B023
            eventually(lambda: any("upbit-stream publish" in str(one) for one in told))  # noqa: B023


def test_what_is_published_is_said_when_something_else_is_asked_for(
    redis_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = redis_desk.server.url

    def reported() -> bool:
        (one,) = read_status(url).publishers.values()
        return set(one.carries.get("trade", ())) == {"KRW-BTC", "KRW-ETH"}

    eventually(reported)
    monkeypatch.setattr("upbit_stream.connection.router._SILENCE", 0.5)
    told: list[str] = []

    def say(why: str) -> None:
        eventually(lambda: any(one.endswith(f"; {why}; the subscription goes on") for one in told))

    with redis_desk.reader() as stream:
        stream.on_error(lambda error: told.append(str(error)))
        stream.trade(["KRW-BTC", "KRW-XRP"])
        say(
            "a broker has only what is published to it, of trade KRW-BTC, KRW-ETH; add the rest to "
            "upbit-stream publish (or your Relay), or check the codes"
        )
        stream.candle("KRW-ETH", unit="3m")
        say(
            "nothing of candle.3m is published there; run upbit-stream publish KRW-ETH --type "
            f"candle.3m --to {url} (or a Relay)"
        )


def test_what_no_relay_has_written_ends_the_stream(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("upbit_stream.relay.feed._AFTER_STUMBLING", 0.05)
    told: list[Exception] = []
    with redis_server.client() as client:
        client.hset("upbit:group:desk:positions", "trade KRW-BTC", b"\xff\xfe")
    stream = UpbitStream(source=f"{redis_server.url}?name=desk", pool=ConnectionPool())
    with stream:
        stream.on_error(told.append)
        trades = stream.trade("KRW-BTC")
        with pytest.raises(ConnectionFailedError, match="something else writes to that broker"):
            stream.run(20)
        assert stream.state is ConnectionState.ERROR
        assert isinstance(trades.error, ConnectionFailedError)
        eventually(lambda: any(isinstance(one, ConnectionFailedError) for one in told))


def test_diagnostics_of_such_a_stream_say_what_they_look_at(stage: Stage) -> None:
    stage.stream.trade("KRW-BTC").get(10)
    report = WebSocketDiagnostics(stage.stream, codes="KRW-BTC").run_connection_test(1.0)
    assert report.observed is not None


@pytest.mark.parametrize("scheme", ["redis", "nats"])
def test_a_client_that_is_not_there_is_told_at_once(
    scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(brokers, "find_spec", lambda module: None if module == scheme else True)
    with pytest.raises(ImportError, match=rf'pip install "upbit-stream\[{scheme}\]"'):
        UpbitStream(source=f"{scheme}://127.0.0.1:1")
    with pytest.raises(ImportError, match=rf"upbit-stream\[{scheme}\]"):
        UpbitStream(source=RelaySource(url=f"{scheme}://127.0.0.1:1"))
