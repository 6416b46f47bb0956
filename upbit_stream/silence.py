"""Codes that stay silent: telling the person, with the code that was probably meant."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from upbit_stream.delivery.notices import NoticeBoard, NoticeKind
from upbit_stream.errors import SilentCodesWarning
from upbit_stream.markets import MarketList, MarketListUnavailable

__all__ = ["tell_silence"]

_log = logging.getLogger("upbit_stream")

# Codes that are named in the message; the warning's fields have all of them.
_NAMED = 10


def tell_silence(
    type_: str, codes: Sequence[str], markets: MarketList, notices: NoticeBoard
) -> None:
    """Tell ``on_error`` and the log that nothing comes of ``codes``. Asks for the market list,
    which takes seconds at worst.
    """
    try:
        suggestions = {code: markets.nearest(code) for code in codes}
        known = True
    except MarketListUnavailable as error:
        _log.debug("the market list could not be had: %s", error)
        suggestions, known = dict.fromkeys(codes), False
    named = [_describe(code, suggestions[code], known) for code in codes[:_NAMED]]
    more = f" and {len(codes) - _NAMED} more" if len(codes) > _NAMED else ""
    warning = SilentCodesWarning(
        f"nothing has come of {type_} {', '.join(named)}{more}; the exchange is silent about "
        "codes that "
        "it does not know: check them, the subscription goes on",
        type=type_,
        codes=tuple(codes),
        suggestions=suggestions,
    )
    _log.warning("%s", warning)
    notices.post(NoticeKind.ERROR, warning)


def _describe(code: str, suggestion: str | None, known: bool) -> str:
    if not known:
        return f"{code} (is it traded? the market list could not be had)"
    if suggestion == code:
        return f"{code} (it is traded, but quiet)"
    if suggestion is None:
        return f"{code} (it is not traded)"
    return f"{code} (it is not traded; did you mean {suggestion}?)"
