"""Any order of subscribing, adding, removing and closing ends in the list that was meant."""

from __future__ import annotations

import random
import threading
from typing import Any

import pytest

from tests.conftest import eventually
from upbit_stream import StreamConfig, Subscription, UpbitStream
from upbit_stream.simulator import Simulator

OPERATIONS = 150


@pytest.mark.parametrize("seed", [1, 2])
def test_random_changes_under_load(seed: int) -> None:
    dice = random.Random(seed)
    tick = threading.Event()
    with (
        Simulator(rate=1000) as sim,
        UpbitStream(config=StreamConfig(url=sim.url)) as stream,
    ):
        # One that stays, so that the connection does.
        subscriptions: list[Subscription[Any]] = [stream.ticker("KRW-BTC")]
        for _ in range(OPERATIONS):
            change(stream, subscriptions, sim.codes, dice)
            tick.wait(dice.choice([0, 0, 0.01, 0.05]))
        wanted = {(one.type, code) for one in stream.subscriptions for code in one.codes}
        assert wanted == {(one.type, code) for one in subscriptions for code in one.codes}

        def served() -> set[tuple[str, str]]:
            return {(type_, code.partition(".")[0]) for _, type_, code in sim.subscriptions()}

        eventually(lambda: served() == wanted)
        eventually(lambda: all(set(one.codes) <= one.latest.keys() for one in subscriptions))
        assert sim.errors == []
        assert len(sim.handshakes) == 1
        assert stream.stats.dropped == 0


def change(
    stream: UpbitStream,
    subscriptions: list[Subscription[Any]],
    codes: tuple[str, ...],
    dice: random.Random,
) -> None:
    some = dice.sample(codes, dice.randint(1, 5))
    chosen = dice.randrange(len(subscriptions))
    match dice.choice(["subscribe", "subscribe", "add", "remove", "close"]):
        case "subscribe":
            make = dice.choice([stream.ticker, stream.trade, stream.orderbook, stream.candle])
            depth = {"depth": dice.choice([1, 5, 15, 30])} if make == stream.orderbook else {}
            callback = dice.choice([None, lambda event: None])
            subscriptions.append(make(some, callback, **depth))  # type: ignore[arg-type]
        case "add":
            subscriptions[chosen].add(some)
        case "remove" if len(subscriptions[chosen].codes) > 1:
            subscriptions[chosen].remove(subscriptions[chosen].codes[0])
        case "close" if chosen:
            subscriptions.pop(chosen).close()
