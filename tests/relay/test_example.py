"""The example with two strategies on two machines."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.examples.script import Script
from tests.relay.servers import RedisServer, needs_redis
from upbit_stream.simulator import Simulator

pytestmark = [needs_redis, pytest.mark.usefixtures("ctrl_c_is_not_ignored")]


def test_two_strategies_read_what_one_publishes(redis_server: RedisServer, tmp_path: Path) -> None:
    name, broker = "two_machines.py", redis_server.url
    with (
        Simulator(rate=300) as sim,
        Script(sim, name, broker, "publish", directory=tmp_path) as publisher,
        Script(sim, name, broker, "spread", directory=tmp_path) as spread,
        Script(sim, name, broker, "flow", directory=tmp_path) as flow,
    ):
        spread.out.wait_for(lambda text: re.search(r"KRW-(BTC|ETH) spread 0\.\d{4}%", text))
        flow.out.wait_for(lambda text: len(re.findall(r"KRW-BTC [+-]\d\.\d{8} bought", text)) > 20)
        for script in (spread, flow, publisher):
            script.interrupt()
            assert script.process.wait(20) == 0
            assert script.err.all() == ""
        assert re.search(r"\d+ events published", publisher.out.all())
        # Only the publisher has been at the exchange.
        assert len(sim.handshakes) == 1


def test_it_says_how_it_is_called(tmp_path: Path) -> None:
    with Simulator() as sim, Script(sim, "two_machines.py", directory=tmp_path) as script:
        assert script.process.wait(20) == 1
        assert "python examples/two_machines.py BROKER publish" in script.err.all()
