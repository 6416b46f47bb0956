"""What cannot do as a callback or a handler is refused when it is given; everything else is not."""

from __future__ import annotations

import functools
import queue
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.conftest import eventually
from upbit_stream import StreamConfig, UpbitStream
from upbit_stream.simulator import Simulator

# Any: a type checker would refuse most of them, too.
Wrong = Callable[..., Any]


def nothing() -> None: ...


def two(trade: object, price: object) -> None: ...


def named(trade: object, *, price: object) -> None: ...


async def coroutine(trade: object) -> None: ...


async def generator(trade: object) -> AsyncIterator[object]:
    yield trade


class Bot:
    def none(self) -> None: ...

    def one(self, trade: object) -> None: ...

    async def later(self, trade: object) -> None: ...


class Later:
    async def __call__(self, trade: object) -> None: ...


class Order:
    def __init__(self, trade: object) -> None: ...


class Pair:
    def __init__(self, trade: object, price: object) -> None: ...


def wrapped(function: Wrong) -> Wrong:
    @functools.wraps(function)
    def wrapper(trade: object) -> object:
        return function(trade, 1)

    return wrapper


WRONG: list[tuple[Wrong, str]] = [
    (nothing, r"nothing\(\) .*cannot be called with one.*: write def nothing\(trade\): …"),
    (two, r"two\(trade.*price.*\).*write def two\(trade\): …"),
    (named, r"named\(.*write def named\(trade\): …"),
    (lambda: None, r"<lambda>\(\).*write lambda trade: …"),
    (Bot().none, r"Bot\.none\(\).*write def none\(self, trade\): …"),
    (functools.partial(nothing), r"write def f\(trade\): …"),
    (Pair, r"Pair\(.*write def f\(trade\): …"),
    (
        coroutine,
        r"coroutine is an async function.*lambda trade: asyncio\.run_coroutine_threadsafe\("
        r"coroutine\(trade\), loop\).*examples/with_asyncio\.py.*call_soon_threadsafe",
    ),
    (generator, "generator is an async function"),
    (Bot().later, r"Bot\.later is an async function"),
    (Later(), "is an async function"),
    (functools.partial(coroutine), "is an async function"),
]
RIGHT: list[Wrong] = [
    *(print, [].append, queue.SimpleQueue[Any]().put, queue.Queue[Any]().put_nowait, int, str),
    *({}.update, Bot().one, Order, lambda *all: None, lambda trade, price=1: None),
    *(functools.partial(two, 1), wrapped(two)),
]


@pytest.mark.parametrize(("callback", "message"), WRONG)
def test_what_cannot_do(callback: Wrong, message: str) -> None:
    stream = UpbitStream()
    with pytest.raises(TypeError, match=message):
        stream.trade("KRW-BTC", callback)
    assert stream.subscriptions == ()
    with pytest.raises(TypeError, match=message):
        stream.trade("KRW-BTC")(callback)


@pytest.mark.parametrize("callback", [row[0] for row in WRONG])
def test_what_cannot_do_as_a_handler(callback: Wrong) -> None:
    stream = UpbitStream()
    for on in (stream.on_state, stream.on_error, stream.on_drop, stream.on_gap, stream.on_health):
        with pytest.raises(TypeError, match=rf"an {on.__name__} handler"):
            on(callback)


@pytest.mark.parametrize("callback", [*RIGHT, functools.partial(two, price=1)])
def test_what_can(callback: Wrong) -> None:
    stream = UpbitStream()
    stream.trade("KRW-BTC", callback).close()
    stream.on_state(callback)
    stream.close()


def test_the_argument_is_named_after_the_event(config: StreamConfig) -> None:
    stream = UpbitStream(config=config, access_key="a", secret_key="s" * 64)
    with pytest.raises(TypeError, match=r"def nothing\(candle\)"):
        stream.candle("KRW-BTC", nothing, unit="5m")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"def nothing\(my_asset\)"):
        stream.my_asset(nothing)  # type: ignore[arg-type]


def test_health_says_that_callbacks_raise(config: StreamConfig, sim: Simulator) -> None:
    def fail(trade: object) -> None:
        raise ValueError

    with UpbitStream(config=config) as stream:
        stream.trade("KRW-BTC", fail)
        eventually(lambda: stream.stats.errors)
        eventually(lambda: "callback calls that raised: " in " ".join(stream.health().problems))
