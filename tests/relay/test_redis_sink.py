"""What the script on Redis lets in: each event once, in the order of its lane."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.relay.servers import RedisServer, needs_redis
from upbit_stream.relay import redis_sink
from upbit_stream.relay.brokers import BrokerRefused, BrokerUnavailable
from upbit_stream.relay.entries import Entry
from upbit_stream.relay.lanes import Lane
from upbit_stream.relay.redis_sink import RedisSink

pytestmark = needs_redis

BTC = Lane("trade", "KRW-BTC")
ETH = Lane("trade", "KRW-ETH")
BOOK = Lane("orderbook", "KRW-BTC")

# As large as the exchange's: a float would not tell it from its neighbours.
FIRST = 17_957_153_676_860_001


def trades(*numbers: int, lane: Lane = BTC) -> list[Entry]:
    return [Entry(lane, FIRST + one, "", str(one).encode()) for one in numbers]


@pytest.fixture
def sink(redis_server: RedisServer) -> Iterator[RedisSink]:
    sink = RedisSink(redis_server.url)
    sink.open()
    yield sink
    sink.close()


def content(server: RedisServer, lane: Lane = BTC) -> list[int]:
    with server.client() as client:
        rows: list[Any] = client.xrange(f"upbit:{lane.type}:{lane.code}")
    return [int(fields[b"e"]) for _, fields in rows]


def test_a_second_publisher_adds_what_the_first_has_not(
    redis_server: RedisServer, sink: RedisSink
) -> None:
    other = RedisSink(redis_server.url)
    other.open()
    assert sink.send(trades(1, 2, 3)) == 3
    assert other.send(trades(1, 2, 3, 4)) == 1
    assert sink.send(trades(3, 4, 5) + trades(1, lane=ETH)) == 2
    other.close()
    assert content(redis_server) == [1, 2, 3, 4, 5]
    assert content(redis_server, ETH) == [1]
    assert sink.newest([BTC, ETH, BOOK]) == {BTC: FIRST + 5, ETH: FIRST + 1}


def test_a_late_trade_is_let_in_once(redis_server: RedisServer, sink: RedisSink) -> None:
    sink.send(trades(1, 2, 5))
    assert sink.send(trades(3)) == 1
    assert sink.send(trades(3, 2, 5)) == 0
    assert content(redis_server) == [1, 2, 5, 3]


def test_what_was_before_the_beginning_is_left_out(
    redis_server: RedisServer, sink: RedisSink
) -> None:
    sink.send(trades(10, 12))
    assert sink.send(trades(8, 9, 11)) == 1
    assert content(redis_server) == [10, 12, 11]


def test_what_is_forgotten_is_not_let_in_again(
    redis_server: RedisServer, sink: RedisSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_sink, "_REMEMBERED", 10)
    for begin in range(0, 100, 5):
        sink.send(trades(*range(begin, begin + 5)))
    assert sink.send(trades(*range(100))) == 0
    assert content(redis_server) == list(range(100))
    with redis_server.client() as client:
        known = client.scard("upbit:trade:KRW-BTC:seen") + client.scard("upbit:trade:KRW-BTC:old")
    assert known <= 20
    # A late one among the last ten is still told from a double.
    sink.send(trades(200, 202))
    assert sink.send(trades(201)) == 1


def test_two_publishers_at_random_places(redis_server: RedisServer, sink: RedisSink) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    told = list(range(3000))
    for _ in range(40):  # some come late, to both alike
        at = chance.randrange(1, len(told) - 50)  # what is before the first is left out
        told.insert(at + chance.randrange(50), told.pop(at))
    other = RedisSink(redis_server.url)
    other.open()
    places = {sink: 0, other: 0}
    while min(places.values()) < len(told):
        one = chance.choice((sink, other))
        count = chance.randrange(1, 200)
        one.send(trades(*told[places[one] : places[one] + count]))
        # Now and then it does not know that it was heard, and says it again.
        places[one] += count if chance.random() < 0.8 else 0
    other.close()
    assert content(redis_server) == told


def test_a_state_is_never_followed_by_an_older_one(
    redis_server: RedisServer, sink: RedisSink
) -> None:
    def books(*stamps: tuple[int, str]) -> list[Entry]:
        return [Entry(BOOK, at, mark, str(at).encode()) for at, mark in stamps]

    assert sink.send(books((5, "aa"), (5, "bb"), (7, "aa"))) == 3
    assert sink.send(books((5, "cc"), (6, "aa"), (7, "aa"))) == 0
    assert sink.send(books((7, "bb"), (7, "aa"), (8, "aa"))) == 2
    assert content(redis_server, BOOK) == [5, 5, 7, 7, 8]


def test_lanes_are_trimmed(redis_server: RedisServer) -> None:
    sink = RedisSink(redis_server.url, max_length=1000)
    sink.open()
    for begin in range(0, 5000, 500):
        sink.send(trades(*range(begin, begin + 500)))
    assert 1000 <= len(content(redis_server)) < 1200  # by whole nodes of about a hundred
    sink.close()
    aged = RedisSink(redis_server.url, max_age=0.02)
    aged.open()
    for begin in range(0, 2000, 500):
        aged.send(trades(*range(begin, begin + 500), lane=ETH))
        time.sleep(0.03)  # until these are too old
    aged.close()
    assert 500 <= len(content(redis_server, ETH)) < 700


def test_a_broker_out_of_memory_has_taken_nothing(
    redis_server: RedisServer, sink: RedisSink
) -> None:
    sink.send(trades(1, 2))
    with redis_server.client() as client:
        client.config_set("maxmemory", 1)
        with pytest.raises(BrokerUnavailable, match="maxmemory"):
            sink.send(trades(2, 3, 4))
        client.config_set("maxmemory", 0)
    assert sink.send(trades(2, 3, 4)) == 2
    assert content(redis_server) == [1, 2, 3, 4]


def test_a_restart_is_told(redis_server: RedisServer, sink: RedisSink) -> None:
    before = sink.open()
    assert sink.open() == before
    redis_server.kill()
    with pytest.raises(BrokerUnavailable):
        sink.send(trades(1))
    sink.close()
    redis_server.start()
    assert sink.open() != before
    assert sink.send(trades(1)) == 1


def test_a_lane_is_begun_once(redis_server: RedisServer, sink: RedisSink) -> None:
    other = RedisSink(redis_server.url)
    other.open()
    assert sink.begin(trades(5)) == {BTC}
    assert other.begin([*trades(3), *trades(4, lane=ETH)]) == {ETH}
    other.close()
    assert sink.newest([BTC, ETH]) == {BTC: FIRST + 5, ETH: FIRST + 4}
    # It goes on as a lane that send() has begun.
    assert sink.send(trades(3, 5, 6, 8)) == 2
    assert sink.send(trades(7, 8)) == 1
    assert content(redis_server) == [5, 6, 8, 7]


def test_a_key_that_is_something_else_refuses_and_doubles_nothing(
    redis_server: RedisServer, sink: RedisSink
) -> None:
    with redis_server.client() as client:
        client.set("upbit:trade:KRW-ETH", "mine")
        both = [*trades(1, 2), *trades(1, 2, lane=ETH)]
        for _ in range(3):  # as if somebody tried again
            with pytest.raises(BrokerRefused, match=r"upbit:trade:KRW-ETH.*rename or delete"):
                sink.send(both)
        with pytest.raises(BrokerRefused, match="rename or delete"):
            sink.begin(trades(1, lane=ETH))
        assert content(redis_server) == [1, 2]
        client.delete("upbit:trade:KRW-ETH")
        assert sink.send(both) == 2
        assert content(redis_server, ETH) == [1, 2]
        client.delete("upbit:orders")
        client.set("upbit:orders", "mine")
        with pytest.raises(BrokerRefused, match="upbit:orders"):
            sink.send(trades(3))
        assert content(redis_server) == [1, 2]


def test_of_two_settings_the_smallest_counts(redis_server: RedisServer) -> None:
    sinks = [RedisSink(redis_server.url, max_length=length) for length in (200, 5000)]
    for sink in sinks:
        sink.open()
    for begin in range(0, 2000, 100):
        for sink in sinks[:: -1 if begin % 200 else 1]:  # in turns one of them is the first
            sink.send(trades(*range(begin, begin + 100)))
    for sink in sinks:
        sink.close()
    assert 200 <= len(content(redis_server)) < 500  # by whole nodes of about a hundred
