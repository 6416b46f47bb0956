"""Where the trades of several relays meet, on a lane that is empty."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest

from tests.conftest import eventually
from tests.relay.looking import BTC, ids
from tests.relay.servers import Broker
from upbit_stream import StreamConfig, Trade, UpbitStream
from upbit_stream.recovery.history import History
from upbit_stream.recovery.repairs import Repairs
from upbit_stream.recovery.rest import RestClient
from upbit_stream.relay.brokers import Sink, open_sink
from upbit_stream.relay.entries import EntryWriter
from upbit_stream.relay.joints import Joints
from upbit_stream.simulator import Simulator


class Publisher:
    """As much of a relay as there is to a lane's beginning, a step at a time."""

    def __init__(self, sink: Sink, repairs: Repairs) -> None:
        self.sink = sink
        self.joints = Joints(repairs, 10.0, 1000)
        self._asked: Any = ()
        self._newest: Any = {}
        sink.open()

    def take(self, trades: list[Trade]) -> None:
        self._send(self.joints.sift(trades, {}))

    def ask(self) -> None:
        self._asked = self.joints.asking
        self._newest = self.sink.newest(self._asked)

    def go_on(self) -> None:
        write = EntryWriter().write
        if firsts := self.joints.beginnings(self._asked, self._newest):
            begun = self.sink.begin([write(one) for one in firsts])
            self.joints.begun(one for one in firsts if BTC in begun)
            self._newest = self.sink.newest(self._asked)
        self._send(self.joints.answer(self._asked, self._newest))

    def collect(self) -> bool:
        self._send(self.joints.collect())
        return not self.joints.waiting

    def _send(self, trades: list[Trade]) -> None:
        self.sink.send([EntryWriter().write(one) for one in trades])


@pytest.fixture
def trades(sim: Simulator, config: StreamConfig) -> list[Trade]:
    """Ten that follow each other."""
    found: list[Trade] = []
    with UpbitStream(config=config) as stream:
        stream.trade("KRW-BTC", callback=found.append)
        eventually(lambda: found)
        sim.burst(10, ["KRW-BTC"])
        eventually(lambda: len(found) == 11)
    return found[1:]


@pytest.fixture
def publishers(sim: Simulator, broker: Broker) -> Iterator[list[Publisher]]:
    with ExitStack() as stack:
        found = []
        for name in ("one", "other"):
            rest = RestClient(sim.rest_url, None)
            repairs = Repairs(name, rest, History(rest, "float"), lambda: None)
            stack.callback(repairs.end)
            found.append(Publisher(stack.enter_context(closing(open_sink(broker.url))), repairs))
        yield found


@pytest.mark.parametrize("first", [0, 1])
def test_two_that_find_a_lane_empty_begin_it_once(
    broker: Broker, publishers: list[Publisher], trades: list[Trade], first: int
) -> None:
    # One has been there for longer than the other; each finds the lane empty.
    for publisher, its in zip(publishers, (trades, trades[5:]), strict=True):
        publisher.take(its)
        publisher.ask()
    beginner, other = publishers[first], publishers[1 - first]
    beginner.go_on()
    other.go_on()
    eventually(other.collect)
    there = ids(broker)
    assert there == [one.sequential_id for one in (trades, trades[5:])[first]]
    assert beginner.joints.waiting == 0


def test_what_is_begun_by_one_that_dies_has_no_hole(
    broker: Broker, publishers: list[Publisher], trades: list[Trade]
) -> None:
    dying, other = publishers
    for publisher, its in ((dying, trades[:2]), (other, trades[5:])):
        publisher.take(its)
        publisher.ask()
    dying.go_on()  # its last words
    other.go_on()
    eventually(other.collect)
    assert ids(broker) == [one.sequential_id for one in trades]
    assert [gap.recovered for gap in other.joints.gaps()] == [True]
