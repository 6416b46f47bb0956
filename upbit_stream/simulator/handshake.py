"""How an upgrade request is answered: limits, bans, tokens, and the faults of the door."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from time import monotonic
from typing import Literal

from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from upbit_stream.protocol.endpoints import Endpoint
from upbit_stream.simulator.gate import Accounts, Gate

__all__ = ["AuthRefusal", "BanNotice", "Doorman", "HttpFaults", "Planned", "reply"]

#: Where a 418 states its time: the exchange's way is not known here.
BanNotice = Literal["header", "body"]
#: How a bad token is refused: by HTTP 401, or by an error frame after the upgrade.
AuthRefusal = Literal["http", "frame"]


@dataclass(frozen=True)
class Planned:
    """An answer that somebody ordered."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""

    def reply(self) -> Response:
        """The answer."""
        return reply(self.status, self.body, self.headers)


@dataclass
class HttpFaults:
    """What goes wrong with HTTP requests, upgrades or REST. Owned by the loop's thread."""

    #: Answers for the next requests.
    planned: deque[Planned] = field(default_factory=deque)
    #: Seconds before every answer.
    delay: float = 0.0
    #: So many requests are never answered; None: all of them.
    stalled: int | None = 0

    def takes_stall(self) -> bool:
        """Whether this request is one that is never answered."""
        if self.stalled is None:
            return True
        if self.stalled > 0:
            self.stalled -= 1
            return True
        return False


def reply(
    status: int, body: str = "", headers: Mapping[str, str] | None = None, *, keep: bool = False
) -> Response:
    """A plain HTTP answer; ``keep`` leaves the connection open for the next request."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown"
    data = body.encode()
    fields = Headers()
    fields["Content-Type"] = "application/json;charset=UTF-8"
    fields["Content-Length"] = str(len(data))
    fields["Connection"] = "keep-alive" if keep else "close"
    for name, value in (headers or {}).items():
        if name in fields:
            del fields[name]
        fields[name] = value
    return Response(status, phrase, fields, data)


def error_body(name: str | int, message: str) -> str:
    """The body of a REST error."""
    return json.dumps({"error": {"name": name, "message": message}}, ensure_ascii=False)


def banned(seconds: int, notice: BanNotice, *, keep: bool = False) -> Response:
    """418, with the time in the place that was chosen."""
    if notice == "header":
        return reply(418, error_body(418, "blocked"), {"Retry-After": str(seconds)}, keep=keep)
    text = f"Too many requests. You are blocked for {seconds} seconds."
    return reply(418, error_body(418, text), keep=keep)


def too_many(group: str, *, keep: bool = False) -> Response:
    """429."""
    header = {"Remaining-Req": f"group={group}; min=0; sec=0"}
    return reply(429, error_body(429, "too many requests"), header, keep=keep)


class Doorman:
    """Lets clients in, or not. Owned by the loop's thread."""

    def __init__(
        self,
        gate: Gate,
        accounts: Accounts,
        *,
        latency: float,
        ban_notice: BanNotice,
        auth_refusal: AuthRefusal,
    ) -> None:
        self.faults = HttpFaults()
        #: Connections whose token was bad: they are let in to be told so.
        self.unwelcome: set[int] = set()
        #: The account of each connection with a good token.
        self.accounts: dict[int, str] = {}
        self._gate = gate
        self._keys = accounts
        self._latency = latency
        self._ban_notice: BanNotice = ban_notice
        self._auth_refusal: AuthRefusal = auth_refusal

    async def refuse(
        self, number: int, peer: str, endpoint: Endpoint, request: Request
    ) -> Response | None:
        """Why not: the answer of a refused upgrade; None for a welcome one."""
        delay = self._latency + self.faults.delay
        if delay:
            await asyncio.sleep(delay)
        if self.faults.planned:
            return self.faults.planned.popleft().reply()
        account = self._keys.check(request.headers.get("Authorization"))
        who = account or peer
        if refusal := self._limit(who, request):
            return refusal
        if account is not None:
            self.accounts[number] = account
        elif endpoint is not Endpoint.PUBLIC:
            if self._auth_refusal == "http":
                return reply(401, error_body("invalid_access_key", "잘못된 엑세스 키입니다."))
            self.unwelcome.add(number)
        return None

    def _limit(self, who: str, request: Request) -> Response | None:
        now = monotonic()
        bans = self._gate.bans
        if left := bans.left(who, now):
            return banned(left, self._ban_notice)
        if "Origin" in request.headers and not self._gate.origin(who, now):
            bans.refused(who, now)
            return too_many("origin")
        if not self._gate.connect(who, now):
            bans.refused(who, now)
            return too_many("websocket")
        return None

    def remaining(self, number: int, peer: str) -> str:
        """The header of a successful upgrade."""
        left = self._gate.left("websocket", self.accounts.get(number, peer), monotonic())
        return f"group=websocket; min=300; sec={left}"

    def forget(self, number: int) -> None:
        """The connection is gone."""
        self.unwelcome.discard(number)
        self.accounts.pop(number, None)
