"""The market and its frames: everything that is sent agrees to the last digit."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from datetime import datetime, timezone
from decimal import Decimal
from fractions import Fraction
from functools import partial
from statistics import median
from typing import Any

import pytest

from tests.simulator.client import Connect, Start
from upbit_stream.events import Candle, Orderbook, OrderbookUnit, Ticker, Trade
from upbit_stream.simulator import Simulator, Timing
from upbit_stream.simulator.digits import SCALE, fixed, java, plain, point, tick_above, to_units
from upbit_stream.simulator.history import UNITS, Bars
from upbit_stream.simulator.keys import SHORT, shorten
from upbit_stream.simulator.listing import DEFAULT_CODES, all_codes, describe
from upbit_stream.simulator.market import Exchange

FORMATS = ("DEFAULT", "SIMPLE", "JSON_LIST", "SIMPLE_LIST")
TYPES = ("ticker", "trade", "orderbook", "candle.1m")


def all_types(*codes: str) -> list[dict[str, Any]]:
    return [{"type": kind, "codes": list(codes)} for kind in TYPES]


def in_units(number: Decimal | int) -> int:
    return int(Decimal(number) * SCALE)


# Spelling.


@pytest.mark.parametrize(
    ("number", "spellings"),
    [
        ("142009000", ("142009000.00000000", "142009000", "142009000.0", "1.42009E8")),
        ("0.5", ("0.50000000", "0.5", "0.5", "0.5")),
        ("0.00079276", ("0.00079276", "0.00079276", "0.00079276", "7.9276E-4")),
        ("0.0005", ("0.00050000", "0.0005", "0.0005", "5.0E-4")),
        ("116539000", ("116539000.00000000", "116539000", "116539000.0", "1.16539E8")),
        ("10000000", ("10000000.00000000", "10000000", "10000000.0", "1.0E7")),
        ("9999999", ("9999999.00000000", "9999999", "9999999.0", "9999999.0")),
        ("0.00000001", ("0.00000001", "0.00000001", "0.00000001", "1.0E-8")),
        ("0", ("0.00000000", "0", "0.0", "0.0")),
        ("-2302000", ("-2302000.00000000", "-2302000", "-2302000.0", "-2302000.0")),
        ("-0.5", ("-0.50000000", "-0.5", "-0.5", "-0.5")),
    ],
)
def test_spellings_of_one_number(number: str, spellings: tuple[str, ...]) -> None:
    units = to_units(number)
    assert tuple(spell(units) for spell in (fixed, plain, point, java)) == spellings
    assert {Decimal(spelling) for spelling in spellings} == {Decimal(number)}


def test_no_spelling_loses_a_digit() -> None:
    chance = random.Random(1)
    numbers = [int(10 ** chance.uniform(0, 17)) for _ in range(20_000)]
    edges = [edge + step for edge in (10**5, 10**8, 10**15, 10**16) for step in range(-5, 6)]
    for units in numbers + edges:
        for spell in (fixed, plain, point, java):
            assert Decimal(spell(units)).scaleb(8) == units
        assert "E" not in plain(units) + point(units)
        assert not plain(units).endswith(".0")


def test_the_past_is_as_lively_as_the_present() -> None:
    moment = 1_790_000_000.0
    codes = [*DEFAULT_CODES]
    market = partial(Exchange, codes, seed=3, trade_lag=0.0, past=1000, kept=10**6)
    exchange = market(clock=lambda: moment, rate=150.0)
    past = {code: exchange.market(code).bars.newest("1m", None, 31)[1:] for code in codes}
    for _ in range(180):
        moment += 1
        exchange.trades(150)
    for code in codes[:5]:
        # Neither the minutes that have begun nor those that mix both.
        live = exchange.market(code).bars.newest("1m", None, 3)[1:]
        for size in (lambda bar: bar.high - bar.low, lambda bar: bar.volume):
            ratio = median(map(size, past[code])) / median(map(size, live))
            assert 1 / 3 < ratio < 3, code
    # Where nothing moves by itself, each trade of the past is one like any other.
    still = market(clock=lambda: moment, rate=0.0).market("KRW-BTC")
    assert sum(bar.volume for bar in still.bars.newest("240m", None, 100)) < SCALE * 50


def test_the_rate_of_the_past_leaves_the_trades_to_come_alone() -> None:
    traded = [
        [
            (fill.code, fill.price, fill.volume, fill.ask_bid)
            for fill in Exchange(
                DEFAULT_CODES, seed=3, clock=lambda: 1_790_000_000.0, trade_lag=0.0, past=60,
                kept=1000, rate=rate,
            ).trades(500)
        ]
        for rate in (0.0, 150.0)
    ]  # fmt: skip
    assert traded[0] == traded[1]


def test_coarse_prices_are_not_wild() -> None:
    moment = 1_790_000_000.0
    codes = ["KRW-SHIB", "KRW-PEPE", "KRW-DOGE", "KRW-HBAR"]
    exchange = Exchange(
        codes, seed=3, clock=lambda: moment, trade_lag=0.0, past=1000, kept=10**6, rate=150.0
    )
    for _ in range(60):
        moment += 1
        exchange.trades(150)
    for code in codes:
        market = exchange.market(code)
        start = market.listing.start_price
        assert start * 0.94 < market.low < market.high < start * 1.06, code
        assert market.low < market.high


def test_more_digits_than_the_exchange_has_are_refused() -> None:
    with pytest.raises(ValueError, match="more than 8 decimals"):
        to_units("0.123456789")


@pytest.mark.parametrize(
    ("quote", "price", "step"),
    [
        ("KRW", "116538000", "1000"), ("KRW", "999500", "500"), ("KRW", "250000", "100"),
        ("KRW", "50000", "50"), ("KRW", "49990", "10"), ("KRW", "5000", "5"),
        ("KRW", "4999", "1"), ("KRW", "100", "1"), ("KRW", "99.9", "0.1"),
        ("KRW", "0.0123", "0.0001"), ("KRW", "0.000001", "0.00000001"),
        ("BTC", "0.02934000", "0.00000001"), ("USDT", "83000", "0.01"), ("USDT", "2.5", "0.001"),
    ],
)  # fmt: skip
def test_price_steps(quote: str, price: str, step: str) -> None:
    assert tick_above(quote, to_units(price)) == to_units(step)


# Frames.


def test_the_keys_are_those_of_the_events() -> None:
    classes: dict[str, Any] = {
        "ticker": Ticker, "trade": Trade, "orderbook": Orderbook, "candle": Candle,
    }  # fmt: skip
    for kind, cls in classes.items():
        fields = dict(zip(cls.__struct_fields__, cls.__struct_encode_fields__, strict=True))
        del fields["received_at"]
        assert SHORT[kind] == fields


def test_the_formats_differ_in_keys_and_spelling_only(sim: Simulator, client: Connect) -> None:
    first = client(sim)
    first.ask({"type": "orderbook", "codes": ["KRW-BTC", "KRW-XRP"], "is_only_realtime": True})
    first.barrier()
    sim.trade("KRW-BTC", price=116_539_000, volume="0.00079276")
    sim.trade("KRW-XRP", price=3123, volume="1234.5")
    # Once the books were published they stay as they are.
    assert len({frame["code"] for frame in first.read_many(2)}) == 2
    seen = {}
    for wire_format in FORMATS:
        socket = client(sim)
        socket.ask(*all_types("KRW-BTC", "KRW-XRP"), format=wire_format)
        raw = [socket.raw() for _ in range(8)]
        frames = [json.loads(text, parse_float=Decimal) for text in raw]
        if wire_format.endswith("LIST"):
            assert all(len(frame) == 1 for frame in frames)
            frames = [frame[0] for frame in frames]
        seen[wire_format] = raw, frames
    default = seen["DEFAULT"][1]
    simple = [shorten(frame["type"], frame) for frame in default]
    assert seen["JSON_LIST"][1] == default
    assert seen["SIMPLE"][1] == simple
    assert seen["SIMPLE_LIST"][1] == simple
    # The same values, and no two formats that spell them alike.
    texts = [b"".join(raw).decode() for raw, _ in seen.values()]  # type: ignore[arg-type]
    assert "116539000.00000000" in texts[0]
    assert "1.16539E8" in texts[0]
    assert "7.9276E-4" in texts[1]
    assert '"tp":116539000,' in texts[1]
    assert "116539000.0," in texts[2]


def test_every_field_of_the_wire_is_there(sim: Simulator, client: Connect) -> None:
    socket = client(sim)
    socket.ask(*all_types("KRW-BTC"), format="DEFAULT")
    ticker, trade, book, candle = socket.read_many(4)
    for frame, cls in ((ticker, Ticker), (trade, Trade), (book, Orderbook), (candle, Candle)):
        assert set(frame) == set(cls.__struct_fields__) - {"received_at"}
    for unit in book["orderbook_units"]:
        assert set(unit) == set(OrderbookUnit.__struct_fields__)


def test_dates_and_times(start: Start, client: Connect) -> None:
    moment = datetime(2026, 8, 26, 7, 15, 54, 797_000, tzinfo=timezone.utc)
    sim = start(clock=lambda: moment.timestamp())
    sim.trade("KRW-BTC")
    socket = client(sim)
    socket.ask(*all_types("KRW-BTC"))
    ticker, trade, _, candle = socket.read_many(4)
    assert (ticker["trade_date"], ticker["trade_time"]) == ("20260826", "071554")
    assert (trade["trade_date"], trade["trade_time"]) == ("2026-08-26", "07:15:54")
    assert trade["trade_timestamp"] == 1787728554797
    assert trade["sequential_id"] // 10_000 == 1787728554797
    assert candle["candle_date_time_utc"] == "2026-08-26T07:15:00"
    assert candle["candle_date_time_kst"] == "2026-08-26T16:15:00"


def test_a_trade_is_told_a_little_later(start: Start, client: Connect) -> None:
    sim = start(timing=Timing(trade_lag=0.046))
    socket = client(sim)
    socket.ask({"type": "trade", "codes": ["KRW-BTC"]})
    socket.read()
    sim.trade("KRW-BTC")
    frame = socket.read()
    assert frame["timestamp"] - frame["trade_timestamp"] == 46


# The market.


def test_the_same_seed_makes_the_same_trades() -> None:
    def trades(seed: int, chunks: int) -> dict[str, list[tuple[Any, ...]]]:
        with Simulator(rate=0, seed=seed) as sim:
            for _ in range(chunks):
                sim.burst(600 // chunks)
            return {
                code: [(row.price, row.volume, row.ask_bid) for row in sim.trades(code)]
                for code in sim.codes
            }

    first = trades(7, 1)
    # However fast they come.
    assert trades(7, 6) == first
    assert trades(8, 1) != first


def test_ids_are_unique_and_grow_with_holes(start: Start) -> None:
    sim = start(codes=all_codes(50))
    sim.burst(5000)
    ids = [row.sequential_id for code in sim.codes for row in sim.trades(code, history=True)]
    assert len(set(ids)) == len(ids)
    for code in sim.codes:
        assert sim.ledger(code) == sorted(sim.ledger(code))
    assert sum(total["count"] for total in sim.totals().values()) == 5000
    assert sim.stats["trades"] == 5000


def test_prices_stand_on_the_grid_of_steps(start: Start) -> None:
    sim = start(codes=all_codes(60))
    sim.burst(6000)
    for code in sim.codes:
        for row in sim.trades(code, history=True):
            assert row.price % tick_above(code.partition("-")[0], row.price) == 0
            assert row.price > 0
            assert row.volume > 0


def test_855_markets_with_names() -> None:
    codes = all_codes()
    assert len(set(codes)) == 855
    quotes = {code.partition("-")[0] for code in codes}
    assert quotes == {"KRW", "BTC", "USDT"}
    for listing in describe(codes):
        assert listing.korean_name
        assert listing.english_name
        assert listing.start_price > 0
    assert describe(["KRW-BTC"])[0].korean_name == "비트코인"


def test_trades_come_by_themselves_at_a_rate(start: Start) -> None:
    sim = start(rate=2000.0)
    assert sim.wait_for(lambda: sim.stats["trades"] > 500)
    sim.rate = 0
    still = sim.stats["trades"]
    sim.trade("KRW-BTC")
    assert sim.stats["trades"] == still + 1


def test_a_forced_trade(sim: Simulator, client: Connect) -> None:
    socket = client(sim)
    socket.ask({"type": "trade", "codes": ["KRW-BTC"], "is_only_realtime": True})
    socket.barrier()
    number = sim.trade("KRW-BTC", price="120000000", volume="1.5", ask_bid="ASK")
    frame = socket.read()
    assert frame["sequential_id"] == number
    assert (frame["trade_price"], frame["trade_volume"]) == (120_000_000, Decimal("1.5"))
    assert frame["ask_bid"] == "ASK"
    assert frame["best_bid_price"] == 120_000_000
    assert frame["best_ask_price"] == 120_001_000
    with pytest.raises(ValueError, match="ask_bid"):
        sim.trade("KRW-BTC", ask_bid="BUY")
    with pytest.raises(KeyError):
        sim.trade("KRW-NOPE")


def test_the_ticker_is_the_sum_of_the_trades(sim: Simulator, client: Connect) -> None:
    sim.burst(500, ["KRW-BTC", "KRW-XRP"])
    socket = client(sim)
    for code in ("KRW-BTC", "KRW-XRP"):
        socket.ask({"type": "ticker", "codes": [code], "is_only_snapshot": True})
        ticker = socket.read()
        rows = sim.trades(code, history=True)
        day = rows[-1].timestamp // 86_400_000
        today = [row for row in rows if row.timestamp // 86_400_000 == day]
        before = [row for row in rows if row.timestamp // 86_400_000 < day]
        assert in_units(ticker["acc_trade_volume"]) == sum(row.volume for row in today)
        assert in_units(ticker["acc_ask_volume"]) == sum(
            row.volume for row in today if row.ask_bid == "ASK"
        )
        assert ticker["acc_bid_volume"] + ticker["acc_ask_volume"] == ticker["acc_trade_volume"]
        assert Fraction(ticker["acc_trade_price"]) == Fraction(
            sum(row.price * row.volume for row in today), SCALE * SCALE
        )
        assert in_units(ticker["opening_price"]) == today[0].price
        assert in_units(ticker["high_price"]) == max(row.price for row in today)
        assert in_units(ticker["low_price"]) == min(row.price for row in today)
        assert in_units(ticker["trade_price"]) == today[-1].price
        assert in_units(ticker["prev_closing_price"]) == before[-1].price
        step = ticker["trade_price"] - ticker["prev_closing_price"]
        assert ticker["signed_change_price"] == step
        assert ticker["change_price"] == abs(step)
        assert ticker["change"] == ("RISE" if step > 0 else "FALL" if step < 0 else "EVEN")
        assert abs(ticker["signed_change_rate"] - step / ticker["prev_closing_price"]) < Decimal(
            "1e-10"
        )
        last_24h = [row for row in rows if row.timestamp > ticker["timestamp"] - 86_400_000]
        assert in_units(ticker["acc_trade_volume_24h"]) == sum(row.volume for row in last_24h)


def test_sums_over_24_hours_forget(start: Start, client: Connect) -> None:
    moment = [1_790_000_000.0]
    sim = start(clock=lambda: moment[0], history=1)
    sim.trade("KRW-BTC", volume="1")
    moment[0] += 80_000
    sim.trade("KRW-BTC", volume="2")
    moment[0] += 10_000
    sim.trade("KRW-BTC", volume="4")
    socket = client(sim)
    socket.ask({"type": "ticker", "codes": ["KRW-BTC"]})
    assert socket.read()["acc_trade_volume_24h"] == 6


def test_a_new_day_begins_with_the_last_close(start: Start, client: Connect) -> None:
    moment = [1_790_035_199.0 - 1_790_035_199.0 % 86_400 + 86_399]
    sim = start(clock=lambda: moment[0])
    sim.trade("KRW-BTC", price=117_000_000)
    moment[0] += 2
    sim.trade("KRW-BTC", price=118_000_000, volume="3")
    socket = client(sim)
    socket.ask({"type": "ticker", "codes": ["KRW-BTC"]})
    ticker = socket.read()
    assert ticker["prev_closing_price"] == 117_000_000
    assert ticker["opening_price"] == ticker["low_price"] == 118_000_000
    assert ticker["acc_trade_volume"] == 3
    assert ticker["change"] == "RISE"


def test_candles_are_the_trades_put_together(sim: Simulator, client: Connect) -> None:
    sim.burst(300, ["KRW-ETH"])
    rows = sim.trades("KRW-ETH", history=True)
    socket = client(sim)
    socket.ask(*({"type": f"candle.{unit}", "codes": ["KRW-ETH"]} for unit in UNITS))
    for unit, candle in zip(UNITS, socket.read_many(9), strict=True):
        assert candle["type"] == f"candle.{unit}"
        groups = defaultdict(list)
        for row in rows:
            groups[row.timestamp // 1000 // UNITS[unit] * UNITS[unit]].append(row)
        # All of the past, by REST's own source …
        for bar in sim.candles("KRW-ETH", unit, 10_000):
            group = groups[bar.start]
            assert bar.open == group[0].price
            assert bar.close == group[-1].price
            assert bar.high == max(row.price for row in group)
            assert bar.low == min(row.price for row in group)
            assert bar.volume == sum(row.volume for row in group)
            assert bar.value == sum(row.price * row.volume for row in group)
        assert len(sim.candles("KRW-ETH", unit, 10_000)) == len(groups)
        # … and the newest one, as it was sent.
        newest = max(groups)
        begun = datetime.fromtimestamp(newest, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
        assert candle["candle_date_time_utc"] == begun
        volume = sum(row.volume for row in groups[newest])
        assert in_units(candle["candle_acc_trade_volume"]) == volume


def test_candles_since_a_time_include_all_that_changed() -> None:
    bars = Bars()
    for second in (58, 59, 60, 61):
        bars.add(second * 1000, 100, 1)
    assert [bar.start for bar in bars.since("1m", 59_000)] == [0, 60]
    assert [bar.start for bar in bars.since("1s", 60_000)] == [60, 61]
    assert [bar.volume for bar in bars.since("1m", 59_000)] == [2, 2]
    assert [bar.start for bar in bars.since("5m", 61_000)] == [0]
    assert [bar.volume for bar in bars.newest("240m", None, 5)] == [4]


def test_a_candle_is_sent_again_when_a_trade_changed_it(sim: Simulator, client: Connect) -> None:
    socket = client(sim)
    socket.ask({"type": "candle.240m", "codes": ["KRW-BTC"]})
    before = socket.read()
    sim.trade("KRW-BTC", volume="5")
    after = socket.read()
    assert after["stream_type"] == "REALTIME"
    if after["candle_date_time_utc"] == before["candle_date_time_utc"]:
        more = after["candle_acc_trade_volume"] - before["candle_acc_trade_volume"]
        assert more == 5
    assert socket.barrier() == []


def test_books_change_on_a_grid_and_quiet_ones_send_nothing(start: Start, client: Connect) -> None:
    sim = start(timing=Timing())
    socket = client(sim)
    socket.ask({"type": "orderbook", "codes": ["KRW-BTC", "KRW-ETH"]})
    first, second = socket.read_many(2)
    assert first["timestamp"] % 100 == 0
    assert second["stream_type"] == "SNAPSHOT"
    sim.trade("KRW-BTC")
    sim.trade("KRW-BTC")
    frame = socket.read()
    assert (frame["code"], frame["stream_type"]) == ("KRW-BTC", "REALTIME")
    assert frame["timestamp"] % 100 == 0
    assert frame["timestamp"] > first["timestamp"]
    assert socket.barrier() == []


def test_busy_books_move_by_themselves(start: Start, client: Connect) -> None:
    sim = start(rate=0.001, timing=Timing())
    socket = client(sim)
    socket.ask({"type": "orderbook", "codes": ["KRW-BTC"], "is_only_realtime": True})
    frames = socket.read_many(4)
    times = [frame["timestamp"] for frame in frames]
    assert all(time % 100 == 0 for time in times)
    assert times == sorted(set(times))
    assert len({json.dumps(frame["orderbook_units"], default=str) for frame in frames}) > 1


def test_a_quiet_book_was_shown_minutes_ago(start: Start, client: Connect) -> None:
    sim = start(codes=all_codes(30))
    socket = client(sim)
    socket.ask({"type": "orderbook", "codes": list(sim.codes)})
    frames = socket.read_many(30)
    newest = max(frame["timestamp"] for frame in frames)
    assert newest - min(frame["timestamp"] for frame in frames) > 60_000


def test_the_book_adds_up(sim: Simulator, client: Connect) -> None:
    sim.burst(200)
    socket = client(sim)
    socket.ask({"type": "orderbook", "codes": list(sim.codes)})
    for frame in socket.read_many(len(sim.codes)):
        units = frame["orderbook_units"]
        assert len(units) == 30
        assert frame["total_ask_size"] == sum(unit["ask_size"] for unit in units)
        assert frame["total_bid_size"] == sum(unit["bid_size"] for unit in units)
        asks = [unit["ask_price"] for unit in units if unit["ask_price"]]
        bids = [unit["bid_price"] for unit in units if unit["bid_price"]]
        assert asks == sorted(set(asks))
        assert bids == sorted(set(bids), reverse=True)
        assert asks[0] > bids[0]
        for unit in units:
            assert (unit["ask_price"] == 0) == (unit["ask_size"] == 0)


def test_thin_books_are_padded_with_zeros(sim: Simulator, client: Connect) -> None:
    thin = [listing for listing in describe(sim.codes) if listing.depth < 30]
    assert thin
    socket = client(sim)
    socket.ask({"type": "orderbook", "codes": [thin[0].code]})
    units = socket.read()["orderbook_units"]
    assert len(units) == 30
    zero = {"ask_price": 0, "bid_price": 0, "ask_size": 0, "bid_size": 0}
    assert units[thin[0].depth :] == [zero] * (30 - thin[0].depth)
    assert units[thin[0].depth - 1]["ask_price"] > 0


def test_a_trade_frame_knows_the_best_prices(sim: Simulator, client: Connect) -> None:
    sim.burst(50, ["KRW-SOL"])
    socket = client(sim)
    socket.ask({"type": "trade", "codes": ["KRW-SOL"]}, {"type": "orderbook", "codes": ["KRW-SOL"]})
    trade, book = socket.read_many(2)
    best = book["orderbook_units"][0]
    for side in ("ask", "bid"):
        assert trade[f"best_{side}_price"] == best[f"{side}_price"]
        assert trade[f"best_{side}_size"] == best[f"{side}_size"]


def test_the_ledger_is_bounded(start: Start) -> None:
    sim = start(ledger_size=100, history=1)
    sim.burst(1000, ["KRW-BTC"])
    total = sim.totals()["KRW-BTC"]
    assert 100 <= total["count"] <= 151
    # One trade of the history is forgotten too.
    assert total["count"] + total["forgotten"] == 1001
    assert sim.stats["trades"] == 1000
