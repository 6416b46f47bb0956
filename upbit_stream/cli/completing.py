"""What the shell may propose behind an option, without asking anyone."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from upbit_stream.cli.columns import TYPES
from upbit_stream.protocol.endpoints import REGIONS

__all__ = [
    "complete_code",
    "complete_depth",
    "complete_format",
    "complete_quote",
    "complete_region",
    "complete_type",
    "remember_codes",
]

# Before the market list was ever asked for.
_WELL_KNOWN = (
    "KRW-BTC", "KRW-ETH", "KRW-XRP", "KRW-SOL", "KRW-DOGE", "KRW-ADA", "KRW-USDT", "KRW-TRX",
    "BTC-ETH", "BTC-XRP", "USDT-BTC", "USDT-ETH",
)  # fmt: skip


def complete_type(incomplete: str) -> list[str]:
    """The types that can be watched."""
    return _beginning(TYPES, incomplete)


def complete_region(incomplete: str) -> list[str]:
    """The countries."""
    return _beginning(REGIONS, incomplete)


def complete_depth(incomplete: str) -> list[str]:
    """The depths of an order book."""
    return _beginning(("1", "5", "15", "30"), incomplete)


def complete_quote(incomplete: str) -> list[str]:
    """The currencies in which prices are stated."""
    return _beginning(("KRW", "BTC", "USDT"), incomplete)


def complete_format(incomplete: str) -> list[str]:
    """The formats of a recording."""
    return _beginning(("jsonl", "zstd", "parquet"), incomplete)


def complete_code(incomplete: str) -> list[str]:
    """The codes of the last market list that ``upbit-stream markets`` has seen."""
    return _beginning(_remembered() or _WELL_KNOWN, incomplete)


def remember_codes(codes: Iterable[str]) -> None:
    """Keep the market list for completion; where that cannot be, it is not."""
    path = _path()
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_text(json.dumps(sorted(codes)), encoding="utf-8")
        unfinished.replace(path)
    except OSError:
        pass


def _remembered() -> list[str]:
    try:
        codes = json.loads(_path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return [code for code in codes if isinstance(code, str)] if isinstance(codes, list) else []


def _path() -> Path:
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA")
    else:
        base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "upbit-stream" / "markets.json"


def _beginning(words: Iterable[str], incomplete: str) -> list[str]:
    return [word for word in words if word.startswith(incomplete)]
