"""Events as values."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest

from upbit_stream import Announcement, Candle, Orderbook, OrderbookUnit, PriceLevel, Ticker, Trade


def book(*units: tuple[float, float, float, float]) -> Orderbook:
    return Orderbook(
        type="orderbook",
        code="KRW-BTC",
        orderbook_units=tuple(
            OrderbookUnit(ask_price=a, ask_size=s, bid_price=b, bid_size=t) for a, s, b, t in units
        ),
    )


def test_an_event_is_immutable() -> None:
    trade = Trade(type="trade", code="KRW-BTC")
    with pytest.raises(AttributeError):
        trade.code = "KRW-ETH"  # type: ignore[misc]


def test_equality_is_what_the_exchange_said() -> None:
    one = Trade(type="trade", code="KRW-BTC", trade_price=1.5, received_at=1)
    other = Trade(type="trade", code="KRW-BTC", trade_price=1.5, received_at=2)
    assert one == other
    assert hash(one) == hash(other)
    assert one != Trade(type="trade", code="KRW-BTC", trade_price=1.6)
    assert one != Ticker(type="ticker", code="KRW-BTC", trade_price=1.5)
    assert one != "trade"


def test_absent_fields_are_none_and_received_at_is_now() -> None:
    before = datetime.now(timezone.utc)
    ticker = Ticker(type="ticker", code="KRW-BTC")
    assert ticker.trade_price is None
    assert ticker.datetime is None
    assert abs((ticker.received_datetime - before).total_seconds()) < 5


def test_timestamps_are_aware_datetimes_too() -> None:
    trade = Trade(
        type="trade", code="KRW-BTC", timestamp=1787728554853, trade_timestamp=1787728554797
    )
    assert trade.datetime == datetime(2026, 8, 26, 7, 15, 54, 853000, tzinfo=timezone.utc)
    assert trade.trade_datetime == datetime(2026, 8, 26, 7, 15, 54, 797000, tzinfo=timezone.utc)
    candle = Candle(type="candle.15m", code="KRW-BTC", candle_date_time_utc="2026-08-26T08:00:00")
    assert candle.unit == "15m"
    assert candle.candle_datetime == datetime(2026, 8, 26, 8, tzinfo=timezone.utc)
    assert Candle(type="candle.1s", code="KRW-BTC").candle_datetime is None


@pytest.mark.parametrize("number", [10**17, -(10**17), 10**400, 253_402_300_799_999, -1])
def test_a_number_that_is_no_time(number: int) -> None:
    assert Trade(type="trade", timestamp=number, trade_timestamp=number).trade_datetime is None
    assert Ticker(type="ticker", timestamp=number).datetime is None


@pytest.mark.parametrize("told", ["", "soon", "2026-13-01T00:00:00", "9999-12-31T23:59:59"])
def test_words_that_tell_no_time(told: str) -> None:
    assert Candle(type="candle.1m", candle_date_time_utc=told).candle_datetime is None


def test_an_announcement_that_tells_no_time() -> None:
    assert Announcement(type="announcement", listed_at="soon").listed_datetime is None


def test_the_first_and_the_last_time() -> None:
    last = 253_402_214_399_999
    for number in (0, last):
        moment = Trade(type="trade", timestamp=number).datetime
        assert moment is not None
        assert round(moment.timestamp() * 1000) == number
        assert moment.astimezone(timezone(timedelta(hours=14))) == moment


def test_an_order_book_without_its_padding() -> None:
    event = book((101, 1, 100, 2), (102, 3, 0, 0), (0, 0, 0, 0))
    assert event.asks == [(101, 1), (102, 3)]
    assert event.bids == [PriceLevel(price=100, size=2)]
    assert (event.best_ask, event.best_bid, event.spread, event.mid) == (101, 100, 1, 100.5)


def test_an_order_book_with_an_empty_side() -> None:
    event = book((101, 1, 0, 0))
    assert event.bids == []
    assert (event.best_ask, event.best_bid, event.spread, event.mid) == (101, None, None, None)
    empty = Orderbook(type="orderbook", code="KRW-BTC")
    assert (empty.asks, empty.best_ask, empty.spread) == ([], None, None)


def test_to_dict_is_plain_and_has_the_long_names() -> None:
    plain = book((101.0, 1.0, 100.0, 2.0)).to_dict()
    assert plain["orderbook_units"] == [
        {"ask_price": 101.0, "ask_size": 1.0, "bid_price": 100.0, "bid_size": 2.0}
    ]
    assert plain["code"] == "KRW-BTC"
    assert plain["level"] is None
    assert json.loads(json.dumps(plain)) == plain
    exact = Trade(type="trade", code="KRW-BTC", trade_price=Decimal("1.10"))  # type: ignore[arg-type]
    assert str(exact.to_dict()["trade_price"]) == "1.10"
