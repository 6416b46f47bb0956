"""How often Upbit may be asked (its developer pages of 2026).

There is no message on the socket that tells what is left, so the client has to count.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime

import msgspec

__all__ = [
    "CONNECTS",
    "INDICATOR_COMBINATIONS",
    "INQUIRIES",
    "REQUESTS",
    "REST_CALLS",
    "RateLimit",
    "stated_wait",
]


class RateLimit(msgspec.Struct, frozen=True):
    """At most ``count`` in any span of ``seconds``."""

    count: int
    seconds: float


#: Handshakes: by IP address without keys, by account with them.
CONNECTS = (RateLimit(5, 1.0),)

#: Requests of any kind, on one connection.
REQUESTS = (RateLimit(5, 1.0), RateLimit(100, 60.0))

#: Of these, the questions for the list, lest someone who asks in a loop leaves none for changes
#: of what is subscribed. (Our own choice.)
INQUIRIES = (RateLimit(2, 1.0), RateLimit(30, 60.0))

#: REST calls of each group (market, candle, trade …), by IP address.
REST_CALLS = (RateLimit(10, 1.0),)

#: Codes × indicators, summed over the objects of one request to the info endpoint.
INDICATOR_COMBINATIONS = 100


# "3 minutes", "120 seconds", "30초": a ban that grows may well be told in larger units.
_SPAN = re.compile(
    r"(\d+(?:\.\d+)?)\s*(hours?|시간|minutes?|mins?|분|seconds?|secs?|s\b|초)", re.IGNORECASE
)
_UNIT_SECONDS = {"h": 3600.0, "시": 3600.0, "m": 60.0, "분": 60.0, "s": 1.0, "초": 1.0}


def stated_wait(headers: Mapping[str, str], body: bytes) -> float:
    """The seconds that a 429 or 418 tells to wait; 0 when it tells none.

    It is not known whether Upbit states the time in ``Retry-After`` or in the text of the body,
    so both are read. ``headers`` has its names in lower case.
    """
    header = headers.get("retry-after", "").strip()
    if header:
        try:
            return max(0.0, float(header))
        except ValueError:
            # Rarely needed, and slow to import.
            from email.utils import parsedate_to_datetime

            with suppress(ValueError):
                until = parsedate_to_datetime(header)
                return max(0.0, (until - datetime.now(until.tzinfo)).total_seconds())
    spans = _SPAN.findall(body.decode("utf-8", errors="replace"))
    return sum(float(number) * _UNIT_SECONDS[unit[0].lower()] for number, unit in spans)
