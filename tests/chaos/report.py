"""What a run has to say, and whether it went well."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.chaos.oracle import Verdict

__all__ = ["Report"]


@dataclass
class Report:
    """Of one run."""

    seed: int
    lines: int
    injected: Counter[str] = field(default_factory=Counter)
    total: Verdict = field(default_factory=Verdict)
    #: What is wrong, in words.
    problems: list[str] = field(default_factory=list)
    recovered: int = 0
    unrecovered: int = 0
    backfilled: int = 0
    reconnects: int = 0
    #: Seconds in which the prompt listener got nothing.
    longest_pause: float = 0.0
    changes: int = 0
    seconds: float = 0.0

    def judge(
        self,
        whose: str,
        verdict: Verdict,
        before: Callable[[int], str],
        around: Callable[[int], str],
    ) -> None:
        """Count in one code of one listener; ``before`` tells the faults before a trade, and
        ``around`` what the listener was given beside it.
        """
        self.total.add(verdict)
        if verdict.doubled:
            self.problems.append(f"{whose}: {verdict.doubled} of {verdict.trades} doubled")
        for what, ids in (("lost", verdict.lost), ("out of order", verdict.out_of_order)):
            if ids:
                self.problems.append(
                    f"{whose}: {len(ids)} of {verdict.trades} {what}, first {ids[0]}, "
                    f"after {before(ids[0])}; {around(ids[0])}"
                )

    def __str__(self) -> str:
        total = self.total
        kinds = [f"  {count:5,}  {name}" for name, count in sorted(self.injected.items())]
        figures = [
            f"trades due {total.trades:,}, lost {len(total.lost):,}, doubled {total.doubled:,}, "
            f"out of order {len(total.out_of_order):,}",
            f"missing in gaps that were told while REST failed {total.excused:,}, "
            f"sent late and delivered {total.late:,}",
            f"gaps told: {self.recovered:,} repaired, {self.unrecovered:,} not; "
            f"BACKFILL delivered {self.backfilled:,}",
            f"reconnects {self.reconnects:,}, longest pause {self.longest_pause:.2f} s, "
            f"changes of subscriptions {self.changes:,}",
        ]
        verdict = [f"WRONG: {problem}" for problem in self.problems] or ["nothing is wrong"]
        head = (
            f"seed {self.seed}, lines {self.lines}: {self.injected.total():,} faults "
            f"in {self.seconds:.0f} s"
        )
        return "\n".join([head, *kinds, *figures, *verdict])
