"""Is a silent connection mute, or is its market quiet?"""

from __future__ import annotations

import random

import pytest

from upbit_stream.connection.clocks import Clocks
from upbit_stream.connection.router import Router
from upbit_stream.connection.staleness import Doubt, Staleness, Witness, slowed_down
from upbit_stream.recovery.recovery import Recovery, RecoverySettings


def no_recovery() -> Recovery:
    settings = RecoverySettings(
        backfill=False, deadline=1.0, at_most=1, numbers="float", rest_url="http://127.0.0.1:9/v1"
    )
    return Recovery("nothing", settings, tell=lambda gap: None, when_done=lambda: None)


def witness(*, realtime: bool = False, snapshots: bool = False, missed: bool = False) -> Witness:
    one = Witness(Router(lambda: None, no_recovery()), ())
    one.realtime, one.snapshots, one.missed = realtime, snapshots, missed
    return one


def seconds_until_doubt(staleness: Staleness, busy: list[bool]) -> int | None:
    for now, was_busy in enumerate(busy):
        if staleness.look(was_busy, float(now), None) is Doubt.ASK:
            return now
    return None


def test_a_busy_connection_is_doubted_after_the_stated_silence() -> None:
    assert seconds_until_doubt(Staleness(30.0), [True] * 100 + [False] * 100) == 99 + 31


def test_one_that_never_was_busy_is_not() -> None:
    assert seconds_until_doubt(Staleness(30.0), [True] * 3 + [False] * 10_000) is None


@pytest.mark.parametrize("mean", [5, 20, 60, 300])
def test_a_quiet_market_is_not_doubted(mean: int) -> None:
    """A day of a market in which something happens every ``mean`` seconds, by chance."""
    for seed in range(5):
        chance = random.Random(seed)
        day = [chance.random() < 1 / mean for _ in range(86_400)]
        assert seconds_until_doubt(Staleness(30.0), day) is None


def test_what_the_question_brings_to_light() -> None:
    def doubted() -> Staleness:
        staleness = Staleness(10.0)
        assert seconds_until_doubt(staleness, [True] * 50 + [False] * 11) == 60
        return staleness

    assert doubted().look(True, 61.0, witness(realtime=True)) is Doubt.DISMISS
    assert doubted().look(True, 61.0, witness(snapshots=True)) is None
    assert doubted().look(True, 63.0, witness(snapshots=True)) is Doubt.DISMISS
    assert doubted().look(True, 63.0, witness(snapshots=True, missed=True)) is Doubt.REPLACE
    assert doubted().look(False, 62.0, witness()) is None
    assert doubted().look(False, 63.0, witness()) is Doubt.REPLACE


def test_after_an_unfounded_doubt_it_takes_longer() -> None:
    staleness = Staleness(10.0)
    assert seconds_until_doubt(staleness, [True] * 50 + [False] * 11) == 60
    assert staleness.look(False, 63.0, witness(snapshots=True)) is Doubt.DISMISS
    looks = [staleness.look(False, 64.0 + second, None) for second in range(100)]
    assert looks.index(Doubt.ASK) > 3 * 13


def test_slow_pings() -> None:
    assert not slowed_down([])
    assert not slowed_down([2000.0] * 10)
    assert not slowed_down([10.0] * 10 + [1500.0] * 2)
    assert slowed_down([10.0] * 10 + [1500.0] * 3)
    assert not slowed_down([10.0] * 10 + [900.0] * 3)


def test_time_that_passed_unnoticed(monkeypatch: pytest.MonkeyPatch) -> None:
    wall = [1_000_000.0]
    monotonic = [500.0]
    monkeypatch.setattr("upbit_stream.connection.clocks.time.time", lambda: wall[0])
    monkeypatch.setattr("upbit_stream.connection.clocks.time.monotonic", lambda: monotonic[0])
    clocks = Clocks()
    wall[0] += 1
    monotonic[0] += 1
    assert clocks.jump(501.0, due=501.0) is None
    wall[0] += 3601  # suspended: the monotonic clock stood still
    monotonic[0] += 1
    assert clocks.jump(502.0, due=502.0) == pytest.approx(3600)
    wall[0] -= 59  # set back by a minute
    monotonic[0] += 1
    assert clocks.jump(503.0, due=503.0) == pytest.approx(-60)
    wall[0] += 30  # stopped: both went on
    monotonic[0] += 30
    assert clocks.jump(533.0, due=504.0) == pytest.approx(29)
    assert clocks.jump(534.0, due=534.0) is None
