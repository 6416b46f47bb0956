"""Events with what people have beside them: JSON, copies, sets, patterns, frames, logs."""

from __future__ import annotations

import copy
import json
import logging
import pickle
from decimal import Decimal
from typing import Any, Literal

import msgspec
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.any_event import contents
from tests.wire import ENDPOINTS, FORMATS, write
from upbit_stream import (
    Asset,
    ConnectionHealth,
    Event,
    Gap,
    Indicator,
    IndicatorValue,
    MyAsset,
    Orderbook,
    OrderbookUnit,
    StreamConfig,
    Ticker,
    Trade,
    UpbitStream,
)
from upbit_stream.protocol.decoding import Decoder
from upbit_stream.protocol.endpoints import Endpoint
from upbit_stream.protocol.wire_format import WireFormat

Numbers = Literal["float", "decimal"]
BOOK = Orderbook(
    type="orderbook",
    code="KRW-BTC",
    orderbook_units=(OrderbookUnit(ask_price=2.0, bid_price=1.0, ask_size=3.0, bid_size=4.0),),
)


def decode(content: dict[str, Any], wire_format: str, numbers: Numbers) -> Event:
    endpoint = ENDPOINTS.get(content["type"], Endpoint.PUBLIC)
    decoder = Decoder(WireFormat(wire_format), numbers, endpoint)
    (event,) = decoder.decode_all([write(content, wire_format).encode()])
    assert isinstance(event, Event)
    return event


def is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(name, str) and is_plain(one) for name, one in value.items())
    if isinstance(value, list):
        return all(map(is_plain, value))
    return value is None or type(value) in (str, int, float, bool, Decimal)


@settings(max_examples=60)
@given(contents(), st.sampled_from(FORMATS), st.sampled_from(["float", "decimal"]))
def test_any_event_as_a_dict_and_as_json(
    content: dict[str, Any], wire_format: str, numbers: Numbers
) -> None:
    event = decode(content, wire_format, numbers)
    plain = event.to_dict()
    assert is_plain(plain)
    assert {name for name in plain if name != "received_at"} <= {
        field.name for field in msgspec.structs.fields(event._public)
    }
    # The same names and digits, whatever the wire's format was.
    reader = json.JSONDecoder(parse_float=Decimal, parse_int=Decimal).decode
    if numbers == "float":
        assert json.loads(event.to_json()) == json.loads(json.dumps(plain))
    else:
        assert comparable(reader(event.to_json())) == comparable(plain)
    json.dumps(plain, default=str)


def comparable(value: Any) -> Any:
    """Numbers as Decimals, as the reader gives them."""
    if isinstance(value, dict):
        return {name: comparable(one) for name, one in value.items()}
    if isinstance(value, list):
        return [comparable(one) for one in value]
    return Decimal(value) if type(value) in (int, float, Decimal) else value


def test_decimals_in_json() -> None:
    trade = Trade(type="trade", code="KRW-BTC", trade_price=Decimal("1.10"))  # type: ignore[arg-type]
    assert '"trade_price":1.10' in trade.to_json()
    assert json.loads(trade.to_json(), parse_float=Decimal)["trade_price"] == Decimal("1.10")
    assert '"trade_price": "1.10"' in json.dumps(trade.to_dict(), default=str)
    with pytest.raises(TypeError):
        json.dumps(trade.to_dict())


def test_what_is_inside_an_event_is_plain_too() -> None:
    asset = MyAsset(type="myAsset", assets=(Asset(currency="KRW", balance=1.0, locked=0.0),))
    assert asset.to_dict()["assets"] == [{"currency": "KRW", "balance": 1.0, "locked": 0.0}]
    rsi = Indicator(type="indicator", value=IndicatorValue(rsi=1.5))
    assert rsi.to_dict()["value"] == {"rsi": 1.5}
    assert BOOK.orderbook_units[0].to_json() == (
        '{"ask_price":2.0,"bid_price":1.0,"ask_size":3.0,"bid_size":4.0}'
    )


@settings(max_examples=60)
@given(contents(), st.sampled_from(["float", "decimal"]))
def test_any_event_is_copied_pickled_and_put_into_a_set(
    content: dict[str, Any], numbers: Numbers
) -> None:
    one, other = (decode(content, wire_format, numbers) for wire_format in ("SIMPLE", "DEFAULT"))
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(one, protocol)) == one
    again = copy.deepcopy(one)
    assert again == copy.copy(one) == one
    assert again.received_at == one.received_at
    assert {one, other, again} == {one}


def test_a_dict_of_an_event_is_its_own() -> None:
    ticker = Ticker(type="ticker", delisting_date={"year": 2026, "month": 8, "day": 26})
    ticker.to_dict()["delisting_date"]["year"] = 1
    assert ticker.delisting_date == {"year": 2026, "month": 8, "day": 26}
    assert hash(ticker) == hash(copy.deepcopy(ticker))


def test_a_changed_copy() -> None:
    cheaper = msgspec.structs.replace(
        Trade(type="trade", code="KRW-BTC", trade_price=2.0), trade_price=1.0
    )
    assert (cheaper.code, cheaper.trade_price) == ("KRW-BTC", 1.0)


@pytest.mark.parametrize("wire_format", FORMATS)
def test_patterns(wire_format: str) -> None:
    event = decode({"type": "trade", "code": "KRW-BTC", "ask_bid": "ASK"}, wire_format, "decimal")
    match event:
        case Ticker() | Orderbook():
            found = "another"
        case Trade(code="KRW-BTC", ask_bid="BID"):
            found = "a buy"
        case Trade(code=code, ask_bid="ASK"):
            found = f"a sell of {code}"
        case _:
            found = "nothing"
    assert found == "a sell of KRW-BTC"


def test_lists_of_dicts_are_frames() -> None:
    trades = [
        Trade(type="trade", code="KRW-BTC", trade_price=float(n), sequential_id=2**60 + n)
        for n in range(3)
    ]
    rows = [trade.to_dict() for trade in trades]
    assert pd.DataFrame(rows).sequential_id.tolist() == [2**60, 2**60 + 1, 2**60 + 2]
    assert pl.DataFrame(rows)["trade_price"].to_list() == [0.0, 1.0, 2.0]


def test_events_in_a_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        logging.getLogger("my_bot").info("got %s", BOOK)
    assert "OrderbookUnit(ask_price=2.0" in caplog.text


def test_what_a_stream_tells_of_itself_is_json() -> None:
    gap = Gap(
        type="trade",
        codes=("KRW-BTC",),
        recovered=True,
        by_code={"KRW-BTC": 3},
        from_timestamp=1,
        to_timestamp=2,
        ranges={"KRW-BTC": (1, 2)},
    )
    assert json.loads(msgspec.json.encode(gap))["by_code"] == {"KRW-BTC": 3}
    with UpbitStream(config=StreamConfig(url="ws://127.0.0.1:9/websocket/v1")) as stream:
        health: ConnectionHealth = stream.health()
        assert json.loads(msgspec.json.encode(health))["state"] == "disconnected"
        stats = json.loads(msgspec.json.encode(stream.stats))
        assert stats["messages"] == 0
        assert stats["gaps_recovered"] == stats["reconnects_by_kind"] == {}
