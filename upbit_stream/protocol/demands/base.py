"""What all demands share, and how many of them become one request."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from operator import attrgetter
from typing import Any, ClassVar, TypeAlias, TypeVar

import msgspec

from upbit_stream.errors import SubscriptionError
from upbit_stream.events import Event
from upbit_stream.protocol.codes import name_some
from upbit_stream.protocol.endpoints import Endpoint
from upbit_stream.protocol.requests import TypeRequest

__all__ = ["Demand", "LiveDemand", "Sink", "not_in_won", "union"]

_D = TypeVar("_D", bound="Demand")
Sink: TypeAlias = Callable[[Any], None]


class Demand(msgspec.Struct, frozen=True):
    """What one subscription wants. ``type`` is the wire's (``trade``, ``candle.1m``)."""

    type: str
    codes: tuple[str, ...] = ()
    snapshot: bool = True
    realtime: bool = True

    endpoint: ClassVar[Endpoint] = Endpoint.PUBLIC
    #: Whether the exchange answers a request with a snapshot of each code.
    has_snapshots: ClassVar[bool] = True
    #: What to say to someone who wants to add or remove codes where ``every_code`` holds.
    why_every_code: ClassVar[str] = ""

    @property
    def conflation_key(self) -> Callable[[Any], Hashable]:
        """Of events with the same key the newest makes the others worthless; for the policy that
        keeps only the newest.
        """
        return attrgetter("code")

    def remember(self, latest: dict[str, Any], events: Iterable[Any]) -> None:
        """Note in ``latest`` which event of each code is the newest."""
        for event in events:  # once for every event: faster than an update() with a key function
            latest[event.code] = event

    @property
    def every_code(self) -> bool:
        """Whether it is for every code, or for a stream that has none."""
        return False

    @property
    def method(self) -> str:
        """The method of a stream that such a one is made by: ``my_order`` for ``myOrder``."""
        words = re.split("(?=[A-Z])", self.type.partition(".")[0])
        return "_".join(words).lower()

    def describe(self) -> str:
        """For people: the type with its codes, the first ones of many."""
        return f"{self.type} {name_some(self.codes)}".rstrip()

    # As one of many.

    @property
    def group(self) -> Hashable:
        """Demands of one class and group are asked for together."""
        return self.type

    @classmethod
    def merge(cls, members: Sequence[Any]) -> Iterable[TypeRequest]:
        """What covers all ``members`` of a group. Each kind of demand has its own."""
        raise NotImplementedError

    # Changed. The codes are checked ones.

    def adding(self: _D, codes: tuple[str, ...]) -> _D:
        """The demand with further codes."""
        self._require_own_codes("add", codes)
        return msgspec.structs.replace(self, codes=tuple(dict.fromkeys((*self.codes, *codes))))

    def removing(self: _D, codes: tuple[str, ...]) -> _D:
        """The demand without ``codes``; at least one must remain."""
        self._require_own_codes("remove", codes)
        left = tuple(code for code in self.codes if code not in codes)
        if not left:
            raise SubscriptionError(
                f"remove({list(codes)!r}) would leave no code; use close() instead"
            )
        return msgspec.structs.replace(self, codes=left)

    def _require_own_codes(self, verb: str, codes: tuple[str, ...]) -> None:
        if self.every_code:
            raise SubscriptionError(f"{verb}({list(codes)!r}): {self.why_every_code}")

    # What comes.

    def is_complete(self, event: Event) -> bool:
        """Whether a demanded event is all of what was asked for."""
        return True

    def concerns(self, event: Event) -> bool:
        """Whether an event of a demanded type and code is the demanded one."""
        return True

    def sieve(self, sink: Sink) -> Sink:
        """``sink`` for events of the demanded type and code: it gets its own, as asked for."""
        return sink


class LiveDemand(Demand, frozen=True):
    """A stream that has no snapshots: what happens is told when it happens."""

    snapshot: bool = False

    has_snapshots: ClassVar[bool] = False


def union(demands: Iterable[Demand]) -> tuple[TypeRequest, ...]:
    """The least that covers every demand."""
    groups: dict[tuple[type[Demand], Hashable], list[Demand]] = {}
    for demand in demands:
        groups.setdefault((type(demand), demand.group), []).append(demand)
    return tuple(
        request for (kind, _), members in groups.items() for request in kind.merge(members)
    )


def not_in_won(codes: Sequence[str]) -> list[str]:
    """Those of ``codes`` that are not traded in KRW, the only markets that some streams know."""
    return [code for code in codes if not code.startswith("KRW-")]
