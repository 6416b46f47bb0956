"""The views of one market: pure functions from events to lines."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from upbit_stream import Candle, ConnectionState, Orderbook, OrderbookUnit, Trade
from upbit_stream.cli import cells
from upbit_stream.cli.board import Row
from upbit_stream.cli.memory import Memory
from upbit_stream.cli.style import PALETTE
from upbit_stream.cli.texts import speaking
from upbit_stream.cli.texts.language import Language
from upbit_stream.cli.views.book import bar
from upbit_stream.cli.views.drawing import draw
from upbit_stream.cli.views.picture import Picture, Playing, Status, blocks_of

STATUS = Status(
    state=ConnectionState.CONNECTED, latency=1.25, rate=1234.4, dropped=0, reconnects=0, elapsed=5
)
UNITS = tuple(
    OrderbookUnit(
        ask_price=1000.0 + step, bid_price=999.0 - step, ask_size=0.5 * (step + 1), bid_size=2.0
    )
    for step in range(15)
)
BOOK = Orderbook(
    type="orderbook", code="KRW-BTC", total_ask_size=60.0, total_bid_size=30.0,
    orderbook_units=UNITS,
)  # fmt: skip
TRADES = [
    Trade(
        type="trade", code=f"KRW-{'ABC'[number % 3]}", trade_price=1000.0 + number,
        trade_volume=1.0 + number, ask_bid="ASK" if number % 2 else "BID",
        prev_closing_price=1000.0, trade_timestamp=1_767_236_400_000 + 1000 * number,
    )
    for number in range(100)
]  # fmt: skip


def candle(minute: int, low: float, high: float, first: float, last: float) -> Candle:
    return Candle(
        type="candle.1m", code="KRW-BTC", opening_price=first, high_price=high, low_price=low,
        trade_price=last, candle_acc_trade_volume=1.0 + minute,
        candle_date_time_utc=f"2026-01-01T03:{minute:02}:00",
    )  # fmt: skip


CANDLES = [
    candle(n, 990.0 + n, 1010.0 + n, 995.0 + n, (1005.0 if n % 2 else 992.0) + n) for n in range(60)
]


def picture(type_: str, **changes: Any) -> Picture:
    row = Row("KRW-BTC", BOOK, 0.1, 10.0)
    fields = {
        "type": type_,
        "rows": (row, Row("KRW-ETH", None, None, None)),
        "status": STATUS,
        "source": "wss://api.upbit.com/websocket/v1",
        "types": ("ticker", "orderbook", "trade", "candle.1m"),
        "as_table": False,
        "trades": TRADES,
        "candles": CANDLES,
    }
    return Picture(**{**fields, **changes})


def rendered(shown: Picture, width: int = 80, height: int = 24) -> list[str]:
    lines = [line.plain.rstrip() for line in draw(shown, width, height)]
    assert len(lines) <= height
    assert max(map(cells.width, lines)) <= width
    return lines


@pytest.mark.parametrize("blocks", [True, False])
@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("size", [(80, 24), (140, 40), (40, 12), (20, 5), (1, 1)])
@pytest.mark.parametrize("type_", ["ticker", "orderbook", "trade", "candle.1m"])
def test_every_view_fits_into_every_window(
    type_: str, size: tuple[int, int], language: Language, blocks: bool
) -> None:
    with speaking(language):
        for shown in (
            picture(type_, blocks=blocks, rows=(Row("KRW-BTC", None, None, None),), trades=(),
                    candles=()),
            picture(type_, blocks=blocks, helping=True),
            picture("orderbook" if type_ == "ticker" else type_, blocks=blocks),
        ):  # fmt: skip
            lines = rendered(shown, *size)
            if not blocks and language == "en" and not shown.helping:
                assert all(line.isascii() for line in lines)


# The order book.


def test_sells_stand_above_buys_and_the_best_meet_in_the_middle() -> None:
    lines = rendered(picture("orderbook"))
    assert lines[1] == "KRW-BTC  1/2"
    assert lines[2].split() == ["Price", "Size", "Sum", "Depth"]
    rows = [line.split() for line in lines[3:22]]
    assert rows[8][:3] == ["1,000", "0.5000", "0.5000"]
    assert rows[9][1:] == ["spread", "1.00", "(0.100%)"]
    assert rows[10][:3] == ["999", "2.0000", "2.0000"]
    # Sums grow away from the middle.
    assert rows[7][:3] == ["1,001", "1.0000", "1.5000"]
    assert rows[11][:3] == ["998", "2.0000", "4.0000"]
    assert lines[22] == "bids 30.000  asks 60.000  33% of it bids"


def test_bars_are_as_long_as_the_size_that_waits() -> None:
    lines = draw(picture("orderbook"), 80, 24)
    lengths = [line.plain.count("█") for line in lines[3:12]]
    # The largest of those that are shown is 4.5, and fills what is left of the line.
    assert lengths[0] == 42
    assert lengths[8] == 4
    assert lengths == sorted(lengths, reverse=True)
    assert [span.style for span in lines[3].spans] == [PALETTE.fall, PALETTE.fall]
    assert [span.style for span in lines[13].spans] == [PALETTE.rise, PALETTE.rise]


@pytest.mark.parametrize(
    ("part", "drawn", "plain"),
    [(0.0, "", ""), (0.5, "█████", "#####"), (0.06, "▋", "#"), (1.0, "█" * 10, "#" * 10),
     (2.0, "█" * 10, "#" * 10), (0.999, "█" * 10, "#" * 10)],
)  # fmt: skip
def test_bars(part: float, drawn: str, plain: str) -> None:
    assert bar(part, 10, True) == drawn
    assert bar(part, 10, False) == plain


def test_one_side_alone() -> None:
    units = (OrderbookUnit(ask_price=0.0, bid_price=999.0, ask_size=0.0, bid_size=1.0),)
    book = Orderbook(type="orderbook", code="KRW-BTC", orderbook_units=units)
    lines = rendered(picture("orderbook", rows=(Row("KRW-BTC", book, 0.0, 1.0),)))
    assert [line.split()[0] for line in lines[3:5]] == ["-", "999"]


@pytest.mark.parametrize("size", [1.5, Decimal("1.5")])
def test_a_price_without_a_size_is_drawn_as_nothing_that_waits(size: Any) -> None:
    units = (
        OrderbookUnit(ask_price=size * 4, bid_price=size * 2, ask_size=size),
        OrderbookUnit(ask_price=size * 6, bid_price=size, bid_size=size),
    )
    book = Orderbook(type="orderbook", code="KRW-BTC", orderbook_units=units)
    lines = rendered(picture("orderbook", rows=(Row("KRW-BTC", book, 0.1, 10.0),)))
    assert [line.split()[1:3] for line in lines[3:8] if "spread" not in line] == [
        ["0.0000", "1.5000"], ["1.5000", "1.5000"], ["0.0000", "0.0000"], ["1.5000", "1.5000"]
    ]  # fmt: skip


# The tape.


def test_the_newest_trade_is_the_first() -> None:
    lines = rendered(picture("trade"))
    assert lines[1] == "2 codes"
    assert lines[2].split() == ["Code", "Time", "Price", "Change", "Side", "Volume", "Value"]
    assert lines[3].split()[:1] == ["KRW-A"]
    assert lines[3].split()[2:7] == ["1,099", "+9.90%", "sell", "100.000", "109,900.0"]
    assert lines[4].split()[2] == "1,098"
    assert "█" in lines[3]


def test_a_narrow_tape_leaves_out_what_matters_least() -> None:
    assert rendered(picture("trade"), 50)[2].split() == ["Code", "Time", "Price", "Side", "Volume"]


def test_the_trades_of_one_code_say_which() -> None:
    assert rendered(picture("trade", all_trades=False, chosen=1))[1] == "KRW-ETH  2/2"


# The candles.


def test_a_chart_has_the_newest_candle_in_figures_and_at_the_right() -> None:
    lines = rendered(picture("candle.1m"), 140)
    assert lines[1] == (
        "KRW-BTC  1/2  Close 1,064  Open 1,054  High 1,069  Low 1,049  Volume 60.000"
    )
    # 60 candles of two columns; prices rise from the left below to the right above.
    assert lines[2][118] == "│"
    assert lines[18].index("│") < 20
    assert any(line.endswith("  1,040") for line in lines)
    # The volumes rise, too: the last is as high as there is room.
    assert lines[19][118] == "█"
    assert lines[21][:1] == "▁"
    assert lines[22].split()[0].endswith(":00")


def test_candles_that_do_not_fit_are_the_oldest() -> None:
    lines = rendered(picture("candle.1m"), 60)
    assert "Close 1,064" in lines[1]
    assert max(len(line) for line in lines[2:19]) <= 60


def test_a_candle_has_a_body_and_wicks() -> None:
    one = candle(0, 990.0, 1010.0, 995.0, 1005.0)
    lines = rendered(picture("candle.1m", candles=[one]), 40, 24)
    column = "".join(line[:1] for line in lines[2:19])
    assert column.strip("│╽╿┃") == ""
    assert column.index("┃") > 2
    assert column.count("┃") >= 7
    assert column[0] == column[-1] == "│"


def test_one_price_is_a_line_in_the_middle() -> None:
    one = candle(0, 1000.0, 1000.0, 1000.0, 1000.0)
    lines = rendered(picture("candle.1m", candles=[one]), 40, 24)
    assert [number for number, line in enumerate(lines[2:19]) if line[:1] in set("╹╻┃")] == [8]


def test_what_was_fetched_does_not_take_the_place_of_what_has_come() -> None:
    memory = Memory(["KRW-BTC"])
    live = candle(5, 1.0, 9.0, 2.0, 8.0)
    memory.take(live)
    memory.add_past([candle(3, 1.0, 2.0, 1.0, 2.0), candle(5, 1.0, 2.0, 1.0, 2.0)])
    known = memory.candles("KRW-BTC", "candle.1m")
    assert [one.candle_date_time_utc[14:16] for one in known] == ["03", "05"]
    assert known[1] is live
    # The same candle again, as it stands now.
    newer = candle(5, 1.0, 9.0, 2.0, 3.0)
    memory.take(newer)
    assert memory.candles("KRW-BTC", "candle.1m")[1] is newer
    assert memory.candles("KRW-BTC", "candle.3m") == []


def test_memory_is_bounded() -> None:
    memory = Memory(["KRW-A"])
    for number in range(2000):
        memory.take(TRADES[number % 3])
    assert len(memory.trades(None)) == len(memory.trades("KRW-A")) == 500
    for hour in range(24):
        for minute in range(60):
            one = candle(minute, 1.0, 2.0, 1.0, 2.0)
            start = f"2026-01-01T{hour:02}:{minute:02}:00"
            memory.take(msgspec.structs.replace(one, candle_date_time_utc=start))
    known = memory.candles("KRW-BTC", "candle.1m")
    assert len(known) <= 401
    assert known[-1].candle_date_time_utc == "2026-01-01T23:59:00"


# A recording.


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, "playing  10x  noon  5 / 20 events  0:07"),
        ({"paused": True}, "held  10x  noon"),
        ({"ended": True}, "the end  10x  noon"),
        ({"speed": None, "total": None}, "playing  at once  noon  5 events"),
        ({"speed": 0.5}, "playing  0.5x"),
    ],
)
def test_below_a_recording_stands_how_far_it_is(changes: dict[str, Any], told: str) -> None:
    tape = Playing(**{"moment": "noon", "speed": 10.0, "events": 5, "total": 20, "paused": False,
                   "ended": False, "elapsed": 7.0, **changes})  # fmt: skip
    shown = picture("trade", status=tape, types=("trade",), source="a.jsonl")
    lines = rendered(shown)
    assert lines[0] == "upbit-stream  3 Trades   a.jsonl"
    assert lines[-1].startswith(told)
    keys = "\n".join(rendered(picture("trade", status=tape, types=("trade",), helping=True)))
    assert "Space" in keys
    assert "Tab" not in keys


@pytest.mark.parametrize(
    ("encoding", "wide"), [("utf-8", True), ("ascii", False), ("latin-1", False), (None, False),
                           ("no such", False)],
)  # fmt: skip
def test_which_outputs_are_given_bars(encoding: str | None, wide: bool) -> None:
    assert blocks_of(encoding) is wide
