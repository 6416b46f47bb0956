"""Upbit's live market data as callbacks: a stream that stays alive.

::

    from upbit_stream import UpbitStream

    with UpbitStream() as stream:
        stream.trade(["KRW-BTC", "KRW-ETH"], callback=print)
        stream.run()
"""

from typing import TYPE_CHECKING

from upbit_stream.config import HealthThresholds, OverflowPolicy, ReconnectPolicy, StreamConfig
from upbit_stream.connection.causes import ErrorStrategy
from upbit_stream.connection.pool import ConnectionPool
from upbit_stream.connection.states import ConnectionInfo, ConnectionState
from upbit_stream.connection.traffic import Reconnect
from upbit_stream.delivery.drops import Drop
from upbit_stream.delivery.stats import SubscriptionStats
from upbit_stream.errors import (
    AuthenticationError,
    BackfillError,
    CallbackError,
    ConnectionFailedError,
    DecodingError,
    HealthWarning,
    InvalidCodeError,
    RateLimitedError,
    RecordingError,
    SilentCodesWarning,
    StreamClosedError,
    SubscriptionError,
    UpbitStreamError,
)
from upbit_stream.events import (
    Announcement,
    Asset,
    Candle,
    Event,
    EventParams,
    Indicator,
    IndicatorParams,
    IndicatorSignal,
    IndicatorValue,
    MyAsset,
    MyOrder,
    Orderbook,
    OrderbookUnit,
    PriceLevel,
    Ticker,
    Trade,
)
from upbit_stream.indicators import (
    BollingerBands,
    IndicatorSpec,
    Macd,
    MaCrossover,
    MovingAverage,
    Rsi,
    SignalSpec,
    Volume,
)
from upbit_stream.lazy import lazily
from upbit_stream.monitoring.health import ConnectionHealth
from upbit_stream.protocol.wire_format import WireFormat
from upbit_stream.recovery.gaps import Gap
from upbit_stream.stream import UpbitStream
from upbit_stream.subscription import Subscription
from upbit_stream.totals import StreamStats
from upbit_stream.version import __version__

if TYPE_CHECKING:
    from upbit_stream.monitoring.diagnostics import WebSocketDiagnostics
    from upbit_stream.monitoring.report import DiagnosticsReport
    from upbit_stream.recording.reading import read_recording
    from upbit_stream.recording.recorder import Recorder, RecorderStats

__all__ = [
    "Announcement",
    "Asset",
    "AuthenticationError",
    "BackfillError",
    "BollingerBands",
    "CallbackError",
    "Candle",
    "ConnectionFailedError",
    "ConnectionHealth",
    "ConnectionInfo",
    "ConnectionPool",
    "ConnectionState",
    "DecodingError",
    "DiagnosticsReport",
    "Drop",
    "ErrorStrategy",
    "Event",
    "EventParams",
    "Gap",
    "HealthThresholds",
    "HealthWarning",
    "Indicator",
    "IndicatorParams",
    "IndicatorSignal",
    "IndicatorSpec",
    "IndicatorValue",
    "InvalidCodeError",
    "MaCrossover",
    "Macd",
    "MovingAverage",
    "MyAsset",
    "MyOrder",
    "Orderbook",
    "OrderbookUnit",
    "OverflowPolicy",
    "PriceLevel",
    "RateLimitedError",
    "Reconnect",
    "ReconnectPolicy",
    "Recorder",
    "RecorderStats",
    "RecordingError",
    "Rsi",
    "SignalSpec",
    "SilentCodesWarning",
    "StreamClosedError",
    "StreamConfig",
    "StreamStats",
    "Subscription",
    "SubscriptionError",
    "SubscriptionStats",
    "Ticker",
    "Trade",
    "UpbitStream",
    "UpbitStreamError",
    "Volume",
    "WebSocketDiagnostics",
    "WireFormat",
    "__version__",
    "read_recording",
]

# What few need is imported when it is asked for.
__getattr__, __dir__ = lazily(
    __name__,
    {
        "DiagnosticsReport": "upbit_stream.monitoring.report",
        "Recorder": "upbit_stream.recording.recorder",
        "RecorderStats": "upbit_stream.recording.recorder",
        "WebSocketDiagnostics": "upbit_stream.monitoring.diagnostics",
        "read_recording": "upbit_stream.recording.reading",
    },
)
