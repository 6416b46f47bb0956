"""Codes that stay silent: telling the person, with the code that was probably meant."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial

from upbit_stream.delivery.notices import NoticeBoard, NoticeKind
from upbit_stream.errors import SilentCodesWarning
from upbit_stream.markets import MarketList, MarketListUnavailable
from upbit_stream.workers import Worker, numbered

__all__ = ["BROKER_IS_SILENT", "EXCHANGE_IS_SILENT", "Lookup"]

EXCHANGE_IS_SILENT = (
    "the exchange is silent about codes that it does not know: check them, the subscription goes on"
)
BROKER_IS_SILENT = (
    "a broker has only what is published to it: check the codes, and that upbit-stream publish (or "
    "your Relay) has them; the subscription goes on"
)

_log = logging.getLogger("upbit_stream")

# Codes that are named in the message; the warning's fields have all of them.
_NAMED = 10


class Lookup:
    """Finds out about silent codes on a thread of its own, and tells, and ``why`` that may be. A
    companion of the stream.
    """

    def __init__(
        self, type_: str, codes: Sequence[str], markets: MarketList, notices: NoticeBoard, why: str
    ) -> None:
        self._worker = Worker(
            numbered("upbit-lookup"), partial(_tell_silence, type_, codes, markets, notices, why)
        )

    @property
    def worker(self) -> Worker:
        """See :class:`~upbit_stream.companions.Companion`."""
        return self._worker

    def end(self) -> None:
        """See :class:`~upbit_stream.companions.Companion`. (The stream cuts its call off.)"""

    def disown(self) -> None:
        """See :class:`~upbit_stream.companions.Companion`."""


def _tell_silence(
    type_: str, codes: Sequence[str], markets: MarketList, notices: NoticeBoard, why: str
) -> None:
    """Tell ``on_error`` and the log that nothing comes of ``codes``, and why that may be. Asks for
    the market list, which takes seconds at worst.
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
        f"nothing has come of {type_} {', '.join(named)}{more}; {why}",
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
