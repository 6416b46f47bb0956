"""What is known of one code's stream: what was delivered last, and whether anything may be missing.

Values without a thread or a socket; they belong to whoever routes the events.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from array import array
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import Any, TypeAlias, TypeGuard

from upbit_stream.events import Candle, Event, Trade
from upbit_stream.recovery.history import IDS_PER_MS, CandleStretch, Stretch, TradeStretch
from upbit_stream.recovery.repairs import Repair

__all__ = [
    "REMEMBERED",
    "CandleTape",
    "Phase",
    "Tape",
    "TradeTape",
    "count_fetched",
    "is_repairable",
    "make_tape",
    "trade_order",
]

Sink: TypeAlias = Callable[[Any], None]

#: Ids of trades that are remembered for each code, at least; at most those of the last second, and
#: twice as many. A trade that comes again later than after so many others is taken for a new one.
REMEMBERED = 128

# What holds an id of 64 bits. "Q" does on every system, but it takes twice as long to append to.
_IDS = "L" if array("L").itemsize == 8 else "Q"

# No id is as large: it is a whole number of 64 bits, and not negative.
_LARGEST = 1 << 64

# Milliseconds: trades that were made so shortly before the last one that was delivered may have
# been under way when the socket was lost.
_UNDER_WAY = 2_000


class Phase(Enum):
    """Where a code stands."""

    #: What comes is delivered.
    LIVE = "live"
    #: The connection was lost: what comes first will tell whether something was missed.
    DOUBTED = "doubted"
    #: Something was, and is being fetched; live events wait.
    REPAIRING = "repairing"


class Tape(ABC):
    """One code of one type."""

    def __init__(self, type_: str, code: str) -> None:
        self.type = type_
        self.code = code
        self.phase = Phase.LIVE
        #: Live events that wait for the ones before them.
        self.held: list[Any] = []
        #: What came first after the loss, if that was a snapshot.
        self.snapshot: Any = None
        #: Moment (of ``time.monotonic()``) of the first loss since it was live.
        self.lost_at = 0.0
        #: Moment until which a first event is waited for.
        self.patience = float("inf")
        self.repair: Repair | None = None
        #: Seconds for which live events have waited for repairs that another loss cut short.
        self.waited = 0.0
        # Counters.
        self.duplicates = 0
        self.late = 0

    @abstractmethod
    def live_sink(self, deliver: Sink) -> Sink:
        """Where a live event goes that is to be delivered by ``deliver``."""

    @property
    @abstractmethod
    def known(self) -> bool:
        """Whether there was anything before, after which something can be missing."""

    @property
    @abstractmethod
    def known_until(self) -> int:
        """The exchange's time of what was delivered last, in milliseconds."""

    @abstractmethod
    def lose(self, newest: Any) -> None:
        """The connection was lost; ``newest`` is the last event that was delivered, if any."""

    @abstractmethod
    def continues(self, event: Any) -> bool:
        """Whether ``event``, the first after the loss, shows that nothing was missed."""

    @abstractmethod
    def stretch(self, event: Any | None) -> Stretch:
        """What may have been missed before ``event`` (None: until now)."""

    @abstractmethod
    def merge(self, found: Sequence[Any], complete: bool) -> list[Any]:
        """What was ``found`` and what was held, in the order in which they are to be delivered,
        each once. They count as delivered.
        """

    def is_behind(self, event: Any) -> bool:
        """Whether ``event`` is newer than all that had been delivered to everyone before the last
        :meth:`merge`.
        """
        return False

    @abstractmethod
    def tells_news(self, event: Any) -> bool:
        """Whether the first event, which shows no gap, is to be delivered."""


class TradeTape(Tape):
    """The trades of one code: unique by their ids, which show duplicates, but never holes."""

    def __init__(self, type_: str, code: str, lines: int = 1) -> None:
        super().__init__(type_, code)
        self._lines = lines
        #: The ids that were delivered last, in that order. As plain numbers: objects that lived on
        #: for so long would cost each trade a fifth more, for the next one's memory would be cold.
        self.recent = array(_IDS)
        # The id of the snapshot with which it began, if that was not delivered.
        self._began_after = 0
        # The largest one of those that are remembered no more; and the smallest.
        self._forgotten = 0
        self._first = 0
        # The newest one when the last merge began.
        self._merged_after = 0
        #: A snapshot that told of a trade before that came: trades after it wait.
        self.suspect: Trade | None = None
        self._suspect_until = 0.0

    def live_sink(self, deliver: Sink) -> Sink:
        """Each id once. A trade that is older than the one before it is late, not wrong."""
        # On the path of every trade: a closure, for its variables are faster than attributes; and
        # nobody counts here (see tidy()).
        recent = self.recent
        note = recent.append
        newest = max(recent, default=0)

        def sink(trade: Any) -> None:
            nonlocal newest
            id_ = trade.sequential_id
            try:
                if id_ > newest:
                    note(id_)
                    newest = id_
                elif id_ in recent:
                    self.duplicates += 1
                    return
                elif self._precedes(id_):
                    return
                else:
                    note(id_)
                    self.late += 1
            except (TypeError, OverflowError):  # an old frame without one, or no id at all
                pass
            deliver(trade)

        return sink

    def _precedes(self, id_: int) -> bool:
        """Whether a trade is from before the beginning: of a code that two lines have just asked
        for, the quicker one may bring the first event, and then the other one older trades.
        """
        return self._lines > 1 and id_ < (self._first or min(self.recent, default=0))

    def tidy(self) -> None:
        """Forget what need not be remembered. Called once a second."""
        if len(self.recent) > 2 * REMEMBERED:
            self._forget()

    def _forget(self) -> None:
        """Remember so many, and no more."""
        older = self.recent[:-REMEMBERED]
        if older:
            self._forgotten = max(self._forgotten, max(older))
            self._first = self._first or min(older)
        del self.recent[:-REMEMBERED]

    def begin(self, snapshot: Trade, *, delivered: bool) -> bool:
        """The stream begins with ``snapshot``, which everyone was given, or not; whether its id is
        remembered now, so that a sink that was made before does not know of it.
        """
        id_ = snapshot.sequential_id
        if not _is_id(id_) or id_ in self.recent:
            return False
        if delivered:
            self.recent.append(id_)
        elif not self.recent and not self._began_after:
            self._began_after = id_
        return delivered

    @property
    def newest(self) -> int:
        """The largest id that was delivered, or that of the snapshot after which it begins."""
        return max(self.recent, default=self._began_after)

    @property
    def known(self) -> bool:
        return self.newest > 0

    @property
    def known_until(self) -> int:
        return self.newest // IDS_PER_MS

    def has(self, trade: Trade) -> bool:
        """Whether it was delivered (perhaps so long ago that it is not remembered), waits to be, or
        is what the stream began after.
        """
        id_ = trade.sequential_id
        if id_ in self.recent or id_ == self._began_after:
            return True
        if any(one.sequential_id == id_ for one in self.held):
            return True
        return 0 < id_ < self._known_from

    @property
    def _known_from(self) -> int:
        """The id up to which it is not known which ones were delivered."""
        return self._forgotten or min(self.recent, default=self._began_after)

    @property
    def rate(self) -> float:
        """Trades a second, of late."""
        if len(self.recent) < 2:
            return 0.0
        milliseconds = (max(self.recent) - min(self.recent)) / IDS_PER_MS
        return 1000 * len(self.recent) / max(milliseconds, 1.0)

    def lose(self, newest: Any) -> None:
        # What is held because of it shows that something is missing.
        self.suspect = None

    def continues(self, event: Trade) -> bool:
        return event.sequential_id == self.newest

    def is_behind(self, event: Trade) -> bool:
        return (event.sequential_id or 0) > self._merged_after

    def tells_news(self, event: Trade) -> bool:
        return False  # it is the one that was delivered last

    def stretch(self, event: Trade | None) -> TradeStretch:
        # Not from the newest one: some that were made a little earlier may never have come.
        newest = self.newest
        after = max(self._known_from, newest - _UNDER_WAY * IDS_PER_MS)
        return TradeStretch(
            code=self.code,
            after=after,
            witness=0 if event is None else event.sequential_id or 0,
            until=0 if event is None else event.trade_timestamp or 0,
            rate=self.rate,
        )

    def is_ahead(self, snapshot: Trade) -> bool:
        """Whether a snapshot that came while others stream tells of a trade that did not come."""
        told = snapshot.sequential_id or 0
        held = max((one.sequential_id or 0 for one in self.held), default=0)
        return self.known and told > max(self.newest, held)

    def doubt(self, snapshot: Trade, until: float) -> None:
        """Wait for the trade that ``snapshot`` tells of until that moment."""
        self.suspect, self._suspect_until = snapshot, until

    def unfulfilled(self, now: float) -> bool:
        """Whether the suspect has been waited for long enough."""
        return self.suspect is not None and now >= self._suspect_until

    def merge(self, found: Sequence[Any], complete: bool) -> list[Any]:
        known = set(self.recent)
        self._merged_after = self.newest
        trades: dict[Any, Any] = {}
        for trade in self.held:
            id_ = trade.sequential_id
            if id_ in known or id_ in trades:
                self.duplicates += 1
            elif not _is_id(id_) or not self._precedes(id_):
                trades[id(trade) if id_ is None else id_] = trade
        spare = () if complete or self.snapshot is None else (self.snapshot,)
        for trade in (*found, *spare):
            if trade.sequential_id not in known:
                trades.setdefault(trade.sequential_id, trade)
        merged = sorted(trades.values(), key=trade_order)
        self.recent.extend(one.sequential_id for one in merged if _is_id(one.sequential_id))
        self._forget()
        return merged


class CandleTape(Tape):
    """The candles of one code and unit: the last event of each start is the finished one."""

    def __init__(self, type_: str, code: str) -> None:
        super().__init__(type_, code)
        self._last: Candle | None = None

    def live_sink(self, deliver: Sink) -> Sink:
        return deliver

    @property
    def known(self) -> bool:
        return self._last is not None

    @property
    def known_until(self) -> int:
        return 0 if self._last is None else self._last.timestamp or 0

    def lose(self, newest: Any) -> None:
        self._last = newest

    def continues(self, event: Candle) -> bool:
        return self._last is not None and (
            event.candle_date_time_utc == self._last.candle_date_time_utc
        )

    def stretch(self, event: Candle | None) -> CandleStretch:
        assert self._last is not None
        return CandleStretch(
            code=self.code,
            unit=self.type.partition(".")[2],
            first=self._last.candle_date_time_utc,
            before="" if event is None else event.candle_date_time_utc or "",
        )

    def merge(self, found: Sequence[Any], complete: bool) -> list[Any]:
        missed = [candle for candle in found if not self._is_last(candle)]
        first = [] if self.snapshot is None else [self.snapshot]
        return [*missed, *first, *self.held]

    def _is_last(self, candle: Candle) -> bool:
        """Whether it is the one that was delivered last, unchanged."""
        last = self._last
        return (
            last is not None
            and candle.candle_date_time_utc == last.candle_date_time_utc
            and candle.candle_acc_trade_volume == last.candle_acc_trade_volume
            and candle.trade_price == last.trade_price
        )

    def tells_news(self, event: Candle) -> bool:
        return event.stream_type != "SNAPSHOT" or not self._is_last(event)


def trade_order(trade: Trade) -> tuple[int, int]:
    """The order of trades: that of their times, and of their ids where these are the same."""
    return trade.trade_timestamp or 0, trade.sequential_id or 0


def _is_id(id_: int | None) -> TypeGuard[int]:
    """Whether it can be one: old frames have none, and nonsense is too large."""
    return id_ is not None and 0 <= id_ < _LARGEST


def is_repairable(type_: str) -> bool:
    """Whether REST knows the past of that type."""
    return type_ == "trade" or type_.startswith("candle.")


def make_tape(type_: str, code: str, lines: int) -> Tape:
    """An empty one, for a type that can be repaired, and that comes over so many lines."""
    return TradeTape(type_, code, lines) if type_ == "trade" else CandleTape(type_, code)


def count_fetched(events: Iterable[Event]) -> int:
    """How many of them came from REST."""
    return sum(event.stream_type == "BACKFILL" for event in events)
