"""The limits are kept, measured at the moments of the permissions."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from upbit_stream.limiter import RateLimiter, connect_limiter
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
