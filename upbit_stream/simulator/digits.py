"""Numbers as the exchange has them: exact, and spelled in many ways.

Prices and volumes are integers, in units of 0.00000001, so that a ticker, a candle and a sum of
trades agree to the last digit. A value (price times volume) is in units of 1E-16.

On the wire one number has many spellings, which depend on the field and on the format:
``142009000.00000000``, ``1.16539E8``, ``7.9276E-4``, ``109847000``, ``109847000.0``.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from decimal import Decimal

__all__ = [
    "DIGITS",
    "SCALE",
    "Spelling",
    "exact",
    "fixed",
    "java",
    "plain",
    "point",
    "tick_above",
    "tick_below",
    "to_units",
    "value_fixed",
    "value_plain",
]

DIGITS = 8
SCALE = 10**DIGITS

Spelling = Callable[[int], str]


def to_units(number: float | str | Decimal) -> int:
    """A number in units; a float is taken for what it prints."""
    scaled = Decimal(str(number)).scaleb(DIGITS)
    units = int(scaled)
    if units != scaled:
        raise ValueError(f"{number!r} has more than {DIGITS} decimals")
    return units


def exact(units: int, digits: int = DIGITS) -> Decimal:
    """The number that ``units`` stand for."""
    return Decimal(units).scaleb(-digits)


def fixed(units: int) -> str:
    """``142009000.00000000``: always eight decimals."""
    if units < 0:
        return "-" + fixed(-units)
    whole, rest = divmod(units, SCALE)
    return f"{whole}.{rest:08d}"


# Between these a float's own spelling has every digit: a decimal of up to fifteen digits survives
# the way through a float, and from 0.001 on to ten million it is spelled without an exponent. It
# is the fastest way there is, and most numbers take it.
_SHORTEST = SCALE // 1000
_LONGEST = 10**7 * SCALE


def plain(units: int) -> str:
    """``109847000``, ``0.5``: as short as possible."""
    if _SHORTEST <= units < _LONGEST:
        text = repr(units / SCALE)
        return text[:-2] if text.endswith(".0") else text
    whole, rest = divmod(abs(units), SCALE)
    sign = "-" if units < 0 else ""
    return f"{sign}{whole}.{rest:08d}".rstrip("0") if rest else f"{sign}{whole}"


def point(units: int) -> str:
    """``109847000.0``: as short as possible, but with a decimal point."""
    return f"{plain(units)}.0" if units % SCALE == 0 else plain(units)


def java(units: int) -> str:
    """As Java prints a double: ``1.16539E8`` from ten million on, ``7.9276E-4`` below 0.001."""
    if _SHORTEST <= units < _LONGEST:
        return repr(units / SCALE)
    size = abs(units)
    if size == 0 or _SHORTEST <= size < _LONGEST:
        return point(units)
    digits = str(size)
    power = len(digits) - 1 - DIGITS
    sign = "-" if units < 0 else ""
    return f"{sign}{digits[0]}.{digits[1:].rstrip('0') or '0'}E{power}"


def value_fixed(units: int) -> str:
    """``860743.5307100000000000``: a value with all its sixteen decimals."""
    whole, rest = divmod(units, SCALE * SCALE)
    return f"{whole}.{rest:016d}"


def value_plain(units: int) -> str:
    """``256707458304.6534``: a value, as short as possible."""
    return value_fixed(units).rstrip("0") + "0" if units else "0.0"


# The smallest step of a price: (from this price on, this step), both in units.
_KRW_STEPS = [
    (to_units(start), to_units(step))
    for start, step in (
        (1_000_000, 1000), (500_000, 500), (100_000, 100), (50_000, 50), (10_000, 10),
        (5_000, 5), (100, 1), (10, "0.1"), (1, "0.01"), ("0.1", "0.001"), ("0.01", "0.0001"),
        ("0.001", "0.00001"), ("0.0001", "0.000001"), ("0.00001", "0.0000001"),
    )
]  # fmt: skip
_USDT_STEPS = [
    (to_units(start), to_units(step))
    for start, step in (
        (10, "0.01"), (1, "0.001"), ("0.1", "0.0001"), ("0.01", "0.00001"),
        ("0.001", "0.000001"), ("0.0001", "0.0000001"),
    )
]  # fmt: skip
# Per quote: the starts in rising order, and the step below the first, behind the first, ...
_STEPS = {
    quote: (sorted(start for start, _ in steps), [1, *(step for _, step in sorted(steps))])
    for quote, steps in {"KRW": _KRW_STEPS, "USDT": _USDT_STEPS}.items()
}
_ONE: tuple[list[int], list[int]] = ([], [1])


def tick_above(quote: str, price: int) -> int:
    """The step from ``price`` to the next higher one."""
    starts, steps = _STEPS.get(quote, _ONE)
    return steps[bisect_right(starts, price)]


def tick_below(quote: str, price: int) -> int:
    """The step from ``price`` to the next lower one."""
    return tick_above(quote, price - 1)
