"""Codes that stay silent: telling the person, with the code that was probably meant."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from upbit_stream.delivery.notices import NoticeBoard, NoticeKind
from upbit_stream.errors import SilentCodesWarning
from upbit_stream.markets import MarketList, MarketListUnavailable
from upbit_stream.workers import Worker, numbered

if TYPE_CHECKING:
    from upbit_stream.connection.pool import AnyConnection

__all__ = ["EXCHANGE_IS_SILENT", "Lookup", "why_broker_is_silent"]

EXCHANGE_IS_SILENT = (
    "the exchange is silent about codes that it does not know: check them, the subscription goes on"
)
_BROKER_IS_SILENT = (
    "a broker has only what is published to it: check the codes, and that upbit-stream publish (or "
    "your Relay) has them; the subscription goes on"
)

_log = logging.getLogger("upbit_stream")

# Codes that are named in the message; the warning's fields have all of them.
_NAMED = 10


def why_broker_is_silent(
    type_: str, codes: Sequence[str], connections: Iterable[AnyConnection]
) -> str:
    """Why nothing comes of these codes over connections to brokers, as far as the publishers tell,
    and how to have them published.
    """
    lines = [line for connection in connections for line in connection.lines]
    known = [one for line in lines if (one := line.traffic.published) is not None]
    if not known:
        return _BROKER_IS_SILENT
    published = sorted({code for one in known for code in one.get(type_, ())})
    if published and set(codes) <= set(published):
        return "it is published, but nothing has happened there; the subscription goes on"
    if not published:
        command = f"publish {' '.join(codes[:3])} --type {type_} --to {lines[0].url}"
        return (
            f"nothing of {type_} is published there; run upbit-stream {command} (or a Relay); the "
            "subscription goes on"
        )
    return (
        f"a broker has only what is published to it, of {type_} {_some(published)}; add the rest "
        "to upbit-stream publish (or your Relay), or check the codes; the subscription goes on"
    )


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
    named = _some([_describe(code, suggestions[code], known) for code in codes])
    warning = SilentCodesWarning(
        f"nothing has come of {type_} {named}; {why}",
        type=type_,
        codes=tuple(codes),
        suggestions=suggestions,
    )
    _log.warning("%s", warning)
    notices.post(NoticeKind.ERROR, warning)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _describe(code: str, suggestion: str | None, known: bool) -> str:
    if not known:
        return f"{code} (is it traded? the market list could not be had)"
    if suggestion == code:
        return f"{code} (it is traded, but quiet)"
    if suggestion is None:
        return f"{code} (it is not traded)"
    return f"{code} (it is not traded; did you mean {suggestion}?)"
