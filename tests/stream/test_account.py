"""The private and the info endpoint: nine kinds on three connections, keys, and their limits."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import jwt
import pytest

from tests.conftest import ACCESS_KEY, SECRET_KEY, eventually, our_threads
from upbit_stream import (
    Announcement,
    AuthenticationError,
    BollingerBands,
    Candle,
    ConnectionState,
    Indicator,
    IndicatorParams,
    IndicatorSignal,
    Macd,
    MaCrossover,
    MovingAverage,
    MyAsset,
    MyOrder,
    Orderbook,
    ReconnectPolicy,
    Rsi,
    StreamConfig,
    Subscription,
    SubscriptionError,
    Ticker,
    Trade,
    UpbitStream,
    UpbitStreamError,
    Volume,
)
from upbit_stream.simulator import Simulator


@pytest.fixture
def sim() -> Iterator[Simulator]:
    """A market that stands still, its clock too: what its indicators say is always the same."""
    with Simulator(rate=0, clock=lambda: 1_790_000_000.0) as simulator:
        yield simulator


def with_keys(config: StreamConfig) -> UpbitStream:
    return UpbitStream(access_key=ACCESS_KEY, secret_key=SECRET_KEY, config=config)


def emit_signal(sim: Simulator, code: str = "KRW-BTC", period: int = 14) -> None:
    sim.emit(
        "indicator_signal",
        {
            "code": code,
            "timeframe": "5m",
            "indicator": "rsi",
            "params": {"period": period},
            "trigger": "overbought",
            "event_params": {"threshold": 70},
            "value": {"rsi": 71.5},
        },
    )


@pytest.mark.parametrize("wire_format", ["DEFAULT", "SIMPLE", "JSON_LIST", "SIMPLE_LIST"])
def test_nine_kinds_on_three_endpoints(wire_format: Any) -> None:
    with Simulator(rate=100) as sim:
        config = StreamConfig(url=sim.url, wire_format=wire_format, numbers="decimal")
        with with_keys(config) as stream:
            subscriptions: dict[type, Subscription[Any]] = {
                Ticker: stream.ticker("KRW-BTC"),
                Trade: stream.trade("KRW-BTC"),
                Orderbook: stream.orderbook("KRW-BTC"),
                Candle: stream.candle("KRW-BTC"),
                MyOrder: stream.my_order(),
                MyAsset: stream.my_asset(),
                Announcement: stream.announcement(),
                Indicator: stream.indicator("KRW-BTC", Rsi(14), timeframe="5m"),
                IndicatorSignal: stream.indicator_signal(
                    "KRW-BTC", Rsi(14).overbought(70), timeframe="5m"
                ),
            }
            eventually(lambda: len(sim.requests) == 3)
            exact = Decimal("1386929.37231066771348207123")
            sim.emit("myOrder", {"code": "KRW-ETH", "uuid": "o", "price": exact})
            sim.emit("myAsset", {"assets": [{"currency": "KRW", "balance": exact, "locked": 0}]})
            sim.emit("announcement", {"category": "notice", "body": "text"})
            sim.close_candle("5m")
            emit_signal(sim)
            events = {cls: one.get(10) for cls, one in subscriptions.items()}
            for cls, event in events.items():
                assert isinstance(event, cls)
            assert str(events[MyOrder].price) == str(exact)
            assert str(events[MyAsset].assets[0].balance) == str(exact)
            assert events[Announcement].body is None  # was not asked for
            assert events[Indicator].value["rsi"] == events[Indicator].value.rsi
            assert events[IndicatorSignal].event_params["threshold"] == 70
            assert len(stream.connections) == 3
            assert stream.state is ConnectionState.CONNECTED
            assert stream.list_subscriptions().keys() == {"public", "private", "info"}
            assert subscriptions[MyAsset].latest == {"myAsset": events[MyAsset]}
            assert stream.close()
        assert sim.errors == []
        assert our_threads() == []


def test_every_kind_of_indicator(config: StreamConfig, sim: Simulator) -> None:
    wanted = [
        Volume(10),
        Rsi(14),
        MovingAverage("EMA", 20),
        MaCrossover("SMA", 5, 20),
        BollingerBands(20, 2.0),
        Macd(12, 26, 9),
    ]
    with with_keys(config) as stream:
        indicators = stream.indicator(["KRW-BTC", "KRW-ETH"], wanted, timeframe="60m")
        eventually(lambda: sim.requests)
        sim.close_candle("60m")
        seen = [indicators.get(10) for _ in range(12)]
        assert {(one.code, one.indicator) for one in seen} == {
            (code, spec.name) for code in ("KRW-BTC", "KRW-ETH") for spec in wanted
        }
        assert all(one.params.to_dict() == spec.params for one in seen for spec in wanted
                   if spec.name == one.indicator)  # fmt: skip


def test_each_indicator_subscription_gets_its_own(config: StreamConfig, sim: Simulator) -> None:
    with with_keys(config) as stream:
        fast = stream.indicator("KRW-BTC", Rsi(7), timeframe="5m")
        slow = stream.indicator("KRW-BTC", [Rsi(14), Macd()], timeframe="5m")
        other = stream.indicator("KRW-BTC", Rsi(7), timeframe="15m")
        loud = stream.indicator_signal("KRW-BTC", Rsi(14).overbought(70), timeframe="5m")
        mute = stream.indicator_signal("KRW-BTC", Rsi(14).overbought(80), timeframe="5m")
        eventually(lambda: sim.requests)
        sim.close_candle("5m")
        emit_signal(sim)
        assert fast.get(10).params == IndicatorParams(period=7)
        assert {slow.get(10).indicator for _ in range(2)} == {"rsi", "macd"}
        assert loud.get(10).trigger == "overbought"
        sim.close_candle("15m")
        assert other.get(10).timeframe == "15m"
        for one in (fast, slow, mute, other):
            assert one.stats.queued == 0
        (request,) = sim.requests
        assert len([part for part in request.parsed if part.get("type") == "indicator"]) == 2


def test_each_account_subscription_gets_its_own(config: StreamConfig, sim: Simulator) -> None:
    with with_keys(config) as stream:
        every = stream.my_order()
        eth = stream.my_order("KRW-ETH")
        nft = stream.announcement(categories="nft", include_body=True)
        news = stream.announcement()
        eventually(lambda: sim.requests)
        for code in ("KRW-BTC", "KRW-ETH"):
            sim.emit("myOrder", {"code": code, "uuid": code})
        for category in ("notice", "nft"):
            sim.emit("announcement", {"category": category, "body": "text"})
        assert [every.get(10).code for _ in range(2)] == ["KRW-BTC", "KRW-ETH"]
        assert eth.get(10).code == "KRW-ETH"
        announced = nft.get(10)
        assert (announced.category, announced.body) == ("nft", "text")
        assert [(one.category, one.body) for one in (news.get(10), news.get(10))] == [
            ("notice", None),
            ("nft", None),
        ]
        assert eth.stats.queued == nft.stats.queued == 0
        with pytest.raises(SubscriptionError, match="every market"):
            every.add("KRW-XRP")
        with pytest.raises(SubscriptionError, match="has no codes"):
            news.remove("KRW-XRP")
        eth.add("KRW-BTC")
        assert eth.codes == ("KRW-ETH", "KRW-BTC")


def test_a_hundred_combinations_and_no_second_connection() -> None:
    codes = [f"KRW-A{number:02}" for number in range(51)]
    with Simulator(rate=0, codes=codes) as sim, with_keys(StreamConfig(url=sim.url)) as stream:
        first = stream.indicator(codes[:50], [Rsi(14), Macd()], timeframe="5m")
        with pytest.raises(SubscriptionError, match=r"101 combinations .* takes 100 at a time"):
            stream.indicator(codes[50], Rsi(14), timeframe="5m")
        with pytest.raises(SubscriptionError, match="102 combinations"):
            first.add(codes[50])
        with pytest.raises(SubscriptionError, match="101 combinations"):
            stream.indicator_signal(codes[0], Rsi(14).oversold(), timeframe="5m")
        eventually(lambda: sim.requests)
        sim.close_candle("5m")
        eventually(lambda: first.stats.received == 100)
        first.remove(codes[0])
        stream.indicator(codes[50], [Rsi(14), Macd()], timeframe="5m")
        eventually(lambda: len(sim.requests) == 2)
        assert sim.errors == []
        assert len(sim.handshakes) == 1


@pytest.mark.parametrize("region", ["sg", "id", "th"])
def test_what_exists_in_korea_only(region: str) -> None:
    stream = UpbitStream(
        region=region,
        access_key=ACCESS_KEY,
        secret_key=SECRET_KEY,
        config=StreamConfig(url="ws://127.0.0.1:1/websocket/v1"),
    )
    for call in (
        lambda: stream.announcement(),
        lambda: stream.indicator("KRW-BTC", Rsi(), timeframe="5m"),
        lambda: stream.indicator_signal("KRW-BTC", Rsi().oversold(), timeframe="5m"),
    ):
        with pytest.raises(SubscriptionError, match=f'Korea only, not in .{region}.; use .*"kr"'):
            call()
    stream.my_order(), stream.my_asset(), stream.candle("SGD-BTC")
    stream.close()


# Keys.


def test_every_handshake_has_a_token_of_its_own(sim: Simulator) -> None:
    policy = ReconnectPolicy(min_interval=0.01)
    with with_keys(StreamConfig(url=sim.url, reconnect=policy)) as stream:
        orders = stream.my_order()
        for count in range(1, 4):
            eventually(lambda: len(sim.requests) == count)  # noqa: B023  (called at once)
            sim.emit("myOrder", {"code": "KRW-BTC", "uuid": str(count)})
            assert orders.get(10).uuid == str(count)
            sim.reset()
        eventually(lambda: len(sim.requests) == 4, 30)
    tokens = [handshake.headers["Authorization"].split()[1] for handshake in sim.handshakes]
    claims = [jwt.decode(one, options={"verify_signature": False}) for one in tokens]
    assert len({claim["nonce"] for claim in claims}) == len(claims) == 4


@pytest.mark.parametrize("refusal", ["http", "frame"])
def test_wrong_keys_end_their_endpoint_for_good_and_no_other(refusal: Any) -> None:
    with Simulator(rate=200, auth_refusal=refusal) as sim:
        told: list[UpbitStreamError] = []
        with UpbitStream(
            access_key=ACCESS_KEY, secret_key="x" * 40, config=StreamConfig(url=sim.url)
        ) as stream:
            stream.on_error(told.append)
            trades = stream.trade(sim.codes)
            orders = stream.my_order()
            with pytest.raises(AuthenticationError, match="keys"):
                orders.get(10)
            eventually(lambda: told)
            assert [type(one) for one in told] == [AuthenticationError]
            with pytest.raises(AuthenticationError):
                stream.my_asset()
            private = [one for one in sim.handshakes if one.endpoint == "private"]
            assert len(private) == 1
            for _ in range(100):
                trades.get(10)
            assert stream.state is ConnectionState.CONNECTED
            assert stream.stats.reconnects == 0
            # The other endpoint with keys finds out for itself.
            with pytest.raises(AuthenticationError):
                stream.indicator("KRW-BTC", Rsi(), timeframe="5m").get(10)


def test_wrong_keys_alone_end_the_run(config: StreamConfig) -> None:
    with UpbitStream(access_key="a", secret_key="b", config=config) as stream:
        stream.my_asset()
        with pytest.raises(AuthenticationError):
            stream.run(10)
        with pytest.raises(AuthenticationError):
            stream.wait_connected(10)
        assert stream.state is ConnectionState.ERROR


def test_a_loss_of_the_private_connection_is_healed(config: StreamConfig, sim: Simulator) -> None:
    with with_keys(config) as stream:
        orders, ticker = stream.my_order("KRW-BTC"), stream.ticker("KRW-BTC")
        ticker.get(10)
        eventually(lambda: len(sim.requests) == 2)
        sim.reset("private")
        eventually(lambda: len(sim.requests) == 3)
        sim.emit("myOrder", {"code": "KRW-BTC", "uuid": "after"})
        assert orders.get(10).uuid == "after"
        assert ticker.stats.received == 1
        assert [one.reconnects for one in stream.connections] in ([0, 1], [1, 0])


def test_blocking_private_subscriptions_share_the_one_connection(
    config: StreamConfig, sim: Simulator
) -> None:
    with with_keys(config) as stream:
        stream.my_order(overflow="block")
        stream.my_asset(overflow="block")
        stream.announcement()
        eventually(lambda: sim.requests)
        assert len(stream.connections) == 1


def test_the_newest_of_each_order(config: StreamConfig, sim: Simulator) -> None:
    with with_keys(config) as stream:
        orders = stream.my_order(overflow="latest")
        eventually(lambda: sim.requests)
        for state in ("wait", "trade", "done"):
            for uuid in ("one", "two"):
                sim.emit("myOrder", {"code": "KRW-BTC", "uuid": uuid, "state": state})
        eventually(lambda: orders.stats.received == 6)
        assert [(one.uuid, one.state) for one in (orders.get(1), orders.get(1))] == [
            ("one", "done"),
            ("two", "done"),
        ]
        assert orders.stats.dropped == 4
