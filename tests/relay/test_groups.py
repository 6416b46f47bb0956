"""Consumers of one name share the work, and note what was delivered of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timezone

import pytest

from tests.conftest import GatedCallback, eventually
from tests.relay.desk import Desk, Press, ids
from tests.relay.servers import Broker, RedisServer, needs_redis
from upbit_stream import ConnectionPool, ConnectionState, ReconnectPolicy, StreamConfig, Trade
from upbit_stream import UpbitStream as Stream
from upbit_stream.relay import RelaySource

CODES = ("KRW-BTC", "KRW-ETH")
CONFIG = StreamConfig(reconnect=ReconnectPolicy(cap=0.2, min_interval=0))


@pytest.fixture
def press(broker: Broker) -> Iterator[Press]:
    with Press(broker) as press:
        yield press


@pytest.fixture
def redis_press(redis_server: RedisServer) -> Iterator[Press]:
    with Press(redis_server) as press:
        yield press


class Member:
    """A stream of one name, with what it got."""

    def __init__(self, source: str, pool: ConnectionPool | None = None) -> None:
        self.trades: list[Trade] = []
        self.stream = Stream(
            source=source, config=CONFIG, pool=ConnectionPool() if pool is None else pool
        )
        self.stream.trade(CODES, callback=self.trades.append)

    @property
    def codes(self) -> set[str]:
        """The codes of which it got anything."""
        return {trade.code for trade in self.trades.copy()}


def share(press: Press, members: tuple[Member, ...]) -> None:
    """Wait until each member has one of the two codes for itself."""

    def is_shared() -> bool:
        for member in members:
            member.trades.clear()
        made = press.print(1, CODES)
        eventually(lambda: sum(made[-1] in ids(one.trades.copy()) for one in members) >= 1)
        threading.Event().wait(0.1)
        return [len(member.codes) for member in members] == [1, 1]

    eventually(is_shared)
    for member in members:
        member.trades.clear()


@pytest.mark.parametrize("together", [True, False])
def test_two_streams_of_a_name_share_the_work_in_one_process_too(
    broker: Broker, press: Press, together: bool
) -> None:
    pool = ConnectionPool() if together else None
    source = f"{broker.url}?name=desk"
    press.print(1, CODES)
    one, two = Member(source, pool), Member(source, pool)
    with one.stream, two.stream:
        share(press, (one, two))
        made = press.print(100, CODES)
        eventually(lambda: len(one.trades) + len(two.trades) >= 200)
    assert ids(one.trades) == ids(two.trades) == made
    assert one.codes.isdisjoint(two.codes)


def test_a_broker_that_came_back_empty_leaves_each_member_its_own(desk: Desk) -> None:
    source = f"{desk.server.url}?name=desk"
    one, two = Member(source), Member(source)
    members = (one, two)
    with ExitStack() as streams:
        for member in members:
            streams.enter_context(member.stream)

        def is_shared() -> bool:
            for member in members:
                member.trades.clear()
            desk.sim.burst(2, CODES)
            desk.settle()
            eventually(lambda: one.trades or two.trades)
            threading.Event().wait(0.2)
            return [len(member.codes) for member in members] == [1, 1]

        eventually(is_shared)
        before = {code: len(desk.sim.ledger(code)) for code in CODES}
        for member in members:
            member.trades.clear()
        desk.sim.burst(200, CODES)
        eventually(lambda: len(one.trades) + len(two.trades) >= 200)
        threading.Event().wait(0.5)  # until that is noted
        desk.server.kill()
        for member in members:
            eventually(lambda: member.stream.state is ConnectionState.RECONNECTING)  # noqa: B023
        desk.sim.burst(100, CODES)
        desk.server.start()
        eventually(lambda: len(one.trades) + len(two.trades) >= 300)
        threading.Event().wait(0.5)
        desk.sim.burst(100, CODES)
        eventually(lambda: len(one.trades) + len(two.trades) >= 400)
        desk.settle()
        threading.Event().wait(0.5)
    assert one.codes.isdisjoint(two.codes)
    for member in members:
        (code,) = member.codes
        assert ids(member.trades) == desk.sim.ledger(code)[before[code] :]


def noted(server: RedisServer, code: str = "KRW-BTC") -> bool:
    """Whether all trades of a code are noted as delivered."""
    with server.client() as client:
        newest = client.xrevrange(f"upbit:trade:{code}", count=1)[0][0]
        return bool(client.hget("upbit:group:desk:positions", f"trade {code}") == newest)


@needs_redis
def test_a_subscription_that_nobody_reads_holds_up_no_noting(
    redis_server: RedisServer, redis_press: Press
) -> None:
    redis_press.print(1)
    trades: list[Trade] = []
    with Stream(source=f"{redis_server.url}?name=desk", config=CONFIG) as stream:
        unread = stream.trade("KRW-BTC")
        stream.trade("KRW-BTC", callback=trades.append)
        eventually(lambda: trades)
        for _ in range(2):
            made = redis_press.print(10)
            eventually(lambda: made[-1] in ids(trades))  # noqa: B023
            eventually(lambda: noted(redis_server))
        assert unread.latest["KRW-BTC"].sequential_id == made[-1]


@needs_redis
def test_one_that_is_closed_before_all_was_delivered_holds_up_none(
    redis_server: RedisServer, redis_press: Press
) -> None:
    redis_press.print(1)
    trades: list[Trade] = []
    with Stream(source=f"{redis_server.url}?name=desk", config=CONFIG) as stream:
        stream.trade("KRW-BTC", callback=trades.append)
        other = stream.trade("KRW-BTC")
        other.get(10)
        redis_press.print(10)
        eventually(lambda: other.stats.queued >= 10)
        threading.Event().wait(0.5)  # until it is waited for
        assert not noted(redis_server)
        other.close()
        made = redis_press.print(10)
        eventually(lambda: made[-1] in ids(trades))
        eventually(lambda: noted(redis_server))


@needs_redis
def test_one_that_is_closed_while_another_is_busy_holds_up_none(
    redis_server: RedisServer, redis_press: Press
) -> None:
    redis_press.print(1)
    gated = GatedCallback()
    with Stream(source=f"{redis_server.url}?name=desk", config=CONFIG) as stream:
        busy = stream.trade("KRW-BTC", callback=gated)
        other = stream.trade("KRW-BTC")
        other.get(10)
        gated.release.set()
        eventually(lambda: noted(redis_server))
        gated.release.clear()
        redis_press.print(10)
        eventually(lambda: other.stats.queued >= 10 and busy.stats.queued >= 9)
        threading.Event().wait(0.5)  # until both are waited for
        other.close()
        threading.Event().wait(0.5)  # until it is waited for no more
        gated.release.set()
        eventually(lambda: noted(redis_server))


@needs_redis
def test_one_that_is_stuck_holds_up_its_own_codes_alone(
    redis_server: RedisServer, redis_press: Press
) -> None:
    redis_press.print(1, CODES)
    gated = GatedCallback()
    with Stream(source=f"{redis_server.url}?name=desk", config=CONFIG) as stream:
        stuck = stream.trade("KRW-ETH", callback=gated)
        eventually(lambda: stuck.stats.received)
        trades: list[Trade] = []
        stream.trade("KRW-BTC", callback=trades.append)
        made = redis_press.print(10, CODES)
        eventually(lambda: made[-1] in ids(trades))
        eventually(lambda: noted(redis_server))
        assert not noted(redis_server, "KRW-ETH")
        gated.release.set()
        eventually(lambda: noted(redis_server, "KRW-ETH"))


def test_what_an_iteration_left_is_there_the_next_time(broker: Broker, press: Press) -> None:
    press.print(1)
    source = f"{broker.url}?name=desk"
    with Stream(source=source, config=CONFIG) as stream:
        trades = stream.trade("KRW-BTC")
        trades.get(10)
        made = press.print(10)
        assert [trades.get(10).sequential_id for _ in range(3)] == made[:3]
        eventually(lambda: trades.stats.queued == 7)
    with Stream(source=source, config=CONFIG) as stream:
        again: list[Trade] = []
        stream.trade("KRW-BTC", callback=again.append)
        eventually(lambda: ids(again)[-1:] == made[-1:])
    assert set(ids(again)) >= set(made[3:])


def test_every_subscription_begins_at_the_time(broker: Broker, press: Press) -> None:
    since = datetime.now(timezone.utc)
    made = press.print(20)
    place = RelaySource(url=broker.url, since=since)
    pool = ConnectionPool()
    one: list[Trade] = []
    two: list[Trade] = []
    three: list[Trade] = []
    with (
        Stream(source=place, config=CONFIG, pool=pool) as stream,
        Stream(source=place, config=CONFIG, pool=pool) as other,
    ):
        stream.trade("KRW-BTC", callback=one.append)
        eventually(lambda: len(one) == 20)
        stream.trade("KRW-BTC", callback=two.append)
        other.trade("KRW-BTC", callback=three.append)
        eventually(lambda: len(two) == len(three) == 20)
        made += press.print(1)
        eventually(lambda: len(one) == len(two) == len(three) == 21)
    assert ids(one) == ids(two) == ids(three) == made
