"""What one subscription wants from the wire, for each kind of stream.

A demand knows its endpoint, how it joins with others of its kind into one request, and which of
the events that come are its own: the exchange knows one list for the whole connection, so a
connection carries more than each subscription asked for.

The ``make…`` methods check what a person gave; they raise
:class:`~upbit_stream.errors.SubscriptionError` (for codes
:class:`~upbit_stream.errors.InvalidCodeError`) with what is possible instead.
"""

from upbit_stream.protocol.demands.account import (
    CATEGORIES,
    AnnouncementDemand,
    AssetDemand,
    OrderDemand,
)
from upbit_stream.protocol.demands.analysis import IndicatorDemand, check_combinations
from upbit_stream.protocol.demands.base import Demand, union
from upbit_stream.protocol.demands.market import (
    CANDLE_UNITS,
    DEPTHS,
    MarketDemand,
    OrderbookDemand,
    candle_type,
    snapshot_demand,
)

__all__ = [
    "CANDLE_UNITS",
    "CATEGORIES",
    "DEPTHS",
    "AnnouncementDemand",
    "AssetDemand",
    "Demand",
    "IndicatorDemand",
    "MarketDemand",
    "OrderDemand",
    "OrderbookDemand",
    "candle_type",
    "check_combinations",
    "snapshot_demand",
    "union",
]
