"""A simulator per test, and a client of it that knows nothing of the SDK under construction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from websockets.sync.client import connect

from tests.simulator.client import PATIENCE, Client, Connect, Start, make_token
from upbit_stream.simulator import Simulator, Timing


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def start(stack: ExitStack) -> Start:
    """Start a simulator in which nothing moves by itself and nothing waits."""

    def start(**options: Any) -> Simulator:
        options.setdefault("rate", 0)
        options.setdefault("timing", Timing.instant())
        return stack.enter_context(Simulator(**options))

    return start


@pytest.fixture
def sim(start: Start) -> Simulator:
    return start()


@pytest.fixture
def client(stack: ExitStack) -> Connect:
    """Connect to a simulator; headers by keyword argument."""

    def client(
        sim: Simulator,
        endpoint: str = "public",
        *,
        compression: str | None = None,
        authorization: str | None = None,
        **options: Any,
    ) -> Client:
        headers = dict(options.pop("headers", {}))
        if endpoint != "public" and authorization is None:
            authorization = f"Bearer {make_token()}"
        if authorization:
            headers["Authorization"] = authorization
        url = sim.url if endpoint == "public" else f"{sim.url}/{endpoint}"
        options.setdefault("open_timeout", PATIENCE)
        socket = stack.enter_context(
            connect(
                url,
                compression=compression,
                ping_interval=None,
                additional_headers=headers,
                close_timeout=1,
                max_queue=None,
                **options,
            )
        )
        return Client(socket)

    return client
