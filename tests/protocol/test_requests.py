"""The union of what is wanted, and how it is written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upbit_stream import SubscriptionError, WireFormat
from upbit_stream.indicators import Macd, Rsi
from upbit_stream.protocol.demands import (
    CANDLE_UNITS,
    DEPTHS,
    AnnouncementDemand,
    AssetDemand,
    Demand,
    IndicatorDemand,
    MarketDemand,
    OrderbookDemand,
    OrderDemand,
    check_combinations,
    union,
)
from upbit_stream.protocol.limits import stated_wait
from upbit_stream.protocol.requests import (
    combinations,
    same_list,
    write_list_request,
    write_request,
)

some_codes = st.lists(
    st.sampled_from(["KRW-BTC", "KRW-ETH", "BTC-ETH"]), min_size=1, unique=True
).map(tuple)
demands: st.SearchStrategy[Demand] = st.one_of(
    st.builds(
        MarketDemand,
        st.sampled_from(["ticker", "trade", "candle.1m"]),
        some_codes,
        st.booleans(),
        st.just(True),
    ),
    st.builds(
        OrderbookDemand,
        st.just("orderbook"),
        some_codes,
        st.booleans(),
        st.just(True),
        st.sampled_from(DEPTHS),
        st.sampled_from([0, 0, 10000]),
    ),
)


def level_of(demand: Demand) -> float:
    return demand.level if isinstance(demand, OrderbookDemand) else 0


@given(st.lists(demands))
def test_the_union_covers_every_demand_and_nothing_more(wanted: list[Demand]) -> None:
    requests = {(one["type"], one.get("level", 0)): one for one in map_to_wire(wanted)}
    assert len(requests) == len(union(wanted))
    for demand in wanted:
        request = requests[demand.type, level_of(demand)]
        for code in demand.codes:
            depth = max(
                other.depth if isinstance(other, OrderbookDemand) else 30
                for other in wanted
                if (other.type, level_of(other)) == (demand.type, level_of(demand))
                and code in other.codes
            )
            assert (code if depth == 30 else f"{code}.{depth}") in request["codes"]
        assert not (demand.snapshot and request.get("is_only_realtime"))
        assert not (demand.realtime and request.get("is_only_snapshot"))
    asked = {code.partition(".")[0] for request in requests.values() for code in request["codes"]}
    assert asked == {code for demand in wanted for code in demand.codes}
    assert all(len(set(one["codes"])) == len(one["codes"]) for one in requests.values())


def map_to_wire(wanted: list[Demand]) -> list[dict[str, Any]]:
    return [request.to_wire() for request in union(wanted)]


def test_how_it_is_written() -> None:
    requests = union(
        [
            MarketDemand("trade", ("KRW-BTC",)),
            OrderbookDemand("orderbook", ("KRW-BTC",), depth=15, level=10000.0),
            MarketDemand("ticker", ("KRW-ETH",), realtime=False),
        ]
    )
    text = write_request(requests, ticket="t", wire_format=WireFormat.SIMPLE_LIST)
    assert json.loads(text) == [
        {"ticket": "t"},
        {"type": "trade", "codes": ["KRW-BTC"]},
        {"type": "orderbook", "codes": ["KRW-BTC.15"], "level": 10000},
        {"type": "ticker", "codes": ["KRW-ETH"], "is_only_snapshot": True},
        {"format": "SIMPLE_LIST"},
    ]
    assert '"level":10000}' in text
    assert CANDLE_UNITS == ("1s", "1m", "3m", "5m", "10m", "15m", "30m", "60m", "240m")


def test_the_account_is_asked_about_without_codes() -> None:
    assert map_to_wire([AssetDemand(), AssetDemand()]) == [{"type": "myAsset"}]
    assert map_to_wire([OrderDemand(codes=("KRW-BTC",)), OrderDemand(codes=("KRW-ETH",))]) == [
        {"type": "myOrder", "codes": ["KRW-BTC", "KRW-ETH"]}
    ]
    assert map_to_wire([OrderDemand(codes=("KRW-BTC",)), OrderDemand()]) == [{"type": "myOrder"}]


def test_announcements_are_asked_for_by_what_anyone_wants_of_them() -> None:
    nft = AnnouncementDemand(categories=("nft",))
    event = AnnouncementDemand(categories=("event", "notice"), include_body=True)
    assert map_to_wire([nft, event]) == [
        {"type": "announcement", "categories": ["notice", "nft", "event"], "include_body": True}
    ]
    assert map_to_wire([nft, AnnouncementDemand()]) == [{"type": "announcement"}]


def test_indicators_are_asked_for_in_no_more_combinations_than_anyone_wants() -> None:
    one = IndicatorDemand.make_indicators(["KRW-BTC", "KRW-ETH"], Rsi(14), "5m")
    two = IndicatorDemand.make_indicators("KRW-ETH", [Macd(), Rsi(14)], "5m")
    three = IndicatorDemand.make_indicators("KRW-ETH", Rsi(14), "1d")
    signal = IndicatorDemand.make_signals("KRW-BTC", Rsi(14).overbought(80), "5m")
    rsi = {"type": "rsi", "params": {"period": 14}}
    macd = {"type": "macd", "params": {"fast": 12, "slow": 26, "signal_period": 9}}
    requests = union([one, two, three, signal])
    assert [request.to_wire() for request in requests] == [
        {"type": "indicator", "codes": ["KRW-BTC"], "timeframe": "5m", "indicators": [rsi]},
        {"type": "indicator", "codes": ["KRW-ETH"], "timeframe": "5m", "indicators": [rsi, macd]},
        {"type": "indicator", "codes": ["KRW-ETH"], "timeframe": "1d", "indicators": [rsi]},
        {
            "type": "indicator_signal",
            "codes": ["KRW-BTC"],
            "timeframe": "5m",
            "indicators": [{**rsi, "trigger": "overbought", "event_params": {"threshold": 80}}],
        },
    ]
    assert combinations(requests) == 5


def test_a_hundred_combinations_and_no_more() -> None:
    codes = [f"KRW-A{number}" for number in range(50)]
    full = IndicatorDemand.make_indicators(codes, [Rsi(14), Macd()], "5m")
    check_combinations([full, MarketDemand("ticker", ("KRW-BTC",) * 200)])
    check_combinations([full, IndicatorDemand.make_indicators(codes[:3], Rsi(14), "5m")])
    with pytest.raises(SubscriptionError, match=r"101 combinations.* 100 "):
        check_combinations([full, IndicatorDemand.make_indicators("KRW-NEW", Rsi(14), "5m")])
    with pytest.raises(SubscriptionError, match="101 combinations"):
        check_combinations([full, IndicatorDemand.make_signals(codes[0], Rsi(14).oversold(), "5m")])


def test_the_question_for_the_list() -> None:
    text = write_list_request(ticket="t", wire_format=WireFormat.SIMPLE)
    assert json.loads(text) == [
        {"ticket": "t"},
        {"method": "LIST_SUBSCRIPTIONS"},
        {"format": "SIMPLE"},
    ]


def test_the_list_that_the_exchange_tells_is_compared_with_what_was_asked_for() -> None:
    asked = union(
        [
            MarketDemand("trade", ("KRW-BTC", "KRW-ETH")),
            OrderbookDemand("orderbook", ("KRW-BTC",), depth=15),
            OrderbookDemand("orderbook", ("KRW-BTC",), level=10000),
            AssetDemand(),
            OrderDemand(),
        ]
    )
    trade = {"type": "trade", "codes": ["KRW-ETH", "KRW-BTC"]}
    book = {"type": "orderbook", "codes": ["KRW-BTC.15"], "level": 0}
    grouped = {"type": "orderbook", "codes": ["KRW-BTC"], "level": 10000.0}
    rest = [{"type": "myAsset"}, {"type": "myOrder"}]
    assert same_list(asked, [grouped, trade, book, *rest])
    assert not same_list(asked, [trade, book, *rest])
    assert not same_list(asked, [grouped, {"type": "trade", "codes": ["KRW-BTC"]}, book, *rest])
    assert not same_list(asked, [grouped, trade, book, *rest, {"type": "ticker", "codes": ["K"]}])


def test_the_wait_that_a_refusal_states() -> None:
    assert stated_wait({"retry-after": "12"}, b"") == 12
    assert stated_wait({}, b'{"error":{"message":"retry in 2 minutes 30 seconds"}}') == 150
    assert stated_wait({}, "30초 후에 다시 시도".encode()) == 30
    assert stated_wait({}, b"Too many requests") == 0
    assert stated_wait({"retry-after": "soon"}, b"wait 5s") == 5
    assert stated_wait({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, b"") == 0
