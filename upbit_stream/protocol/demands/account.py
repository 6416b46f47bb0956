"""Demands of the private endpoint: an account's orders and assets, and announcements."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from operator import attrgetter
from typing import Any, ClassVar

import msgspec

from upbit_stream.errors import SubscriptionError
from upbit_stream.events import Announcement, Event
from upbit_stream.protocol.codes import check_codes
from upbit_stream.protocol.demands.base import LiveDemand, Sink
from upbit_stream.protocol.endpoints import Endpoint
from upbit_stream.protocol.requests import TypeRequest

__all__ = ["CATEGORIES", "AnnouncementDemand", "AssetDemand", "OrderDemand"]

#: Kinds of announcement: those of Korea, then those that the documentation names besides.
CATEGORIES = (
    "notice", "trade", "wallet", "maintenance", "digital_asset", "nft", "service", "event",
    "note", "trading", "airdrop", "feature", "disclosure",
)  # fmt: skip


class OrderDemand(LiveDemand, frozen=True):
    """The account's orders and their trades; without codes, of every market."""

    type: str = "myOrder"

    endpoint: ClassVar[Endpoint] = Endpoint.PRIVATE
    why_every_code: ClassVar[str] = (
        "this my_order subscription is for every market; make one with codes to follow some of them"
    )

    @property
    def conflation_key(self) -> Callable[[Any], Hashable]:
        # An order has many events, and the newest one tells where it stands.
        return attrgetter("uuid")

    @classmethod
    def make_orders(cls, codes: object) -> OrderDemand:
        """A checked demand; empty ``codes``: every market."""
        every = codes is None or (isinstance(codes, (tuple, list, set, frozenset)) and not codes)
        return cls(codes=() if every else check_codes(codes))

    @property
    def every_code(self) -> bool:
        return not self.codes

    @classmethod
    def merge(cls, members: Sequence[OrderDemand]) -> Iterable[TypeRequest]:
        codes = dict.fromkeys(code for member in members for code in member.codes)
        every = any(member.every_code for member in members)
        yield TypeRequest("myOrder", None if every else tuple(codes))


class _AccountDemand(LiveDemand, frozen=True):
    """A stream that is not about markets."""

    endpoint: ClassVar[Endpoint] = Endpoint.PRIVATE
    why_every_code: ClassVar[str] = "this stream is not about markets, it has no codes"

    def remember(self, latest: dict[str, Any], events: Iterable[Any]) -> None:
        for event in events:
            latest[event.type] = event

    @property
    def every_code(self) -> bool:
        return True


class AssetDemand(_AccountDemand, frozen=True):
    """The account's balances."""

    type: str = "myAsset"

    @property
    def conflation_key(self) -> Callable[[Any], Hashable]:
        # Each event has the currencies that changed, so none stands for another.
        return attrgetter("asset_uuid", "asset_timestamp", "assets")

    @classmethod
    def merge(cls, members: Sequence[AssetDemand]) -> Iterable[TypeRequest]:
        # Not even an empty list of codes: the exchange answers WRONG_FORMAT.
        yield TypeRequest("myAsset", None)


class AnnouncementDemand(_AccountDemand, frozen=True):
    """The exchange's announcements; without categories, all of them."""

    type: str = "announcement"
    categories: tuple[str, ...] = ()
    include_body: bool = False

    @property
    def conflation_key(self) -> Callable[[Any], Hashable]:
        return attrgetter("uuid")

    @classmethod
    def make_announcements(cls, categories: object, include_body: object) -> AnnouncementDemand:
        """A checked demand; ``categories`` is one name or an iterable of them."""
        given = (categories,) if isinstance(categories, str) else categories
        if not isinstance(given, Iterable):
            raise SubscriptionError(
                f"categories={categories!r}: give some of {', '.join(CATEGORIES)}, or none for all"
            )
        checked = tuple(dict.fromkeys(given))
        for name in checked:
            if name not in CATEGORIES:
                raise SubscriptionError(
                    f"{name!r} is no category of announcements: choose of {', '.join(CATEGORIES)}"
                )
        return cls(categories=checked, include_body=bool(include_body))

    @classmethod
    def merge(cls, members: Sequence[AnnouncementDemand]) -> Iterable[TypeRequest]:
        fields: dict[str, Any] = {}
        if all(member.categories for member in members):
            wanted = {name for member in members for name in member.categories}
            fields["categories"] = [name for name in CATEGORIES if name in wanted]
        if any(member.include_body for member in members):
            fields["include_body"] = True
        yield TypeRequest("announcement", None, fields)

    def concerns(self, event: Event) -> bool:
        category = event.category if isinstance(event, Announcement) else None
        return not self.categories or category is None or category in self.categories

    def sieve(self, sink: Sink) -> Sink:
        def fitting(announcement: Announcement) -> None:
            if not self.concerns(announcement):
                return
            if announcement.body is not None and not self.include_body:
                announcement = msgspec.structs.replace(announcement, body=None)
            sink(announcement)

        return fitting
