"""Subscription: what a person holds of a subscription."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from upbit_stream import kernel
from upbit_stream.config import require_seconds
from upbit_stream.connection.states import ConnectionState
from upbit_stream.delivery.channel import Channel
from upbit_stream.delivery.checking import check_callback
from upbit_stream.delivery.drops import Drop
from upbit_stream.delivery.stats import SubscriptionStats
from upbit_stream.engine import Engine
from upbit_stream.errors import StreamClosedError, SubscriptionError, UpbitStreamError
from upbit_stream.events import Event, Trade
from upbit_stream.frames import to_frame, to_pandas, to_polars
from upbit_stream.protocol.codes import check_codes
from upbit_stream.protocol.decoding import EVENT_CLASSES
from upbit_stream.recovery.gaps import Gap
from upbit_stream.replaying import fetch_trades
from upbit_stream.spelling import with_hints

if TYPE_CHECKING:
    import pandas
    import polars

__all__ = ["Subscription"]


E = TypeVar("E", bound=Event)
R = TypeVar("R")


class Subscription(Generic[E]):
    """Events of one type for some codes. Made by the methods of a stream, not by hand.

    There are two ways to get the events, and each subscription has one of them: *callbacks*
    (given to the stream's method, or by using the subscription as a decorator), called on a
    thread of the subscription's own; or *iteration* and :meth:`get`, in your thread.

    It ends when it or its stream is closed, or by an error that trying again cannot heal; a
    reconnect does not end it. It keeps its stream alive; a stream does not need it to go on.
    """

    def __init__(self, channel: Channel[E], engine: Engine, stream: object) -> None:
        self._channel = channel
        self._engine = engine
        # Held, so that a stream lives as long as someone waits for its events.
        self._stream = stream

    # Getting events.

    def __call__(self, callback: Callable[[E], R]) -> Callable[[E], R]:
        """Call ``callback`` with every event; returns it, so that this is a decorator::

            @stream.trade("KRW-BTC")
            def on_trade(trade): ...

        Several callbacks are called in the order in which they were added, on one thread. What
        a callback raises (``SystemExit``, too) is logged and told to ``on_error``, and the
        stream goes on; to end it, call ``close()``. Raises ``TypeError``
        for what cannot be called with one event, and for coroutine functions, and
        :class:`~upbit_stream.errors.StreamClosedError`, or the
        error that ended it, when no event will come.
        """
        check_callback(callback, self._channel.demand.method)
        kernel.add_callback(self._engine, self._channel, callback)
        return callback

    def __iter__(self) -> Iterator[E]:
        """The events as they come, until the subscription ends.

        Ctrl-C raises ``KeyboardInterrupt`` in your loop, as always. Raises
        :class:`~upbit_stream.errors.UpbitStreamError` when it was ended by an error,
        :class:`~upbit_stream.errors.SubscriptionError` when it has callbacks.
        """
        self._channel.iterate()
        return self._events()

    def _events(self) -> Iterator[E]:
        self._engine.start_if_new()
        take = self._take if kernel.in_kernel() else partial(self._channel.take, 1)
        while events := take():
            yield events[0]
        if self._channel.error is not None:
            # One exception for everyone who asks: without the traceback of the one before.
            raise self._channel.error.with_traceback(None)

    def get(self, timeout: float | None = None) -> E:
        """The next event; waits for it ``timeout`` seconds (None: as long as it takes).

        Raises ``TimeoutError`` when none came,
        :class:`~upbit_stream.errors.StreamClosedError` when the subscription was closed and
        nothing is left, or the error that ended it.
        """
        self._channel.iterate()
        self._engine.start_if_new()
        if events := self._take(timeout):
            return events[0]
        if self._channel.error is not None:
            raise self._channel.error.with_traceback(None)
        if self._channel.ended:
            raise StreamClosedError(
                "this subscription is closed, and nothing is left; make a new one"
            )
        raise TimeoutError(
            f"no {self.type} event within {timeout} s (state: {self._engine.state.value}); "
            f"{self._why_nothing()}"
        )

    def _take(self, timeout: float | None = None) -> list[E]:
        """The next event; empty when none came within ``timeout`` seconds, or none comes."""
        for until in kernel.turns(timeout):
            ended = self._channel.ended  # before it is looked for what is left
            if (events := self._channel.take(1, until)) or ended:
                return events
        return []

    def _why_nothing(self) -> str:
        if self._engine.state is not ConnectionState.CONNECTED:
            return "the connection is not up: wait longer, and look into the log for why"
        return "the market may be quiet: wait longer, or try a busy one, such as KRW-BTC"

    @property
    def latest(self) -> dict[str, E]:
        """The newest event of each code that has had one, whether it was delivered or not; also
        of codes that were removed since. Streams without codes (``myAsset``, ``announcement``)
        have their type for a key.
        """
        return self._channel.latest

    @property
    def history(self) -> dict[str, tuple[E, ...]]:
        """The last events of each code, oldest first: as many as ``history=`` said when it was
        subscribed, whether they were delivered or not; also of codes that were removed since. Of
        candles each is there once, as it came last. Trades that were fetched after a loss stand
        where they belong. Keys as in :attr:`latest`; empty without ``history=``.
        """
        return {} if self._channel.history is None else self._channel.history.copy()

    def to_frame(self, codes: str | Iterable[str] | None = None) -> Any:
        """The :attr:`history` as a DataFrame of pandas, or of polars where pandas is not installed:
        a row for each event, in the order of time, of ``codes`` (None: of all of them).

        The index (in polars the first column) is ``time`` in UTC: of trades when they were made,
        of candles when they begin, else when the exchange sent it. The columns have the names of
        the event's fields; :mod:`upbit_stream.frames` says more. Raises
        :class:`~upbit_stream.errors.SubscriptionError` without ``history=``, or for a code that is
        not subscribed, and ``ImportError`` when neither library is installed.
        """
        return to_frame(self._kept(codes), self._event_class)

    def to_pandas(self, codes: str | Iterable[str] | None = None) -> pandas.DataFrame:
        """As :meth:`to_frame`, of pandas in any case."""
        return to_pandas(self._kept(codes), self._event_class)

    def to_polars(self, codes: str | Iterable[str] | None = None) -> polars.DataFrame:
        """As :meth:`to_frame`, of polars in any case."""
        return to_polars(self._kept(codes), self._event_class)

    def plot(self, code: str | None = None) -> Any:
        """A picture of a market: the price line of tickers and trades, the candlesticks of candles,
        the depth of an order book; of ``code``, or of the first one.

        In a notebook a plotly ``FigureWidget`` that follows the market, with ten redraws a second
        at most, until it or the subscription is closed; of each code there is one, however often
        the cell is run, and a stream that was not started starts. Elsewhere a plotly ``Figure`` of
        this moment. It shows the last 2,000 events of the :attr:`history`; without ``history=``
        what the figure itself has seen.

        Raises :class:`~upbit_stream.errors.SubscriptionError` for streams of which there is no
        picture and for a code that is not subscribed, ``ImportError`` without plotly.
        """
        from upbit_stream.plots import plot

        if code is not None:
            (code,) = self._known((code,))
        elif self.codes:
            code = self.codes[0]
        return plot(self._channel, code, self._engine)

    def _kept(self, codes: str | Iterable[str] | None) -> list[E]:
        if self._channel.history is None:
            raise SubscriptionError(
                "this subscription keeps no events; subscribe with history=1000 (that many of each "
                f"code), as in stream.{self._channel.demand.method}(…, history=1000)"
            )
        kept = self._channel.history.copy()
        names = kept if codes is None else self._known(codes)
        return [event for name in names for event in kept.get(name, ())]

    def _known(self, codes: str | Iterable[str]) -> tuple[str, ...]:
        checked = check_codes(codes)
        known = {*checked} if self._channel.demand.every_code else {*self.codes, *self.latest}
        if strange := [code for code in checked if code not in known]:
            raise SubscriptionError(
                f"{', '.join(strange)}: not among the codes of this subscription; add() them first"
            )
        return checked

    @property
    def _event_class(self) -> type[Event]:
        return EVENT_CLASSES[self.type.partition(".")[0]]

    # What is subscribed.

    @property
    def type(self) -> str:
        """The wire's type: ``trade``, ``candle.1m`` …"""
        return self._channel.demand.type

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes, in the order in which they were added; none for streams without codes, and
        for orders of every market.
        """
        return self._channel.demand.codes

    @with_hints
    def add(self, codes: str | Iterable[str]) -> None:
        """Subscribe further codes; those that are there already stay as they are.

        Raises :class:`~upbit_stream.errors.InvalidCodeError`, and
        :class:`~upbit_stream.errors.SubscriptionError` for a code that cannot be had as this
        subscription asks, for too many combinations of codes and indicators, and for streams
        that have no codes (or all of them).
        """
        # Not under the engine's lock: an iterable is the person's own code.
        checked = check_codes(codes)
        self._engine.change(self._channel, lambda demand: demand.adding(checked))

    @with_hints
    def remove(self, codes: str | Iterable[str]) -> None:
        """Unsubscribe codes; those that are not there do not matter.

        Raises :class:`~upbit_stream.errors.InvalidCodeError`, and
        :class:`~upbit_stream.errors.SubscriptionError` if none would remain: that is
        :meth:`close`.
        """
        checked = check_codes(codes)
        self._engine.change(self._channel, lambda demand: demand.removing(checked))

    def replay(self, told: Gap | Drop, timeout: float = 30.0) -> list[Trade]:
        """The trades of a :class:`~upbit_stream.Gap` (that was not repaired) or a
        :class:`~upbit_stream.Drop`, fetched over REST, in the order of their times and ids: all
        that were made in its ranges, those that were delivered among them, too. Of this
        subscription's codes only. They are returned, not given to the callbacks.

        Takes ``timeout`` seconds at most; REST reaches seven days back and answers ten requests a
        second, of 500 trades each. Raises :class:`~upbit_stream.errors.BackfillError` when not all
        could be had, :class:`~upbit_stream.errors.SubscriptionError` for what is not about trades,
        and :class:`~upbit_stream.errors.StreamClosedError`.
        """
        require_seconds("timeout", timeout)
        return fetch_trades(self._engine, told, self.codes, timeout)

    @property
    def missing(self) -> tuple[str, ...]:
        """The codes of which nothing came within ten seconds of the request for their snapshot,
        and nothing since: the exchange answers a code that it does not know with silence. Told as
        a :class:`~upbit_stream.errors.SilentCodesWarning` to ``on_error``, too.
        """
        return self._channel.missing

    @property
    def stats(self) -> SubscriptionStats:
        """The counters at this moment."""
        return self._channel.stats

    # The end.

    @property
    def closed(self) -> bool:
        """Whether the subscription has ended, by :meth:`close`, with its stream or by an error."""
        return self._channel.ended

    @property
    def error(self) -> UpbitStreamError | None:
        """What ended the subscription, if that was an error."""
        return self._channel.error

    def close(self) -> None:
        """Unsubscribe; returns at once, and does nothing the second time.

        What is queued is still delivered, unless it is called by a callback of this very
        subscription: then that call was the last.
        """
        self._engine.unsubscribe(self._channel)

    def __enter__(self) -> Subscription[E]:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Subscription) and self._channel is other._channel

    def __hash__(self) -> int:
        return hash(self._channel)

    def __repr__(self) -> str:
        return f"<Subscription {self._channel.demand.describe()}{' closed' * self.closed}>"

    def _repr_html_(self) -> str:
        from upbit_stream.notebook.cards import subscription_card

        return subscription_card(self, self._channel.callback_names)
