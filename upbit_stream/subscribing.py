"""The methods that subscribe: one for each kind of stream that the exchange has."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal, TypeAlias, TypeVar, overload

from upbit_stream import kernel
from upbit_stream.asking import take_snapshots
from upbit_stream.config import (
    OverflowPolicy,
    StreamConfig,
    choose,
    require_history,
    require_queue_size,
    require_seconds,
)
from upbit_stream.delivery.channel import Channel
from upbit_stream.delivery.checking import check_callback
from upbit_stream.engine import Engine
from upbit_stream.errors import SubscriptionError
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
from upbit_stream.spelling import with_hints
from upbit_stream.subscription import Subscription

__all__ = ["Subscribing"]

E = TypeVar("E", bound=Event)

Codes: TypeAlias = "str | Iterable[str]"
Overflow: TypeAlias = (
    "OverflowPolicy | Literal['drop_oldest', 'drop_newest', 'latest', 'block'] | None"
)


class Subscribing:
    """What :class:`~upbit_stream.stream.UpbitStream` can subscribe to. A part of that class, in a
    file of its own.
    """

    _config: StreamConfig
    _engine: Engine

    @with_hints
    def ticker(
        self,
        codes: Codes,
        callback: Callable[[Ticker], object] | None = None,
        *,
        snapshot: bool = True,
        realtime: bool = True,
        overflow: Overflow = None,
        queue_size: int | None = None,
        history: int = 0,
    ) -> Subscription[Ticker]:
        """Subscribe to the state of markets.

        ``codes`` is one code (``"KRW-BTC"``) or an iterable of them. ``callback`` is called with
        every event; without one, use the subscription as a decorator or iterate over it.
        ``snapshot``: begin with the present state of each code; ``realtime``: go on with every
        change. ``overflow`` and ``queue_size`` override the configuration. ``history``: keep the
        last so many events of each code, for ``history``, ``to_frame()`` and ``plot()`` of the
        subscription; of candles, the last so many candles.

        Raises :class:`~upbit_stream.errors.InvalidCodeError` for what cannot be a code (one that
        can be, but is not traded, is answered with silence by the exchange),
        :class:`~upbit_stream.errors.SubscriptionError` for what cannot be subscribed,
        ``ValueError`` or ``TypeError`` for an impossible policy, size or history, ``TypeError`` for
        a callback that cannot be called with one event or is a coroutine function, and
        :class:`~upbit_stream.errors.StreamClosedError`.
        """
        demand = MarketDemand.make("ticker", codes, snapshot, realtime)
        return self._subscribe(demand, callback, overflow, queue_size, history)

    @with_hints
    def trade(
        self,
        codes: Codes,
        callback: Callable[[Trade], object] | None = None,
        *,
        snapshot: bool = True,
        realtime: bool = True,
        overflow: Overflow = None,
        queue_size: int | None = None,
        history: int = 0,
    ) -> Subscription[Trade]:
        """Subscribe to every trade of markets; a snapshot is the last trade before.

        The arguments are those of :meth:`ticker`.
        """
        demand = MarketDemand.make("trade", codes, snapshot, realtime)
        return self._subscribe(demand, callback, overflow, queue_size, history)

    @with_hints
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
        history: int = 0,
    ) -> Subscription[Orderbook]:
        """Subscribe to order books: each event is the whole book.

        ``depth`` is the number of rows: 1, 5, 15 or 30. ``level`` groups prices by that step
        (in won; KRW markets only); 0 groups nothing. The other arguments are those of
        :meth:`ticker`.
        """
        demand = OrderbookDemand.make_book(codes, snapshot, realtime, depth, level)
        return self._subscribe(demand, callback, overflow, queue_size, history)

    @with_hints
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
        history: int = 0,
    ) -> Subscription[Candle]:
        """Subscribe to candles of ``unit``: 1s 1m 3m 5m 10m 15m 30m 60m 240m.

        An event comes at most once a second, and only when a trade changed the candle; the
        same candle time is sent again, the last one wins. The other arguments are those of
        :meth:`ticker`.
        """
        demand = MarketDemand.make(candle_type(unit), codes, snapshot, realtime)
        return self._subscribe(demand, callback, overflow, queue_size, history)

    @with_hints
    def my_order(
        self,
        codes: Codes = (),
        callback: Callable[[MyOrder], object] | None = None,
        *,
        overflow: Overflow = None,
        queue_size: int | None = None,
        history: int = 0,
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
        return self._subscribe(demand, callback, overflow, queue_size, history)

    @with_hints
    def my_asset(
        self,
        callback: Callable[[MyAsset], object] | None = None,
        *,
        overflow: Overflow = None,
        queue_size: int | None = None,
        history: int = 0,
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
        return self._subscribe(AssetDemand(), callback, overflow, queue_size, history)

    @with_hints
    def announcement(
        self,
        callback: Callable[[Announcement], object] | None = None,
        *,
        categories: str | Iterable[str] = (),
        include_body: bool = False,
        overflow: Overflow = None,
        queue_size: int | None = None,
        history: int = 0,
    ) -> Subscription[Announcement]:
        """Subscribe to the exchange's announcements (region ``"kr"`` only).

        ``categories``: notice trade wallet maintenance digital_asset nft service event note
        trading airdrop feature disclosure; none: all. ``include_body``: with the text, otherwise
        ``body`` is None. Raises what :meth:`my_order` raises.
        """
        demand = AnnouncementDemand.make_announcements(categories, include_body)
        return self._subscribe(demand, callback, overflow, queue_size, history)

    @with_hints
    def indicator(
        self,
        codes: Codes,
        indicators: IndicatorSpec | Iterable[IndicatorSpec],
        callback: Callable[[Indicator], object] | None = None,
        *,
        timeframe: Timeframe,
        overflow: Overflow = None,
        queue_size: int | None = None,
        history: int = 0,
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
        return self._subscribe(demand, callback, overflow, queue_size, history)

    @with_hints
    def indicator_signal(
        self,
        codes: Codes,
        indicators: SignalSpec | Iterable[SignalSpec],
        callback: Callable[[IndicatorSignal], object] | None = None,
        *,
        timeframe: Timeframe,
        overflow: Overflow = None,
        queue_size: int | None = None,
        history: int = 0,
    ) -> Subscription[IndicatorSignal]:
        """Subscribe to signals: an event when an indicator's condition turns from unmet to met.

        ::

            stream.indicator_signal("KRW-BTC", Rsi(14).overbought(70), print, timeframe="60m")

        ``indicators`` are indicators with one of their triggers; the rest is as in
        :meth:`indicator`, and counts towards the same 100 combinations.
        """
        demand = IndicatorDemand.make_signals(codes, indicators, timeframe)
        return self._subscribe(demand, callback, overflow, queue_size, history)

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
    @with_hints
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
        history: int,
    ) -> Subscription[E]:
        if callback is not None:
            check_callback(callback, demand.method)
        if queue_size is not None:
            require_queue_size(queue_size)
        require_history(history)
        channel: Channel[E] = self._engine.subscribe(
            demand,
            queue_size=self._config.queue_size if queue_size is None else queue_size,
            overflow=choose(
                "overflow", self._config.overflow if overflow is None else overflow, OverflowPolicy
            ),
            history=history,
        )
        kernel.subscribed(self._engine, channel)
        subscription = Subscription(channel, self._engine, self)
        if callback is not None:
            subscription(callback)
        return subscription
