"""The candles before now: the socket only tells how they go on."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from queue import SimpleQueue
from types import TracebackType

from upbit_stream.cli.memory import Memory
from upbit_stream.recovery.history import CandleStretch, History
from upbit_stream.recovery.rest import RestClient
from upbit_stream.workers import Worker

__all__ = ["Past"]

# Candles that are asked for: one page of the exchange.
_COUNT = 200
# Seconds for one answer, and for the thread's end (it may be inside of a request).
_PATIENCE = 5.0
_END = 3.0


class Past:
    """Fetches the candles of codes that somebody looks at, on a thread of its own.

    A context manager. What cannot be had is not there: the live candles come all the same.
    """

    def __init__(self, rest: RestClient, memory: Memory) -> None:
        self._rest = rest
        self._memory = memory
        # Of the main thread.
        self._asked: set[tuple[str, str]] = set()
        self._wanted: SimpleQueue[tuple[str, str] | None] = SimpleQueue()
        self._worker = Worker("upbit-past-candles", self._work)

    def __enter__(self) -> Past:
        self._worker.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._rest.cancel()
        self._wanted.put(None)
        self._worker.join(time.monotonic() + _END)

    def want(self, code: str, type_: str) -> None:
        """Fetch the candles of that type, once."""
        if (code, type_) not in self._asked:
            self._asked.add((code, type_))
            self._wanted.put((code, type_))

    def _work(self) -> None:
        history = History(self._rest, "float")
        while (wanted := self._wanted.get()) is not None:
            code, type_ = wanted
            unit = type_.partition(".")[2]
            seconds = int(unit[:-1]) * (1 if unit.endswith("s") else 60)
            first = datetime.fromtimestamp(time.time() - _COUNT * seconds, timezone.utc)
            stretch = CandleStretch(code=code, unit=unit, first=f"{first:%Y-%m-%dT%H:%M:%S}")
            found = history.find(stretch, time.monotonic() + _PATIENCE)
            self._memory.add_past(found.events)
