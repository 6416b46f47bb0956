"""Events of the private endpoint: an account's orders and assets, and announcements."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal, TypeAlias

from upbit_stream.events.base import (
    Event,
    Flag,
    Integer,
    Number,
    Record,
    Side,
    StreamType,
    Text,
    key,
    utc,
)


class MyOrder(Event, frozen=True, kw_only=True, gc=False):
    """What happened to one of the account's orders.

    ``state`` is wait, watch (a reservation), trade (filled in part or in full by the trade that
    ``trade_uuid`` names, at ``price`` and ``volume``), done, cancel or prevented (self-match).
    ``order_type`` is limit, price (a market buy for an amount of money), market (a market sell)
    or best; ``time_in_force`` ioc, fok or post_only; ``smp_type`` reduce, cancel_maker or
    cancel_taker. Fees, ``locked`` and ``executed_funds`` are sums of money: with
    ``numbers="decimal"`` they are exact.
    """

    type: Literal["myOrder"] = key("ty")
    uuid: Text = key("uid")
    ask_bid: Side = key("ab")
    order_type: Text = key("ot")
    state: Text = key("s")
    trade_uuid: Text | None = key("tuid")
    price: Number | None = key("p")
    avg_price: Number | None = key("ap")
    volume: Number | None = key("v")
    remaining_volume: Number | None = key("rv")
    executed_volume: Number | None = key("ev")
    trades_count: Integer = key("tc")
    reserved_fee: Number | None = key("rsf")
    remaining_fee: Number | None = key("rmf")
    paid_fee: Number | None = key("pf")
    locked: Number | None = key("l")
    executed_funds: Number | None = key("ef")
    time_in_force: Text | None = key("tif")
    trade_fee: Number | None = key("tf")
    is_maker: Flag | None = key("im")
    identifier: Text | None = key("id")
    smp_type: Text | None = key("smpt")
    prevented_volume: Number | None = key("pv")
    prevented_locked: Number | None = key("pl")
    trade_timestamp: Integer | None = key("ttms")
    order_timestamp: Integer = key("otms")
    timestamp: Integer = key("tms")
    stream_type: StreamType = key("st")

    @property
    def trade_datetime(self) -> datetime | None:
        """``trade_timestamp`` as an aware datetime (UTC)."""
        return utc(self.trade_timestamp)

    @property
    def order_datetime(self) -> datetime | None:
        """``order_timestamp``, when the order was placed, as an aware datetime (UTC)."""
        return utc(self.order_timestamp)


class Asset(Record, frozen=True, kw_only=True, gc=False):
    """What the account has of one currency.

    ``balance`` is free to be used, ``locked`` is bound in orders and withdrawals. They reach 30
    significant digits: with ``numbers="decimal"`` they are exact.
    """

    currency: Text = key("cu")
    balance: Number = key("b")
    locked: Number = key("l")


if TYPE_CHECKING:
    Assets: TypeAlias = tuple[Asset, ...]
else:
    Assets = tuple[Asset, ...] | None


class MyAsset(Event, frozen=True, kw_only=True, gc=False):
    """Balances that changed: ``assets`` has those currencies, and only those. It has no code."""

    type: Literal["myAsset"] = key("ty")
    asset_uuid: Text = key("astuid")
    assets: Assets = key("ast")
    asset_timestamp: Integer = key("asttms")
    timestamp: Integer = key("tms")
    stream_type: StreamType = key("st")

    @property
    def asset_datetime(self) -> datetime | None:
        """``asset_timestamp`` as an aware datetime (UTC)."""
        return utc(self.asset_timestamp)


class Announcement(Event, frozen=True, kw_only=True, gc=False):
    """Something that the exchange has announced, or changed in an announcement. It has no code.

    ``event_type`` is CREATED or UPDATED. ``body`` is None unless it was asked for. The times are
    ISO 8601 (KST), each with a datetime beside it.
    """

    type: Literal["announcement"] = key("ty")
    event_type: Text = key("et")
    uuid: Text = key("uid")
    title: Text = key("tt")
    category: Text = key("cat")
    url: Text = key("url")
    first_listed_at: Text = key("flat")
    listed_at: Text = key("lat")
    timestamp: Integer = key("tms")
    stream_type: StreamType = key("st")
    body: Text | None = key("bd")

    @property
    def first_listed_datetime(self) -> datetime | None:
        """``first_listed_at`` as an aware datetime; None for words that tell none."""
        return _moment(self.first_listed_at)

    @property
    def listed_datetime(self) -> datetime | None:
        """``listed_at`` as an aware datetime; None for words that tell none."""
        return _moment(self.listed_at)


def _moment(text: str | None) -> datetime | None:
    try:
        # Python 3.10 reads no "Z".
        return None if text is None else datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
