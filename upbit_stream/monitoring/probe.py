"""One connection, made stage by stage, so that it is known which of them fails, and why."""

from __future__ import annotations

import selectors
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress

from upbit_stream.config import StreamConfig
from upbit_stream.connection.causes import ConnectTimeout, ServerRefused, judge
from upbit_stream.events import Event
from upbit_stream.limiter import connect_limiter
from upbit_stream.monitoring.explanations import NoData, explain
from upbit_stream.monitoring.report import Connectivity, Stage, StageStatus
from upbit_stream.protocol.codes import name_some
from upbit_stream.protocol.decoding import Decoder, ServerError
from upbit_stream.protocol.demands import MarketDemand, union
from upbit_stream.protocol.requests import write_request
from upbit_stream.protocol.wire_format import WireFormat
from upbit_stream.transport.staged import StagedWebSocket
from upbit_stream.workers import Worker, numbered

__all__ = ["Probe"]

# Seconds that a stage gets to notice its deadline itself: then its own words say what happened.
_GRACE = 0.25
# Seconds for the thread to end after it was told to. A DNS query cannot be told.
_JOIN = 0.5
# Seconds for the server's close frame.
_CLOSE = 0.3
# Seconds between two looks at whether the probe was abandoned.
_LOOK = 0.1


# Stages whose failure is about an address, which is the proxy's where there is one.
_ABOUT_AN_ADDRESS = ("DNS", "TCP")


class _Abandoned(Exception):
    """Nobody wants the result any more."""


class Probe:
    """Connects to the public endpoint once, in the stages DNS, TCP, TLS, upgrade, first data.

    ``connect_timeout`` of ``config`` is for the first four together, and once more for the first
    data. The stages run on a thread of their own, because a DNS query can be interrupted by
    nothing; it ends with the probe, or as soon as such a query returns.
    """

    def __init__(self, url: str, config: StreamConfig, codes: Sequence[str]) -> None:
        self._url = url
        self._config = config
        self._codes = tuple(codes)
        self._websocket = StagedWebSocket(
            url,
            timeout=config.connect_timeout,
            ssl_context=config.ssl_context,
            max_message_size=config.max_message_size,
        )
        secure = self._websocket.secure
        self._work: tuple[tuple[str, Callable[[], None] | None], ...] = (
            ("DNS", self._websocket.resolve),
            ("TCP", self._websocket.dial),
            ("TLS", self._websocket.encrypt if secure else None),
            ("upgrade", self._websocket.upgrade),
            ("first data", self._await_data),
        )
        self._worker = Worker(numbered("upbit-probe"), self._run)
        self._finished = threading.Event()
        # Guards everything below it.
        self._lock = threading.Lock()
        self._stages: list[Stage] = []
        self._current: str | None = None
        self._since = 0.0
        self._deadline = 0.0
        self._abandoned = False

    def run(self, pause: Callable[[float], None], tell: Callable[[str], object]) -> Connectivity:
        """Connect; what came of each stage.

        ``pause`` waits so many seconds, ``tell`` is given the stage that is being tried; what
        either raises ends the probe, and is raised.
        """
        limiter = connect_limiter(self._url)
        while (wait := limiter.take()) > 0:
            pause(wait)
        self._deadline = time.monotonic() + self._config.connect_timeout
        self._worker.start()
        try:
            while not self._finished.wait(0.01):
                pause(0.0)
                with self._lock:
                    current, left = self._current, self._deadline + _GRACE - time.monotonic()
                if current is not None:
                    tell(current)
                if left <= 0:
                    break
        finally:
            connectivity = self._conclude()
            self._worker.join(time.monotonic() + _JOIN)
        return connectivity

    def _conclude(self) -> Connectivity:
        """What is known by now; the thread is told to end if it has not."""
        with self._lock:
            stages = list(self._stages)
            current = self._current
            self._abandoned = True
            since = self._since
        known = {stage.name for stage in stages}
        rest = [name for name, _ in self._work if name not in known]
        if not self._finished.is_set():
            self._websocket.abort()
            error = ConnectTimeout(f"no answer within {self._config.connect_timeout:g} s")
            # Without a current one it is between two of them.
            stages.append(self._failed(current or rest[0], since, error))
            del rest[0]
        return Connectivity((*stages, *(Stage(name, StageStatus.NOT_REACHED) for name in rest)))

    def _failed(self, name: str, since: float, error: Exception) -> Stage:
        explanation = explain(error, name)
        if name in _ABOUT_AN_ADDRESS:
            explanation = f"{self._websocket.peer}: {explanation}"
        return Stage(name, StageStatus.FAILED, _milliseconds(since), explanation)

    # The probe's thread.

    def _run(self) -> None:
        try:
            for name, work in self._work:
                if work is None:
                    self._note(Stage(name, StageStatus.NOT_USED))
                elif not self._try(name, work):
                    return
            with suppress(Exception):  # it is over, well or not
                self._websocket.close(timeout=_CLOSE)
        finally:
            self._websocket.shutdown()
            self._finished.set()

    def _try(self, name: str, work: Callable[[], None]) -> bool:
        with self._lock:
            if self._abandoned:
                return False
            self._current, self._since = name, time.monotonic()
        try:
            work()
        except Exception as error:
            if name == "upgrade":
                self._heed(error)
            self._note(self._failed(name, self._since, error))
            return False
        self._note(Stage(name, StageStatus.PASSED, _milliseconds(self._since)))
        return True

    def _note(self, stage: Stage) -> None:
        with self._lock:
            if not self._abandoned:
                self._stages.append(stage)
                self._current = None

    def _heed(self, error: Exception) -> None:
        """A stated wait is for everyone in this process who connects to that host."""
        wait = judge(error).wait_at_least
        if wait > 0:
            connect_limiter(self._url).hold(wait)

    def _await_data(self) -> None:
        """Ask for tickers, and wait for the first."""
        timeout = self._config.connect_timeout
        with self._lock:
            deadline = self._deadline = time.monotonic() + timeout
        wire_format = WireFormat(self._config.wire_format)
        decoder = Decoder(wire_format)
        demand = MarketDemand.make("ticker", self._codes, True, True)
        self._websocket.send_text(
            write_request(union([demand]), ticket=str(uuid.uuid4()), wire_format=wire_format)
        )
        with selectors.DefaultSelector() as selector:
            assert self._websocket.sock is not None
            selector.register(self._websocket.sock, selectors.EVENT_READ)
            while (left := deadline - time.monotonic()) > 0:
                if self._abandoned:
                    raise _Abandoned
                if not self._websocket.pending and not selector.select(min(left, _LOOK)):
                    continue
                for message in decoder.decode_all(self._websocket.receive()):
                    if isinstance(message, Event):
                        return
                    if isinstance(message, ServerError):
                        raise ServerRefused(message)
        raise NoData(
            f"the connection stands, but no ticker of {name_some(self._codes)} came within "
            f"{timeout:g} s"
        )


def _milliseconds(since: float) -> float:
    return (time.monotonic() - since) * 1000
