"""What was lost, doubled or out of order, by the ledger. Pure: no socket, no clock."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from upbit_stream.simulator.history import IDS_PER_MS

__all__ = ["Verdict", "judge"]

#: Milliseconds: from and to, both included.
Span = tuple[int, int]


@dataclass
class Verdict:
    """Of one code of one subscription, or sums of them."""

    #: Trades that were due.
    trades: int = 0
    #: Ids of what never came.
    lost: list[int] = field(default_factory=list)
    #: What never came, inside of a gap that was told and had a cause.
    excused: int = 0
    doubled: int = 0
    #: After the one that follows it in the ledger, as the simulator sends trades late.
    late: int = 0
    #: Ids of what came after a later one.
    out_of_order: list[int] = field(default_factory=list)

    def add(self, other: Verdict) -> None:
        """Count in another."""
        self.trades += other.trades
        self.lost += other.lost
        self.excused += other.excused
        self.doubled += other.doubled
        self.late += other.late
        self.out_of_order += other.out_of_order


def judge(
    ledger: Sequence[int], delivered: Sequence[int], last: int, told: Sequence[Span]
) -> Verdict:
    """Compare what was delivered of one code, as it came, with the ledger (ids, oldest first).

    Due is what follows the first delivered trade, up to the id ``last``. ``told``: the gaps in
    which trades may be missing.
    """
    verdict = Verdict()
    if not delivered:
        return verdict
    seen: set[int] = set()
    newest = -1
    for one in delivered:
        if one in seen:
            verdict.doubled += 1
        elif one > newest:
            newest = one
        elif _next(ledger, one) == newest:
            verdict.late += 1
        else:
            verdict.out_of_order.append(one)
        seen.add(one)
    due = ledger[bisect_left(ledger, delivered[0]) : bisect_right(ledger, last)]
    verdict.trades = len(due)
    for one in due:
        if one not in seen:
            when = one // IDS_PER_MS
            if any(begin <= when <= end for begin, end in told):
                verdict.excused += 1
            else:
                verdict.lost.append(one)
    return verdict


def _next(ledger: Sequence[int], one: int) -> int | None:
    place = bisect_right(ledger, one)
    return ledger[place] if place < len(ledger) else None
