"""Events as entries of a broker, and back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

import msgspec
import pytest

from upbit_stream import DecodingError, Orderbook, OrderbookUnit, Ticker, Trade
from upbit_stream.protocol.variants import wire_variant
from upbit_stream.relay.entries import EntryReader, EntryWriter
from upbit_stream.relay.lanes import Lane
from upbit_stream.relay.place import RelaySource

BTC = Lane("trade", "KRW-BTC")

TRADE = Trade(
    type="trade",
    code="KRW-BTC",
    trade_price=101.5,
    sequential_id=17957153676860001,
    stream_type="REALTIME",
)
BOOK = Orderbook(
    type="orderbook",
    code="KRW-BTC",
    timestamp=5,
    orderbook_units=(OrderbookUnit(ask_price=1.5, bid_price=1.0, ask_size=2.0, bid_size=3.0),),
    stream_type="REALTIME",
)


@pytest.mark.parametrize("event", [TRADE, BOOK])
def test_an_event_comes_back_as_it_was(event: Any) -> None:
    entry = EntryWriter().write(event)
    back = EntryReader("float").read(entry.lane, entry.payload)
    assert type(back) is type(event)
    assert back == event
    assert back.received_at == event.received_at  # that of the publisher


@pytest.mark.parametrize("short_keys", [True, False])
@pytest.mark.parametrize("numbers", ["float", "decimal"])
def test_numbers_are_the_readers_matter(
    short_keys: bool, numbers: Literal["float", "decimal"]
) -> None:
    exact: Any = wire_variant(Trade, short_keys, True)
    trade = exact(type="trade", code="KRW-BTC", trade_price=Decimal("0.10"), sequential_id=1)
    back = EntryReader(numbers).read(BTC, EntryWriter().write(trade).payload)
    # A price with trailing zeros keeps them for who wants decimals.
    wanted: Any = Decimal("0.10") if numbers == "decimal" else 0.1
    assert str(back.trade_price) == str(wanted)  # type: ignore[attr-defined]


def test_publishers_agree_on_what_is_the_same_event() -> None:
    # Another one received it at another time, and as a snapshot.
    twin = msgspec.structs.replace(BOOK, received_at=BOOK.received_at + 5, stream_type="SNAPSHOT")
    one, other = EntryWriter().write(BOOK), EntryWriter().write(twin)
    assert (one.lane, one.order, one.mark) == (other.lane, other.order, other.mark)
    assert one.lane == Lane("orderbook", "KRW-BTC")
    changed = msgspec.structs.replace(BOOK, total_ask_size=9.0)
    assert EntryWriter().write(changed).mark != one.mark


def test_a_trade_is_known_by_its_id() -> None:
    entry = EntryWriter().write(TRADE)
    assert (entry.order, entry.mark) == (TRADE.sequential_id, "")


def test_values_of_tomorrow_are_read() -> None:
    ticker = Ticker(type="ticker", code="KRW-BTC", market_state="ACTIVE", timestamp=3)
    document = msgspec.msgpack.decode(EntryWriter().write(ticker).payload)
    payload = msgspec.msgpack.encode({**document, "ms": "HALTED"})
    back = EntryReader("float").read(Lane("ticker", "KRW-BTC"), payload)
    assert isinstance(back, Ticker)
    assert (back.market_state, back.timestamp) == ("HALTED", 3)


@pytest.mark.parametrize("payload", [b"", b"\xc1", b"\x93\x01\x02\x03", b"\x81\xa1a\xc4\x01\xff"])
def test_what_is_no_event_is_refused(payload: bytes) -> None:
    with pytest.raises(DecodingError, match="no event"):
        EntryReader("float").read(BTC, payload)


@pytest.mark.parametrize(
    "url",
    [
        "redis://:hid/den@127.0.0.1:6379",
        "redis://:hid#den@127.0.0.1:6379",
        "redis://:hid?den@127.0.0.1:6379",
        "redis:/:hidden@127.0.0.1",
        "redis://:hidden@127.0.0.1:port",
        "hidden",
    ],
)
def test_a_url_that_is_none_is_not_repeated(url: str) -> None:
    with pytest.raises(ValueError, match="give the URL of a broker") as raised:
        RelaySource(url=url)
    assert "hid" not in str(raised.value)


def test_a_password_is_shown_nowhere() -> None:
    source = RelaySource(url="redis://:hidden@127.0.0.1:6379/1", name="me")
    shown = [repr(source), str(source.__rich_repr__())]
    assert all("redis://127.0.0.1:6379/1" in text and "hidden" not in text for text in shown)
