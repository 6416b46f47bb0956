"""What goes into the stream on NATS: each event once, also after a long time; and who sets how much
the stream keeps.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.relay.servers import NatsServer, needs_nats
from upbit_stream.recovery.history import IDS_PER_MS
from upbit_stream.relay import nats_common
from upbit_stream.relay.brokers import open_source
from upbit_stream.relay.entries import Entry
from upbit_stream.relay.lanes import Lane
from upbit_stream.relay.nats_sink import NatsSink

pytestmark = needs_nats

BTC = Lane("trade", "KRW-BTC")
ETH = Lane("trade", "KRW-ETH")
BOOK = Lane("orderbook", "KRW-BTC")


@pytest.fixture
def server() -> Iterator[NatsServer]:
    with NatsServer() as server:
        yield server


@pytest.fixture
def sink(server: NatsServer) -> Iterator[NatsSink]:
    sink = NatsSink(server.url)
    sink.open()
    yield sink
    sink.close()


def entries(*numbers: int, lane: Lane = BTC, ago: float = 0.0) -> list[Entry]:
    """The first one was made so many seconds ago, the others a millisecond later each."""
    moment = int((_NOW - ago) * 1000)
    unit = IDS_PER_MS if lane.type == "trade" else 1
    mark = "" if lane.type == "trade" else "aa"
    return [Entry(lane, (moment + one) * unit, mark, str(one).encode()) for one in numbers]


_NOW = time.time()


def content(server: NatsServer, lane: Lane = BTC) -> list[int]:
    async def read() -> list[int]:
        import nats

        client = await nats.connect(server.url)
        found: list[int] = []
        subject = f"upbit.{lane.type}.{lane.code}"
        reading = await client.jetstream().subscribe(subject, ordered_consumer=True)
        while True:
            try:
                found.append(int((await reading.next_msg(0.3)).data))
            except asyncio.TimeoutError:
                await client.close()
                return found

    return asyncio.run(read())


def config(server: NatsServer) -> Any:
    async def read() -> Any:
        import nats

        client = await nats.connect(server.url)
        info = await client.jetstream().stream_info("UPBIT")
        await client.close()
        return info.config

    return asyncio.run(read())


def test_a_lane_is_begun_once(server: NatsServer, sink: NatsSink) -> None:
    other = NatsSink(server.url)
    other.open()
    assert sink.begin(entries(5)) == {BTC}
    assert other.begin([*entries(3), *entries(4, lane=ETH)]) == {ETH}
    # Whoever has asked for the lane leaves out what was before its beginning.
    (five,) = entries(5)
    assert other.newest([BTC]) == {BTC: five.order}
    assert other.send(entries(3, 5, 6)) == 1
    other.close()
    assert content(server) == [5, 6]


def test_what_the_broker_has_forgotten_to_have_is_not_sent_again(
    server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nats_common, "DUPLICATES", 0.2)
    one, other = NatsSink(server.url), NatsSink(server.url)
    for sink in (one, other):
        sink.open()
    # The other one was cut off, and has all of it yet to send.
    kept = [*entries(*range(50), ago=600), *entries(*range(5), lane=BOOK, ago=600)]
    assert one.send(kept) == 55
    time.sleep(0.5)  # the broker knows these messages no more
    other.close()
    other.open()
    later = entries(50, 51, ago=600)
    assert other.send(kept + later) == 2
    assert other.send([*later, *entries(52, ago=600)]) == 1
    assert content(server) == list(range(53))
    assert content(server, BOOK) == list(range(5))
    # What is young may come late, as the broker knows what it has.
    assert other.send(entries(3)) == other.send(entries(1)) == 1
    for sink in (one, other):
        sink.close()


def test_the_first_publisher_says_how_much_is_kept(
    server: NatsServer, caplog: pytest.LogCaptureFixture
) -> None:
    first = NatsSink(server.url, max_length=500)
    first.open()
    assert config(server).max_msgs_per_subject == 500
    second = NatsSink(server.url, max_length=7000)
    for _ in range(2):  # also after it was away
        second.open()
        second.close()
    assert config(server).max_msgs_per_subject == 500
    (warning,) = (one for one in caplog.records if one.levelno == logging.WARNING)
    assert "keeps max_msgs_per_subject=500 there" in warning.getMessage()
    assert "not max_msgs_per_subject=7000" in warning.getMessage()
    assert "nats stream edit UPBIT" in warning.getMessage()
    same = NatsSink(server.url, max_length=500)
    same.open()
    same.close()
    first.close()
    assert len([one for one in caplog.records if one.levelno == logging.WARNING]) == 1


def test_a_consumer_that_comes_first_does_not_say_it(server: NatsServer) -> None:
    source = open_source(server.url)
    source.open()
    publisher = NatsSink(server.url, max_length=500)
    publisher.open()
    assert config(server).max_msgs_per_subject == 500
    other = NatsSink(server.url, max_length=7000)
    other.open()
    assert config(server).max_msgs_per_subject == 500
    for one in (source, publisher, other):
        one.close()


def test_several_that_come_at_once_have_one_stream(server: NatsServer) -> None:
    ones: list[Any] = [
        open_source(server.url),
        *(NatsSink(server.url, max_length=n) for n in (500, 600)),
    ]
    with ThreadPoolExecutor(len(ones)) as pool:
        list(pool.map(lambda one: one.open(), ones))
    assert config(server).max_msgs_per_subject in (500, 600)
    for one in ones:
        one.close()


def test_a_stream_may_keep_things_for_less_than_it_knows_them(server: NatsServer) -> None:
    sink = NatsSink(server.url, max_age=30.0)
    sink.open()
    assert config(server).max_age == 30.0
    assert sink.send(entries(1)) == 1
    sink.close()
