"""How a market is named: quote currency first, ``KRW-BTC``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from upbit_stream.errors import InvalidCodeError

__all__ = ["QUOTES", "check_codes", "name_some"]

#: The quote currencies of all regions: Korea trades in KRW, BTC and USDT, the others in their
#: own currency beside those.
QUOTES = ("KRW", "BTC", "USDT", "SGD", "IDR", "THB")

_SHAPE = re.compile(r"[A-Z]{3,4}-[A-Z0-9]{1,20}")
_LOOSE = re.compile(r"([A-Z0-9]{1,20})[-_/:\s]([A-Z0-9]{1,20})")
_RULE = 'write it in upper case with the quote currency first, such as "KRW-BTC"'


def check_codes(codes: object) -> tuple[str, ...]:
    """``codes`` (one string or an iterable of them) as a tuple without repeats.

    Raises :class:`InvalidCodeError`, which names the value, the rule and the likely right code.
    Whether a well-formed code is traded only the exchange knows.
    """
    if isinstance(codes, str):
        given: tuple[object, ...] = (codes,)
    elif isinstance(codes, Iterable) and not isinstance(codes, (bytes, bytearray)):
        given = tuple(codes)
    else:
        raise InvalidCodeError(
            f"codes={codes!r}: give one code or a list of codes; {_RULE}", code=codes
        )
    if not given:
        raise InvalidCodeError(
            f'codes={codes!r} is empty: name at least one market, such as "KRW-BTC"', code=codes
        )
    return tuple(dict.fromkeys(map(_check, given)))


def name_some(codes: Sequence[str], first: int = 3) -> str:
    """``codes`` for people: the first ones, and how many there are."""
    more = f", … {len(codes)} codes" if len(codes) > first else ""
    return ", ".join(codes[:first]) + more


def _check(code: object) -> str:
    if isinstance(code, str) and _SHAPE.fullmatch(code):
        quote, _, base = code.partition("-")
        # BTC-USDT is wrong way round (USDT-BTC is meant); BTC-ETH is right.
        if quote in QUOTES and base != quote and _rank(base) >= _rank(quote):
            return code
    if isinstance(code, str) and "," in code:
        several = [part.strip() for part in code.split(",") if part.strip()]
        raise InvalidCodeError(
            f"{code!r} is not a market code: give several codes as a list, {several!r}", code=code
        )
    suggestion = _suggest(code)
    hint = "" if suggestion is None else f" Did you mean {suggestion!r}?"
    raise InvalidCodeError(
        f"{code!r} is not a market code: {_RULE}.{hint}", code=code, suggestion=suggestion
    )


def _rank(currency: str) -> int:
    """How strongly a currency wants to be the quote: national money before USDT before BTC."""
    if currency == "BTC":
        return 2
    if currency == "USDT":
        return 1
    return 0 if currency in QUOTES else 3


def _suggest(code: object) -> str | None:
    if not isinstance(code, str):
        return None
    text = code.strip().upper()
    if parts := _LOOSE.fullmatch(text):
        return _in_order(*parts.groups())
    if text.isalnum() and text.isascii():
        for quote in QUOTES:
            if text.endswith(quote) and text != quote:
                return _in_order(text.removesuffix(quote), quote)
            if text.startswith(quote) and text != quote:
                return _in_order(quote, text.removeprefix(quote))
        return f"KRW-{text}" if 2 <= len(text) <= 10 and text not in ("KRW",) else None
    return None


def _in_order(first: str, second: str) -> str | None:
    """The market of two currencies, whichever was named first; None: there can be none."""
    if _rank(second) < _rank(first):
        first, second = second, first
    return f"{first}-{second}" if first in QUOTES and first != second else None
