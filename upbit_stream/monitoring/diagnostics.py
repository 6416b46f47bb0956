"""The connection test: is it the name, the network, the certificate, the server, or is all well?"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Iterable
from contextlib import ExitStack
from datetime import datetime, timezone
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from upbit_stream.config import StreamConfig, resolve_urls
from upbit_stream.errors import StreamClosedError
from upbit_stream.markets import MarketList, MarketListUnavailable
from upbit_stream.monitoring.lines import TYPES, Line, Observation
from upbit_stream.monitoring.probe import Probe
from upbit_stream.monitoring.report import (
    Connectivity,
    DiagnosticsReport,
)
from upbit_stream.monitoring.run import TICK, CodeList, Progress, Run
from upbit_stream.monitoring.verdict import judge_parts
from upbit_stream.protocol.codes import check_codes
from upbit_stream.protocol.endpoints import Region, find_region
from upbit_stream.recovery.rest import RestClient
from upbit_stream.stream import UpbitStream

__all__ = ["DEFAULT_SECONDS", "WebSocketDiagnostics", "default_codes"]

#: For how long the streams are looked at.
DEFAULT_SECONDS = 10.0

_BASES = ("BTC", "ETH", "XRP")
_CURRENCIES = {"kr": "KRW", "sg": "SGD", "id": "IDR", "th": "THB"}

# Seconds between pings on each of the three connections: the SDK does not look more often whether
# one is due, and the exchange's hundred requests a minute are kept even if it should count them.
_PING_INTERVAL = 1.0


class WebSocketDiagnostics:
    """A test of the connection to the exchange, of which nothing is left behind.

    ::

        print(WebSocketDiagnostics().run_connection_test())

    ``target`` is the base of a public endpoint (``ws://127.0.0.1:8765/websocket/v1``); or an
    :class:`~upbit_stream.stream.UpbitStream`, whose address, region and settings are taken, and
    which is itself observed meanwhile, but neither used nor closed; or None: the address of
    ``config``, of the environment (``UPBIT_STREAM_URL``), or of the region. ``codes``: one market
    code or several; None: Bitcoin, Ether and XRP in the region's currency. ``config`` has the TLS
    settings and timeouts.

    ``ValueError`` for a URL that is none, another region, or a ``config`` beside a stream,
    ``TypeError`` for a target or configuration of another type, and
    :class:`~upbit_stream.errors.InvalidCodeError`.
    """

    def __init__(
        self,
        target: str | UpbitStream | None = None,
        *,
        codes: str | Iterable[str] | None = None,
        region: str = "kr",
        config: StreamConfig | None = None,
    ) -> None:
        if config is not None and not isinstance(config, StreamConfig):
            raise TypeError(f"config={config!r}: give a StreamConfig(…)")
        self._observed: UpbitStream | None = None
        if isinstance(target, UpbitStream):
            if config is not None:
                raise ValueError("config: a stream has its own, which is taken; give one of them")
            self._observed = target
            region, config = target.region, target.config
        elif isinstance(target, str):
            config = dataclasses.replace(config or StreamConfig(), url=target)
        elif target is not None:
            raise TypeError(f"target={target!r}: give a URL, an UpbitStream or None")
        self._config = config or StreamConfig()
        self._region = find_region(region)
        self._url, self._rest_url = resolve_urls(self._config, self._region)
        if codes is None:
            codes = default_codes(self._region)
        self._codes = check_codes(codes)
        self._cancelled = threading.Event()
        # Those of the test that runs. Replaced, never changed.
        self._lines: tuple[Line, ...] = ()

    def run_connection_test(
        self, seconds: float = DEFAULT_SECONDS, progress: Progress | None = None
    ) -> DiagnosticsReport:
        """Connect stage by stage, time snapshots, and look at running streams for ``seconds``
        (a number above 0). About two seconds longer in all, or as long as ``connect_timeout`` and
        the timeouts of snapshots (5 s each) allow where something is wrong. There is a ping each
        second: in a run of less than two there may be none, and then the latency is not measured.

        A connection that does not come about is a finding of the report, not an exception.
        ``progress`` is called with what is being done and the part that is done (0 to 1), some
        times a second, in the caller's thread; what it raises ends the test and is raised.

        ``ValueError`` or ``TypeError`` for impossible ``seconds``,
        :class:`~upbit_stream.errors.StreamClosedError` after :meth:`cancel`. Not for two threads
        at a time.
        """
        _require_duration(seconds)
        began = datetime.now(timezone.utc).isoformat(timespec="seconds")
        self._pause(0.0)
        with ExitStack() as stack:
            observation = None if self._observed is None else Observation(self._observed)
            connectivity = self._probe(progress or _ignore)
            run = Run(self._pause, progress or _ignore, seconds)
            if connectivity.passed:
                self._start_lines(run, stack)
                run.measure(self._snapshot_codes)
                self._pause(0.0)  # not a report of streams that were hung up
            parts = run.parts()
            observed = None if observation is None else observation.describe()
        return DiagnosticsReport(
            url=_without_user(self._url),
            codes=self._codes,
            began=began,
            connectivity=connectivity,
            latency=parts[0],
            throughput=parts[1],
            stability=parts[2],
            snapshots=parts[3],
            observed=observed,
            verdict=judge_parts(connectivity, *parts, observed),
        )

    def cancel(self) -> None:
        """End a test that runs (and any later one): it raises
        :class:`~upbit_stream.errors.StreamClosedError` within about two seconds. For any thread.
        """
        self._cancelled.set()
        for line in self._lines:
            line.hang_up()

    def _pause(self, seconds: float) -> None:
        """Wait; :class:`StreamClosedError` as soon as the test is cancelled."""
        until = time.monotonic() + seconds
        while not self._cancelled.is_set():
            left = until - time.monotonic()
            if left <= 0:
                return
            self._cancelled.wait(min(left, TICK))
        raise StreamClosedError(
            "the connection test was cancelled; make a new WebSocketDiagnostics to test again"
        )

    def _probe(self, progress: Progress) -> Connectivity:
        probe = Probe(self._url, self._config, self._codes)
        progress("connecting", 0.0)  # a stage may be over before anyone looks
        return probe.run(self._pause, lambda stage: progress(f"connecting: {stage}", 0.0))

    def _start_lines(self, run: Run, stack: ExitStack) -> None:
        config = dataclasses.replace(
            self._config,
            url=self._url,
            rest_url=self._rest_url,
            linger=0.0,
            ping_interval=min(_PING_INTERVAL, self._config.ping_interval),
        )
        for type_ in TYPES:
            line = Line(type_, self._codes, self._region.name, config, run.silence)
            stack.enter_context(line.stream)
            run.lines = self._lines = (*run.lines, line)
        self._pause(0.0)  # cancelled before they were there to be hung up

    def _snapshot_codes(self) -> CodeList:
        """The codes to take snapshots of, those of the test first."""
        try:
            listed = MarketList(RestClient(self._rest_url, self._config.ssl_context)).codes()
        except MarketListUnavailable:
            return list(self._codes), "test codes"
        known = [code for code in self._codes if code in listed]
        currency = self._codes[0].partition("-")[0]
        # Those in the same currency before the others: they are traded more.
        rest = sorted(listed.difference(known), key=lambda code: (code[:3] != currency[:3], code))
        return (known + rest or list(self._codes)), "market list"


def default_codes(region: Region) -> tuple[str, ...]:
    """The codes of Bitcoin, Ether and XRP in the region's currency."""
    return tuple(f"{_CURRENCIES[region.name]}-{base}" for base in _BASES)


def _require_duration(seconds: Any) -> None:
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise TypeError(f"seconds={seconds!r}: give a number")
    if not 0 < seconds < float("inf"):
        raise ValueError(f"seconds={seconds!r}: give a finite number above 0")


def _without_user(url: str) -> str:
    """``url`` as it may be shown: what stands before an @ may be a secret."""
    parts = urlsplit(url)
    return urlunsplit((*parts[:1], parts.netloc.rpartition("@")[2], *parts[2:]))


def _ignore(what: str, part: float) -> None:
    pass
