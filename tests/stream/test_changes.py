"""Any order of subscribing, adding, removing and closing ends in the list that was meant.

``pytest -m soak tests/stream/test_changes.py`` runs it for a minute.
"""

from __future__ import annotations

import random
import threading
import time
from typing import Any

import pytest

from tests.conftest import ACCESS_KEY, SECRET_KEY, eventually
from upbit_stream import Rsi, StreamConfig, Subscription, UpbitStream
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


@pytest.mark.long
@pytest.mark.parametrize(
    ("operations", "seconds"), [(200, 6.0), pytest.param(1000, 60.0, marks=pytest.mark.soak)]
)
def test_the_exchange_believes_what_is_meant(operations: int, seconds: float) -> None:
    """On all three endpoints, spread over a while, with the exchange's limits in force."""
    dice = random.Random(operations)
    pause = threading.Event()
    with (
        Simulator(rate=1000) as sim,
        UpbitStream(
            access_key=ACCESS_KEY, secret_key=SECRET_KEY, config=StreamConfig(url=sim.url)
        ) as stream,
    ):
        subscriptions: list[Subscription[Any]] = [
            stream.ticker("KRW-BTC"),
            stream.my_order("KRW-BTC"),
            stream.indicator("KRW-BTC", Rsi(14), timeframe="5m"),
        ]
        fixed = len(subscriptions)
        started = time.monotonic()
        for number in range(operations):
            wait = started + number * seconds / operations - time.monotonic()
            if wait > 0:
                pause.wait(wait)
            match dice.randrange(8):
                case 0:
                    subscriptions.append(stream.my_order(dice.sample(sim.codes, 2)))
                case 1 if len(subscriptions) > fixed:
                    subscriptions.pop(dice.randrange(fixed, len(subscriptions))).close()
                case 2 | 3 if len(subscriptions) > 15:
                    subscriptions.pop(dice.randrange(fixed, len(subscriptions))).close()
                case _:
                    change_fixed(stream, subscriptions, fixed, sim.codes, dice)
        assert time.monotonic() - started < seconds * 2

        expected: dict[str, set[tuple[str, str]]] = {}
        for one in subscriptions:
            endpoint = {"myOrder": "private", "indicator": "info"}.get(one.type, "public")
            expected.setdefault(endpoint, set()).update((one.type, code) for code in one.codes)
        believed = {
            endpoint: {
                (row["type"], code.partition(".")[0]) for row in rows for code in row["codes"]
            }
            for endpoint, rows in stream.list_subscriptions(30).items()
        }
        assert believed == expected
        assert sim.errors == []
        assert len(sim.handshakes) == 3
        assert stream.stats.dropped == 0
        requests = dict.fromkeys((one.connection for one in sim.requests), 0)
        for request in sim.requests:
            requests[request.connection] += 1
        assert max(requests.values()) <= 100 * (1 + seconds // 60) + 5


def change_fixed(
    stream: UpbitStream,
    subscriptions: list[Subscription[Any]],
    fixed: int,
    codes: tuple[str, ...],
    dice: random.Random,
) -> None:
    """A change of some subscription; the first ones stay, so that their connections do."""
    some = dice.sample(codes, dice.randint(1, 5))
    chosen = dice.choice(subscriptions)
    match dice.choice(["subscribe", "add", "add", "remove"]):
        case "subscribe":
            make = dice.choice([stream.ticker, stream.trade, stream.orderbook, stream.candle])
            subscriptions.append(make(some, dice.choice([None, lambda event: None])))  # type: ignore[arg-type]
        case "add":
            chosen.add([code for code in some if code.startswith("KRW-")] or "KRW-BTC")
        case "remove" if len(chosen.codes) > 1:
            chosen.remove(chosen.codes[-1])
