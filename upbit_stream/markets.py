"""Which markets there are: ``GET /v1/market/all``."""

from __future__ import annotations

import json
import threading
import time

from upbit_stream.recovery.rest import RestClient, RestFailed

__all__ = ["MarketList", "MarketListUnavailable"]

# Seconds for the whole request; closing a stream may have to wait for it.
_TIMEOUT = 2.0
# Seconds for which a list counts as new. Markets are added every few days.
_FRESH = 600.0

# How alike two codes have to be for one to be taken for the other mistyped, from 0 to 1.
_ALIKE = 0.7


class MarketListUnavailable(Exception):
    """The market list could not be had."""


class MarketList:
    """The codes that are traded, fetched when they are needed. Any thread may ask."""

    def __init__(self, rest: RestClient) -> None:
        self._rest = rest
        # Guards the two below it. Not held while fetching.
        self._lock = threading.Lock()
        self._codes: frozenset[str] = frozenset()
        self._fetched_at = float("-inf")

    def codes(self) -> frozenset[str]:
        """The codes that are traded.

        Raises :class:`MarketListUnavailable` when they cannot be had. Takes a few
        seconds at most.
        """
        with self._lock:
            if time.monotonic() - self._fetched_at < _FRESH:
                return self._codes
        codes = self._fetch()
        with self._lock:
            self._codes, self._fetched_at = codes, time.monotonic()
        return codes

    def _fetch(self) -> frozenset[str]:
        try:
            body = self._rest.get(
                "/market/all",
                {"is_details": "false"},
                group="market",
                deadline=time.monotonic() + _TIMEOUT,
            )
        except RestFailed as failure:
            raise MarketListUnavailable(str(failure)) from failure
        try:
            return frozenset(str(row["market"]) for row in json.loads(body))
        except (ValueError, TypeError, KeyError) as error:
            raise MarketListUnavailable("/market/all was not answered with a list") from error

    def nearest(self, code: str) -> str | None:
        """The traded code that is most like ``code``: itself if it is traded; None for none.

        Raises as :meth:`codes`.
        """
        codes = self.codes()
        if code in codes:
            return code
        base = code.partition("-")[2]
        elsewhere = sorted(one for one in codes if one.partition("-")[2] == base)
        if elsewhere:
            return elsewhere[0]
        import difflib  # for the mistyped only

        alike = difflib.get_close_matches(code, sorted(codes), n=1, cutoff=_ALIKE)
        return alike[0] if alike else None
