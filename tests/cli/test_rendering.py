"""The picture: pure functions, so without a stream, a thread or a terminal."""

from __future__ import annotations

import dataclasses
import io
import re
from decimal import Decimal
from typing import Any

import pytest
from rich.console import Console
from rich.text import Text

from tests.cli.program import colours
from upbit_stream import Candle, ConnectionState, Orderbook, OrderbookUnit, Ticker, Trade
from upbit_stream.cli import cells
from upbit_stream.cli.board import Board, Meter, Row
from upbit_stream.cli.columns import TYPES, write_amount, write_price
from upbit_stream.cli.style import ANSI_PALETTE, PALETTE, palette_for
from upbit_stream.cli.texts import speaking
from upbit_stream.cli.texts.language import Language
from upbit_stream.cli.views.drawing import draw
from upbit_stream.cli.views.picture import Picture, Status

NOON = 1_767_236_400_000
STATUS = Status(
    state=ConnectionState.CONNECTED, latency=1.25, rate=1234.4, dropped=0, reconnects=2, elapsed=65
)


def ticker(code: str = "KRW-BTC", price: Any = 116_538_000.0, change: float = 0.0123) -> Ticker:
    return Ticker(
        type="ticker", code=code, trade_price=price, signed_change_rate=change,
        acc_trade_volume_24h=1234.5678, acc_trade_price_24h=143_870_000_000.0,
        high_price=117_000_000.0, low_price=115_000_000.0, trade_volume=0.00012345,
    )  # fmt: skip


EVENTS: dict[str, Any] = {
    "ticker": ticker(),
    "trade": Trade(
        type="trade", code="KRW-BTC", trade_price=116_538_000.0, trade_volume=0.00012345,
        ask_bid="ASK", prev_closing_price=117_000_000.0, trade_timestamp=NOON,
        best_ask_price=116_540_000.0, best_bid_price=116_538_000.0,
    ),
    "orderbook": Orderbook(
        type="orderbook", code="KRW-BTC", total_ask_size=1.5, total_bid_size=2.5,
        orderbook_units=(
            OrderbookUnit(
                ask_price=116_540_000.0, bid_price=116_538_000.0, ask_size=0.25, bid_size=12.5
            ),
        ),
    ),
    "candle.1m": Candle(
        type="candle.1m", code="KRW-BTC", opening_price=116_000_000.0, high_price=117_000_000.0,
        low_price=115_000_000.0, trade_price=116_538_000.0, candle_acc_trade_volume=3.5,
        candle_acc_trade_price=407_000_000.0, candle_date_time_utc="2026-01-01T03:00:00",
    ),
}  # fmt: skip


def picture(type_: str = "ticker", *rows: Row, **changes: Any) -> Picture:
    event = EVENTS[type_]
    fields = {
        "type": type_,
        "rows": rows or (Row(event.code, event, 0.25, 12.34),),
        "status": STATUS,
        "source": "wss://api.upbit.com/websocket/v1",
        "simulated": False,
        **changes,
    }
    return Picture(**fields)


def rendered(shown: Picture, width: int = 80, height: int = 24) -> list[str]:
    """The lines as they reach a terminal of that size, without colours."""
    lines = [line.plain.rstrip() for line in draw(shown, width, height)]
    assert len(lines) <= height
    assert max(map(cells.width, lines)) <= width
    return lines


@pytest.mark.parametrize(
    ("type_", "narrow", "wide"),
    [
        (
            "ticker",
            "Code Price Change Volume 24h Value 24h Age Msg/s",
            "Code Price Change Volume 24h Value 24h High Low Last size Age Msg/s",
        ),
        (
            "trade",
            "Code Price Change Volume Side Time Age Msg/s",
            "Code Price Change Volume Side Time Value Best bid Best ask Age Msg/s",
        ),
        (
            "orderbook",
            "Code Bid size Bid Ask Ask size Spread Age Msg/s",
            "Code Bid size Bid Ask Ask size Spread Spread % All bids All asks Age Msg/s",
        ),
        (
            "candle.1m",
            "Code Open High Low Close Volume Age",
            "Code Start Open High Low Close Volume Value Age Msg/s",
        ),
    ],
)
def test_each_type_has_its_columns_as_far_as_they_fit(type_: str, narrow: str, wide: str) -> None:
    assert " ".join(rendered(picture(type_), 80)[1].split()) == narrow
    assert " ".join(rendered(picture(type_), 140)[1].split()) == wide


def test_a_ticker_row_has_price_change_volume_age_and_rate() -> None:
    row = rendered(picture())[2].split()
    assert row == ["KRW-BTC", "116,538,000", "+1.23%", "1,234.6", "143.87B", "0.2s", "12.3"]


def test_a_trade_row_tells_the_takers_side() -> None:
    row = rendered(picture("trade"))[2]
    assert "sell" in row
    assert "0.00012345" in row
    assert "-0.39%" in row


def test_an_empty_side_of_a_book_is_no_price_of_zero() -> None:
    unit = OrderbookUnit(ask_price=0.0, bid_price=5.0, ask_size=0.0, bid_size=1.0)
    book = Orderbook(type="orderbook", code="KRW-X", orderbook_units=(unit,))
    row = rendered(picture("orderbook", Row("KRW-X", book, 0.0, None)))[2].split()
    assert row == ["KRW-X", "1.000", "5.00", "-", "-", "-", "0.0s"]


@pytest.mark.parametrize("type_", TYPES)
def test_an_event_without_any_field_is_drawn_too(type_: str) -> None:
    kinds: dict[str, Any] = {"ticker": Ticker, "trade": Trade, "orderbook": Orderbook}
    event = kinds.get(type_, Candle)(type=type_, code="KRW-BTC")
    shown = Picture(type_, (Row("KRW-BTC", event, 0.0, None),), STATUS, "")
    assert "KRW-BTC" in rendered(shown, 140)[2]


def test_a_code_without_data_waits() -> None:
    lines = rendered(picture("ticker", Row("KRW-BTC", None, None, 0.0)))
    assert lines[2].split() == ["KRW-BTC", "waiting"]


def test_below_the_table_stands_how_the_stream_is() -> None:
    assert rendered(picture())[3] == (
        "connected  latency 1.2 ms  1,234 msg/s  0 dropped  2 reconnects  1:05     ? keys"
    )
    assert rendered(picture(), 100)[3].endswith("  1:05" + " " * 17 + "? keys  q quit")


def test_simulated_data_are_called_so() -> None:
    assert "SIMULATED" in rendered(picture(simulated=True))[0]
    assert "SIMULATED" not in rendered(picture())[0]


def test_the_last_warning_takes_three_lines_at_most() -> None:
    lines = rendered(picture(notice="the connection was refused; " * 20))
    assert lines[4].startswith("the connection was refused;")
    assert lines[6].endswith("...")
    assert len(lines) == 7


@pytest.mark.parametrize("notice", [None, "something happened " * 9])
@pytest.mark.parametrize("height", [5, 6, 24])
def test_more_codes_than_lines_leave_room_for_the_status(height: int, notice: str | None) -> None:
    rows = [Row(f"KRW-X{number}", ticker(f"KRW-X{number}"), 0.0, 1.0) for number in range(100)]
    lines = rendered(picture("ticker", *rows, notice=notice), height=height)
    shown = [line for line in lines if line.startswith("KRW-X")]
    assert shown
    if height > 5:
        assert len(lines) == height
        left = 100 - len(shown)
        assert f"... {left} more, with the arrow keys or in a taller window" in lines
        assert any(line.startswith("connected") for line in lines)


@pytest.mark.parametrize("width", [1, 10, 30, 60])
def test_a_very_narrow_terminal_cuts_off_instead_of_wrapping(width: int) -> None:
    assert len(rendered(picture(notice="short"), width)) == 5


def printed(shown: Picture, *, no_color: bool = False) -> str:
    out = io.StringIO()
    console = Console(
        file=out, force_terminal=True, color_system="256", width=80, no_color=no_color
    )
    console.print(Text("\n").join(draw(shown, 80, 24)))
    return out.getvalue()


def test_a_rise_is_red_a_fall_blue_and_no_change_has_no_colour() -> None:
    red, blue = "38;5;160m", "38;5;27m"
    for change, wanted in ((0.01, [red]), (-0.01, [blue]), (0.0, [])):
        shown = picture("ticker", Row("KRW-BTC", ticker(change=change), 0.0, 1.0))
        row = printed(shown).split("\n")[2]
        assert [colour for colour in (red, blue) if colour in row] == wanted


def test_the_sign_tells_the_change_without_colours() -> None:
    shown = picture("ticker", Row("KRW-BTC", ticker(change=-0.01), 0.0, 1.0))
    text = printed(shown, no_color=True)
    assert "-1.00%" in text
    # Bold, dim and reversed are no colours.
    assert all(re.fullmatch(r"\x1b\[[0127;]+m", order) for order in colours(text))


def test_a_terminal_with_few_colours_gets_its_own() -> None:
    assert palette_for("standard") == ANSI_PALETTE
    assert palette_for("windows") == ANSI_PALETTE
    assert palette_for("truecolor") == palette_for("256") == palette_for(None) == PALETTE


def luminance(number: int) -> float:
    """The brightness of one of the 256 colours, as the WCAG counts it."""
    number -= 16
    steps = (0, 95, 135, 175, 215, 255)
    channels = (steps[number // 36], steps[number // 6 % 6], steps[number % 6])
    red, green, blue = (
        value / 255 / 12.92 if value <= 10 else ((value / 255 + 0.055) / 1.055) ** 2.4
        for value in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("style", dataclasses.astuple(PALETTE))
def test_every_colour_can_be_read_on_white_and_on_black(style: str) -> None:
    bright = luminance(int(style.removeprefix("color(").removesuffix(")")))
    assert 1.05 / (bright + 0.05) > 3.8
    assert (bright + 0.05) / 0.05 > 3.8


@pytest.mark.parametrize("width", [80, 140])
@pytest.mark.parametrize("type_", TYPES[:4])
@pytest.mark.parametrize("language", ["en", "ko"])
def test_columns_stand_below_their_titles(language: Language, type_: str, width: int) -> None:
    event = EVENTS["candle.1m" if type_.startswith("candle") else type_]
    rows = tuple(Row(event.code, event, age, 12.34) for age in (0.25, 3.0, 61.0))
    with speaking(language):
        shown = draw(picture("candle.1m" if type_.startswith("candle") else type_, *rows),
                     width, 24)  # fmt: skip
    titles, *filled = shown[1:5]
    # Whatever the titles are, each row ends with them, cell by cell.
    ends = {cells.width(line.plain.rstrip()) for line in (titles, *filled)}
    assert len(ends) == 1
    assert titles.cell_len == width


# Numbers.


@pytest.mark.parametrize(
    ("code", "value", "text"),
    [
        ("KRW-BTC", 116_538_000.0, "116,538,000"),
        ("KRW-SAND", 89.0, "89.0"),
        ("KRW-X", 5.5, "5.50"),
        ("KRW-SHIB", 0.0123, "0.0123"),
        ("KRW-X", Decimal("0.00001234"), "0.00001234"),
        ("BTC-ETH", 0.03, "0.03000000"),
        ("USDT-BTC", 65000.5, "65,000.50"),
        ("KRW-X", 0.0, "0"),
        ("KRW-X", None, "-"),
    ],
)
def test_prices_have_the_decimals_of_their_market(code: str, value: Any, text: str) -> None:
    assert write_price(value, code) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.00000001, "0.00000001"),
        (0.5, "0.5"),
        (12.3456, "12.346"),
        (1234.56, "1,234.6"),
        (12_345_678.0, "12.35M"),
        (Decimal("143870000000"), "143.87B"),
        (2.5e12, "2.50T"),
        (0.0, "0"),
        (None, "-"),
    ],
)
def test_amounts_are_short(value: Any, text: str) -> None:
    assert write_amount(value) == text


def test_amounts_in_korean_count_by_ten_thousands() -> None:
    with speaking("ko"):
        assert write_amount(143_870_000_000.0) == "1,438.70억"
        assert write_amount(2_420_000.0) == "242만"
        assert write_amount(Decimal("63814321.5")) == "6,381만"  # type: ignore[arg-type]
        assert write_amount(999_999.0) == "999,999.0"
        exact: Any = Decimal("2500000000000")
        assert write_amount(exact) == "2.50조"


@pytest.mark.parametrize(
    ("age", "text"), [(0.04, "0.0s"), (59.9, "59s"), (61, "1m"), (7200, "2h"), (200_000, "2d")]
)
def test_ages_are_short(age: float, text: str) -> None:
    assert rendered(picture("ticker", Row("KRW-BTC", ticker(), age, None)))[2].split()[-1] == text


# What the picture is taken of.


def test_the_board_keeps_the_newest_event_of_each_code_in_the_order_asked_for() -> None:
    board = Board(["KRW-ETH", "KRW-BTC"])
    first, second = ticker(price=1.0), ticker(price=2.0)
    board.take(first)
    board.take(second)
    rows, rate = board.look(now=0.0, clock_ns=second.received_at + 1_500_000_000, messages=2)
    assert [row.code for row in rows] == ["KRW-ETH", "KRW-BTC"]
    assert rows[0].event is None
    assert rows[0].age is None
    assert rows[1].event is second
    assert rows[1].age == 1.5
    assert rate is None
    board.take(first)
    rows, rate = board.look(now=2.0, clock_ns=0, messages=12)
    assert [row.rate for row in rows] == [0.0, 0.5]
    assert rate == 5.0
    assert rows[1].age == 0.0


def test_the_meter_looks_back_over_its_span() -> None:
    meter = Meter(span=3.0, least=0.5)
    assert meter.per_second(0.0, (0,)) == [None]
    assert meter.per_second(0.25, (100,)) == [None]
    assert meter.per_second(1.0, (100,)) == [100.0]
    # What came at the beginning is forgotten once it is older than the span.
    assert meter.per_second(5.0, (100,)) == [0.0]
    assert meter.per_second(6.0, (130,)) == [6.0]
