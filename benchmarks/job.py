"""What is to be measured, as a value that goes to the server and to the client as JSON."""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["Job", "Kind", "Result"]

Kind = Literal["ticker", "trade", "orderbook 15", "orderbook 30"]


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement of one client."""

    client: str
    measure: str = "throughput"
    kind: Kind = "ticker"
    wire_format: Literal["DEFAULT", "SIMPLE"] = "DEFAULT"
    tls: bool = False
    #: How many messages the server sends, of so many codes.
    messages: int = 200_000
    codes: int = 200
    #: Messages a second, each with its time of sending; 0: as fast as the client takes them.
    rate: int = 0
    #: So many at a time, at that rate.
    burst: int = 1
    #: Over how many subscriptions the codes are spread (upbit_stream only).
    subscriptions: int = 1
    #: Of each subscription (upbit_stream only); 0: as many as there are messages.
    queue_size: int = 0
    port: int = 0
    #: The certificate that the client trusts.
    authority: str = ""


#: What a client measured, by name.
Result = dict[str, float]
