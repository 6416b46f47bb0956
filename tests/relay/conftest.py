"""What the tests of the relay share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.relay.servers import Broker, NatsServer, RedisServer, needs_nats, needs_redis
from upbit_stream import StreamConfig, UpbitStream


@pytest.fixture
def stream(config: StreamConfig) -> Iterator[UpbitStream]:
    """A stream from the simulator."""
    with UpbitStream(config=config) as stream:
        yield stream


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """A Redis of the test's own."""
    with RedisServer() as server:
        yield server


@pytest.fixture(
    params=[
        pytest.param(RedisServer, marks=needs_redis, id="redis"),
        pytest.param(NatsServer, marks=needs_nats, id="nats"),
    ]
)
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """A broker of each kind, of the test's own."""
    with request.param() as server:
        yield server
