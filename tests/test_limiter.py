"""The limits are kept, measured at the moments of the permissions."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from upbit_stream.limiter import CallLimiter, RateLimiter, connect_limiter
from upbit_stream.protocol.limits import RateLimit


def take_all(limiter: RateLimiter, count: int) -> list[float]:
    """The moments of ``count`` permissions, asked for by four threads that wait as told."""
    moments = []
    pause = threading.Event()

    def take() -> float:
        while (wait := limiter.take()) > 0:
            pause.wait(wait)
        return time.monotonic()

    with ThreadPoolExecutor(4) as pool:
        moments = [one.result() for one in [pool.submit(take) for _ in range(count)]]
    return sorted(moments)


def test_no_span_holds_more_than_the_limit() -> None:
    moments = take_all(RateLimiter([RateLimit(5, 0.2), RateLimit(8, 0.6)]), 20)
    for first, sixth in zip(moments, moments[5:], strict=False):
        assert sixth - first >= 0.2
    for first, ninth in zip(moments, moments[8:], strict=False):
        assert ninth - first >= 0.6


def test_one_limiter_for_each_host_of_the_process() -> None:
    public = connect_limiter("wss://api.upbit.com/websocket/v1")
    assert connect_limiter("wss://api.upbit.com/websocket/v1/private") is public
    assert connect_limiter("wss://sg-api.upbit.com/websocket/v1") is not public


def test_calls_count_until_one_span_after_their_answers() -> None:
    """However long they are under way: what is sent evenly may arrive in a bunch."""
    limiter = CallLimiter([RateLimit(3, 0.2)])
    assert [limiter.take() for _ in range(3)] == [0.0, 0.0, 0.0]
    threading.Event().wait(0.3)  # longer than the span, and none of them was answered
    assert limiter.take() > 0
    answered = time.monotonic()
    limiter.answered()
    while (wait := limiter.take()) > 0:
        threading.Event().wait(wait)
    assert time.monotonic() - answered >= 0.2


def test_calls_that_take_long_keep_the_limit_at_the_other_side() -> None:
    """Each is counted there at some moment before its answer: at the worst one, too."""
    limiter, counted = CallLimiter([RateLimit(5, 0.2)]), list[float]()

    def call(number: int) -> None:
        while (wait := limiter.take()) > 0:
            threading.Event().wait(wait)
        threading.Event().wait(0.15 if number % 3 == 0 else 0.0)
        counted.append(time.monotonic())
        limiter.answered()

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(call, range(20)))
    counted.sort()
    for first, sixth in zip(counted, counted[5:], strict=False):
        assert sixth - first >= 0.2


def test_a_fork_leaves_no_call_open_in_the_child() -> None:
    limiter = CallLimiter([RateLimit(1, 0.05)])
    limiter.take()
    limiter.disown()
    while (wait := limiter.take()) > 0:
        threading.Event().wait(wait)
