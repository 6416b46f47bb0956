"""What has come and is shown: the newest of each code, the trades, the candles.

Each is written by the thread that delivers events and read by the one that draws.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

from upbit_stream.cli.board import Board, Row

__all__ = ["Memory"]

# Trades that are kept, of all codes and of each one; candles of each code. More than any screen
# has lines or columns.
_TRADES = 500
_CANDLES = 400


class Memory:
    """Events of every type, as far as they can be seen. ``codes``: those that are shown."""

    def __init__(self, codes: Sequence[str]) -> None:
        self.codes = tuple(codes)
        # Made by whichever thread comes first; setdefault is one step.
        self._boards: dict[str, Board] = {}
        # Guards the two below it: copied while they grow.
        self._lock = threading.Lock()
        self._trades: dict[str, deque[Any]] = {}
        #: (code, type) → start → candle.
        self._candles: dict[tuple[str, str], dict[str, Any]] = {}

    def take(self, event: Any) -> None:
        """An event came."""
        self._board(event.type).take(event)
        if event.type == "trade":
            self._add_trade(event)
        elif event.type.startswith("candle") and event.candle_date_time_utc is not None:
            self._add_candle(event)

    def _add_trade(self, trade: Any) -> None:
        with self._lock:
            for key in ("", trade.code):
                self._trades.setdefault(key, deque(maxlen=_TRADES)).append(trade)

    def add_past(self, candles: Iterable[Any]) -> None:
        """Candles that were fetched: what has come by itself since is newer."""
        with self._lock:
            for one in candles:
                self._series(one).setdefault(one.candle_date_time_utc, one)

    def _add_candle(self, candle: Any) -> None:
        """The newest of a start counts."""
        with self._lock:
            self._series(candle)[candle.candle_date_time_utc] = candle

    def _series(self, candle: Any) -> dict[str, Any]:
        """The candles of its code and type, with room for one more. With the lock."""
        kept = self._candles.setdefault((candle.code, candle.type), {})
        while len(kept) > _CANDLES:
            del kept[min(kept)]
        return kept

    def look(
        self, type_: str, *, now: float, clock_ns: int, messages: int
    ) -> tuple[tuple[Row, ...], float | None]:
        """A row for each code, and the messages a second of the whole; see :meth:`Board.look`."""
        return self._board(type_).look(now=now, clock_ns=clock_ns, messages=messages)

    def trades(self, code: str | None) -> list[Any]:
        """The last trades of a code, or of all of them, the newest last."""
        with self._lock:
            return list(self._trades.get(code or "", ()))

    def candles(self, code: str, type_: str) -> list[Any]:
        """The last candles, the newest last."""
        with self._lock:
            kept = self._candles.get((code, type_), {})
            return [kept[start] for start in sorted(kept)]

    def _board(self, type_: str) -> Board:
        return self._boards.setdefault(type_, Board(self.codes))
