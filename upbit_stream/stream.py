"""UpbitStream: what a person holds."""

from __future__ import annotations

import math
import threading
import weakref
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from upbit_stream import kernel
from upbit_stream.asking import ask_list
from upbit_stream.config import StreamConfig, require_seconds
from upbit_stream.connection.pool import ConnectionPool, default_pool
from upbit_stream.connection.states import ConnectionInfo, ConnectionState
from upbit_stream.delivery.drops import Drop
from upbit_stream.delivery.notices import NoticeKind
from upbit_stream.engine import Engine
from upbit_stream.errors import StreamClosedError, UpbitStreamError
from upbit_stream.forgetting import Patience
from upbit_stream.metrics import Metrics
from upbit_stream.monitoring.health import ConnectionHealth
from upbit_stream.protocol.auth import find_credentials
from upbit_stream.protocol.codes import check_codes
from upbit_stream.protocol.endpoints import find_region
from upbit_stream.recovery.gaps import Gap
from upbit_stream.spelling import nearest, with_hints, with_hints_at_init
from upbit_stream.subscribing import Subscribing
from upbit_stream.subscription import Subscription
from upbit_stream.totals import StreamStats

if TYPE_CHECKING:
    from upbit_stream.notebook.live import LiveView
    from upbit_stream.relay import RelaySource

__all__ = ["UpbitStream"]

R = TypeVar("R")


@with_hints_at_init(elsewhere=StreamConfig)
class UpbitStream(Subscribing):
    """A live stream of Upbit's market data, from subscriptions to callbacks.

    ::

        with UpbitStream() as stream:
            stream.trade(["KRW-BTC", "KRW-ETH"], callback=print)
            stream.run()

    It starts with ``with``, :meth:`start`, :meth:`run`, or the first wait for data; before that,
    subscriptions are only noted. Then it connects when there is something to connect for, and
    stays connected: what stops the data is noticed and healed, until :meth:`close`. Every method
    may be called from any thread, also from callbacks.

    When the last reference to a stream is dropped, it closes. A subscription that you hold is
    such a reference, and so is a callback that mentions the stream.

    ``region`` is ``"kr"``, ``"sg"``, ``"id"`` or ``"th"``. ``access_key`` and ``secret_key`` are
    those of an account, for what is private and for indicators; without them the environment
    variables ``UPBIT_ACCESS_KEY`` and ``UPBIT_SECRET_KEY`` count. They appear in no repr, log
    line or exception.

    ``pool``: whose connections it shares, instead of those of the process.

    ``source``: a broker to read from instead of the exchange, as ``"redis://host:6379"`` or a
    :class:`~upbit_stream.relay.RelaySource`; there a :class:`~upbit_stream.relay.Relay` publishes,
    or ``upbit-stream publish``. Everything else stays as it is, for public market data; what is
    about connections to the exchange is the publisher's (``redundancy``, ``shard_above``).

    ``ValueError`` for another region, for a URL in the environment that is none, or for a setting
    that a source does not go with; ``TypeError`` for keys that are no strings.
    """

    def __init__(
        self,
        *,
        region: str = "kr",
        access_key: str | None = None,
        secret_key: str | None = None,
        config: StreamConfig | None = None,
        pool: ConnectionPool | None = None,
        source: str | RelaySource | None = None,
    ) -> None:
        if config is not None and not isinstance(config, StreamConfig):
            raise TypeError(f"config={config!r}: give a StreamConfig(…)")
        self._config = StreamConfig() if config is None else config
        self._region = find_region(region)
        credentials = find_credentials(access_key, secret_key)
        pool = default_pool() if pool is None else pool
        self._engine = Engine(
            self._region, self._config, credentials, pool, _source_of(source, self._config)
        )
        # The threads that have called close(): each adds itself, and looks for itself alone.
        self._closed_by: set[int] = set()
        self._patience = Patience(self, self._engine)
        # Dropping the last reference closes, too. (At exit the engine is closed properly.)
        weakref.finalize(self, self._engine.abandon).atexit = False

    # Life.

    def start(self) -> None:
        """Begin to connect and to call callbacks; returns at once.

        ``with`` does this. Raises :class:`~upbit_stream.errors.StreamClosedError` after
        :meth:`close`.
        """
        kernel.look_around()
        self._patience.begin()
        self._engine.start()

    def wait_connected(self, timeout: float | None = None) -> bool:
        """Wait until all connections stand; False when ``timeout`` seconds were not enough.

        Without any subscription the public endpoint is connected to. A connection that has
        ended for good is not waited for. Raises the error that ended every connection
        (:class:`~upbit_stream.errors.ConnectionFailedError`,
        :class:`~upbit_stream.errors.AuthenticationError`, …), and
        :class:`~upbit_stream.errors.StreamClosedError`.
        """
        require_seconds("timeout", timeout)
        return any(self._engine.wait_connected(until) for until in kernel.turns(timeout))

    def run(self, seconds: float | None = None) -> None:
        """Let the callbacks work: for ``seconds``, or until Ctrl-C or :meth:`close`.

        Ctrl-C ends the run, not the stream: it returns, and the stream may be run again.
        Raises, as :meth:`wait_connected`, the error that ended every connection for good, and
        :class:`~upbit_stream.errors.StreamClosedError` after your own :meth:`close`, which the end
        of ``with`` is, too. (What another thread closes, such as that of a callback, may be closed
        before it is run: that is no mistake, and it returns.)
        """
        require_seconds("seconds", seconds)
        if threading.get_ident() in self._closed_by:
            raise StreamClosedError(
                "this stream is closed, so there is nothing to run; call run() inside the `with` "
                "(its end closes the stream), and before close()"
            )
        kernel.look_around()
        self._patience.wait()
        try:
            any(self._engine.wait_closed(until) for until in kernel.turns(seconds))
        except KeyboardInterrupt:
            return

    def renew(self) -> None:
        """Replace the connections by new ones, without missing or doubling an event: the new one
        delivers before the old one goes. Returns at once. For a maintenance that was announced, or
        a network that has changed; what is broken is replaced without being asked.
        """
        self._engine.renew()

    def close(self, timeout: float | None = 3.0) -> bool:
        """End everything: send the close frame, deliver what is queued, join every thread.

        Takes ``timeout`` seconds at most (None: as long as it takes); whether that was enough.
        False means that something is stuck, usually a callback: its thread ends as soon as it
        returns, and what it has not been given by then is dropped, counted and told. May be
        called from any thread, twice, and by a callback: then that callback's subscription
        delivers nothing more, the others what is queued.
        """
        require_seconds("timeout", timeout)
        self._closed_by.add(threading.get_ident())
        return self._engine.close(math.inf if timeout is None else timeout)

    def __enter__(self) -> UpbitStream:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        forgotten = not any(exc_info) and self._patience.lacking
        self.close()
        if forgotten:
            self._patience.tell_left()

    # Looking in.

    @property
    def config(self) -> StreamConfig:
        """The settings."""
        return self._config

    @property
    def region(self) -> str:
        """The region's name."""
        return self._region.name

    @property
    def state(self) -> ConnectionState:
        """Where the stream stands. With several connections: connected when all of them are,
        reconnecting when one of them is.
        """
        return self._engine.state

    @property
    def connections(self) -> tuple[ConnectionInfo, ...]:
        """Each physical connection at this moment."""
        return self._engine.connections

    @property
    def subscriptions(self) -> tuple[Subscription[Any], ...]:
        """The subscriptions that have not ended."""
        return tuple(Subscription(channel, self._engine, self) for channel in self._engine.channels)

    @property
    def stats(self) -> StreamStats:
        """The counters at this moment, over everything since the stream was made."""
        return self._engine.stats

    def health(self) -> ConnectionHealth:
        """How the stream is doing at this moment: latency, success rate, reconnects with their
        causes, and the same for each connection. ``health().is_healthy()`` is the short form,
        ``health().problems`` says why not.
        """
        return self._engine.monitor.health()

    @cached_property
    def metrics(self) -> Metrics:
        """The stream's metrics for Prometheus: ``stream.metrics.start_http_server(9464)``."""
        return Metrics(self._engine, self.region)

    def list_subscriptions(self, timeout: float = 5.0) -> dict[str, list[dict[str, Any]]]:
        """What the exchange believes to be subscribed: for each endpoint with a connection
        (``"public"``, ``"private"``, ``"info"``) the type objects of its list, as it tells them::

            {"public": [{"type": "orderbook", "codes": ["KRW-BTC.15"], "level": 0}]}

        The question is sent behind what was subscribed before, so the answer covers it. If it
        differs from what was asked for, the list is asked for again, and ``on_error`` is told.
        Raises ``TimeoutError`` when an endpoint has not answered within ``timeout`` seconds, and
        :class:`~upbit_stream.errors.StreamClosedError`.
        """
        require_seconds("timeout", timeout)
        return ask_list(self._engine, timeout)

    def __repr__(self) -> str:
        return (
            f"<UpbitStream {self.region} {self.state.value}, "
            f"{len(self._engine.channels)} subscriptions>"
        )

    def _repr_html_(self) -> str:
        from upbit_stream.notebook.cards import stream_card

        return stream_card(self, closed=self._engine.closing)

    if not TYPE_CHECKING:  # a checker knows them all, and refuses the others

        def __getattr__(self, name: str) -> NoReturn:
            """Whatever there is not; names with an underscore are asked for by tools."""
            meant = None if name.startswith("_") else _nearest(name)
            hint = "" if meant is None else f"; did you mean {meant!r}?"
            # Without obj=, so that the interpreter does not look for a name of its own.
            raise AttributeError(f"UpbitStream has no {name!r}{hint}", name=name)

    # In a notebook.

    @with_hints
    def live(self, codes: str | Iterable[str] = ()) -> LiveView:
        """A table of the market that moves, with a sparkline for each code, the state and the
        health below it, and a button that stops it. For notebooks: show it as a cell's last value.

        ``codes``: what to show; tickers of them are subscribed for as long as the view is there.
        Without: all that the stream's subscriptions are about, up to 50 codes. It starts the
        stream, draws at most ten times a second, and only while it can be seen. Needs the extra
        ``notebook``; ``ImportError`` without. Otherwise it raises what :meth:`ticker` raises.
        """
        from upbit_stream.notebook.live import LiveView

        return LiveView(self._engine, self, check_codes(codes) if codes else ())

    # Being told.

    def on_state(self, handler: Callable[[ConnectionState], R]) -> Callable[[ConnectionState], R]:
        """Call ``handler`` with each new :class:`ConnectionState`. Also a decorator."""
        kernel.add_handler(self._engine, NoticeKind.STATE, handler)
        return handler

    def on_error(self, handler: Callable[[UpbitStreamError], R]) -> Callable[[UpbitStreamError], R]:
        """Call ``handler`` with each error that did not reach you otherwise: failing callbacks
        (:class:`~upbit_stream.errors.CallbackError`), frames that cannot be decoded
        (:class:`~upbit_stream.errors.DecodingError`), codes that stay silent
        (:class:`~upbit_stream.errors.SilentCodesWarning`), what the watchdog has seen
        (:class:`~upbit_stream.errors.HealthWarning`), subscriptions that the exchange refused
        (:class:`~upbit_stream.errors.SubscriptionError`), connections that ended for good. Also a
        decorator.
        """
        kernel.add_handler(self._engine, NoticeKind.ERROR, handler)
        return handler

    def on_drop(self, handler: Callable[[Drop], R]) -> Callable[[Drop], R]:
        """Call ``handler`` with a :class:`Drop` when a full queue has dropped events. Also a
        decorator.
        """
        kernel.add_handler(self._engine, NoticeKind.DROP, handler)
        return handler

    def on_gap(self, handler: Callable[[Gap], R]) -> Callable[[Gap], R]:
        """Call ``handler`` with a :class:`Gap` for what a lost connection missed: once for what was
        fetched afterwards and delivered (``recovered``), and once for what could not be. An outage
        that missed nothing tells nothing. Also a decorator.
        """
        kernel.add_handler(self._engine, NoticeKind.GAP, handler)
        return handler

    def on_health(
        self, handler: Callable[[ConnectionHealth], R]
    ) -> Callable[[ConnectionHealth], R]:
        """Call ``handler`` with the stream's :meth:`health` every ``StreamConfig.health_interval``
        seconds. Also a decorator.
        """
        kernel.add_handler(self._engine, NoticeKind.HEALTH, handler)
        return handler


# What others call the methods.
_MEANT = {"subscribe": "trade", "connect": "start", "stop": "close", "disconnect": "close"}


def _nearest(name: str) -> str | None:
    known = [one for one in dir(UpbitStream) if not one.startswith("_")]
    bare = name.removeprefix("subscribe_").removeprefix("on_")
    if bare != name and bare in known:
        return bare
    return _MEANT.get(name) or nearest(name, known)


def _source_of(source: str | RelaySource | None, config: StreamConfig) -> RelaySource | None:
    if source is None:
        return None
    from upbit_stream.relay.place import as_source, check_settings  # only here: few need it

    place = as_source(source)
    check_settings(place, config)
    return place
