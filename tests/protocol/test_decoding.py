"""Every format decodes to the same events, to the digit, and nothing raises out of decoding."""

from __future__ import annotations

import copy
import json
import pickle
from decimal import Decimal
from typing import Any, Literal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.any_event import contents
from tests.wire import (
    CLASSES,
    ENDPOINTS,
    FORMATS,
    KEYS,
    NESTED,
    STREAMS,
    Number,
    differences,
    read_corpus,
    stream_of,
    write,
)
from upbit_stream import (
    Asset,
    DecodingError,
    Event,
    EventParams,
    IndicatorParams,
    IndicatorSignal,
    IndicatorValue,
    MyAsset,
    OrderbookUnit,
    Ticker,
    Trade,
    WireFormat,
)
from upbit_stream.protocol.decoding import (
    Decoder,
    ServerError,
    Status,
    SubscriptionList,
    Undecodable,
    UnknownType,
)
from upbit_stream.protocol.endpoints import Endpoint

Numbers = Literal["float", "decimal"]
NUMBERS: tuple[Numbers, ...] = ("float", "decimal")
EVERY_DECODER = {
    (endpoint, name, numbers): Decoder(WireFormat(name), numbers, endpoint)
    for endpoint in Endpoint
    for name in FORMATS
    for numbers in NUMBERS
}
DECODERS = {
    (name, numbers): EVERY_DECODER[Endpoint.PUBLIC, name, numbers]
    for name in FORMATS
    for numbers in NUMBERS
}
CORPUS = read_corpus()


def decoder_for(type_: str, wire_format: str, numbers: Numbers) -> Decoder:
    endpoint = ENDPOINTS.get(stream_of(type_), Endpoint.PUBLIC)
    return EVERY_DECODER[endpoint, wire_format, numbers]


def test_the_corpus_has_every_stream() -> None:
    assert {frame.stream for frame in CORPUS} == set(CLASSES) == set(STREAMS)
    assert len(CORPUS) == 22


@pytest.mark.parametrize("numbers", NUMBERS)
@pytest.mark.parametrize("wire_format", FORMATS)
@pytest.mark.parametrize("frame", CORPUS, ids=[f"{f.stream}-{f.source[:24]}" for f in CORPUS])
def test_every_frame_of_the_corpus(frame: Any, wire_format: str, numbers: Numbers) -> None:
    payload = write(frame.content, wire_format).encode()
    decoder = decoder_for(frame.stream, wire_format, numbers)
    (event,) = decoder.decode_all([memoryview(payload)])
    assert isinstance(event, CLASSES[frame.stream])
    assert differences(event, frame.content, numbers) == []


def test_the_events_have_exactly_the_fields_of_the_wire() -> None:
    for stream, cls in CLASSES.items():
        ours = dict(zip(cls.__struct_fields__, cls.__struct_encode_fields__, strict=True))
        assert ours.pop("received_at") == "@received_at"
        assert ours == KEYS[stream]
    for name, part in {
        "orderbook_units": OrderbookUnit,
        "assets": Asset,
        "params": IndicatorParams,
        "event_params": EventParams,
        "value": IndicatorValue,
    }.items():
        names = dict(zip(part.__struct_fields__, part.__struct_encode_fields__, strict=True))
        assert names == NESTED[name]


def test_a_frame_of_2018_without_a_type_and_with_another_key_for_the_code() -> None:
    payload = b'{"mk":"BTC-BCH","tms":1523531745481,"tp":0.09601999,"sid":15235317454810000}'
    (event,) = DECODERS["SIMPLE", "decimal"].decode_all([payload])
    assert isinstance(event, Trade)
    assert (event.type, event.code) == ("trade", "BTC-BCH")
    assert event.trade_price == Decimal("0.09601999")
    assert event.best_ask_price is None


def plain(value: Any) -> Any:
    """Numbers in small dicts (a delisting date) are plain integers in the event."""
    if isinstance(value, dict) and value.keys() & {"year", "month"}:
        return {name: int(one) for name, one in value.items()}
    return value


@pytest.mark.long
@settings(max_examples=300)
@given(contents())
@example({"type": "orderbook", "orderbook_units": [], "stream_type": "SOMETHING_NEW"})
@example({"type": "orderbook", "orderbook_units": [{"ask_price": Number("1E-8")}], "level": None})
def test_all_formats_decode_to_equal_events_and_keep_every_digit(content: dict[str, Any]) -> None:
    expected = {name: plain(value) for name, value in content.items()}
    for number_kind in NUMBERS:
        events = []
        for wire_format in FORMATS:
            payload = write(content, wire_format).encode()
            decoder = decoder_for(content["type"], wire_format, number_kind)
            (event,) = decoder.decode_all([payload])
            assert type(event).__name__ == CLASSES[stream_of(content["type"])].__name__
            assert isinstance(event, Event)
            assert differences(event, expected, number_kind) == []
            # Whatever endpoint it comes from.
            assert DECODERS[wire_format, number_kind].decode_all([payload]) == [event]
            events.append(event)
        assert all(event == events[0] for event in events)
        assert len({hash(event) for event in events}) == 1
        assert all(isinstance(pickle.loads(pickle.dumps(event)), Event) for event in events)
        assert all(pickle.loads(pickle.dumps(event)) == events[0] for event in events)
        assert copy.copy(events[1]) == events[0]
        assert {repr(event).partition("received_at")[0] for event in events} == {
            repr(events[0]).partition("received_at")[0]
        }


@given(st.binary(max_size=300), st.sampled_from(FORMATS))
@example(b"[" * 100_000, "SIMPLE")
@example(b'{"ty":"trade","cd":' + b"[" * 100_000, "SIMPLE")
@example(b'{"ty":"trade","tp":1e999}', "SIMPLE")
@example(b'{"ty":"orderbook","obu":[5]}', "SIMPLE")
@example(b'{"ty":"orderbook","obu":[{"ap":"x"}]}', "SIMPLE")
@example(b'{"ty":"ticker","dd":[]}', "SIMPLE")
@example(b'{"ty":"trade","cd":"\xff"}', "SIMPLE")
@example(b'{"ty":["trade"]}', "SIMPLE")
@example(b'{"error":5}', "SIMPLE")
@example(b'{"mthd":1,"rslt":[1,{"ty":2}]}', "SIMPLE")
@example(b'{"ty":"indicator","p":[]}', "SIMPLE")
@example(b'{"ty":"indicator","p":{"p":"x"},"v":5}', "SIMPLE")
@example(b'{"ty":"indicator_signal","ep":"x"}', "SIMPLE")
@example(b'{"ty":"myAsset","ast":{"cu":"KRW"}}', "SIMPLE")
@example(b'{"ty":"myAsset","ast":[null]}', "SIMPLE")
@example(b'{"type":"myOrder","is_maker":1}', "DEFAULT")
@example(b"", "DEFAULT")
@example(b"[]", "JSON_LIST")
def test_arbitrary_bytes_never_raise(payload: bytes, wire_format: str) -> None:
    for (_, name, _), decoder in EVERY_DECODER.items():
        for decoded in decoder.decode_all([payload]) if name == wire_format else ():
            assert isinstance(
                decoded, (Event, ServerError, Status, SubscriptionList, UnknownType, Undecodable)
            )


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)
some_keys = st.sampled_from(
    sorted({key for keys in KEYS.values() for pair in keys.items() for key in pair} | {"error"})
)


@given(
    st.dictionaries(some_keys, json_values, max_size=6),
    st.sampled_from([*STREAMS, "candle.1m", "somethingNew", None, 5]),
    st.sampled_from(FORMATS),
)
def test_arbitrary_json_never_raises(item: dict[str, Any], type_: Any, wire_format: str) -> None:
    key = "ty" if wire_format.startswith("SIMPLE") else "type"
    text = json.dumps({key: type_, **item})
    payload = (f"[{text}]" if wire_format.endswith("LIST") else text).encode()
    for (_, name, _), decoder in EVERY_DECODER.items():
        if name != wire_format:
            continue
        (decoded,) = decoder.decode_all([payload])
        if isinstance(decoded, Undecodable):
            assert isinstance(decoded.error, DecodingError)
            assert len(decoded.error.excerpt) <= 200


def test_what_a_slow_path_event_may_hold() -> None:
    odd = b'{"ty":"trade","cd":"KRW-BTC","tp":"1.5","ttms":1.6e3,"ab":"NEITHER","sid":7.0}'
    (event,) = DECODERS["SIMPLE", "float"].decode_all([odd])
    assert isinstance(event, Trade)
    assert (event.trade_price, event.trade_timestamp, event.sequential_id) == (1.5, 1600, 7)
    assert str(event.ask_bid) == "NEITHER"


def test_messages_that_are_no_events() -> None:
    for wire_format in FORMATS:
        decoder = DECODERS[wire_format, "float"]
        assert decoder.decode_all([b'{"status":"UP"}']) == [Status("UP")]
        error = '{"error":{"message":"이상","name":"INVALID_PARAM"}}'.encode()
        assert decoder.decode_all([error]) == [ServerError("INVALID_PARAM", "이상")]
        short = (
            b'{"mthd":"LIST_SUBSCRIPTIONS","rslt":[{"ty":"ticker","cds":["KRW-BTC"]}],"tckt":"t"}'
        )
        assert decoder.decode_all([short]) == [
            SubscriptionList("t", ({"type": "ticker", "codes": ["KRW-BTC"]},))
        ]
        type_key = "ty" if wire_format.startswith("SIMPLE") else "type"
        assert decoder.decode_all([f'{{"{type_key}":"newThing"}}'.encode()]) == [
            UnknownType("newThing")
        ]


def test_a_list_frame_with_several_messages() -> None:
    trade = write({"type": "trade", "code": "KRW-BTC"}, "SIMPLE")
    ticker = write({"type": "ticker", "code": "KRW-ETH"}, "SIMPLE")
    decoded = DECODERS["SIMPLE_LIST", "float"].decode_all([f"[{trade},{ticker}]".encode()])
    assert [type(event) for event in decoded] == [Trade, Ticker]


def test_one_bad_frame_does_not_cost_its_neighbours() -> None:
    good = write({"type": "trade", "code": "KRW-BTC"}, "SIMPLE").encode()
    decoded = DECODERS["SIMPLE", "float"].decode_all([good, b"\xff\xfe", good])
    assert [type(item) for item in decoded] == [Trade, Undecodable, Trade]


def test_the_digits_of_a_balance() -> None:
    payload = b'{"ty":"myAsset","ast":[{"cu":"KRW","b":1386929.37231066771348207123,"l":0}]}'
    for decoder in (decoder_for("myAsset", "SIMPLE", "decimal"), DECODERS["SIMPLE", "decimal"]):
        (event,) = decoder.decode_all([payload])
        assert isinstance(event, MyAsset)
        assert str(event.assets[0].balance) == "1386929.37231066771348207123"
    (event,) = decoder_for("myAsset", "SIMPLE", "float").decode_all([payload])
    assert isinstance(event, MyAsset)
    assert event.assets[0].balance == 1386929.3723106677


def test_the_two_multipliers() -> None:
    payload = (
        b'{"ty":"indicator_signal","p":{"p":20,"m":2.5},"ep":{"mul":3,"th":70},"v":{"bbu":1.5}}'
    )
    (event,) = decoder_for("indicator_signal", "SIMPLE", "float").decode_all([payload])
    assert isinstance(event, IndicatorSignal)
    assert event.params == IndicatorParams(period=20, multiplier=2.5)
    assert event.event_params == EventParams(multiplier=3, threshold=70)
    assert event.value["bb_upper"] == event.value.bb_upper == 1.5
    with pytest.raises(KeyError):
        event.value["rsi"]
    plain_event = event.to_dict()
    assert plain_event["params"] == {"period": 20, "multiplier": 2.5}
    assert plain_event["value"] == {"bb_upper": 1.5}
    assert repr(event.value) == "IndicatorValue(bb_upper=1.5)"
