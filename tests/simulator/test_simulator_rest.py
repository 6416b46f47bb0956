"""REST: what a repair asks for, consistent with what the sockets were sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
import urllib3

from tests.simulator.client import PATIENCE, Connect, Start
from upbit_stream.protocol.limits import RateLimit
from upbit_stream.simulator import Limits, Simulator


class Answer(NamedTuple):
    status: int
    headers: Any
    body: Any


class Rest:
    def __init__(self) -> None:
        self.pool = urllib3.PoolManager(retries=False, timeout=PATIENCE)

    def get(self, sim: Simulator, path: str, **query: Any) -> Answer:
        answer = self.pool.request("GET", f"{sim.rest_url}/{path}", fields=query)
        body = json.loads(answer.data, parse_float=Decimal) if answer.data else None
        return Answer(answer.status, answer.headers, body)


@pytest.fixture
def rest() -> Iterator[Rest]:
    rest = Rest()
    yield rest
    rest.pool.clear()


@pytest.fixture
def open_sim(start: Start) -> Simulator:
    return start(limits=Limits.off())


def test_trades_are_those_of_the_socket(sim: Simulator, client: Connect, rest: Rest) -> None:
    socket = client(sim)
    socket.ask({"type": "trade", "codes": ["KRW-BTC"], "is_only_realtime": True})
    socket.barrier()
    sim.burst(20, ["KRW-BTC"])
    frames = socket.read_many(20)
    answer = rest.get(sim, "trades/ticks", market="KRW-BTC", count=20)
    assert answer.status == 200
    for item, frame in zip(answer.body, reversed(frames), strict=True):
        assert item["market"] == frame["code"]
        assert item["sequential_id"] == frame["sequential_id"]
        assert item["timestamp"] == frame["trade_timestamp"]
        assert item["trade_price"] == frame["trade_price"]
        assert item["trade_volume"] == frame["trade_volume"]
        assert item["ask_bid"] == frame["ask_bid"]
        assert item["prev_closing_price"] == frame["prev_closing_price"]
        assert item["change_price"] == frame["trade_price"] - frame["prev_closing_price"]
        assert item["trade_date_utc"] == frame["trade_date"]
        assert item["trade_time_utc"] == frame["trade_time"]
        assert "best_ask_price" not in item


def test_paging_with_the_cursor(open_sim: Simulator, rest: Rest) -> None:
    open_sim.burst(1234, ["KRW-BTC"])
    found: list[int] = []
    cursor: dict[str, Any] = {}
    while True:
        page = rest.get(open_sim, "trades/ticks", market="KRW-BTC", count=500, **cursor).body
        found += [item["sequential_id"] for item in page]
        if len(page) < 500:
            break
        cursor = {"cursor": found[-1]}
    every = [row.sequential_id for row in open_sim.trades("KRW-BTC", history=True)]
    assert found == every[::-1]


def test_days_ago_and_to(open_sim: Simulator, rest: Rest) -> None:
    rows = open_sim.trades("KRW-BTC", history=True)
    days = {row.timestamp // 86_400_000 for row in rows}
    assert len(days) > 3
    today = datetime.now(timezone.utc)
    for days_ago in range(1, 8):
        end = today.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days_ago - 1)
        asked = rest.get(
            open_sim, "trades/ticks", market="KRW-BTC", count=500, days_ago=days_ago
        ).body
        before = [row.sequential_id for row in rows if row.timestamp < end.timestamp() * 1000]
        assert [item["sequential_id"] for item in asked] == before[::-1]
        noon = end - timedelta(hours=12)
        asked = rest.get(
            open_sim, "trades/ticks", market="KRW-BTC", count=500, days_ago=days_ago, to="120000"
        ).body
        before = [row.sequential_id for row in rows if row.timestamp < noon.timestamp() * 1000]
        assert [item["sequential_id"] for item in asked] == before[::-1]


def test_candles_agree_with_the_socket(sim: Simulator, client: Connect, rest: Rest) -> None:
    sim.burst(50, ["KRW-BTC"])
    socket = client(sim)
    units = {"1s": "seconds", "1m": "minutes/1", "15m": "minutes/15", "240m": "minutes/240"}
    socket.ask(*({"type": f"candle.{unit}", "codes": ["KRW-BTC"]} for unit in units))
    for path, frame in zip(units.values(), socket.read_many(4), strict=True):
        (candle,) = rest.get(sim, f"candles/{path}", market="KRW-BTC").body
        del frame["type"], frame["stream_type"]
        frame["market"] = frame.pop("code")
        candle.pop("unit", None)
        assert candle == frame


def test_candles_before_a_time(open_sim: Simulator, rest: Rest) -> None:
    path = "candles/minutes/60"
    candles = rest.get(open_sim, path, market="KRW-BTC", count=200).body
    starts = [candle["candle_date_time_utc"] for candle in candles]
    assert starts == sorted(set(starts), reverse=True)
    assert len(starts) > 5
    third = starts[2]
    for spelling in (third, f"{third}Z", third.replace("T", " "), f"{third}+00:00"):
        older = rest.get(open_sim, path, market="KRW-BTC", count=200, to=spelling).body
        assert [candle["candle_date_time_utc"] for candle in older] == starts[3:]


def test_markets(sim: Simulator, rest: Rest) -> None:
    answer = rest.get(sim, "market/all", is_details="false")
    assert [entry["market"] for entry in answer.body] == list(sim.codes)
    assert answer.body[0] == {
        "market": "KRW-BTC", "korean_name": "비트코인", "english_name": "Bitcoin",
    }  # fmt: skip
    detailed = rest.get(sim, "market/all", is_details="true").body
    assert detailed[0]["market_event"]["warning"] is False


def test_order_books_and_tickers_agree_with_the_socket(
    sim: Simulator, client: Connect, rest: Rest
) -> None:
    sim.burst(100)
    codes = ["KRW-BTC", "KRW-ETH"]
    socket = client(sim)
    socket.ask(
        *({"type": kind, "codes": codes, "is_only_snapshot": True}
          for kind in ("orderbook", "ticker"))
    )  # fmt: skip
    frames = socket.read_many(4)
    books = rest.get(sim, "orderbook", markets=",".join(codes)).body
    tickers = rest.get(sim, "ticker", markets=",".join(codes)).body
    for frame, item in zip(frames, books + tickers, strict=True):
        assert item.pop("market") == frame.pop("code")
        for name, value in item.items():
            if name in frame:
                assert value == frame[name], name
    assert books[0]["orderbook_units"] == frames[0]["orderbook_units"]


def test_what_remains_is_told_and_the_eleventh_is_refused(start: Start, rest: Rest) -> None:
    assert Limits().rest == RateLimit(10, 1.0)
    sim = start(limits=Limits(rest=RateLimit(10, 60.0)))
    left = []
    for _ in range(10):
        answer = rest.get(sim, "trades/ticks", market="KRW-BTC")
        assert answer.status == 200
        left.append(answer.headers["Remaining-Req"])
    assert left[0] == "group=trade; min=600; sec=9"
    assert left[-1] == "group=trade; min=600; sec=0"
    refused = rest.get(sim, "trades/ticks", market="KRW-BTC")
    assert refused.status == 429
    # Other groups are counted apart.
    assert rest.get(sim, "candles/seconds", market="KRW-BTC").status == 200
    assert rest.get(sim, "market/all").status == 200
    assert [call.status for call in sim.rest_calls].count(429) == 1


@pytest.mark.parametrize("notice", ["header", "body"])
def test_repeated_refusals_are_a_ban(start: Start, rest: Rest, notice: str) -> None:
    limits = Limits(rest=RateLimit(1, 60.0), ban_after=3, ban_seconds=30.0)
    sim = start(limits=limits, ban_notice=notice)
    answers = [rest.get(sim, "market/all") for _ in range(5)]
    assert [answer.status for answer in answers] == [200, 429, 429, 429, 418]
    if notice == "header":
        assert answers[-1].headers["Retry-After"] == "30"
    else:
        assert "30 seconds" in answers[-1].body["error"]["message"]


def test_an_unknown_market(sim: Simulator, rest: Rest) -> None:
    answer = rest.get(sim, "trades/ticks", market="KRW-NOPE")
    assert answer.status == 404
    assert answer.body == {"error": {"name": 404, "message": "Code not found"}}


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("trades/ticks", {}, 400),
        ("trades/ticks", {"market": "KRW-BTC", "count": "many"}, 400),
        ("trades/ticks", {"market": "KRW-BTC", "count": 501}, 400),
        ("trades/ticks", {"market": "KRW-BTC", "days_ago": 8}, 400),
        ("trades/ticks", {"market": "KRW-BTC", "to": "noon"}, 400),
        ("candles/minutes/1", {"market": "KRW-BTC", "count": 201}, 400),
        ("candles/minutes/1", {"market": "KRW-BTC", "to": "yesterday"}, 400),
        ("candles/minutes/2", {"market": "KRW-BTC"}, 404),
        ("ticker", {}, 400),
        ("nowhere", {}, 404),
    ],
)
def test_mistakes(
    sim: Simulator, rest: Rest, path: str, query: dict[str, Any], status: int
) -> None:
    answer = rest.get(sim, path, **query)
    assert answer.status == status
    assert answer.body["error"]["name"] == status


def test_one_connection_serves_many_calls(sim: Simulator, rest: Rest) -> None:
    for _ in range(5):
        assert rest.get(sim, "trades/ticks", market="KRW-BTC").status == 200
    assert sim.stats["tcp_connections"] == 1


def test_faults(sim: Simulator, rest: Rest) -> None:
    sim.fail_rest(503, 2, headers={"Retry-After": "1"}, body="down")
    with pytest.raises(json.JSONDecodeError):
        rest.get(sim, "market/all")
    with pytest.raises(json.JSONDecodeError):
        rest.get(sim, "market/all")
    assert rest.get(sim, "market/all").status == 200
    assert [call.status for call in sim.rest_calls] == [503, 503, 200]
    sim.stall_rest(1)
    with pytest.raises(urllib3.exceptions.TimeoutError):
        rest.pool.request("GET", f"{sim.rest_url}/market/all", timeout=0.05)
    assert sim.wait_for(lambda: sim.stats.get("stalled_rest") == 1)
    assert rest.get(sim, "market/all").status == 200
    sim.slow_rest(0.2)
    with pytest.raises(urllib3.exceptions.TimeoutError):
        rest.pool.request("GET", f"{sim.rest_url}/market/all", timeout=0.05)
