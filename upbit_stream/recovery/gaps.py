"""Gaps: what the socket missed, and whether that could be had otherwise."""

from __future__ import annotations

from collections.abc import Container, Mapping
from datetime import datetime

import msgspec

from upbit_stream.events.base import utc

__all__ = ["Gap", "GapTally", "narrow"]


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Time of which the socket brought nothing. Given to ``on_gap``.

    ``recovered``: what was missed was fetched over REST and delivered, each event once and before
    the live ones, with the ``stream_type`` ``BACKFILL``. Otherwise it is missing, and ``why`` says
    why. (Of tickers and order books that is no harm: the snapshot that followed is the state.)
    """

    #: The wire's type: ``trade``, ``candle.1m`` …
    type: str
    #: The codes that it concerns; none for streams without codes, or for those of every code.
    codes: tuple[str, ...]
    recovered: bool
    #: Events that were fetched and delivered, by code; of a gap that was repaired in part, too.
    by_code: Mapping[str, int]
    #: What was missed lies after the first and not after the second, in milliseconds since the
    #: epoch: exchange times for trades and candles, otherwise when the socket fell silent and when
    #: the subscription stood again.
    from_timestamp: int
    to_timestamp: int
    #: The same for each code.
    ranges: Mapping[str, tuple[int, int]]
    #: Why it could not be repaired; empty if it was.
    why: str = ""

    @property
    def count(self) -> int:
        """Events that were fetched and delivered."""
        return sum(self.by_code.values())

    @property
    def from_datetime(self) -> datetime | None:
        """``from_timestamp`` as an aware datetime (UTC)."""
        return utc(self.from_timestamp)

    @property
    def to_datetime(self) -> datetime | None:
        """``to_timestamp`` as an aware datetime (UTC)."""
        return utc(self.to_timestamp)

    def __str__(self) -> str:
        seconds = (self.to_timestamp - self.from_timestamp) / 1000
        what = f"{self.type} {', '.join(self.codes[:5])}".rstrip()
        if len(self.codes) > 5:
            what += f" and {len(self.codes) - 5} more"
        if self.recovered:
            events = "1 event" if self.count == 1 else f"{self.count} events"
            return f"{what}: {events} of {seconds:.1f} s missed, and fetched"
        missing = f"{what}: {seconds:.1f} s are missing: {self.why}"
        return f"{missing}; call subscription.replay(gap) later" * (self.type == "trade") or missing


def narrow(gap: Gap, codes: Container[str]) -> Gap | None:
    """The part of ``gap`` that concerns ``codes``; None when there is none. One without codes
    concerns everyone.
    """
    if not gap.codes:
        return gap
    left = tuple(code for code in gap.codes if code in codes)
    if not left:
        return None
    by_code = {code: count for code, count in gap.by_code.items() if code in left}
    ranges = {code: span for code, span in gap.ranges.items() if code in left}
    return msgspec.structs.replace(gap, codes=left, by_code=by_code, ranges=ranges)


class GapTally:
    """Gathers the gaps of many codes, so that an outage is told once and not once for each code.

    Belongs to whoever repairs; no lock.
    """

    def __init__(self) -> None:
        # By type, outcome and reason.
        self._gaps: dict[tuple[str, bool, str], dict[str, tuple[int, int, int]]] = {}

    def add(
        self, type_: str, code: str, begin: int, end: int, *, count: int, why: str = ""
    ) -> None:
        """A gap of one code (empty: of a stream without codes); ``why`` it was not repaired, empty
        if it was.
        """
        codes = self._gaps.setdefault((type_, not why, why), {})
        if code in codes:
            earlier, later, before = codes[code]
            begin, end, count = min(begin, earlier), max(end, later), count + before
        codes[code] = begin, max(begin, end), count

    def collect(self) -> list[Gap]:
        """What has come together since the last call."""
        gaps, self._gaps = self._gaps, {}
        return [
            Gap(
                type=type_,
                codes=tuple(filter(None, codes)),
                recovered=recovered,
                by_code={code: count for code, (_, _, count) in codes.items() if count},
                from_timestamp=min(begin for begin, _, _ in codes.values()),
                to_timestamp=max(end for _, end, _ in codes.values()),
                ranges={code: (begin, end) for code, (begin, end, _) in codes.items() if code},
                why=why,
            )
            for (type_, recovered, why), codes in gaps.items()
        ]
