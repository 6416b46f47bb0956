"""What the tests of the relay share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.relay.servers import RedisServer


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """A Redis of the test's own."""
    with RedisServer() as server:
        yield server
