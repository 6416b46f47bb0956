"""What a broker holds, as tests look at it."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import Any

# In front, because two threads that import at one moment make pytest's rewriting fail.
import upbit_stream.relay.nats_source
import upbit_stream.relay.redis_source  # noqa: F401
from tests.relay.servers import Broker
from upbit_stream import Gap
from upbit_stream.relay.brokers import open_source
from upbit_stream.relay.entries import EntryReader
from upbit_stream.relay.lanes import Lane
from upbit_stream.relay.notices import Notice
from upbit_stream.simulator import Simulator

__all__ = ["BTC", "Listener", "ids", "is_whole", "published"]

BTC = Lane("trade", "KRW-BTC")


def published(server: Broker, lane: Lane = BTC) -> list[Any]:
    """The events of a lane."""
    reader = EntryReader("float")
    with closing(open_source(server.url)) as source:
        source.open()
        positions = {lane: source.beginning(0)}
        events: list[Any] = []
        while source.newest([lane]) and (records := source.read(positions, 0.2)):
            positions[lane] = records[-1].position
            events += [reader.read(lane, one) for some in records for one in some.payloads]
    return events


def ids(server: Broker, code: str = "KRW-BTC") -> list[int]:
    """The trades of a code."""
    return [event.sequential_id for event in published(server, Lane("trade", code))]


def is_whole(sim: Simulator, server: Broker, code: str = "KRW-BTC") -> bool:
    """Whether all trades of a code are there, each once and in order, behind the one that was the
    last before the first relay began.
    """
    return ids(server, code)[1:] == sim.ledger(code)


class Listener:
    """Hears the notices on a broker's side channel; a context manager."""

    def __init__(self, server: Broker) -> None:
        self._source = open_source(server.url)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._listen)
        self.notices: list[Notice] = []

    def __enter__(self) -> Listener:
        self._source.open()
        self._source.notices()  # it begins here
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._ending.set()
        self._thread.join(20)
        self._source.close()

    def _listen(self) -> None:
        while not self._ending.wait(0.02):
            for text in self._source.notices().notices:
                notice = Notice.decode(text)
                assert notice is not None
                self.notices.append(notice)

    def gaps(self, type_: str) -> list[Gap]:
        """The gaps of that type which consumers were told."""
        told = [notice.gap for notice in self.notices.copy()]
        return [gap for gap in told if gap is not None and gap.type == type_]

    def codes(self, type_: str) -> set[str]:
        """Their codes."""
        return {code for gap in self.gaps(type_) for code in gap.codes}
