"""What came out: ratios with their targets, and figures."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Figure", "Finding", "Report", "divide"]


def divide(over: Sequence[float], under: Sequence[float]) -> list[float]:
    """The ratios, round by round."""
    return [one / other for one, other in zip(over, under, strict=True)]


@dataclass(frozen=True)
class Finding:
    """A ratio, measured in several rounds."""

    what: str
    ratios: Sequence[float]
    target: float | None = None
    #: Whether the target is a lower or an upper bound.
    bound: Literal["≥", "≤"] = "≥"

    @property
    def median(self) -> float:
        """What counts."""
        return statistics.median(self.ratios)

    @property
    def verdict(self) -> str:
        """``met``, ``missed``, or nothing where there is no target."""
        if self.target is None:
            return ""
        met = self.median >= self.target if self.bound == "≥" else self.median <= self.target
        return "met" if met else "**missed**"


@dataclass(frozen=True)
class Figure:
    """An absolute figure, measured in several rounds."""

    group: str
    """With what it is to be seen together: the heading, with the unit."""
    what: str
    values: Sequence[float]

    @property
    def median(self) -> float:
        """What counts."""
        return statistics.median(self.values)


@dataclass
class Report:
    """All of it."""

    findings: list[Finding] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    #: What a reader has to know: peers that were not there, a server that was too slow.
    remarks: list[str] = field(default_factory=list)
