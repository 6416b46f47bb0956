"""What the tests of the relay share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.relay.desk import Desk
from tests.relay.servers import Broker, NatsServer, RedisServer, needs_nats, needs_redis
from upbit_stream import StreamConfig, UpbitStream
from upbit_stream.simulator import Simulator


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


@pytest.fixture
def desk(sim: Simulator, config: StreamConfig, broker: Broker) -> Iterator[Desk]:
    """A market that is published to a broker of each kind."""
    desk = Desk(sim, config, broker)
    yield desk
    desk.close()


@pytest.fixture
def redis_desk(sim: Simulator, config: StreamConfig, redis_server: RedisServer) -> Iterator[Desk]:
    """A market that is published to a Redis."""
    desk = Desk(sim, config, redis_server)
    yield desk
    desk.close()
