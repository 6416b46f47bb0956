"""Events of the info endpoint: indicators, and signals of them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from upbit_stream.events.base import (
    Event,
    Integer,
    Number,
    Record,
    StreamType,
    Text,
    key,
    utc_text,
)


class _Sparse(Record, frozen=True, kw_only=True, gc=False):
    """One class for all indicators, each of which uses some of the fields."""

    def to_dict(self) -> dict[str, Any]:
        """What the exchange sent, as a dict with the names of the DEFAULT format."""
        return {name: value for name, value in super().to_dict().items() if value is not None}

    def __getitem__(self, name: str) -> Any:
        """``value["rsi"]`` is ``value.rsi``; ``KeyError`` for what the exchange did not send."""
        return self.to_dict()[name]

    def __repr__(self) -> str:
        sent = ", ".join(f"{name}={value!r}" for name, value in self.to_dict().items())
        return f"{type(self).__name__}({sent})"


class IndicatorParams(_Sparse, frozen=True, kw_only=True, gc=False):
    """How an indicator is computed. Periods are counted in candles; ``type`` is SMA or EMA."""

    period: Integer | None = key("p")
    type: Text | None = key("t")
    short_period: Integer | None = key("shp")
    long_period: Integer | None = key("lop")
    multiplier: Number | None = key("m")
    fast: Integer | None = key("f")
    slow: Integer | None = key("s")
    signal_period: Integer | None = key("sgp")


class EventParams(_Sparse, frozen=True, kw_only=True, gc=False):
    """What a signal's trigger compares with."""

    multiplier: Number | None = key("mul")
    threshold: Number | None = key("th")


class IndicatorValue(_Sparse, frozen=True, kw_only=True, gc=False):
    """What an indicator is worth; which fields there are depends on the indicator.

    volume: ``volume avg_volume ratio``. rsi: ``rsi``. moving_average: ``value``. ma_crossover:
    ``ma_short ma_long``. bollinger_bands: ``bb_upper bb_middle bb_lower``. macd:
    ``macd macd_signal histogram``.
    """

    volume: Number | None = key("vol")
    avg_volume: Number | None = key("av")
    ratio: Number | None = key("rto")
    rsi: Number | None = key("rsi")
    value: Number | None = key("value")
    ma_short: Number | None = key("mas")
    ma_long: Number | None = key("mal")
    bb_upper: Number | None = key("bbu")
    bb_middle: Number | None = key("bbm")
    bb_lower: Number | None = key("bbl")
    macd: Number | None = key("macd")
    macd_signal: Number | None = key("macds")
    histogram: Number | None = key("hist")


if TYPE_CHECKING:
    Params: TypeAlias = IndicatorParams
    SignalParams: TypeAlias = EventParams
    Value: TypeAlias = IndicatorValue
else:
    Params = IndicatorParams | None
    SignalParams = EventParams | None
    Value = IndicatorValue | None


class _Analysis(Event, frozen=True, kw_only=True, gc=False):
    timeframe: Text = key("tf")
    indicator: Text = key("ind")
    params: Params = key("p")
    candle_date_time_utc: Text = key("cdttmu")
    value: Value = key("v")
    timestamp: Integer = key("tms")
    stream_type: StreamType = key("st")

    @property
    def candle_datetime(self) -> datetime | None:
        """The start of the candle that closed as an aware datetime (UTC)."""
        return utc_text(self.candle_date_time_utc)


class Indicator(_Analysis, frozen=True, kw_only=True, gc=False):
    """An indicator of a market, sent when a candle of ``timeframe`` has closed."""

    type: Literal["indicator"] = key("ty")


class IndicatorSignal(_Analysis, frozen=True, kw_only=True, gc=False):
    """The condition ``trigger`` of an indicator has turned from unmet to met."""

    type: Literal["indicator_signal"] = key("ty")
    trigger: Text = key("tr")
    event_params: SignalParams = key("ep")
