"""Walking back through the pages of REST, whatever the exchange means by a day."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upbit_stream.recovery.history import CandleStretch, History, TradeStretch
from upbit_stream.recovery.rest import RestFailed

DAY = 86_400_000
#: Noon of a day.
NOW = 20_000 * DAY + DAY // 2
FOR_EVER = float("inf")


class Exchange:
    """REST as the wire page describes it, over a list of (time, id)."""

    def __init__(self, ids: Sequence[int], *, days_end: bool, lags_behind: int = 0) -> None:
        self.ids = sorted(ids, reverse=True)
        #: Whether a page ends with the day that was asked for, or goes on with the one before.
        self.days_end = days_end
        #: So many calls do not know of the newest trade.
        self.lags_behind = lags_behind
        self.calls = 0

    def get(self, path: str, fields: Mapping[str, str], *, group: str, deadline: float) -> bytes:
        assert (path, group) == ("/trades/ticks", "trade")
        self.calls += 1
        if time.monotonic() >= deadline:
            raise RestFailed("no time left")
        days_ago = int(fields.get("days_ago", 0))
        assert days_ago <= 7
        count = int(fields["count"])
        assert 1 <= count <= 500
        end = (NOW // DAY - days_ago + 1) * DAY * 10_000
        start = end - DAY * 10_000 if self.days_end else 0
        before = min(end, int(fields.get("cursor", end)))
        ids = self.ids[1:] if self.calls <= self.lags_behind else self.ids
        page = [one for one in ids if start <= one < before][:count]
        return json.dumps([row(one) for one in page]).encode()

    def sleep(self, seconds: float, deadline: float, why: str) -> None:
        if deadline < FOR_EVER:
            raise RestFailed(why)


def row(id_: int) -> dict[str, object]:
    return {
        "market": "KRW-BTC",
        "trade_date_utc": "2026-01-01",
        "trade_time_utc": "00:00:00",
        "timestamp": id_ // 10_000,
        "trade_price": 5.0,
        "trade_volume": 1.0,
        "prev_closing_price": 6.0,
        "change_price": -1.0,
        "ask_bid": "ASK",
        "sequential_id": id_,
    }


def find(exchange: Exchange, stretch: TradeStretch, deadline: float = FOR_EVER) -> list[int]:
    found = History(exchange, "float", lambda: NOW / 1000).find(stretch, deadline)
    assert not found.why
    return [trade.sequential_id for trade in found.events]


ids_of_a_week = st.lists(
    st.builds(
        lambda ago, number: (NOW - ago) * 10_000 + number,
        st.one_of(st.integers(0, 50), st.integers(0, 6 * DAY)),
        st.integers(0, 9),
    ),
    min_size=2,
    max_size=60,
    unique=True,
)


@given(ids_of_a_week, st.booleans(), st.data())
def test_everything_in_between_is_found_once_and_in_order(
    ids: list[int], days_end: bool, data: st.DataObject
) -> None:
    ids.sort()
    after = data.draw(st.sampled_from(ids))
    witness = data.draw(st.sampled_from([one for one in ids if one >= after]))
    until = witness // 10_000
    stretch = TradeStretch(
        code="KRW-BTC",
        after=after,
        witness=witness,
        until=until,
        rate=data.draw(st.sampled_from([0.0, 1e-3, 5.0])),
    )
    want = [one for one in ids if after < one and one // 10_000 <= until]
    assert find(Exchange(ids, days_end=days_end), stretch) == want


@pytest.mark.parametrize("days_end", [True, False])
def test_many_pages_over_many_days(days_end: bool) -> None:
    ids = [(NOW - number * 60_000) * 10_000 for number in range(6 * 24 * 60)]
    stretch = TradeStretch(code="KRW-BTC", after=ids[-1], witness=ids[0], until=NOW)
    exchange = Exchange(ids, days_end=days_end)
    assert find(exchange, stretch) == ids[-2::-1]
    assert exchange.calls <= len(ids) / 500 + 10


def test_without_a_witness_all_up_to_now_is_found() -> None:
    ids = [(NOW - number) * 10_000 for number in range(100)]
    assert (
        find(Exchange(ids, days_end=True), TradeStretch(code="KRW-BTC", after=ids[40]))
        == ids[39::-1]
    )


def test_rest_that_lags_is_asked_until_it_knows_of_the_witness() -> None:
    ids = [(NOW - number) * 10_000 for number in range(10)]
    exchange = Exchange(ids, days_end=True, lags_behind=3)
    stretch = TradeStretch(code="KRW-BTC", after=ids[5], witness=ids[0], until=NOW)
    assert find(exchange, stretch) == ids[4::-1]
    assert exchange.calls == 4


def test_what_could_be_had_before_the_deadline_has_no_hole() -> None:
    ids = [(NOW - number) * 10_000 for number in range(5_000)]
    exchange = Exchange(ids, days_end=True)
    stretch = TradeStretch(code="KRW-BTC", after=ids[-1], witness=ids[0], until=NOW)

    class Slow:
        def get(
            self, path: str, fields: Mapping[str, str], *, group: str, deadline: float
        ) -> bytes:
            if exchange.calls == 3:
                raise RestFailed("no time left")
            return exchange.get(path, fields, group=group, deadline=deadline)

        sleep = exchange.sleep

    found = History(Slow(), "float", lambda: NOW / 1000).find(stretch, FOR_EVER)
    assert found.why == "no time left"
    got = [trade.sequential_id for trade in found.events]
    assert got == ids[len(got) - 1 :: -1]
    assert 500 <= len(got) < 5_000


def test_more_than_a_week_cannot_be_had() -> None:
    ids = [NOW * 10_000]
    stretch = TradeStretch(
        code="KRW-BTC", after=(NOW - 9 * DAY) * 10_000, witness=ids[0], until=NOW
    )
    found = History(Exchange(ids, days_end=True), "float", lambda: NOW / 1000).find(
        stretch, FOR_EVER
    )
    assert found.why == "REST reaches 7 days back"
    assert [trade.sequential_id for trade in found.events] == ids


@pytest.mark.parametrize("body", [b"", b"{", b"{}", b"[1]", b'[{"market":"KRW-BTC"}]'])
def test_what_is_no_page(body: bytes) -> None:
    class Garbage:
        def get(
            self, path: str, fields: Mapping[str, str], *, group: str, deadline: float
        ) -> bytes:
            return body

        def sleep(self, seconds: float, deadline: float, why: str) -> None: ...

    history = History(Garbage(), "float", lambda: NOW / 1000)
    assert history.find(TradeStretch(code="KRW-BTC", after=1), FOR_EVER).why
    candles = CandleStretch(code="KRW-BTC", unit="1m", first="2026-01-01T00:00:00")
    assert history.find(candles, FOR_EVER).why


@pytest.mark.parametrize("begins", [-250, 0, 200])
def test_a_walk_over_midnight(begins: int) -> None:
    """Days are named by how long ago they were: in the middle of a walk that changes."""
    midnight = 20_001 * DAY
    now = [midnight + begins]
    ids = [(midnight - 100 - number) * 10_000 for number in range(3_000)]

    class Passing(Exchange):
        def get(
            self, path: str, fields: Mapping[str, str], *, group: str, deadline: float
        ) -> bytes:
            self.calls += 1
            assert self.calls < 100
            count, days_ago = int(fields["count"]), int(fields.get("days_ago", 0))
            start = (now[0] // DAY - days_ago) * DAY * 10_000
            end = start + DAY * 10_000
            before = min(end, int(fields.get("cursor", end)))
            now[0] += 100
            page = [one for one in self.ids if start <= one < before][:count]
            return json.dumps([row(one) for one in page]).encode()

    stretch = TradeStretch(
        code="KRW-BTC", after=ids[-1], witness=ids[0], until=ids[0] // 10_000, rate=1000.0
    )
    found = History(Passing(ids, days_end=True), "float", lambda: now[0] / 1000).find(
        stretch, FOR_EVER
    )
    assert not found.why
    assert [trade.sequential_id for trade in found.events] == ids[-2::-1]
