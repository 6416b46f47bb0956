"""The typed events: one class for each kind of message, whatever the wire format.

A field has the name of Upbit's ``DEFAULT`` format and the short key of its ``SIMPLE`` format
beside it, so that these modules are also the table of the wire's keys::

    trade_price: Number = key("tp")

What holds for every event:

* It is immutable. Two events are equal when the exchange said the same in both
  (``received_at`` is not compared).
* **A field that the exchange left out, or sent as null, is None**, whatever its annotation.
  The annotations say what is there in a complete frame, so that
  ``trade.trade_price * trade.trade_volume`` type-checks without ceremony; fields that are
  often absent are annotated ``| None``.
* Numbers are ``float``, or :class:`decimal.Decimal` with every digit of the wire when the
  stream's configuration says ``numbers="decimal"``.
* ``…timestamp`` fields are integers, milliseconds since the epoch (UTC); ``received_at`` is in
  nanoseconds since the epoch. Each has a twin that is an aware :class:`datetime.datetime`.

Source of the fields: Upbit's developer pages of 2026 and frames seen on the wire.
"""

from upbit_stream.events.account import Announcement, Asset, MyAsset, MyOrder
from upbit_stream.events.analysis import (
    EventParams,
    Indicator,
    IndicatorParams,
    IndicatorSignal,
    IndicatorValue,
)
from upbit_stream.events.base import Event, Record, StreamType
from upbit_stream.events.market import (
    Candle,
    CandleType,
    CandleUnit,
    Orderbook,
    OrderbookUnit,
    PriceLevel,
    Ticker,
    Trade,
)

__all__ = [
    "Announcement",
    "Asset",
    "Candle",
    "CandleType",
    "CandleUnit",
    "Event",
    "EventParams",
    "Indicator",
    "IndicatorParams",
    "IndicatorSignal",
    "IndicatorValue",
    "MyAsset",
    "MyOrder",
    "Orderbook",
    "OrderbookUnit",
    "PriceLevel",
    "Record",
    "StreamType",
    "Ticker",
    "Trade",
]
