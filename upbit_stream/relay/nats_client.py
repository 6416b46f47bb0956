"""nats-py's client, with a short cut for messages that are read in bulk.

For each message nats-py parses headers, makes an object and wakes a coroutine: more than half of
what a message costs, and nothing of it is needed where a subject, a reply and a payload are read.
There is no public way around it. So where nats-py is as it is known here, messages of one
subscription are taken where they come in; where it is not, they come as to everyone.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from nats.aio.client import Client

__all__ = ["BulkClient"]

#: What is given subject, reply and payload of a message.
Taker = Callable[[bytes, bytes, bytes], None]

_KNOWN = ["self", "sid", "subject", "reply", "data", "headers"]


class BulkClient(Client):
    """Belongs to its loop, as any of nats-py."""

    #: Whether there is a short cut.
    is_known = list(inspect.signature(Client._process_msg).parameters) == _KNOWN

    def __init__(self) -> None:
        super().__init__()
        self._takers: dict[int, Taker] = {}

    def take_all(self, subscription: Any, taker: Taker) -> None:
        """Have the messages of a subscription taken without its callback, but for those without a
        reply, which are statuses. Nothing changes where there is no short cut.
        """
        if self.is_known and (sid := getattr(subscription, "_id", None)) is not None:
            self._takers[sid] = taker

    async def _process_msg(
        self, sid: int, subject: Any, reply: Any, data: Any, headers: Any
    ) -> None:
        taker = self._takers.get(sid)
        if taker is None or not reply:
            await super()._process_msg(sid, subject, reply, data, headers)
        else:
            taker(subject, reply, data)
