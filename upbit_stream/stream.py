"""UpbitStream: what a person holds."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Iterable
from typing import Any, Literal, TypeAlias, TypeVar

from upbit_stream.config import (
    OverflowPolicy,
    StreamConfig,
    choose,
    require_queue_size,
    require_seconds,
)
from upbit_stream.connection.states import ConnectionInfo, ConnectionState
from upbit_stream.delivery.channel import Channel
from upbit_stream.delivery.drops import Drop
from upbit_stream.delivery.notices import NoticeKind
from upbit_stream.engine import Engine, StreamStats
from upbit_stream.errors import SubscriptionError, UpbitStreamError
from upbit_stream.events import Candle, Event, Orderbook, Ticker, Trade
from upbit_stream.protocol.codes import check_codes
from upbit_stream.protocol.endpoints import find_region
from upbit_stream.protocol.requests import Demand, candle_type, check_depth, check_level
from upbit_stream.subscription import Subscription, check_callback

__all__ = ["UpbitStream"]

E = TypeVar("E", bound=Event)
R = TypeVar("R")

Codes: TypeAlias = "str | Iterable[str]"
Overflow: TypeAlias = (
    "OverflowPolicy | Literal['drop_oldest', 'drop_newest', 'latest', 'block'] | None"
)


class UpbitStream:
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

    ``region`` is ``"kr"``, ``"sg"``, ``"id"`` or ``"th"``. ``ValueError`` for another one, or
    for a URL in the environment that is none.
    """

    def __init__(self, *, region: str = "kr", config: StreamConfig | None = None) -> None:
        if config is not None and not isinstance(config, StreamConfig):
            raise TypeError(f"config={config!r}: a StreamConfig is needed")
        self._config = StreamConfig() if config is None else config
        self._region = find_region(region)
        self._engine = Engine(self._region, self._config)
        # Dropping the last reference closes, too. (At exit the engine is closed properly.)
        weakref.finalize(self, self._engine.abandon).atexit = False

    # Subscribing.

    def ticker(
        self,
        codes: Codes,
        callback: Callable[[Ticker], object] | None = None,
        *,
        snapshot: bool = True,
        realtime: bool = True,
        overflow: Overflow = None,
        queue_size: int | None = None,
    ) -> Subscription[Ticker]:
        """Subscribe to the state of markets.

        ``codes`` is one code (``"KRW-BTC"``) or an iterable of them. ``callback`` is called with
        every event; without one, use the subscription as a decorator or iterate over it.
        ``snapshot``: begin with the present state of each code; ``realtime``: go on with every
        change. ``overflow`` and ``queue_size`` override the configuration.

        Raises :class:`~upbit_stream.errors.InvalidCodeError` for what cannot be a code (one that
        can be, but is not traded, is answered with silence by the exchange),
        :class:`~upbit_stream.errors.SubscriptionError` for what cannot be subscribed,
        ``ValueError`` or ``TypeError`` for an impossible policy, size or callback, and
        :class:`~upbit_stream.errors.StreamClosedError`.
        """
        demand = _demand("ticker", codes, snapshot, realtime)
        return self._subscribe(demand, callback, overflow, queue_size)

    def trade(
        self,
        codes: Codes,
        callback: Callable[[Trade], object] | None = None,
        *,
        snapshot: bool = True,
        realtime: bool = True,
        overflow: Overflow = None,
        queue_size: int | None = None,
    ) -> Subscription[Trade]:
        """Subscribe to every trade of markets; a snapshot is the last trade before.

        The arguments are those of :meth:`ticker`.
        """
        demand = _demand("trade", codes, snapshot, realtime)
        return self._subscribe(demand, callback, overflow, queue_size)

    def orderbook(
        self,
        codes: Codes,
        callback: Callable[[Orderbook], object] | None = None,
        *,
        depth: int = 30,
        level: float = 0,
        snapshot: bool = True,
        realtime: bool = True,
        overflow: Overflow = None,
        queue_size: int | None = None,
    ) -> Subscription[Orderbook]:
        """Subscribe to order books: each event is the whole book.

        ``depth`` is the number of rows: 1, 5, 15 or 30. ``level`` groups prices by that step
        (in won; KRW markets only); 0 groups nothing. The other arguments are those of
        :meth:`ticker`.
        """
        demand = _demand("orderbook", codes, snapshot, realtime, depth=depth, level=level)
        return self._subscribe(demand, callback, overflow, queue_size)

    def candle(
        self,
        codes: Codes,
        callback: Callable[[Candle], object] | None = None,
        *,
        unit: str = "1s",
        snapshot: bool = True,
        realtime: bool = True,
        overflow: Overflow = None,
        queue_size: int | None = None,
    ) -> Subscription[Candle]:
        """Subscribe to candles of ``unit``: 1s 1m 3m 5m 10m 15m 30m 60m 240m.

        An event comes at most once a second, and only when a trade changed the candle; the
        same candle time is sent again, the last one wins. The other arguments are those of
        :meth:`ticker`.
        """
        demand = _demand(candle_type(unit), codes, snapshot, realtime)
        return self._subscribe(demand, callback, overflow, queue_size)

    def _subscribe(
        self,
        demand: Demand,
        callback: Callable[[E], object] | None,
        overflow: Overflow,
        queue_size: int | None,
    ) -> Subscription[E]:
        if callback is not None:
            check_callback(callback)
        if queue_size is not None:
            require_queue_size(queue_size)
        channel: Channel[E] = self._engine.subscribe(
            demand,
            callback=callback,
            queue_size=self._config.queue_size if queue_size is None else queue_size,
            overflow=choose(
                "overflow", self._config.overflow if overflow is None else overflow, OverflowPolicy
            ),
        )
        return Subscription(channel, self._engine, self)

    # Life.

    def start(self) -> None:
        """Begin to connect and to call callbacks; returns at once.

        ``with`` does this. Raises :class:`~upbit_stream.errors.StreamClosedError` after
        :meth:`close`.
        """
        self._engine.start()

    def wait_connected(self, timeout: float | None = None) -> bool:
        """Wait until all connections stand; False when ``timeout`` seconds were not enough.

        Without any subscription the public endpoint is connected to. Raises the error that
        ended every connection for good
        (:class:`~upbit_stream.errors.ConnectionFailedError`,
        :class:`~upbit_stream.errors.AuthenticationError`, …), and
        :class:`~upbit_stream.errors.StreamClosedError`.
        """
        require_seconds("timeout", timeout)
        return self._engine.wait_connected(timeout)

    def run(self, seconds: float | None = None) -> None:
        """Let the callbacks work: for ``seconds``, or until Ctrl-C or :meth:`close`.

        Ctrl-C ends the run, not the stream: it returns, and the stream may be run again.
        On a stream that is closed it returns at once. Raises, as :meth:`wait_connected`, the
        error that ended every connection for good.
        """
        require_seconds("seconds", seconds)
        try:
            self._engine.wait_closed(seconds)
        except KeyboardInterrupt:
            return

    def close(self, timeout: float | None = 3.0) -> bool:
        """End everything: send the close frame, deliver what is queued, join every thread.

        Takes ``timeout`` seconds at most (None: as long as it takes); whether that was enough.
        False means that something is stuck, usually a callback: its thread ends as soon as it
        returns, and what it has not been given by then is dropped, counted and told. May be
        called from any thread, twice, and by a callback: then that callback's subscription
        delivers nothing more, the others what is queued.
        """
        require_seconds("timeout", timeout)
        return self._engine.close(math.inf if timeout is None else timeout)

    def __enter__(self) -> UpbitStream:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

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

    def __repr__(self) -> str:
        return (
            f"<UpbitStream {self.region} {self.state.value}, "
            f"{len(self._engine.channels)} subscriptions>"
        )

    # Being told.

    def on_state(self, handler: Callable[[ConnectionState], R]) -> Callable[[ConnectionState], R]:
        """Call ``handler`` with each new :class:`ConnectionState`. Also a decorator."""
        self._engine.notices.register(NoticeKind.STATE, handler)
        return handler

    def on_error(self, handler: Callable[[UpbitStreamError], R]) -> Callable[[UpbitStreamError], R]:
        """Call ``handler`` with each error that did not reach you otherwise: failing callbacks
        (:class:`~upbit_stream.errors.CallbackError`), frames that cannot be decoded
        (:class:`~upbit_stream.errors.DecodingError`), connections that ended for good. Also a
        decorator.
        """
        self._engine.notices.register(NoticeKind.ERROR, handler)
        return handler

    def on_drop(self, handler: Callable[[Drop], R]) -> Callable[[Drop], R]:
        """Call ``handler`` with a :class:`Drop` when a full queue has dropped events. Also a
        decorator.
        """
        self._engine.notices.register(NoticeKind.DROP, handler)
        return handler


def _demand(
    type_: str,
    codes: Codes,
    snapshot: bool,
    realtime: bool,
    *,
    depth: int = 30,
    level: float = 0,
) -> Demand:
    checked = check_codes(codes)
    if not snapshot and not realtime:
        raise SubscriptionError(
            "snapshot=False with realtime=False asks for nothing; leave one of them on"
        )
    return Demand(
        type=type_,
        codes=checked,
        depth=check_depth(depth),
        level=check_level(level, checked),
        snapshot=bool(snapshot),
        realtime=bool(realtime),
    )
