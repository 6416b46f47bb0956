"""What a consumer takes for having come already."""

from __future__ import annotations

import msgspec
import pytest

from upbit_stream import Ticker, Trade
from upbit_stream.relay import seen
from upbit_stream.relay.seen import make_filter

# Two seconds of ids.
TWO_SECONDS = 20_000_000
FIRST = 17_957_153_676_860_001


def trade(number: int, stream_type: str = "REALTIME") -> Trade:
    wire = {"ty": "trade", "cd": "KRW-BTC", "sid": FIRST + number, "st": stream_type}
    return msgspec.convert(wire, Trade)


def test_trades_are_known_by_their_ids_also_late_ones() -> None:
    is_new = make_filter("trade").is_new
    told = [is_new(trade(number)) for number in (10, 12, 11, 12, 10, 11, 13)]
    assert told == [True, True, True, False, False, False, True]


def test_what_is_remembered_no_more_counts_as_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seen, "_REMEMBERED", 100)
    is_new = make_filter("trade").is_new
    assert all(is_new(trade(number)) for number in range(0, 2000, 2))
    assert not any(is_new(trade(number)) for number in range(0, 2000, 2))
    assert is_new(trade(1999))
    assert not is_new(trade(1))


def test_what_was_before_the_beginning_is_not_new() -> None:
    is_new = make_filter("trade").is_new
    assert is_new(trade(100, "SNAPSHOT"))
    assert not is_new(trade(99))
    assert is_new(trade(101))
    # Without a snapshot, a late one may be a little older than the first.
    is_new = make_filter("trade").is_new
    assert is_new(trade(100))
    assert is_new(trade(99))
    assert not is_new(trade(100 - TWO_SECONDS))


def test_when_a_broker_is_sent_all_again_nothing_from_before_the_beginning_is_new() -> None:
    seen = make_filter("trade")
    assert seen.is_new(trade(100))
    assert seen.is_new(trade(98))
    seen.expect_old_ones()
    assert [seen.is_new(trade(number)) for number in (97, 98, 99, 100, 101)] == [False] * 4 + [True]


def test_of_states_an_older_one_is_worth_nothing() -> None:
    def ticker(timestamp: int, price: float) -> Ticker:
        return Ticker(type="ticker", code="KRW-BTC", timestamp=timestamp, trade_price=price)

    is_new = make_filter("ticker").is_new
    told = [is_new(ticker(*one)) for one in ((5, 1.0), (5, 1.0), (5, 2.0), (4, 3.0), (6, 2.0))]
    assert told == [True, False, True, False, True]
