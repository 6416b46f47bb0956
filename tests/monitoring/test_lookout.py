"""How the watchdog tells a code that went silent from one that nobody could hear."""

from __future__ import annotations

import time

from upbit_stream import HealthWarning, OverflowPolicy, Trade
from upbit_stream.delivery.channel import Channel
from upbit_stream.delivery.notices import NoticeBoard
from upbit_stream.monitoring.lookout import Lookout
from upbit_stream.protocol.demands import MarketDemand

BUSY, OTHER = "KRW-BTC", "KRW-ETH"


class Market:
    """A channel with two codes, and a lookout at it whose clock is a number."""

    def __init__(self) -> None:
        self.told: list[HealthWarning] = []
        self._lookout = Lookout(30.0, self.told.append)
        self._channel: Channel[Trade] = Channel(
            MarketDemand("trade", (BUSY, OTHER)),
            queue_size=10,
            overflow=OverflowPolicy.LATEST,
            notices=NoticeBoard(),
        )
        self._channel.iterate()
        self.now = time.monotonic()
        self._wall = time.time_ns()

    def pass_(self, seconds: float, *codes: str, looks: bool = True) -> None:
        """Let time pass, in which something comes of ``codes`` each second."""
        for _ in range(int(seconds)):
            self.now += 1
            self._wall += 1_000_000_000
            events = [
                Trade(type="trade", code=code, timestamp=1, received_at=self._wall)
                for code in codes
            ]
            self._channel.put(events, lambda: None)
            if looks:
                self._lookout.look([self._channel], self.now)


def test_one_that_went_silent_is_told_once() -> None:
    market = Market()
    market.pass_(300, BUSY, OTHER)
    assert market.told == []
    market.pass_(1000, OTHER)
    (warning,) = market.told
    assert f"trade {BUSY} for longer" in str(warning)
    # When it has spoken, it may be told again; later, for such a silence is known now.
    market.pass_(100, BUSY, OTHER)
    market.pass_(1000, OTHER)
    assert len(market.told) == 1
    market.pass_(3000, OTHER)
    assert len(market.told) == 2


def test_when_all_are_silent_it_is_not_the_codes() -> None:
    market = Market()
    market.pass_(300, BUSY, OTHER)
    market.pass_(1000)
    assert market.told == []


def test_time_in_which_nobody_listened_is_no_silence() -> None:
    """The process was stopped: of one code something came right after, of the other not yet."""
    market = Market()
    market.pass_(301, BUSY, OTHER)  # the last event is seen: codes are looked at every 5 s
    market.pass_(600, looks=False)
    market.pass_(60, OTHER)
    assert market.told == []
