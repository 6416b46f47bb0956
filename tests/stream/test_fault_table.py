"""The reconnect table: each way of losing a connection, or of not getting one, for real.

A row says what is done to the connection and what becomes of the stream: the states that are told,
the number of attempts, the delays between them, who is told of an error, and whether trades flow
again or the callers learn why not.
"""

from __future__ import annotations

import dataclasses
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import NamedTuple

import pytest

from tests.conftest import eventually
from tests.gate import Gate, Spoiler, answer, cut, reset
from upbit_stream import (
    AuthenticationError,
    ConnectionFailedError,
    ConnectionState,
    ErrorStrategy,
    ReconnectPolicy,
    StreamConfig,
    SubscriptionError,
    Trade,
    UpbitStream,
    UpbitStreamError,
)
from upbit_stream.simulator import Simulator

AT_ONCE = ErrorStrategy.RETRY_IMMEDIATELY
BACKOFF = ErrorStrategy.RETRY_WITH_BACKOFF
NEVER = ErrorStrategy.NO_RETRY

# Seconds that a loaded machine may add to any delay.
SLACK = 2.0

LOST = ["connecting", "connected", "reconnecting", "connected"]


class Loss(NamedTuple):
    """A stream that flows loses its socket."""

    do: Callable[[Simulator], object]
    strategy: ErrorStrategy
    #: What the callers get where there is no way back.
    error: type[UpbitStreamError] | None = None
    #: Seconds that pass before it is noticed.
    after: float = 0.0


def error_frame(name: str) -> Callable[[Simulator], object]:
    return lambda sim: sim.send_raw(f'{{"error":{{"name":"{name}","message":"why"}}}}')


def close(code: int) -> Callable[[Simulator], object]:
    return lambda sim: sim.close(code)


def garbage(kind: str) -> Callable[[Simulator], object]:
    return lambda sim: sim.send_garbage(kind)


LOSSES: dict[str, Loss] = {
    **{f"close {code}": Loss(close(code), AT_ONCE) for code in (1000, 1001, 1012)},
    **{
        f"close {code}": Loss(close(code), BACKOFF)
        for code in (1002, 1003, 1007, 1008, 1009, 1010, 1011, 1013, 1014, 3000, 4000)
    },
    "reset": Loss(lambda sim: sim.reset(), AT_ONCE),
    "end without a close frame (1006)": Loss(lambda sim: sim.eof(), AT_ONCE),
    "restart": Loss(lambda sim: sim.restart(), AT_ONCE),
    "half-open": Loss(lambda sim: sim.stall(), AT_ONCE, after=0.3 + 0.4),
    **{
        f"protocol violation: {kind}": Loss(garbage(kind), BACKOFF)
        for kind in (
            "rsv",
            "masked",
            "opcode",
            "utf8",
            "length",
            "negative_length",
            "fragmented_control",
            "long_control",
            "continuation",
            "interleaved",
            "close_code",
            "close_short",
            "bytes",
        )
    },
    "error TOO_MANY_REQUEST": Loss(error_frame("TOO_MANY_REQUEST"), BACKOFF),
    "error INVALID_AUTH": Loss(error_frame("INVALID_AUTH"), NEVER, AuthenticationError),
    **{
        f"error {name}": Loss(error_frame(name), NEVER, SubscriptionError)
        for name in ("WRONG_FORMAT", "NO_TICKET", "NO_TYPE", "NO_CODES", "INVALID_PARAM")
    },
}


class Told:
    """What a stream tells."""

    def __init__(self, stream: UpbitStream) -> None:
        self.states: list[ConnectionState] = []
        self.errors: list[UpbitStreamError] = []
        stream.on_state(self.states.append)
        stream.on_error(self.errors.append)

    def is_over(self, states: Sequence[str]) -> bool:
        return [state.value for state in self.states] == list(states)


@pytest.mark.parametrize("name", LOSSES)
def test_a_stream_that_flows_loses_its_socket(
    sim: Simulator, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    loss = LOSSES[name]
    config = StreamConfig(url=sim.url, ping_interval=0.3, ping_timeout=0.4)
    with UpbitStream(config=config) as stream:
        told = Told(stream)
        trades = stream.trade("KRW-BTC")
        assert trades.get(timeout=20)
        eventually(lambda: told.is_over(LOST[:2]))
        began = time.monotonic()
        loss.do(sim)
        if loss.error is not None:
            with pytest.raises(loss.error):
                trades.get(timeout=20)
            eventually(lambda: told.is_over([*LOST[:2], "error"]))
            eventually(lambda: [type(error) for error in told.errors] == [loss.error])
            with pytest.raises(loss.error):
                stream.run(1)
            assert len(sim.handshakes) == 1
            return
        eventually(lambda: told.is_over(LOST))
        assert len(sim.handshakes) == 2
        delay = sim.handshakes[1].at - began - loss.after
        if loss.strategy is BACKOFF:
            assert delay >= 0.09
        assert delay <= 0.11 + SLACK
        # What a loaded machine cannot blur: the delay that was meant.
        meant = "at once" if loss.strategy is AT_ONCE else "in 0.1 s"
        assert [line.split("; ")[-1] for line in caplog.messages] == [f"connecting again {meant}"]
        eventually(lambda: len(sim.requests) == 2)
        newest = sim.trade("KRW-BTC")
        flow_until(trades.get, newest)
        assert told.errors == []
        assert len(stream.health().recent_reconnects) == 1


def flow_until(get: Callable[[float], Trade], newest: int) -> None:
    while get(20).sequential_id != newest:
        pass


class Hitch(NamedTuple):
    """The first attempts come to nothing."""

    #: Done to the first attempts, at a gate in front of the simulator.
    spoilers: Sequence[Spoiler]
    #: What the callers get where there is to be no further attempt.
    error: type[UpbitStreamError] | None = None
    tls: bool = False
    #: Seconds, at least, before the second and the third attempt.
    delays: tuple[float, float] = (0.09, 0.18)


def hang(client: socket.socket) -> None:
    """Say nothing until the client gives up."""
    while client.recv(65536):
        pass


HITCHES: dict[str, Hitch] = {
    "reset before the upgrade": Hitch([reset, reset]),
    "the end in the middle of the upgrade": Hitch([cut, cut]),
    "an upgrade that hangs": Hitch([hang, hang], delays=(0.5 + 0.09, 0.5 + 0.18)),
    "a TLS handshake that hangs": Hitch([hang, hang], tls=True, delays=(0.5 + 0.09, 0.5 + 0.18)),
    "TLS cut off": Hitch([cut, cut], tls=True),
    "TLS reset": Hitch([reset, reset], tls=True),
    "TLS answered in plain text": Hitch([answer(400), answer(400)], tls=True),
    **{f"HTTP {status}": Hitch([answer(status)] * 2) for status in (429, 500, 502, 503, 504)},
    **{
        f"HTTP {status} that states a time": Hitch(
            [answer(status, Retry_After="1")] * 2, delays=(1.0, 1.0)
        )
        for status in (418, 429)
    },
    **{f"HTTP {status}": Hitch([answer(status)], AuthenticationError) for status in (401, 403)},
    **{
        f"HTTP {status}": Hitch([answer(status, Location="/elsewhere")], ConnectionFailedError)
        for status in (301, 302, 303, 307, 308, 400, 404)
    },
}


@pytest.fixture
def secure(server_context: ssl.SSLContext) -> Iterator[Simulator]:
    with Simulator(rate=0, ssl_context=server_context) as simulator:
        yield simulator


@pytest.mark.parametrize(
    "name",
    # Of one that hangs, the client's clock runs before the gate's does: a loaded machine would
    # make the time between look shorter.
    [pytest.param(name, marks=[pytest.mark.alone] * ("hangs" in name)) for name in HITCHES],
)
def test_the_first_attempts_come_to_nothing(
    sim: Simulator, secure: Simulator, client_context: ssl.SSLContext, name: str
) -> None:
    hitch = HITCHES[name]
    behind = secure if hitch.tls else sim
    with ExitStack() as stack:
        gate = stack.enter_context(Gate(behind.url, hitch.spoilers))
        config = StreamConfig(url=gate.url, connect_timeout=0.5, ssl_context=client_context)
        if hitch.error is None:  # the good one may take its time
            config = dataclasses.replace(config, connect_timeout=0.5 if "hangs" in name else 10.0)
        stream = stack.enter_context(UpbitStream(config=config))
        told = Told(stream)
        trades = stream.trade("KRW-BTC")
        if hitch.error is not None:
            with pytest.raises(hitch.error):
                trades.get(timeout=20)
            eventually(lambda: told.is_over(["connecting", "error"]))
            eventually(lambda: [type(error) for error in told.errors] == [hitch.error])
            assert len(gate.times) == 1
            return
        assert trades.get(timeout=20)
        first, second, third, *more = gate.times
        assert not more
        at_least, then_at_least = hitch.delays
        assert at_least <= second - first <= at_least * 1.3 + SLACK
        assert then_at_least <= third - second <= then_at_least * 1.3 + SLACK
        eventually(lambda: told.is_over(["connecting", "connected"]))
        assert told.errors == []
        assert stream.stats.reconnects == 0


DEAD_ENDS = {
    "DNS": ("ws://nothing.invalid:1/websocket/v1", "could not be resolved"),
    "refused": ("ws://127.0.0.1:9/websocket/v1", "refused"),
}


@pytest.mark.parametrize("name", DEAD_ENDS)
def test_nobody_is_there(name: str, caplog: pytest.LogCaptureFixture) -> None:
    url, cause = DEAD_ENDS[name]
    config = StreamConfig(url=url, reconnect=ReconnectPolicy(max_attempts=4))
    with UpbitStream(config=config) as stream:
        told = Told(stream)
        began = time.monotonic()
        with pytest.raises(ConnectionFailedError, match=f"gave up after 4 attempts.*{cause}"):
            stream.trade("KRW-BTC").get(timeout=60)
        assert time.monotonic() - began >= 0.09 + 0.18 + 0.36
        eventually(lambda: told.is_over(["connecting", "error"]))
        eventually(lambda: [type(error) for error in told.errors] == [ConnectionFailedError])
    delays = [line.split("trying again in ")[1] for line in caplog.messages if "trying" in line]
    assert delays == ["0.1 s", "0.2 s", "0.4 s"]


def test_a_certificate_that_is_not_trusted(secure: Simulator) -> None:
    with UpbitStream(config=StreamConfig(url=secure.url)) as stream:
        told = Told(stream)
        with pytest.raises(ConnectionFailedError, match="certificate"):
            stream.trade("KRW-BTC").get(timeout=20)
        eventually(lambda: told.is_over(["connecting", "error"]))
        eventually(lambda: [type(error) for error in told.errors] == [ConnectionFailedError])
