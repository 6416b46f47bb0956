"""Events as lines, and back: equal, to the last digit."""

from __future__ import annotations

import json
import pickle
import time
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.recording.conftest import corpus
from upbit_stream import Event, Orderbook, RecordingError, Trade
from upbit_stream.protocol.decoding import EVENT_CLASSES
from upbit_stream.protocol.variants import wire_variant
from upbit_stream.recording.lines import LineReader, LineWriter, Numbers, numbers_of, part_of

KINDS: tuple[Numbers, ...] = ("float", "decimal")

_DIGITS = st.decimals(allow_nan=False, allow_infinity=False, places=8, min_value=0)


def _values(annotation: Any) -> st.SearchStrategy[Any]:
    part, many = part_of(annotation)
    if part is not None:
        one = _structs(part)
        return st.none() | (st.lists(one, max_size=3).map(tuple) if many else one)
    kinds = set(getattr(annotation, "__args__", ())) or {annotation}
    if Decimal in kinds:
        return st.none() | _DIGITS
    if float in kinds:
        return st.none() | st.floats(allow_nan=False, allow_infinity=False)
    if bool in kinds:
        return st.none() | st.booleans()
    if int in kinds:
        return st.none() | st.integers(-(2**63), 2**63 - 1)
    if dict[str, int] in kinds:
        return st.none() | st.just({"year": 2026, "month": 1, "day": 2})
    # Also values that the exchange has not invented yet.
    return st.none() | st.text(max_size=20)


def _structs(cls: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    return st.builds(cls, **{f.name: _values(f.type) for f in msgspec.structs.fields(cls)})


def _events(numbers: Numbers) -> st.SearchStrategy[Event]:
    def of(name: str, cls: type[Event]) -> st.SearchStrategy[Any]:
        variant = wire_variant(cls, True, numbers == "decimal")
        fixed = {"type": st.just(name), "received_at": st.integers(0, 2**63 - 1)}
        if name == "candle":
            fixed["type"] = st.sampled_from(["candle.1s", "candle.240m"])
        fields = {f.name: _values(f.type) for f in msgspec.structs.fields(variant)}
        return st.builds(variant, **{**fields, **fixed})

    return st.one_of([of(name, cls) for name, cls in EVENT_CLASSES.items()])


@pytest.mark.parametrize("numbers", KINDS)
@settings(max_examples=50)
@given(data=st.data())
def test_whatever_an_event_holds_it_reads_back(numbers: Numbers, data: st.DataObject) -> None:
    events = data.draw(st.lists(_events(numbers), max_size=5))
    lines = LineWriter().write(events).splitlines()
    back = [LineReader(numbers).read(line) for line in lines]
    assert back == events
    assert [event.received_at for event in back] == [event.received_at for event in events]
    assert {numbers_of(event) for event in back} <= {numbers, None}


@pytest.mark.parametrize("numbers", KINDS)
def test_the_frames_of_the_exchange_read_back_with_every_digit(numbers: Numbers) -> None:
    events = corpus(numbers)
    assert {event.type.partition(".")[0] for event in events} >= {"ticker", "trade", "myAsset"}
    back = [LineReader(numbers).read(line) for line in LineWriter().write(events).splitlines()]
    assert back == events
    # Decimals are equal when they have the same value; these have the same digits, too.
    assert [repr(one.to_dict()) for one in back] == [repr(one.to_dict()) for one in events]
    assert pickle.loads(pickle.dumps(back)) == events


def test_a_line_has_the_names_of_the_default_format_and_no_absent_field() -> None:
    event = Trade(type="trade", code="KRW-BTC", trade_price=1.5, stream_type="REALTIME")
    line = json.loads(LineWriter().write([event]))
    assert line == {
        "type": "trade", "code": "KRW-BTC", "trade_price": 1.5, "stream_type": "REALTIME",
        "received_at": event.received_at,
    }  # fmt: skip
    assert list(line)[-1] == "received_at"
    (book,) = [event for event in corpus("decimal") if isinstance(event, Orderbook)][:1]
    text = LineWriter().write([book]).decode()
    # A number, not a text.
    assert f'"orderbook_units":[{{"ask_price":{book.orderbook_units[0].ask_price},' in text


@pytest.mark.parametrize(
    "line", [b"", b"{}", b"[]", b"\0\0", b'{"type":"nothing"}', b'{"status":"UP"}']
)
def test_a_line_that_is_no_event(line: bytes) -> None:
    with pytest.raises(RecordingError):
        LineReader("float").read(line)


@pytest.mark.parametrize("number", [10**25, -(10**25)])
def test_a_line_that_was_received_at_no_time_is_received_now(number: int) -> None:
    line = f'{{"type":"trade","code":"KRW-BTC","trade_price":5,"received_at":{number}}}'
    before = time.time_ns()
    event = LineReader("float").read(line.encode())
    assert isinstance(event, Trade)
    assert event.trade_price == 5
    assert before <= event.received_at <= time.time_ns()
