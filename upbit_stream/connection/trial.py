"""Which subscription is it that the exchange refuses? Its error does not say.

One bad type object ends the connection for everyone. So what is new since the last list that the
exchange took is under suspicion, the newest first. With one suspect the case is clear. With
several, lists with fewer of them are tried, until it is known which one makes the difference.
"""

from __future__ import annotations

from collections.abc import Mapping

from upbit_stream.connection.router import AnyChannel
from upbit_stream.protocol.demands import Demand

__all__ = ["Trial"]

# Seconds after which a list that was not refused was taken (measured: an error comes after one
# round trip).
_STANDS_AFTER = 2.0


class Trial:
    """What was asked for, and what came of it. Belongs to the I/O thread.

    Times are those of ``time.monotonic()``.
    """

    def __init__(self) -> None:
        # Channels in a list that the exchange took, with what they wanted then.
        self._good: dict[AnyChannel, Demand] = {}
        # The list that was asked for last, and when.
        self._asked: dict[AnyChannel, Demand] = {}
        self._asked_at = float("inf")
        # During a search: the exchange refuses the good ones with the first `_refused` of the
        # suspects, takes them with the first `_taken`, and is asked with the first `_probe`.
        self._suspects: tuple[AnyChannel, ...] = ()
        self._taken = self._refused = self._probe = 0

    @property
    def searching(self) -> bool:
        """Whether an answer to the last list is awaited: it tells who the culprit is."""
        return bool(self._suspects)

    def admit(self, channels: tuple[AnyChannel, ...]) -> tuple[AnyChannel, ...]:
        """Those of ``channels`` that are to be asked for now."""
        if not self.searching:
            return channels
        if not set(self._suspects) <= set(channels):
            # A suspect has left in the meantime: what was found out is worth nothing now.
            self._end_search()
            return channels
        admitted = (self._good.keys() - set(self._suspects)) | set(self._suspects[: self._probe])
        return tuple(channel for channel in channels if channel in admitted)

    def asked(self, demands: Mapping[AnyChannel, Demand], now: float) -> None:
        """A list of these channels' demands has been sent."""
        self._look_back(now)
        self._asked = dict(demands)
        self._asked_at = now

    def interrupted(self, now: float) -> None:
        """The connection was lost for another reason: what was not answered by then will not be."""
        self._look_back(now)
        self._asked_at = float("inf")

    def refused(self, now: float) -> AnyChannel | None:
        """The last list was refused; the culprit, if that settles it."""
        if self.searching:
            self._refused = self._probe
            return self._narrow()
        self._look_back(now)
        suspects = [
            channel for channel, demand in self._asked.items() if self._good.get(channel) != demand
        ]
        if not suspects:
            # It took that very list before. Once more; then everyone is under suspicion.
            self._good = {}
            self._asked_at = float("inf")
            return None
        # What is new comes last of all, and among that what was there with fewer codes.
        suspects.sort(key=lambda channel: channel in self._good)
        self._suspects = tuple(suspects)
        self._taken, self._refused = 0, len(suspects)
        return self._narrow()

    def accepted(self) -> AnyChannel | None:
        """The last list was taken; the culprit, if that settles it."""
        if not self.searching:
            self._good = self._asked
            return None
        self._taken = self._probe
        return self._narrow()

    def overdue(self, now: float) -> bool:
        """Whether the answer to a list in a search is so late that it counts as taken."""
        return self.searching and now - self._asked_at > _STANDS_AFTER

    def _look_back(self, now: float) -> None:
        if not self.searching and now - self._asked_at > _STANDS_AFTER:
            self._good = self._asked

    def _narrow(self) -> AnyChannel | None:
        suspects, taken, refused = self._suspects, self._taken, self._refused
        if refused - taken == 1:
            self._good = {**self._good, **{one: one.demand for one in suspects[:taken]}}
            self._end_search()
            return suspects[taken]
        first = refused == len(suspects) and not taken
        self._probe = refused - 1 if first else (taken + refused) // 2
        return None

    def _end_search(self) -> None:
        self._suspects = ()
        self._asked_at = float("inf")
