"""The indicators of the info endpoint: which there are, and what they are worth."""

from __future__ import annotations

from typing import Any

__all__ = ["check_indicator"]

_CROSSES = {"price_cross_above": {}, "price_cross_below": {}}
_PAIRS = [(5, 20), (20, 60), (30, 90), (50, 200)]
_MACD = [(12, 26, 9), (8, 17, 9), (5, 35, 5)]


def check_indicator(kind: str, wanted: dict[str, Any]) -> bool:
    """Whether the exchange has this indicator with these parameters."""
    return isinstance(wanted.get("indicator"), str)
