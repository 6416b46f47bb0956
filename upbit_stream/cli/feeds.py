"""Where the events of a view come from: a live stream. (A recording: ``playing.py``.)"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, Protocol

from upbit_stream.cli.columns import CANDLES
from upbit_stream.cli.failures import RunFailed
from upbit_stream.cli.memory import Memory
from upbit_stream.cli.notices import NoticeBox
from upbit_stream.cli.past import Past
from upbit_stream.cli.subscribing import subscribe
from upbit_stream.cli.texts import text
from upbit_stream.cli.views.picture import Playing, Status
from upbit_stream.stream import UpbitStream
from upbit_stream.subscription import Subscription

__all__ = ["Feed", "LiveFeed"]

# Seconds for an error that ends one subscription to end the stream, too.
_LOOK_AROUND = 0.2


class Feed(Protocol):
    """What the viewer asks of a source. All of it is for the main thread."""

    @property
    def types(self) -> Sequence[str]:
        """The types that can be shown, one of each view."""
        ...

    @property
    def units(self) -> Sequence[str]:
        """The types of candles that can be shown."""
        ...

    @property
    def over(self) -> bool:
        """Whether nothing more comes, because all of it was shown."""
        ...

    @property
    def source(self) -> str:
        """Where the events come from, for people."""
        ...

    @property
    def messages(self) -> int:
        """How many have come."""
        ...

    def clock_ns(self) -> int:
        """The time against which the age of an event is told, as in ``received_at``."""
        ...

    def show(self, type_: str, code: str) -> None:
        """Let events of that type come; someone looks at this code."""
        ...

    def tend(self) -> None:
        """Raises what has ended the source for good."""
        ...

    def press(self, key: str) -> None:
        """A key that the viewer has no use for."""
        ...

    def status(self, rate: float | None) -> Status | Playing:
        """How it is."""
        ...


class LiveFeed:
    """A stream that carries the type that is shown, and no other."""

    def __init__(
        self, stream: UpbitStream, memory: Memory, past: Past, box: NoticeBox, begun: float,
        *, depth: int, unit: str,
    ) -> None:  # fmt: skip
        self.types: Sequence[str] = ("ticker", "orderbook", "trade", f"candle.{unit}")
        self.units: Sequence[str] = CANDLES
        self.over = False
        self._stream = stream
        self._memory = memory
        self._past = past
        self._box = box
        self._begun = begun
        self._depth = depth
        self._subscription: Subscription[Any] | None = None

    def show(self, type_: str, code: str) -> None:
        """Subscribe, before the last type is left: so the connection stays.

        Raises as :class:`~upbit_stream.subscribing.Subscribing`.
        """
        before = self._subscription
        if before is None or before.type != type_:
            take: Callable[[Any], None] = self._memory.take
            self._subscription = subscribe(
                self._stream, type_, self._memory.codes, take, depth=self._depth
            )
            if before is not None:
                before.close()
        if type_.startswith("candle"):
            self._past.want(code, type_)

    @property
    def source(self) -> str:
        """The URL; empty before there is a connection."""
        connection = next(reversed(self._stream.connections), None)
        return connection.url if connection else ""

    @property
    def messages(self) -> int:
        """Of the whole stream."""
        return self._stream.stats.messages

    def clock_ns(self) -> int:
        """Now."""
        return time.time_ns()

    def tend(self) -> None:
        """Raises what has ended the stream, or the subscription."""
        self._stream.run(0)
        if self._subscription is not None and self._subscription.closed:
            self._tell_end()

    def _tell_end(self) -> NoReturn:
        """The subscription has ended, which is not our doing: say why."""
        # The whole stream may be about to end for the same reason, then this raises it.
        self._stream.wait_connected(_LOOK_AROUND)
        raise RunFailed(self._box.last or text("failed.subscription_ended"))

    def press(self, key: str) -> None:
        """There is nothing to steer."""

    def status(self, rate: float | None) -> Status:
        """Of the connection that stands; its predecessors come before it."""
        stats = self._stream.stats
        connection = next(reversed(self._stream.connections), None)
        return Status(
            state=self._stream.state,
            latency=connection.ping_latency if connection else None,
            rate=rate,
            dropped=stats.dropped,
            reconnects=stats.reconnects,
            elapsed=time.monotonic() - self._begun,
        )
