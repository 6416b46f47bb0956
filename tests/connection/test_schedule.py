"""When requests and pings are due. No clock is looked at: time is what the test says."""

from __future__ import annotations

import math

from upbit_stream.connection.keepalive import KeepAlive
from upbit_stream.connection.schedule import RequestSchedule
from upbit_stream.limiter import RateLimiter
from upbit_stream.protocol.demands import MarketDemand, union
from upbit_stream.protocol.limits import RateLimit
from upbit_stream.protocol.requests import TypeRequest


def list_of(*codes: str) -> tuple[TypeRequest, ...]:
    return union([MarketDemand("trade", codes)])


def generous() -> RateLimiter:
    return RateLimiter([RateLimit(1000, 1.0)])


def test_a_change_is_asked_for_when_it_has_settled() -> None:
    schedule = RequestSchedule(generous())
    assert schedule.due_in(0.0) == math.inf
    schedule.want(list_of("A"), again=False, now=0.0)
    assert schedule.take(0.0) is None
    schedule.want(list_of("A", "B"), again=False, now=0.02)
    assert schedule.take(0.04) is None
    assert schedule.take(0.06) == list_of("A", "B")
    assert schedule.take(10.0) is None
    assert schedule.due_in(10.0) == math.inf


def test_changes_that_never_settle_are_asked_for_all_the_same() -> None:
    schedule = RequestSchedule(generous())
    asked_at = []
    for step in range(300):
        now = step * 0.01
        schedule.want(list_of(*map(str, range(step + 1))), again=False, now=now)
        if schedule.take(now) is not None:
            asked_at.append(now)
    assert [round(at, 2) for at in asked_at] == [1.0, 2.01]


def test_after_a_request_it_gathers_longer() -> None:
    schedule = RequestSchedule(generous())
    schedule.want(list_of("A"), again=False, now=0.0)
    assert schedule.take(0.03) is not None
    schedule.want(list_of("A", "B"), again=False, now=0.1)
    assert schedule.take(0.2) is None
    assert schedule.take(0.36) is not None


def test_the_same_list_is_asked_for_again_only_for_a_newcomer() -> None:
    schedule = RequestSchedule(generous())
    schedule.want(list_of("A"), again=False, now=0.0)
    assert schedule.take(1.0) is not None
    schedule.want(list_of("A"), again=False, now=2.0)
    assert schedule.take(3.0) is None
    schedule.want(list_of("A"), again=True, now=4.0)
    # A change in between that wants nothing again does not cancel it.
    schedule.want(list_of("A"), again=False, now=4.01)
    assert schedule.take(5.0) is not None


def test_a_change_that_was_taken_back_is_not_asked_for() -> None:
    schedule = RequestSchedule(generous())
    schedule.want(list_of("A"), again=False, now=0.0)
    assert schedule.take(1.0) is not None
    schedule.want(list_of("A", "B"), again=False, now=2.0)
    schedule.want(list_of("A"), again=False, now=2.01)
    assert schedule.take(3.0) is None


def test_an_empty_list_is_never_asked_for() -> None:
    schedule = RequestSchedule(generous())
    schedule.want((), again=False, now=0.0)
    assert schedule.take(1.0) is None


def test_the_limit_delays_a_request() -> None:
    schedule = RequestSchedule(RateLimiter([RateLimit(1, 60.0)]))
    schedule.want(list_of("A"), again=False, now=0.0)
    assert schedule.take(1.0) is not None
    schedule.want(list_of("B"), again=False, now=2.0)
    assert schedule.take(3.0) is None
    assert 59.0 < schedule.due_in(3.0) <= 60.1


def test_pings_and_pongs() -> None:
    keepalive = KeepAlive(interval=15, timeout=10, now=100.0)
    assert keepalive.due_in(100.0) == 0
    first = keepalive.ping(100.0)
    assert first is not None
    assert keepalive.ping(100.1) is None
    assert keepalive.due_in(101.0) == 9
    assert keepalive.pong(b"not ours", 100.1) is None
    assert keepalive.pong(first, 100.25) == 0.25
    assert keepalive.pong(first, 100.3) is None
    assert not keepalive.overdue(110.1)
    assert keepalive.due_in(110.0) == 5
    second = keepalive.ping(115.0)
    assert second is not None
    assert second != first
    assert not keepalive.overdue(124.9)
    assert keepalive.overdue(125.0)
    keepalive.excuse(125.0)
    assert not keepalive.overdue(125.0)
    assert keepalive.ping(125.0) is not None
