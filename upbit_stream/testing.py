"""A pytest plugin: a simulator for the session, a stream for each test, one connection for all.

It is found by pytest as soon as this package is installed (with the extra ``simulator``)::

    def test_my_bot(upbit_stream, upbit_simulator):
        trades = upbit_stream.trade("KRW-BTC")
        upbit_simulator.trade("KRW-BTC", price=100_000_000)
        assert trades.get(timeout=5).code == "KRW-BTC"

While it is loaded, ``StreamConfig.linger`` is 30 s unless a configuration says otherwise, so that
streams which tests make themselves share their connections, too. At the end of the session what
lingers is closed. ``-p no:upbit_stream.testing`` does without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from upbit_stream.config import StreamConfig, linger_by_default
from upbit_stream.connection.pool import default_pool
from upbit_stream.stream import UpbitStream

if TYPE_CHECKING:
    from upbit_stream.simulator import Simulator

__all__ = ["upbit_config", "upbit_simulator", "upbit_stream"]

_LINGER = 30.0


@pytest.fixture(scope="session")
def upbit_simulator() -> Iterator[Simulator]:
    """A local Upbit with the usual markets and 100 trades a second. Faults are its methods; what a
    test changes (``rate``, faults that last) is there for the next one, unless it is undone.
    """
    from upbit_stream.simulator import Simulator  # needs an extra that not everyone has

    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def upbit_config(upbit_simulator: Simulator) -> StreamConfig:
    """The configuration of a stream to that simulator; override it for other settings."""
    return StreamConfig(url=upbit_simulator.url, rest_url=upbit_simulator.rest_url)


@pytest.fixture
def upbit_stream(upbit_config: StreamConfig) -> Iterator[UpbitStream]:
    """A stream that has started. After the test it is closed; its connection lingers."""
    # Not its own `with`, which warns who leaves at once: a test may.
    with closing(UpbitStream(config=upbit_config)) as stream:
        stream.start()
        yield stream


def pytest_configure() -> None:
    linger_by_default(_LINGER)


def pytest_unconfigure() -> None:
    linger_by_default(None)
    default_pool().close_idle()
