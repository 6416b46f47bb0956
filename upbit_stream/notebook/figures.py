"""Numbers and times as people read them."""

from __future__ import annotations

from datetime import datetime

from upbit_stream.notebook.words import is_korean

__all__ = ["amount", "bytes_", "clock", "milliseconds", "percent", "price", "seconds"]

# From where on amounts are written in a unit, its size, its decimals, and its name. A million is a
# hundred of the Korean unit, so that needs none.
_UNITS = ((1e12, 1e12, 2, "T"), (1e9, 1e9, 2, "B"), (1e6, 1e6, 2, "M"))
_UNITS_KO = ((1e12, 1e12, 2, "조"), (1e8, 1e8, 2, "억"), (1e6, 1e4, 0, "만"))


def price(value: float | None) -> str:
    """All digits that matter, with thousands."""
    if value is None:
        return "–"
    text = f"{value:,.8f}".rstrip("0").rstrip(".")
    # A price below a hundred whose cents are missing would jump from 12.3 to 12.35.
    whole, dot, decimals = text.partition(".")
    return f"{whole}.{decimals.ljust(2, '0')}" if dot else whole


def amount(value: float | None) -> str:
    """A size or a turnover, in at most ten or so characters."""
    if value is None:
        return "–"
    for bound, size, places, unit in _UNITS_KO if is_korean() else _UNITS:
        if value >= bound:
            return f"{float(value) / size:,.{places}f}{unit}"
    text = f"{value:,.{1 if value >= 1000 else 3 if value >= 1 else 8}f}"
    return text.rstrip("0").rstrip(".") if value < 1 else text


def percent(fraction: float | None) -> str:
    """A change, with its sign."""
    return "–" if fraction is None else f"{fraction:+.2%}"


def milliseconds(value: float | None) -> str:
    """A time that was measured in milliseconds."""
    if value is None:
        return "–"
    return f"{value:.1f} ms" if value < 10 else f"{value:,.0f} ms"


def seconds(value: float | None) -> str:
    """An age."""
    if value is None:
        return "–"
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(int(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def bytes_(count: float | None) -> str:
    """So many bytes."""
    if count is None:
        return "–"
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.3g} GB"


def clock(moment: datetime | None) -> str:
    """A moment here, with its date and the zone: frames and pictures are in UTC."""
    if moment is None:
        return "–"
    here = moment.astimezone()
    zone = here.tzname() or ""
    # On Windows zones have long names.
    written = "%Z" if zone.isalpha() and len(zone) < 6 else "UTC%z"
    return here.strftime(f"%Y-%m-%d %H:%M:%S {written}")
