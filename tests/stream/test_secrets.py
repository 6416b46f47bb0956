"""Guarantee 7: whatever goes wrong, and however loudly it is told, no key and no token shows."""

from __future__ import annotations

import faulthandler
import logging
import pickle
import threading
import traceback
from pathlib import Path
from typing import Any

import pytest
import websocket

from tests.conftest import eventually
from upbit_stream import ReconnectPolicy, Rsi, StreamConfig, UpbitStream, UpbitStreamError
from upbit_stream.simulator import Simulator

ACCESS = "ACCESSKEYOFTHETEST0123456789ABCDEFGHIJKL"
SECRET = "SECRETKEYOFTHETEST0123456789abcdefghijkl"


class Gathering(logging.Handler):
    """Everything that anyone logs, with the local variables of every traceback."""

    def __init__(self) -> None:
        super().__init__(level=logging.NOTSET)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith("websockets"):
            return  # the simulator's end of the line
        self.texts.append(f"{record.getMessage()} {record.args!r} {vars(record)!r}")
        if record.exc_info and record.exc_info[1] is not None:
            self.texts.append(with_locals(record.exc_info[1]))


def with_locals(error: BaseException) -> str:
    """A traceback as the most talkative tools print it."""
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "".join(told.format(chain=True)) + repr(error) + str(error) + repr(vars(error))


@pytest.fixture
def gathered() -> Any:
    handler = Gathering()
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    # The library's own trace, with every header that it sends.
    websocket.enableTrace(True, handler=handler, level="DEBUG")
    yield handler
    websocket.enableTrace(False)
    root.removeHandler(handler)
    root.setLevel(level)


def account(trouble: str) -> dict[str, str]:
    """What the exchange knows of the keys: these, or others. (In no local variable of a test.)"""
    return {ACCESS: SECRET if trouble == "reset" else SECRET[::-1]}


@pytest.mark.parametrize(
    "trouble", ["http", "frame", "status 403", "status 503", "reset", "stall", "garbage"]
)
def test_nothing_that_is_told_has_a_secret_in_it(
    trouble: str, gathered: Gathering, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    refusal: Any = "frame" if trouble == "frame" else "http"
    with Simulator(rate=0, keys=account(trouble), auth_refusal=refusal) as sim:
        config = StreamConfig(
            url=sim.url,
            connect_timeout=0.5,
            reconnect=ReconnectPolicy(max_attempts=2, min_interval=0.01),
        )
        if trouble.startswith("status"):
            sim.fail_handshakes(int(trouble.split()[1]), 10, body="no")
        elif trouble == "stall":
            sim.stall_handshakes()
        elif trouble == "garbage":
            sim.fail_handshakes(200, 10, headers={"Upgrade": "none"})
        stream = UpbitStream(access_key=ACCESS, secret_key=SECRET, config=config)
        told: list[UpbitStreamError] = []
        stream.on_error(told.append)
        stream.start()
        subscription = stream.my_order()
        shown = [repr(stream), str(stream.config), repr(subscription), repr(stream._engine)]
        shown += [repr(vars(stream)), repr(vars(stream._engine))]
        if trouble == "reset":
            eventually(lambda: sim.requests)
            for _ in range(3):
                sim.reset()
                sim.fail_handshakes(500, 1)
            sim.refuse()
            sim.reset()
        with pytest.raises(UpbitStreamError) as raised:
            subscription.get(20)
        with pytest.raises(UpbitStreamError) as again:
            stream.run(5)
        eventually(lambda: told)
        with pytest.raises(UpbitStreamError):
            stream.indicator("KRW-BTC", Rsi(), timeframe="5m").get(20)
        shown += [with_locals(error) for error in (*told, raised.value, again.value)]
        shown += [repr(connection) for connection in stream.connections]
        tokens = [
            handshake.headers["Authorization"].split()[1]
            for handshake in sim.handshakes
            if "Authorization" in handshake.headers
        ]
        with (tmp_path / "stacks").open("w+") as file:
            faulthandler.dump_traceback(file)
            file.seek(0)
            shown.append(file.read())
        stream.close()
    assert tokens or trouble == "stall"
    captured = capfd.readouterr()
    everything = "\n".join([*shown, *gathered.texts, captured.out, captured.err])
    assert "connecting" in everything  # it is a full log
    assert "request header" in everything
    for secret in (ACCESS, SECRET, *tokens, *(token.rsplit(".", 1)[1] for token in tokens)):
        assert secret not in everything
    with pytest.raises((TypeError, pickle.PicklingError)):
        pickle.dumps(stream)


def test_no_secret_in_the_locals_of_an_error_at_the_call(gathered: Gathering) -> None:
    stream = UpbitStream(
        access_key=ACCESS, secret_key="", config=StreamConfig(url="ws://127.0.0.1:1/x")
    )
    for call in (stream.my_order, stream.my_asset, stream.announcement):
        with pytest.raises(UpbitStreamError) as raised:
            call()
        assert ACCESS not in with_locals(raised.value)
    stream.close()


def test_threads_have_no_secret_in_their_names(sim: Simulator, config: StreamConfig) -> None:
    with UpbitStream(access_key=ACCESS, secret_key=SECRET, config=config) as stream:
        stream.my_order(callback=print)
        names = " ".join(thread.name for thread in threading.enumerate())
        assert ACCESS not in names
        assert SECRET not in names
