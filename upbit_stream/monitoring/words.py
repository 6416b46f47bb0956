"""The words of a report as text, and where figures stand in them.

Whoever writes reports in another language gives a mapping with the same keys, and names for what
the report itself names in English (stages, types of figures, criteria) under that name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

__all__ = ["ENGLISH", "Words"]

Words: TypeAlias = Mapping[str, str]

ENGLISH: Final[Words] = {
    "headline": "{url}: {health}, {met} of {count} criteria met",
    "healthy": "healthy",
    "not healthy": "NOT healthy",
    "met": "met",
    "not met": "NOT MET",
    "failed after": "FAILED after {time}: {why}",
    "not measured": "not measured",
    "below": "below {limit}",
    "at most": "at most {limit}",
    "none": "none",
    "ping times": "{count}: min {min}, median {p50}, p95 {p95}, p99 {p99}, deviation {deviation}",
    "total": "{rate}, over {seconds:.1f} s",
    "rate": "{messages:,.1f} messages/s, {bytes}/s",
    "one code": "1 code",
    "codes": "{count} codes",
    "snapshot": "first {first}, all {all}, {answered} of {codes} answered",
    "events": "{count:,} events",
    "frames": "{count:,} frames",
    "silence": "{longest:.2f} s ({each})",
    "growth": "{start}, {slope}/s ({growth:+.2%} over the run)",
}
