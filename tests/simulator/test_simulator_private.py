"""The private and the info endpoint."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.simulator.client import Connect, Start
from upbit_stream.simulator import Limits, Simulator, Timing
from upbit_stream.simulator.indicators import check_indicator
from upbit_stream.simulator.keys import SHORT

RSI = {"type": "rsi", "params": {"period": 14}}
MACD = {"type": "macd", "params": {"fast": 12, "slow": 26, "signal_period": 9}}


def test_all_private_types_on_one_socket(sim: Simulator, client: Connect) -> None:
    socket = client(sim, "private")
    socket.ask({"type": "myOrder"}, {"type": "myAsset"}, {"type": "announcement"})
    assert socket.barrier() == []
    assert sim.emit("myOrder", {"code": "KRW-BTC", "state": "wait", "price": Decimal("0.1")}) == 1
    assert sim.emit("myAsset", {"assets": []}) == 1
    assert sim.emit("announcement", {"category": "trade", "body": "text"}) == 1
    order, asset, notice = socket.read_many(3)
    assert (order["type"], order["code"], order["state"]) == ("myOrder", "KRW-BTC", "wait")
    assert order["price"] == Decimal("0.1")
    assert order["stream_type"] == "REALTIME"
    assert order["timestamp"] > 0
    assert asset["assets"] == []
    # The body only for those who asked for it.
    assert notice["body"] is None


def test_short_keys_inside_and_out(sim: Simulator, client: Connect) -> None:
    socket = client(sim, "private")
    socket.ask({"type": "myAsset"}, format="SIMPLE_LIST")
    socket.barrier()
    digits = Decimal("1386929.37231066771348207123")
    sim.emit(
        "myAsset",
        {"asset_uuid": "u", "assets": [{"currency": "KRW", "balance": digits, "locked": 0}]},
    )
    (frame,) = socket.read()
    assert frame["ty"] == "myAsset"
    assert frame["astuid"] == "u"
    assert frame["ast"] == [{"cu": "KRW", "b": digits, "l": 0}]


def test_orders_of_some_markets(sim: Simulator, client: Connect) -> None:
    socket = client(sim, "private")
    socket.ask({"type": "myOrder", "codes": ["KRW-ETH"]})
    socket.barrier()
    assert sim.emit("myOrder", {"code": "KRW-BTC"}) == 0
    assert sim.emit("myOrder", {"code": "KRW-ETH"}) == 1
    assert socket.read()["code"] == "KRW-ETH"
    socket.send([{"ticket": "t"}, {"method": "LIST_SUBSCRIPTIONS"}])
    assert socket.read()["result"] == [{"type": "myOrder", "codes": ["KRW-ETH"]}]


def test_orders_with_an_empty_list_are_those_of_every_market(
    sim: Simulator, client: Connect
) -> None:
    socket = client(sim, "private")
    socket.ask({"type": "myOrder", "codes": []})
    socket.barrier()
    assert sim.emit("myOrder", {"code": "KRW-BTC"}) == 1


def test_announcements_of_a_category_with_body(sim: Simulator, client: Connect) -> None:
    socket = client(sim, "private")
    socket.ask({"type": "announcement", "categories": ["trade"], "include_body": True})
    socket.barrier()
    assert sim.emit("announcement", {"category": "event"}) == 0
    assert sim.emit("announcement", {"category": "trade", "body": "본문"}) == 1
    assert socket.read()["body"] == "본문"


def test_a_replaced_list(sim: Simulator, client: Connect) -> None:
    socket = client(sim, "private")
    socket.ask({"type": "myOrder"})
    socket.ask({"type": "myAsset"})
    socket.barrier()
    assert sim.emit("myOrder", {"code": "KRW-BTC"}) == 0
    assert sim.emit("myAsset", {}) == 1


def test_events_come_by_themselves_while_the_market_moves(start: Start, client: Connect) -> None:
    sim = start(rate=10, timing=Timing(private_interval=0.01))
    socket = client(sim, "private")
    socket.ask({"type": "myOrder"}, {"type": "myAsset"}, {"type": "announcement"})
    frames = {frame["type"]: frame for frame in socket.read_many(60)}
    assert set(frames) == {"myOrder", "myAsset", "announcement"}
    for kind, frame in frames.items():
        assert set(frame) <= set(SHORT[kind])
    order = frames["myOrder"]
    assert set(order) == set(SHORT["myOrder"])
    assert order["remaining_volume"] + order["executed_volume"] == order["volume"]
    assets = {asset["currency"]: asset for asset in frames["myAsset"]["assets"]}
    assert len(str(assets["KRW"]["balance"]).replace(".", "")) > 20
    # What waits in orders is of the size of what there is, in each currency.
    for asset in assets.values():
        assert 0 < asset["locked"] < asset["balance"]


def test_the_first_assets_of_an_account_may_be_late(start: Start, client: Connect) -> None:
    sim = start(timing=Timing(first_asset_delay=1.0), limits=Limits.off())
    first = client(sim, "private")
    first.ask({"type": "myAsset"})
    first.barrier()
    assert sim.emit("myAsset", {}) == 0
    assert sim.wait_for(lambda: sim.emit("myAsset", {}) == 1)
    again = client(sim, "private")
    again.ask({"type": "myAsset"})
    again.barrier()
    assert sim.emit("myAsset", {}) == 2


def test_unknown_types_are_told(sim: Simulator) -> None:
    with pytest.raises(ValueError, match="choose one of"):
        sim.emit("trade", {})
    with pytest.raises(ValueError, match="choose one of"):
        sim.close_candle("1m")


def ask_indicators(**changes: Any) -> dict[str, Any]:
    part = {"type": "indicator", "codes": ["KRW-BTC"], "timeframe": "5m", "indicators": [RSI]}
    return part | changes


def test_indicators_when_a_candle_closes(sim: Simulator, client: Connect) -> None:
    sim.burst(300, ["KRW-BTC", "KRW-ETH"])
    socket = client(sim, "info")
    socket.ask(ask_indicators(codes=["KRW-BTC", "KRW-ETH", "BTC-ETH"], indicators=[RSI, MACD]))
    socket.barrier()
    assert sim.close_candle("15m") == 0
    assert sim.close_candle("5m") == 4
    frames = socket.read_many(4)
    assert [(frame["code"], frame["indicator"]) for frame in frames] == [
        ("KRW-BTC", "rsi"), ("KRW-BTC", "macd"), ("KRW-ETH", "rsi"), ("KRW-ETH", "macd"),
    ]  # fmt: skip
    rsi, macd = frames[:2]
    assert rsi["params"] == {"period": 14}
    assert 0 <= rsi["value"]["rsi"] <= 100
    assert rsi["stream_type"] == "REALTIME"
    value = macd["value"]
    assert abs(value["histogram"] - (value["macd"] - value["macd_signal"])) < Decimal("1e-7")


def test_short_keys_of_indicators(sim: Simulator, client: Connect) -> None:
    socket = client(sim, "info")
    socket.ask(ask_indicators(indicators=[MACD]), format="SIMPLE")
    socket.barrier()
    sim.close_candle("5m")
    frame = socket.read()
    assert set(frame) == {"ty", "cd", "tf", "ind", "p", "v", "cdttmu", "tms", "st"}
    assert frame["p"] == {"f": 12, "s": 26, "sgp": 9}
    assert set(frame["v"]) == {"macd", "macds", "hist"}


@pytest.mark.parametrize(
    ("indicator", "params", "values"),
    [
        ("volume", {"period": 20}, {"volume", "avg_volume", "ratio"}),
        ("rsi", {"period": 2}, {"rsi"}),
        ("moving_average", {"type": "SMA", "period": 99}, {"value"}),
        ("moving_average", {"type": "EMA", "period": 200}, {"value"}),
        ("ma_crossover", {"type": "EMA", "short_period": 5, "long_period": 20},
         {"ma_short", "ma_long"}),
        ("bollinger_bands", {"period": 20, "multiplier": 2.5},
         {"bb_upper", "bb_middle", "bb_lower"}),
        ("macd", {"fast": 5, "slow": 35, "signal_period": 5},
         {"macd", "macd_signal", "histogram"}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("timeframe", ["5m", "1d"])
def test_every_indicator(
    sim: Simulator,
    client: Connect,
    indicator: str,
    params: dict[str, Any],
    values: set[str],
    timeframe: str,
) -> None:
    socket = client(sim, "info")
    wanted = {"type": indicator, "params": params}
    socket.ask(ask_indicators(timeframe=timeframe, indicators=[wanted]))
    socket.barrier()
    assert sim.close_candle(timeframe) == 1
    frame = socket.read()
    assert set(frame["value"]) == values
    assert frame["params"] == params


def test_a_signal_when_its_condition_becomes_true(sim: Simulator, client: Connect) -> None:
    # Five-minute candles exist from the past; the newest one jumps.
    socket = client(sim, "info")
    cross = {"type": "moving_average", "params": {"type": "SMA", "period": 5}}
    socket.ask(ask_indicators(type="indicator_signal", indicators=[cross]))
    socket.barrier()
    sim.trade("KRW-BTC", price=90_000_000)
    sim.close_candle("5m")
    frame = socket.read()
    assert frame["type"] == "indicator_signal"
    assert frame["trigger"] == "price_cross_below"
    assert frame["event_params"] == {}
    assert set(frame) == set(SHORT["indicator_signal"])


def test_signals_on_demand(sim: Simulator, client: Connect) -> None:
    socket = client(sim, "info")
    wanted = {**RSI, "trigger": "overbought", "event_params": {"threshold": 70}}
    socket.ask(ask_indicators(type="indicator_signal", indicators=[wanted]))
    socket.barrier()
    message = {"code": "KRW-BTC", "timeframe": "5m", "indicator": "rsi", "trigger": "overbought"}
    assert sim.emit("indicator_signal", message) == 1
    assert sim.emit("indicator_signal", {**message, "timeframe": "1d"}) == 0
    assert socket.read()["trigger"] == "overbought"


def test_triggers_and_their_parameters() -> None:
    volume: dict[str, Any] = {"type": "volume", "params": {"period": 20}}
    good = {**volume, "trigger": "volume_spike", "event_params": {"multiplier": 3}}
    assert check_indicator("indicator_signal", good)
    assert check_indicator("indicator_signal", volume)
    assert not check_indicator("indicator_signal", {**good, "event_params": {"multiplier": 4}})
    assert not check_indicator("indicator_signal", {**good, "event_params": {}})
    assert check_indicator("indicator", {"indicator": "rsi", "params": {"period": 21}})
