"""Requests, their errors, the list of subscriptions: the tables of the wire page, row by row."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.simulator.client import Connect, Start
from upbit_stream.protocol.limits import RateLimit
from upbit_stream.simulator import Limits, Simulator, Timing
from upbit_stream.simulator.listing import all_codes

TICKER = {"type": "ticker", "codes": ["KRW-BTC"]}
TRADE = {"type": "trade", "codes": ["KRW-BTC"]}


def codes_of(frames: list[Any]) -> list[str]:
    return [frame["code"] for frame in frames]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("WRONG_FORMAT", "hello"),
        ("WRONG_FORMAT", '{"ticket":"t"}'),
        ("WRONG_FORMAT", '[{"ticket":"t"},{"type":"trade","codes":["KRW-BTC"]'),
        ("WRONG_FORMAT", ["ticket"]),
        ("WRONG_FORMAT", [{"ticket": "t"}, {"type": "trade", "codes": "KRW-BTC"}]),
        ("WRONG_FORMAT", [{"ticket": "t"}, {"type": "trade", "codes": [1]}]),
        ("WRONG_FORMAT", [{"ticket": "t"}, {"type": 1, "codes": ["KRW-BTC"]}]),
        ("WRONG_FORMAT", [{"ticket": "t"}, {**TRADE, "is_only_snapshot": "yes"}]),
        ("WRONG_FORMAT", [{"ticket": "t"}, {"type": "orderbook", "codes": ["A"], "level": "1"}]),
        ("WRONG_FORMAT", [{"ticket": "t"}, TRADE, {"format": "XML"}]),
        ("NO_TICKET", [TRADE]),
        ("NO_TICKET", [{"ticket": ""}, TRADE]),
        ("NO_TICKET", [{"ticket": None}, TRADE]),
        ("NO_TICKET", []),
        ("NO_TYPE", [{"ticket": "t"}]),
        ("NO_TYPE", [{"ticket": "t"}, {"codes": ["KRW-BTC"]}]),
        ("NO_CODES", [{"ticket": "t"}, {"type": "trade"}]),
        ("INVALID_PARAM", [{"ticket": "t"}, {"type": "nope", "codes": ["KRW-BTC"]}]),
        ("INVALID_PARAM", [{"ticket": "t"}, {"type": "candle.2m", "codes": ["KRW-BTC"]}]),
        ("INVALID_PARAM", [{"ticket": "t"}, {"type": "trade", "codes": []}]),
        ("INVALID_PARAM", [{"ticket": "t"}, {"type": "myOrder"}]),
        ("INVALID_PARAM", [{"ticket": "t"}, {"method": "NOPE"}]),
    ],
)
def test_a_mistake_gets_its_error_and_a_close(
    sim: Simulator, client: Connect, name: str, message: object
) -> None:
    socket = client(sim)
    socket.send(message)
    frames, code = socket.end()
    assert [frame["error"]["name"] for frame in frames] == [name]
    assert frames[0]["error"]["message"]
    assert code == 1000
    assert sim.wait_for(lambda: [error.name for error in sim.errors] == [name])
    assert sim.closed[-1].reason == "error"


def test_messages_are_the_ones_that_were_seen(sim: Simulator, client: Connect) -> None:
    socket = client(sim)
    socket.send([{"ticket": "t"}, {"type": "nope", "codes": ["KRW-BTC"]}])
    assert socket.read() == {
        "error": {"name": "INVALID_PARAM", "message": "nope 은 지원하지 않는 타입입니다."}
    }


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("WRONG_FORMAT", {"type": "myAsset", "codes": ["KRW-BTC"]}),
        ("WRONG_FORMAT", {"type": "announcement", "categories": "trade"}),
        ("INVALID_PARAM", {"type": "announcement", "categories": ["weather"]}),
        ("INVALID_PARAM", {"type": "ticker", "codes": ["KRW-BTC"]}),
    ],
)
def test_mistakes_on_the_private_endpoint(
    sim: Simulator, client: Connect, name: str, part: dict[str, Any]
) -> None:
    socket = client(sim, "private")
    socket.ask(part)
    frames, code = socket.end()
    assert [frame["error"]["name"] for frame in frames] == [name]
    assert code == 1000


RSI = {"type": "rsi", "params": {"period": 14}}


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("NO_CODES", {"codes": None}),
        ("INVALID_PARAM", {"timeframe": "1m"}),
        ("INVALID_PARAM", {"timeframe": None}),
        ("INVALID_PARAM", {"indicators": []}),
        ("WRONG_FORMAT", {"indicators": ["rsi"]}),
        ("INVALID_PARAM", {"indicators": [{"type": "nope", "params": {}}]}),
        ("INVALID_PARAM", {"indicators": [{"type": "rsi", "params": {"period": 15}}]}),
        ("INVALID_PARAM", {"indicators": [{"type": "rsi", "params": {"period": [14]}}]}),
        ("INVALID_PARAM", {"indicators": [{"type": "rsi"}]}),
        ("INVALID_PARAM", {"type": "indicator_signal",
                           "indicators": [{"type": "rsi", "params": {"period": 2}}]}),
        ("INVALID_PARAM", {"type": "indicator_signal",
                           "indicators": [{**RSI, "trigger": "golden_cross"}]}),
        ("INVALID_PARAM", {"type": "indicator_signal",
                           "indicators": [{**RSI, "trigger": "overbought",
                                           "event_params": {"threshold": 75}}]}),
        ("TOO_MANY_REQUEST", {"codes": [f"KRW-A{number}" for number in range(101)]}),
    ],
)  # fmt: skip
def test_mistakes_on_the_info_endpoint(
    sim: Simulator, client: Connect, name: str, changes: dict[str, Any]
) -> None:
    part = {"type": "indicator", "codes": ["KRW-BTC"], "timeframe": "5m", "indicators": [RSI]}
    asked = {key: value for key, value in (part | changes).items() if value is not None}
    socket = client(sim, "info")
    socket.ask(asked)
    frames, code = socket.end()
    assert [frame["error"]["name"] for frame in frames] == [name]
    assert code == 1000


def test_a_hundred_combinations_are_allowed(sim: Simulator, client: Connect) -> None:
    socket = client(sim, "info")
    macd = {"type": "macd", "params": {"fast": 12, "slow": 26, "signal_period": 9}}
    codes = [f"KRW-A{number}" for number in range(50)]
    socket.ask({"type": "indicator", "codes": codes, "timeframe": "5m", "indicators": [RSI, macd]})
    assert socket.barrier() == []


def test_the_sixth_request_within_a_second_is_too_many(sim: Simulator, client: Connect) -> None:
    socket = client(sim)
    for _ in range(6):
        socket.ask(TICKER)
    frames, code = socket.end()
    errors = [frame["error"]["name"] for frame in frames if "error" in frame]
    assert errors == ["TOO_MANY_REQUEST"]
    assert code == 1000
    assert sim.stats["error TOO_MANY_REQUEST"] == 1


def test_listing_counts_as_a_request(sim: Simulator, client: Connect) -> None:
    socket = client(sim)
    for _ in range(3):
        socket.ask(TICKER)
        socket.ask({"method": "LIST_SUBSCRIPTIONS"})
    frames, _ = socket.end()
    assert [frame["error"]["name"] for frame in frames if "error" in frame] == ["TOO_MANY_REQUEST"]


def test_the_limit_of_a_minute_is_counted_apart(start: Start, client: Connect) -> None:
    sim = start(limits=Limits(requests=(RateLimit(1000, 1.0), RateLimit(10, 60.0))))
    socket = client(sim)
    for _ in range(11):
        socket.ask(TICKER)
    frames, _ = socket.end()
    assert [frame["error"]["name"] for frame in frames if "error" in frame] == ["TOO_MANY_REQUEST"]


def test_each_connection_has_its_own_limit(sim: Simulator, client: Connect) -> None:
    first, second = client(sim), client(sim)
    for _ in range(5):
        first.ask(TICKER)
        second.ask(TICKER)
    assert second.until(lambda frame: frame["type"] == "ticker")
    assert sim.errors == []


def test_the_error_comes_before_its_close_by_the_measured_delay(
    start: Start, client: Connect
) -> None:
    sim = start(timing=Timing(error_close_delay=(0.15, 0.18)))
    socket = client(sim)
    socket.send([])
    _, code = socket.end()
    assert code == 1000
    assert sim.wait_for(lambda: sim.closed)
    assert 0.15 <= sim.closed[0].at - sim.errors[0].at < 2


def test_unknown_and_ill_formed_codes_are_silence_and_the_others_are_served(
    sim: Simulator, client: Connect
) -> None:
    socket = client(sim)
    socket.ask({"type": "ticker", "codes": ["KRW-NOPE", "krw-btc", "BTC-KRW", "KRW-ETH", ""]})
    assert codes_of([socket.read()]) == ["KRW-ETH"]
    assert socket.barrier() == []


def test_a_request_replaces_the_whole_list(start: Start, client: Connect) -> None:
    sim = start(limits=Limits(late_frames=0))
    socket = client(sim)
    socket.ask(TICKER, TRADE)
    assert [frame["type"] for frame in socket.read_many(2)] == ["ticker", "trade"]
    socket.ask({"type": "trade", "codes": ["KRW-ETH"]})
    assert socket.read()["code"] == "KRW-ETH"
    sim.trade("KRW-BTC")
    sim.trade("KRW-ETH")
    frame = socket.read()
    assert (frame["type"], frame["code"], frame["stream_type"]) == ("trade", "KRW-ETH", "REALTIME")
    assert socket.barrier() == []
    assert sim.subscriptions() == [(1, "trade", "KRW-ETH")]


def test_up_to_two_frames_of_the_old_list_come_late(sim: Simulator, client: Connect) -> None:
    socket = client(sim)
    socket.ask({"type": "ticker", "codes": ["KRW-BTC", "KRW-ETH", "KRW-XRP"]})
    socket.read_many(3)
    socket.ask({"type": "ticker", "codes": ["KRW-SOL"]})
    frames = socket.until(lambda frame: frame["code"] == "KRW-SOL")
    assert codes_of(frames) == ["KRW-BTC", "KRW-ETH", "KRW-SOL"]
    assert [frame["stream_type"] for frame in frames] == ["REALTIME", "REALTIME", "SNAPSHOT"]
    sim.trade("KRW-BTC")
    assert socket.barrier() == []


def test_a_late_trade_is_a_real_one(start: Start, client: Connect) -> None:
    sim = start(timing=Timing(late_window=60.0))
    socket = client(sim)
    socket.ask(TRADE)
    socket.read()
    socket.ask({"type": "trade", "codes": ["KRW-ETH"]})
    assert socket.read()["code"] == "KRW-ETH"
    ids = [sim.trade("KRW-BTC"), sim.trade("KRW-BTC")]
    late = socket.barrier()
    assert [frame["sequential_id"] for frame in late] == ids[:1]


def test_every_code_of_a_new_list_gets_a_new_snapshot(sim: Simulator, client: Connect) -> None:
    socket = client(sim)
    socket.ask(TRADE)
    first = socket.read()
    socket.ask({"type": "trade", "codes": ["KRW-BTC", "KRW-ETH"]})
    again = socket.read_many(2)
    assert codes_of(again) == ["KRW-BTC", "KRW-ETH"]
    assert {frame["stream_type"] for frame in again} == {"SNAPSHOT"}
    assert again[0] == first


def test_a_stream_that_stays_on_the_list_has_no_hole(start: Start, client: Connect) -> None:
    sim = start(timing=Timing(snapshot_bursts=((60.0, 60.0),)), limits=Limits.off())
    socket = client(sim)
    socket.ask({**TRADE, "is_only_realtime": True})
    assert socket.barrier() == []
    ids = []
    for _ in range(20):
        socket.ask(TRADE)
        ids.append(sim.trade("KRW-BTC"))
    assert [socket.read()["sequential_id"] for _ in ids] == ids


def test_only_snapshot_and_only_realtime(sim: Simulator, client: Connect) -> None:
    socket = client(sim)
    socket.ask({**TICKER, "is_only_snapshot": True}, {**TRADE, "is_only_realtime": True})
    frame = socket.read()
    assert (frame["type"], frame["stream_type"]) == ("ticker", "SNAPSHOT")
    sim.trade("KRW-BTC")
    frame = socket.read()
    assert (frame["type"], frame["stream_type"]) == ("trade", "REALTIME")
    assert socket.barrier() == []


def test_snapshots_come_in_two_bursts(start: Start, client: Connect) -> None:
    sim = start(timing=Timing(snapshot_bursts=((0.172, 0.188), (0.328, 0.354))))
    socket = client(sim)
    codes = list(sim.codes[:10])
    socket.ask({"type": "ticker", "codes": codes})
    frames = socket.read_many(10)
    assert codes_of(frames) == codes
    (request,) = sim.requests
    # The last snapshot cannot have come before the second burst.
    assert time.monotonic() - request.at >= 0.328


def test_the_second_burst_waits_for_its_time(start: Start, client: Connect) -> None:
    sim = start(timing=Timing(snapshot_bursts=((0.0, 0.0), (3600.0, 3600.0))))
    socket = client(sim)
    socket.ask({"type": "ticker", "codes": list(sim.codes[:10])})
    assert codes_of(socket.read_many(5)) == list(sim.codes[:5])
    assert socket.barrier() == []


@pytest.mark.parametrize(("suffix", "rows"), [(".1", 1), (".5", 5), (".15", 15), (".30", 30),
                                              ("", 30), (".7", 30), (".x", 30)])  # fmt: skip
def test_the_suffix_chooses_the_rows_and_is_not_in_the_reply(
    sim: Simulator, client: Connect, suffix: str, rows: int
) -> None:
    socket = client(sim)
    socket.ask({"type": "orderbook", "codes": ["KRW-BTC" + suffix]})
    frame = socket.read()
    assert frame["code"] == "KRW-BTC"
    assert len(frame["orderbook_units"]) == rows


def test_two_objects_of_one_type_are_both_served(sim: Simulator, client: Connect) -> None:
    socket = client(sim)
    socket.ask(
        {"type": "orderbook", "codes": ["KRW-BTC.5"], "level": 0},
        {"type": "orderbook", "codes": ["KRW-BTC.15"], "level": 10000},
    )
    first, second = socket.read_many(2)
    assert (first["level"], len(first["orderbook_units"])) == (0, 5)
    assert (second["level"], len(second["orderbook_units"])) == (10000, 15)
    for unit in second["orderbook_units"]:
        assert unit["ask_price"] % 10000 == 0
        assert unit["bid_price"] % 10000 == 0
    sim.trade("KRW-BTC")
    assert sorted(frame["level"] for frame in socket.read_many(2)) == [0, 10000]


def test_grouping_on_a_market_without_it_is_silence(start: Start, client: Connect) -> None:
    sim = start(codes=["KRW-BTC", "BTC-ETH", "USDT-BTC"])
    socket = client(sim)
    codes = ["BTC-ETH", "USDT-BTC", "KRW-BTC"]
    socket.ask({"type": "orderbook", "codes": codes, "level": 1000})
    assert codes_of([socket.read()]) == ["KRW-BTC"]
    assert socket.barrier() == []


LIST = {"method": "LIST_SUBSCRIPTIONS"}


def test_the_list_in_default_and_simple_keys(sim: Simulator, client: Connect) -> None:
    socket = client(sim)
    socket.ask(TICKER, {"type": "orderbook", "codes": ["KRW-BTC", "KRW-ETH"]}, format="DEFAULT")
    socket.read_many(3)
    socket.send([{"ticket": "mine"}, LIST, {"format": "DEFAULT"}])
    assert socket.read() == {
        "method": "LIST_SUBSCRIPTIONS",
        "result": [
            {"type": "ticker", "codes": ["KRW-BTC"]},
            {"type": "orderbook", "codes": ["KRW-BTC", "KRW-ETH"], "level": 0},
        ],
        "ticket": "mine",
    }
    socket.send([{"ticket": "mine"}, LIST, {"format": "SIMPLE"}])
    assert socket.read() == {
        "mthd": "LIST_SUBSCRIPTIONS",
        "rslt": [
            {"ty": "ticker", "cds": ["KRW-BTC"]},
            {"ty": "orderbook", "cds": ["KRW-BTC", "KRW-ETH"], "lv": 0},
        ],
        "tckt": "mine",
    }


def test_the_list_in_another_format_changes_the_running_streams(
    sim: Simulator, client: Connect
) -> None:
    socket = client(sim)
    socket.ask(TRADE, format="DEFAULT")
    assert "type" in socket.read()
    socket.send([{"ticket": "t"}, LIST, {"format": "SIMPLE_LIST"}])
    assert "rslt" in socket.read()
    sim.trade("KRW-BTC")
    (frame,) = socket.read()
    assert (frame["ty"], frame["st"]) == ("trade", "REALTIME")


def test_the_list_is_empty_before_the_first_request(sim: Simulator, client: Connect) -> None:
    socket = client(sim)
    socket.send([{"ticket": "t"}, LIST])
    assert socket.read()["result"] == []


def test_all_markets_in_one_message(start: Start, client: Connect) -> None:
    sim = start(codes=all_codes(), history=3)
    assert len(sim.codes) == 855
    socket = client(sim)
    socket.ask({"type": "ticker", "codes": list(sim.codes)}, format="SIMPLE")
    assert [frame["cd"] for frame in socket.read_many(855)] == list(sim.codes)
    (request,) = sim.requests
    assert request.size > 9_000


def test_requests_are_noted(sim: Simulator, client: Connect) -> None:
    socket = client(sim)
    message = [{"ticket": "t"}, TRADE]
    socket.send(message)
    socket.read()
    (request,) = sim.requests
    assert request.parsed == message
    assert request.size == len(json.dumps(message))
    assert request.endpoint == "public"
    assert sim.wait_for_subscription("trade", "KRW-BTC")
    assert not sim.wait_for_subscription("trade", "KRW-ETH", timeout=0.0)
