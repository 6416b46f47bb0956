"""What a consumer missed because the broker keeps no more: it is told, and nothing else is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import GatedCallback, eventually
from tests.relay.cable import Cable
from tests.relay.desk import Desk, Press, ids
from tests.relay.servers import Broker, RedisServer, needs_redis
from upbit_stream import (
    ConnectionPool,
    ConnectionState,
    Gap,
    HealthWarning,
    ReconnectPolicy,
    StreamConfig,
    Trade,
    UpbitStream,
    UpbitStreamError,
)
from upbit_stream.recovery.history import IDS_PER_MS
from upbit_stream.relay import doubts, nats_reader

_KEEPS = 1000


@pytest.fixture(autouse=True)
def _hold_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """NATS sends without being asked: what waits here is not let go there."""
    monkeypatch.setattr(nats_reader, "_WAITING", 100)


@pytest.fixture
def press(broker: Broker) -> Iterator[Press]:
    """The broker keeps a thousand trades of a code, or a few more."""
    with Press(broker, keeps=_KEEPS) as press:
        yield press


class Consumer:
    """A stream that reads KRW-BTC's trades. A context manager."""

    def __init__(self, source: str, callback: Any = None, **settings: Any) -> None:
        config = StreamConfig(reconnect=ReconnectPolicy(cap=0.2, min_interval=0))
        self.stream = UpbitStream(source=source, config=config, pool=ConnectionPool())
        self.trades: list[Trade] = []
        self.gaps: list[Gap] = []
        self.stream.on_gap(self.gaps.append)
        callback = callback or self.trades.append
        self.subscription = self.stream.trade("KRW-BTC", callback=callback, **settings)

    def has(self, id_: int) -> bool:
        """Whether that trade has come."""
        return id_ in ids(self.trades[-3:])

    def check(self, due: list[int]) -> int:
        """Each of these came once and in order, or lies in a gap; how many these were."""
        came = ids(self.trades)
        assert came == sorted(set(came))
        missing = {one // IDS_PER_MS for one in set(due) - set(came)}

        def told(moment: int) -> bool:
            return any(gap.from_timestamp <= moment <= gap.to_timestamp for gap in self.gaps)

        # They are told on a thread of their own.
        eventually(lambda: all(map(told, missing)))
        assert not any(gap.recovered for gap in self.gaps)
        return len(set(due) - set(came))

    def __enter__(self) -> Consumer:
        self.stream.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stream.close()


def test_who_was_away_for_longer_than_the_broker_keeps_is_told(
    broker: Broker, press: Press
) -> None:
    first = press.print(1)
    with Cable(broker.url) as cable, Consumer(cable.url) as consumer:
        eventually(lambda: consumer.has(first[-1]))
        due = press.print(50)
        eventually(lambda: consumer.has(due[-1]))
        cable.cut()
        eventually(lambda: consumer.stream.state is ConnectionState.RECONNECTING)
        due += press.print(5000)
        cable.mend()
        eventually(lambda: consumer.has(due[-1]))
        eventually(lambda: consumer.gaps)
        assert consumer.check(due) > 3000
        (gap,) = consumer.gaps
        assert gap.codes == ("KRW-BTC",)
        assert "keeps no more" in str(gap)
        # From the last one before it to the first one behind it.
        came = ids(consumer.trades)
        behind = came[came.index(due[49]) + 1]
        assert gap.ranges == {"KRW-BTC": (due[49] // IDS_PER_MS, behind // IDS_PER_MS)}
        assert consumer.stream.stats.gaps_unrecovered == {"trade": 1}


def test_who_was_away_for_less_misses_nothing(broker: Broker, press: Press) -> None:
    due = press.print(1)
    with Cable(broker.url) as cable, Consumer(cable.url) as consumer:
        eventually(lambda: consumer.has(due[-1]))
        for _ in range(3):
            cable.cut()
            eventually(lambda: consumer.stream.state is ConnectionState.RECONNECTING)
            due += press.print(_KEEPS // 2)
            cable.mend()
            eventually(lambda: consumer.has(due[-1]))  # noqa: B023
        assert ids(consumer.trades) == due
        assert consumer.gaps == []


def test_who_is_slow_and_never_stands_still_is_told(broker: Broker, press: Press) -> None:
    due = press.print(1)
    trades: list[Trade] = []

    def slowly(trade: Trade) -> None:
        trades.append(trade)
        time.sleep(0.0005)

    with Consumer(broker.url, slowly, overflow="block", queue_size=10) as consumer:
        consumer.trades = trades
        eventually(lambda: consumer.has(due[-1]))
        for _ in range(20):
            due += press.print(300)
        eventually(lambda: consumer.has(due[-1]))
        assert consumer.check(due) > 0


def test_who_stood_still_is_told(broker: Broker, press: Press) -> None:
    due = press.print(1)
    gated = GatedCallback()
    with Consumer(broker.url, gated, overflow="block", queue_size=10) as consumer:
        consumer.trades = gated.seen
        eventually(lambda: consumer.subscription.stats.received)
        due += press.print(200)
        eventually(lambda: consumer.subscription.stats.queued >= 10)
        due += press.print(5000)
        gated.release.set()
        eventually(lambda: consumer.has(due[-1]))
        assert consumer.check(due) > 0


def test_a_named_consumer_that_comes_back_too_late_is_told(broker: Broker, press: Press) -> None:
    due = press.print(1)
    source = f"{broker.url}?name=desk"
    with Consumer(source) as consumer:
        eventually(lambda: consumer.has(due[-1]))
        due += press.print(50)
        eventually(lambda: consumer.has(due[-1]))
    due += (missed := press.print(5000))
    with Consumer(source) as again:
        eventually(lambda: again.has(due[-1]))
        eventually(lambda: again.gaps)
        assert again.check(missed) > 3000


def test_a_broker_that_came_back_empty_is_no_gap(desk: Desk) -> None:
    desk.sim.burst(100, ["KRW-BTC"])
    desk.settle()
    with Consumer(desk.server.url) as consumer:
        eventually(lambda: consumer.trades)
        desk.server.kill()
        eventually(lambda: consumer.stream.state is ConnectionState.RECONNECTING)
        desk.sim.burst(50, ["KRW-BTC"])
        desk.server.start()
        eventually(lambda: consumer.has(desk.sim.ledger("KRW-BTC")[-1]))
        assert ids(consumer.trades) == desk.sim.ledger("KRW-BTC")[99:]
        assert consumer.gaps == []


def test_one_that_came_back_empty_after_too_long_is(
    broker: Broker, press: Press, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doubts, "_SENT_AGAIN", 0.0)
    due = press.print(1)
    with Consumer(broker.url) as consumer:
        eventually(lambda: consumer.has(due[-1]))
        due += press.print(20)
        eventually(lambda: consumer.has(due[-1]))
        broker.kill()
        broker.start()
        press.reopen()
        after = press.print(20)[10:]
        eventually(lambda: consumer.has(after[-1]))
        eventually(lambda: consumer.gaps)
        (gap,) = consumer.gaps
        assert "without its memory" in gap.why
        assert gap.from_timestamp == due[-1] // IDS_PER_MS


def test_who_was_far_behind_when_the_broker_lost_its_memory_is_told(
    broker: Broker, press: Press, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doubts, "_SENT_AGAIN", 1.0)
    trades: list[Trade] = []

    def slowly(trade: Trade) -> None:
        trades.append(trade)
        time.sleep(0.005)

    with Consumer(broker.url, slowly, overflow="block", queue_size=10) as consumer:
        consumer.trades = trades
        due = press.print(1)
        eventually(lambda: consumer.has(due[-1]))
        due += press.print(900)
        # It is still reading, and what it reads is older than what would be sent again.
        eventually(lambda: len(trades) > 350)
        broker.kill()
        broker.start()
        press.reopen()
        due += press.print(20)
        eventually(lambda: consumer.has(due[-1]))
        assert consumer.check(due) > 0


@pytest.mark.parametrize("count", [5000, 50])
def test_a_memory_that_was_lost_and_holds_less_than_was_sent_again_is_told(
    broker: Broker, press: Press, count: int
) -> None:
    with Cable(broker.url) as cable, Consumer(cable.url) as consumer:
        due = press.print(1)
        eventually(lambda: consumer.has(due[-1]))
        due += press.print(20)
        eventually(lambda: consumer.has(due[-1]))
        cable.cut()
        eventually(lambda: consumer.stream.state is ConnectionState.RECONNECTING)
        broker.kill()
        broker.start()
        press.reopen()
        # As if it were sent again: behind what was read, and with or without room for all of it.
        due += press.print(count)
        cable.mend()
        eventually(lambda: consumer.has(due[-1]))
        due += press.print(1)
        eventually(lambda: consumer.has(due[-1]))  # what was suspected has been asked
        if count > _KEEPS:
            assert consumer.check(due) > 3000
            (gap,) = consumer.gaps
            assert "keeps less than what was sent again" in gap.why
            assert gap.from_timestamp == due[20] // IDS_PER_MS
        else:
            assert consumer.gaps == []
            assert ids(consumer.trades) == due


@needs_redis
@pytest.mark.parametrize("count", [5000, 50])
def test_a_redis_that_came_back_with_what_it_had_has_let_go_of_what_is_behind_alone(
    count: int,
) -> None:
    with (
        RedisServer("--appendonly", "yes", "--appendfsync", "always") as server,
        Press(server, keeps=_KEEPS) as press,
        Cable(server.url) as cable,
        Consumer(cable.url) as consumer,
    ):
        for _ in range(10):
            due = press.print(300)
            eventually(lambda: consumer.has(due[-1]))  # noqa: B023
        came = len(consumer.trades)
        cable.cut()
        eventually(lambda: consumer.stream.state is ConnectionState.RECONNECTING)
        server.kill()
        server.start_again()
        press.reopen()
        after = press.print(count)
        cable.mend()
        eventually(lambda: consumer.has(after[-1]))
        after += press.print(1)
        eventually(lambda: consumer.has(after[-1]))  # what was suspected has been asked
        if count > _KEEPS:
            assert consumer.check(after) > 3000
        else:
            assert consumer.gaps == []
            assert ids(consumer.trades)[came:] == after


def test_notices_that_the_broker_keeps_no_more_are_told(broker: Broker, press: Press) -> None:
    errors: list[UpbitStreamError] = []
    with Cable(broker.url) as cable, Consumer(cable.url) as consumer:
        consumer.stream.on_error(errors.append)
        eventually(lambda: consumer.stream.state is ConnectionState.CONNECTED)

        def tell(count: int) -> None:
            for n in range(count):
                press.tell("it was away", at=n)

        def heard() -> list[int]:
            return [gap.from_timestamp for gap in consumer.gaps]

        def cut() -> None:
            cable.cut()
            eventually(lambda: consumer.stream.state is ConnectionState.RECONNECTING)

        # None before it was cut off, some, and then too many.
        cut()
        tell(2)
        cable.mend()
        eventually(lambda: heard() == [0, 1])
        cut()
        tell(500)
        cable.mend()
        eventually(lambda: heard() == [0, 1, *range(500)])
        assert errors == []
        cut()
        tell(2500)
        cable.mend()
        eventually(lambda: heard()[-1] == 2499)
        assert 502 not in heard()
        eventually(lambda: errors)
        (error,) = errors
        assert isinstance(error, HealthWarning)
        assert error.kind == "notices"
