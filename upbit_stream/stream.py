"""UpbitStream: what a person holds."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Iterable
from typing import Any, Literal, TypeAlias, TypeVar, overload

from upbit_stream.asking import ask_list, take_snapshots
from upbit_stream.config import (
    OverflowPolicy,
    StreamConfig,
    choose,
    require_queue_size,
    require_seconds,
)
from upbit_stream.connection.pool import ConnectionPool, default_pool
from upbit_stream.connection.states import ConnectionInfo, ConnectionState
from upbit_stream.delivery.channel import Channel
from upbit_stream.delivery.drops import Drop
from upbit_stream.delivery.notices import NoticeKind
from upbit_stream.engine import Engine
from upbit_stream.errors import SubscriptionError, UpbitStreamError
from upbit_stream.events import (
    Announcement,
    Candle,
    CandleType,
    Event,
    Indicator,
    IndicatorSignal,
    MyAsset,
    MyOrder,
    Orderbook,
    Ticker,
    Trade,
)
from upbit_stream.indicators import IndicatorSpec, SignalSpec, Timeframe
from upbit_stream.protocol.auth import find_credentials
from upbit_stream.protocol.demands import (
    AnnouncementDemand,
    AssetDemand,
    Demand,
    IndicatorDemand,
    MarketDemand,
    OrderbookDemand,
    OrderDemand,
    candle_type,
    snapshot_demand,
)
from upbit_stream.protocol.endpoints import find_region
from upbit_stream.subscription import Subscription, check_callback
from upbit_stream.totals import StreamStats

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

    ``region`` is ``"kr"``, ``"sg"``, ``"id"`` or ``"th"``. ``access_key`` and ``secret_key`` are
    those of an account, for what is private and for indicators; without them the environment
    variables ``UPBIT_ACCESS_KEY`` and ``UPBIT_SECRET_KEY`` count. They appear in no repr, log
    line or exception.

    ``pool``: whose connections it shares, instead of those of the process.

    ``ValueError`` for another region, or for a URL in the environment that is none; ``TypeError``
    for keys that are no strings.
    """

    def __init__(
        self,
        *,
        region: str = "kr",
        access_key: str | None = None,
        secret_key: str | None = None,
        config: StreamConfig | None = None,
        pool: ConnectionPool | None = None,
    ) -> None:
        if config is not None and not isinstance(config, StreamConfig):
            raise TypeError(f"config={config!r}: a StreamConfig is needed")
        self._config = StreamConfig() if config is None else config
        self._region = find_region(region)
        credentials = find_credentials(access_key, secret_key)
        pool = default_pool() if pool is None else pool
        self._engine = Engine(self._region, self._config, credentials, pool)
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
        demand = MarketDemand.make("ticker", codes, snapshot, realtime)
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
        demand = MarketDemand.make("trade", codes, snapshot, realtime)
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
        demand = OrderbookDemand.make_book(codes, snapshot, realtime, depth, level)
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
        demand = MarketDemand.make(candle_type(unit), codes, snapshot, realtime)
        return self._subscribe(demand, callback, overflow, queue_size)

    def my_order(
        self,
        codes: Codes = (),
        callback: Callable[[MyOrder], object] | None = None,
        *,
        overflow: Overflow = None,
        queue_size: int | None = None,
    ) -> Subscription[MyOrder]:
        """Subscribe to the account's orders, and the trades that fill them.

        Without ``codes``: of every market. There are no snapshots, only what happens from now
        on. With the policy ``latest`` the newest event of each order is kept.

        Raises, beside what :meth:`ticker` raises,
        :class:`~upbit_stream.errors.AuthenticationError` when the keys are missing or were not
        accepted before. All private streams share one connection, also those with the policy
        ``block``, which therefore may hold up the others.
        """
        demand = OrderDemand.make_orders(codes)
        return self._subscribe(demand, callback, overflow, queue_size)

    def my_asset(
        self,
        callback: Callable[[MyAsset], object] | None = None,
        *,
        overflow: Overflow = None,
        queue_size: int | None = None,
    ) -> Subscription[MyAsset]:
        """Subscribe to the account's balances: each event has the currencies that changed.

        It is about the whole account, so there are no codes. An account's very first
        subscription may be minutes late (so the exchange documents). Balances reach 30 digits:
        with ``numbers="decimal"`` they are exact. Raises what :meth:`my_order` raises.
        """
        if callback is not None and not callable(callback):
            raise SubscriptionError(
                f"my_asset({callback!r}): it takes no codes, for it is about the whole account; "
                "give a callback, or nothing"
            )
        return self._subscribe(AssetDemand(), callback, overflow, queue_size)

    def announcement(
        self,
        callback: Callable[[Announcement], object] | None = None,
        *,
        categories: str | Iterable[str] = (),
        include_body: bool = False,
        overflow: Overflow = None,
        queue_size: int | None = None,
    ) -> Subscription[Announcement]:
        """Subscribe to the exchange's announcements (region ``"kr"`` only).

        ``categories``: notice trade wallet maintenance digital_asset nft service event note
        trading airdrop feature disclosure; none: all. ``include_body``: with the text, otherwise
        ``body`` is None. Raises what :meth:`my_order` raises.
        """
        demand = AnnouncementDemand.make_announcements(categories, include_body)
        return self._subscribe(demand, callback, overflow, queue_size)

    def indicator(
        self,
        codes: Codes,
        indicators: IndicatorSpec | Iterable[IndicatorSpec],
        callback: Callable[[Indicator], object] | None = None,
        *,
        timeframe: Timeframe,
        overflow: Overflow = None,
        queue_size: int | None = None,
    ) -> Subscription[Indicator]:
        """Subscribe to technical indicators, computed by the exchange (region ``"kr"`` only).

        ::

            stream.indicator("KRW-BTC", [Rsi(14), Macd(12, 26, 9)], print, timeframe="5m")

        ``indicators`` are those of :mod:`upbit_stream.indicators`; ``timeframe`` is 5m, 15m,
        60m, 240m or 1d. An event comes for each of them when a candle closes. KRW markets only.
        Needs keys, though no permission of them.

        Over all subscriptions of the stream there may be 100 combinations of codes and
        indicators; :class:`~upbit_stream.errors.SubscriptionError` for more, and otherwise what
        :meth:`my_order` raises.
        """
        demand = IndicatorDemand.make_indicators(codes, indicators, timeframe)
        return self._subscribe(demand, callback, overflow, queue_size)

    def indicator_signal(
        self,
        codes: Codes,
        indicators: SignalSpec | Iterable[SignalSpec],
        callback: Callable[[IndicatorSignal], object] | None = None,
        *,
        timeframe: Timeframe,
        overflow: Overflow = None,
        queue_size: int | None = None,
    ) -> Subscription[IndicatorSignal]:
        """Subscribe to signals: an event when an indicator's condition turns from unmet to met.

        ::

            stream.indicator_signal("KRW-BTC", Rsi(14).overbought(70), print, timeframe="60m")

        ``indicators`` are indicators with one of their triggers; the rest is as in
        :meth:`indicator`, and counts towards the same 100 combinations.
        """
        demand = IndicatorDemand.make_signals(codes, indicators, timeframe)
        return self._subscribe(demand, callback, overflow, queue_size)

    @overload
    def snapshot(
        self, type: Literal["ticker"], codes: Codes, *, timeout: float = ...
    ) -> dict[str, Ticker]: ...
    @overload
    def snapshot(
        self, type: Literal["trade"], codes: Codes, *, timeout: float = ...
    ) -> dict[str, Trade]: ...
    @overload
    def snapshot(
        self, type: Literal["orderbook"], codes: Codes, *, timeout: float = ...
    ) -> dict[str, Orderbook]: ...
    @overload
    def snapshot(
        self, type: CandleType, codes: Codes, *, timeout: float = ...
    ) -> dict[str, Candle]: ...
    @overload
    def snapshot(self, type: str, codes: Codes, *, timeout: float = ...) -> dict[str, Any]: ...
    def snapshot(self, type: str, codes: Codes, *, timeout: float = 5.0) -> dict[str, Any]:
        """The present state of each code, once: one event by code, no lasting subscription.

        ``type`` is ``"ticker"``, ``"trade"`` (the last one), ``"orderbook"`` (30 rows) or a
        candle such as ``"candle.1m"``. It goes over the connection that is there, or opens one;
        other subscriptions do not notice. Waits ``timeout`` seconds at most. Codes that did not
        answer by then are not in the result, and told to ``on_error``; ``TimeoutError`` when none
        did. Otherwise it raises what :meth:`ticker` raises, and what ended the connection.
        """
        require_seconds("timeout", timeout)
        return take_snapshots(self._engine, snapshot_demand(type, codes), timeout)

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

        Without any subscription the public endpoint is connected to. A connection that has
        ended for good is not waited for. Raises the error that ended every connection
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

    # Being told.

    def on_state(self, handler: Callable[[ConnectionState], R]) -> Callable[[ConnectionState], R]:
        """Call ``handler`` with each new :class:`ConnectionState`. Also a decorator."""
        self._engine.notices.register(NoticeKind.STATE, handler)
        return handler

    def on_error(self, handler: Callable[[UpbitStreamError], R]) -> Callable[[UpbitStreamError], R]:
        """Call ``handler`` with each error that did not reach you otherwise: failing callbacks
        (:class:`~upbit_stream.errors.CallbackError`), frames that cannot be decoded
        (:class:`~upbit_stream.errors.DecodingError`), codes that stay silent
        (:class:`~upbit_stream.errors.SilentCodesWarning`), subscriptions that the exchange refused
        (:class:`~upbit_stream.errors.SubscriptionError`), connections that ended for good. Also a
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
