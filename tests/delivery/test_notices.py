"""Handlers that are stuck: what they cannot be told is logged, while no lock is held."""

from __future__ import annotations

import threading

import pytest

from tests.conftest import eventually
from tests.curious import asking
from upbit_stream import ConnectionState, StreamConfig, UpbitStream
from upbit_stream.delivery import notices
from upbit_stream.simulator import Simulator


def test_what_a_stuck_handler_is_not_told_is_logged_without_the_streams_lock(
    config: StreamConfig, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "_BACKLOG", 1)
    release = threading.Event()
    told: list[ConnectionState] = []

    def untold(asked: list[str]) -> list[str]:
        return [one for one in asked if one.startswith("an on_state handler does not return")]

    with UpbitStream(config=config) as stream, asking(stream) as asked:

        @stream.on_state
        def on_state(state: ConnectionState) -> None:
            release.wait(30)
            told.append(state)

        assert stream.trade("KRW-BTC").get(20).code == "KRW-BTC"
        sim.reset()
        # Of connecting, connected, reconnecting, connected the first two found their place.
        eventually(lambda: len(untold(asked)) == 2)
        release.set()
        stream.close()
        assert [one for one in asked if "no answer" in one] == []
