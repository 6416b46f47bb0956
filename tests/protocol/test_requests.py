"""The union of what is wanted, and how it is written."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from upbit_stream import WireFormat
from upbit_stream.protocol.limits import stated_wait
from upbit_stream.protocol.requests import CANDLE_UNITS, DEPTHS, Demand, union, write_request

demands = st.builds(
    Demand,
    type=st.sampled_from(["ticker", "trade", "orderbook", "candle.1m"]),
    codes=st.lists(st.sampled_from(["KRW-BTC", "KRW-ETH", "BTC-ETH"]), min_size=1, unique=True).map(
        tuple
    ),
    depth=st.sampled_from(DEPTHS),
    level=st.sampled_from([0, 0, 10000]),
    snapshot=st.booleans(),
    realtime=st.just(True),
)


@given(st.lists(demands))
def test_the_union_covers_every_demand_and_nothing_more(wanted: list[Demand]) -> None:
    requests = {(request.type, request.level): request for request in union(wanted)}
    assert len(requests) == len(union(wanted))
    for demand in wanted:
        request = requests[demand.type, demand.level]
        for code in demand.codes:
            depth = max(
                other.depth
                for other in wanted
                if (other.type, other.level) == (demand.type, demand.level) and code in other.codes
            )
            assert (code if depth == 30 else f"{code}.{depth}") in request.codes
        assert not (demand.snapshot and request.only_realtime)
        assert not (demand.realtime and request.only_snapshot)
    asked = {code.partition(".")[0] for request in requests.values() for code in request.codes}
    assert asked == {code for demand in wanted for code in demand.codes}
    assert all(len(set(request.codes)) == len(request.codes) for request in requests.values())


def test_how_it_is_written() -> None:
    requests = union(
        [
            Demand("trade", ("KRW-BTC",)),
            Demand("orderbook", ("KRW-BTC",), depth=15, level=10000.0),
            Demand("ticker", ("KRW-ETH",), realtime=False),
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


def test_the_wait_that_a_refusal_states() -> None:
    assert stated_wait({"retry-after": "12"}, b"") == 12
    assert stated_wait({}, b'{"error":{"message":"retry in 2 minutes 30 seconds"}}') == 150
    assert stated_wait({}, "30초 후에 다시 시도".encode()) == 30
    assert stated_wait({}, b"Too many requests") == 0
    assert stated_wait({"retry-after": "soon"}, b"wait 5s") == 5
    assert stated_wait({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, b"") == 0
