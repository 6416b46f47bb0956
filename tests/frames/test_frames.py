"""Events as data frames: which columns, of which kind, in which order; nothing lost on the way."""

from __future__ import annotations

import math
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.any_event import contents
from tests.wire import CLASSES, ENDPOINTS, STREAMS, read_corpus, write
from upbit_stream import (
    Asset,
    Candle,
    Event,
    Indicator,
    IndicatorParams,
    IndicatorValue,
    MyAsset,
    MyOrder,
    Orderbook,
    OrderbookUnit,
    Recorder,
    Ticker,
    Trade,
    read_recording,
)
from upbit_stream.frames import to_frame, to_pandas, to_polars
from upbit_stream.protocol.decoding import Decoder
from upbit_stream.protocol.endpoints import Endpoint
from upbit_stream.protocol.wire_format import WireFormat

NUMBERS: tuple[Literal["float", "decimal"], ...] = ("float", "decimal")


def trade(time: int | None, id_: int, price: float = 1.0, code: str = "KRW-BTC") -> Trade:
    return Trade(
        type="trade",
        code=code,
        trade_timestamp=time,  # type: ignore[arg-type]
        trade_price=price,
        trade_volume=0.5,
        ask_bid="BID",
        sequential_id=id_,
        stream_type="REALTIME",
        received_at=1_787_728_554_853_123_456,
    )


def decode(content: dict[str, Any], numbers: Literal["float", "decimal"]) -> Event:
    endpoint = ENDPOINTS.get(content["type"], Endpoint.PUBLIC)
    decoder = Decoder(WireFormat.DEFAULT, numbers, endpoint)
    (event,) = decoder.decode_all([write(content, "DEFAULT").encode()])
    assert isinstance(event, Event)
    return event


def test_trades_in_pandas() -> None:
    trades = [trade(1787728554797, 17877285547970000), trade(1787728554798, 17877285547980001, 2.5)]
    frame = to_pandas(trades)
    assert frame.index.name == "time"
    assert str(frame.index.dtype) == "datetime64[ns, UTC]"
    assert frame.index[0] == pd.Timestamp("2026-08-26 07:15:54.797", tz="UTC")
    dtypes = {name: str(dtype) for name, dtype in frame.dtypes.items()}
    assert dtypes["trade_price"] == dtypes["trade_volume"] == dtypes["best_ask_price"] == "float64"
    assert dtypes["sequential_id"] == "int64"
    assert dtypes["ask_bid"] == dtypes["code"] == dtypes["stream_type"] == "category"
    assert dtypes["timestamp"] == dtypes["received_at"] == "datetime64[ns, UTC]"
    assert list(frame.ask_bid.cat.categories) == ["ASK", "BID"]
    assert frame.sequential_id.tolist() == [17877285547970000, 17877285547980001]
    assert frame.trade_price.tolist() == [1.0, 2.5]
    assert frame.best_bid_price.isna().all()
    assert frame.received_at.iloc[0].value == 1_787_728_554_853_123_456
    # What says nothing, or says it again.
    assert not {"type", "trade_date", "trade_time", "trade_timestamp"} & set(frame.columns)
    # It is what people do with it.
    assert frame.trade_price.resample("1s").ohlc().close.tolist() == [2.5]


def test_trades_in_polars() -> None:
    frame = to_polars([trade(2, 8), trade(1, 7, 2.5)])
    assert frame.columns[:2] == ["time", "code"]
    assert frame.schema["time"] == frame.schema["received_at"] == pl.Datetime("ns", "UTC")
    assert frame.schema["trade_price"] == pl.Float64
    assert frame.schema["sequential_id"] == pl.Int64
    assert frame.schema["ask_bid"] == pl.Categorical
    assert frame["sequential_id"].to_list() == [7, 8]
    assert frame["best_bid_price"].is_null().all()
    assert frame.group_by_dynamic("time", every="1s").agg(pl.col("trade_price").max()).height == 1


def test_a_missing_id_takes_no_digit_from_the_others() -> None:
    frame = to_pandas([trade(1, 17877285547980001), trade(2, None)])  # type: ignore[arg-type]
    assert str(frame.sequential_id.dtype) == "Int64"
    assert frame.sequential_id.iloc[0] == 17877285547980001
    assert frame.sequential_id.iloc[1] is pd.NA
    assert to_polars([trade(1, None)])["sequential_id"].to_list() == [None]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ids", "in_pandas", "in_polars"),
    [
        ([2**63, 1], "uint64", "UInt64"),
        ([2**64 - 1, None], "UInt64", "UInt64"),
        ([2**63 - 1, -(2**63)], "int64", "Int64"),
        ([2**64, None], "object", "Decimal(precision=38, scale=0)"),
        ([2**63, -1], "object", "Decimal(precision=38, scale=0)"),
        ([10**40, 1], "object", "String"),
    ],
)
def test_an_id_of_any_size_keeps_its_digits(
    ids: list[int | None], in_pandas: str, in_polars: str
) -> None:
    trades = [
        Trade(type="trade", trade_timestamp=time, sequential_id=id_)  # type: ignore[arg-type]
        for time, id_ in enumerate(ids)
    ]
    frame, other = to_pandas(trades).sequential_id, to_polars(trades)["sequential_id"]
    assert (str(frame.dtype), str(other.dtype)) == (in_pandas, in_polars)
    for kept in (frame.tolist(), other.to_list()):
        assert [None if pd.isna(one) else int(one) for one in kept] == ids


def test_rows_are_in_the_order_of_time_and_of_one_moment_as_they_came() -> None:
    trades = [trade(5, 3), trade(4, 2), trade(5, 1), trade(None, 9), trade(4, 4, code="KRW-ETH")]
    for ids in (
        to_pandas(trades).sequential_id.tolist(),
        to_polars(trades)["sequential_id"].to_list(),
    ):
        assert ids == [2, 4, 3, 1, 9]
    assert to_pandas(trades).index[-1] is pd.NaT


def test_exact_numbers_stay_exact() -> None:
    prices = [Decimal("116543000.10"), Decimal("0.00000001"), None]
    trades = [trade(i, i, price) for i, price in enumerate(prices)]  # type: ignore[arg-type]
    frame = to_pandas(trades)
    assert frame.trade_price.dtype == object
    assert [str(price) for price in frame.trade_price[:2]] == ["116543000.10", "1E-8"]
    exact = to_polars(trades)
    assert exact.schema["trade_price"] == pl.Decimal(38, 8)
    assert exact["trade_price"].to_list() == prices
    # More digits than polars has: every one of them, as text.
    many = Decimal("1386929372310667.71348207123123456789012345")
    texts = to_polars([trade(1, 1, many), *trades])["trade_price"]  # type: ignore[arg-type]
    assert texts.dtype == pl.String
    assert Decimal(texts[1]) == many


def test_an_order_book_is_a_row_with_its_levels_beside_each_other() -> None:
    def book(time: int, *rows: tuple[float, float, float, float]) -> Orderbook:
        units = tuple(
            OrderbookUnit(ask_price=a, ask_size=b, bid_price=c, bid_size=d) for a, b, c, d in rows
        )
        return Orderbook(
            type="orderbook",
            code="KRW-BTC",
            timestamp=time,
            orderbook_units=units,
            total_ask_size=9.0,
        )

    frame = to_pandas([book(1, (101, 1, 99, 2), (102, 3, 0, 0)), book(2, (0, 0, 98, 4))])
    assert frame.index.tolist() == [pd.Timestamp(n, unit="ms", tz="UTC") for n in (1, 2)]
    assert frame.best_bid.tolist() == frame.bid_price_1.tolist() == [99, 98]
    assert frame.spread[0:1].tolist() == [2]
    assert frame.mid[0:1].tolist() == [100]
    assert frame.ask_price_2.tolist()[0] == 102
    assert frame.ask_size_1.tolist()[0] == 1
    missing = frame[["best_ask", "spread", "ask_price_1", "ask_size_1", "ask_price_2"]].iloc[1]
    assert missing.isna().all()
    # The zeros with which the exchange fills up are no orders.
    assert frame.bid_price_2.isna().all() if "bid_price_2" in frame else True
    assert frame.total_ask_size.tolist() == [9.0, 9.0]
    polars = to_polars([book(1, (101, 1, 99, 2))])
    assert {"best_bid", "best_ask", "spread", "bid_size_1"} <= set(polars.columns)


def test_balances_have_a_row_for_each_currency() -> None:
    event = MyAsset(
        type="myAsset",
        timestamp=5,
        asset_uuid="u",
        assets=(
            Asset(currency="KRW", balance=1.5, locked=0.0),
            Asset(currency="BTC", balance=2.5, locked=1.0),
        ),
    )
    frame = to_pandas([event])
    assert frame.currency.tolist() == ["KRW", "BTC"]
    assert frame.balance.tolist() == [1.5, 2.5]
    assert frame.asset_uuid.tolist() == ["u", "u"]
    assert str(frame.currency.dtype) == "category"
    assert to_polars([event])["locked"].to_list() == [0.0, 1.0]
    assert len(to_pandas([MyAsset(type="myAsset", timestamp=1)])) == 0


def test_indicators_have_the_columns_that_they_use() -> None:
    event = Indicator(
        type="indicator",
        code="KRW-BTC",
        candle_date_time_utc="2026-08-26T08:00:00",
        indicator="rsi",
        params=IndicatorParams(period=14),
        value=IndicatorValue(rsi=71.5),
    )
    frame = to_pandas([event, event])
    assert frame.value_rsi.tolist() == [71.5, 71.5]
    assert frame.params_period.tolist() == [14, 14]
    assert frame.index[0] == pd.Timestamp("2026-08-26 08:00", tz="UTC")
    assert not [name for name in frame.columns if "macd" in name]


def test_candles_are_indexed_by_their_beginning() -> None:
    candle = Candle(
        type="candle.1m", code="KRW-BTC", candle_date_time_utc="2026-08-26T08:01:00", timestamp=7
    )
    frame = to_pandas([candle])
    assert frame.index[0] == pd.Timestamp("2026-08-26 08:01", tz="UTC")
    assert "candle_date_time_kst" not in frame
    assert "timestamp" in frame


def test_a_frame_has_one_type() -> None:
    with pytest.raises(ValueError, match="of one type, and these are trade, ticker"):
        to_frame([trade(1, 1), Ticker(type="ticker", code="KRW-BTC")])
    with pytest.raises(ValueError, match=r"candle\.1m, candle\.1s"):
        to_frame([Candle(type="candle.1m"), Candle(type="candle.1s")])


def test_nothing_is_a_frame_without_a_row() -> None:
    assert len(to_pandas([])) == 0
    frame = to_pandas([], Trade)
    assert list(frame.columns) == list(to_pandas([trade(1, 1)]).columns)
    assert str(frame.index.dtype) == "datetime64[ns, UTC]"
    assert str(frame.trade_price.dtype) == "float64"
    assert str(to_polars([], MyOrder).schema["trades_count"]) == "Int64"
    for cls in CLASSES.values():
        assert to_polars([], cls).height == len(to_pandas([], cls)) == 0


@pytest.mark.parametrize("numbers", NUMBERS)
@pytest.mark.parametrize("stream", STREAMS)
def test_frames_as_the_exchange_sends_them(
    stream: str, numbers: Literal["float", "decimal"]
) -> None:
    for one in read_corpus():
        if one.stream == stream:
            event = decode(one.content, numbers)
            rows = len(event.assets) if isinstance(event, MyAsset) else 1
            frame = to_pandas([event])
            assert len(frame) == to_polars([event]).height == rows
            assert not frame.index.hasnans
            kind = object if numbers == "decimal" else "float64"
            for name in ("trade_price", "best_bid", "balance", "paid_fee"):
                assert name not in frame or frame[name].dtype == kind
            assert frame.columns.is_unique


@settings(max_examples=60)
@given(st.data(), st.sampled_from(STREAMS), st.sampled_from(NUMBERS))
def test_no_event_is_too_strange(
    data: st.DataObject, stream: str, numbers: Literal["float", "decimal"]
) -> None:
    drawn = data.draw(st.lists(contents(stream), max_size=4))
    events = [decode(content, numbers) for content in drawn]
    events = [event for event in events if event.type == events[0].type]
    rows = sum(len(event.assets or ()) if isinstance(event, MyAsset) else 1 for event in events)
    assert len(to_pandas(events)) == to_polars(events).height == rows


@given(st.lists(st.tuples(st.integers(0, 2**42), st.integers(0, 2**62), st.floats()), max_size=30))
@example([(1, 2**53 + 1, math.nan), (0, 0, math.inf)])
def test_every_value_arrives(rows: Sequence[tuple[int, int, float]]) -> None:
    trades = [trade(time, id_, price) for time, id_, price in rows]
    ordered = sorted(trades, key=lambda one: one.trade_timestamp)
    frame, other = to_pandas(trades, Trade), to_polars(trades, Trade)
    assert frame.sequential_id.tolist() == [one.sequential_id for one in ordered]
    assert other["sequential_id"].to_list() == [one.sequential_id for one in ordered]
    prices = [one.trade_price for one in ordered]
    for got in (frame.trade_price.tolist(), other["trade_price"].to_list()):
        assert [repr(price) for price in got] == [repr(price) for price in prices]
    assert [time.value for time in frame.index] == [one.trade_timestamp * 10**6 for one in ordered]


def test_a_recording_is_a_frame_too(tmp_path: Path) -> None:
    path = tmp_path / "day.jsonl"
    with Recorder(path) as recorder:
        for n in range(50):
            recorder(trade(n, n))
            recorder(Ticker(type="ticker", code="KRW-BTC", timestamp=n))
    frame = to_frame(event for event in read_recording(path) if event.type == "trade")
    assert frame.sequential_id.tolist() == list(range(50))


def run(script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


# As if they were not installed.
WITHOUT = """
    import sys

    sys.modules.update(dict.fromkeys({missing}))
    from upbit_stream import Trade
    from upbit_stream.frames import to_frame, to_pandas, to_polars
    trades = [Trade(type="trade", code="KRW-BTC", trade_timestamp=1)]
"""


def test_polars_where_there_is_no_pandas() -> None:
    script = WITHOUT.format(missing={"pandas"}) + "\n    print(type(to_frame(trades)).__module__)"
    assert run(script).startswith("polars.")
    assert isinstance(to_frame([trade(1, 1)]), pd.DataFrame)


def test_without_either_it_says_what_to_install() -> None:
    script = WITHOUT.format(missing={"pandas", "polars"}) + (
        """
    for make in (to_frame, to_pandas, to_polars):
        try:
            make(trades)
        except ImportError as error:
            print(error)
    """
    )
    lines = run(script).splitlines()
    assert 'pip install "upbit-stream[notebook]"' in lines[0]
    assert "pip install polars" in lines[0]
    assert 'pip install "upbit-stream[notebook]"' in lines[1]
    assert "pip install polars" in lines[2]
