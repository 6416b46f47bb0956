"""The indicators of the info endpoint: which there are, and what they are worth."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from upbit_stream.simulator.digits import SCALE
from upbit_stream.simulator.history import UNITS, Bar
from upbit_stream.simulator.market import Market

__all__ = ["TIMEFRAMES", "check_indicator", "indicator_value", "signal_met", "wanted_name"]

#: The candles that indicators are made of, with their length in seconds.
TIMEFRAMES = {"5m": 300, "15m": 900, "60m": 3600, "240m": 14400, "1d": 86400}

# What an indicator needs at most, with room for an average of averages.
_HISTORY = 400

_Params = dict[str, Any]


class _Kind(NamedTuple):
    """One row of the exchange's table."""

    #: Parameter names, and the combinations that exist (for a signal: the second one).
    names: tuple[str, ...]
    values: frozenset[tuple[Any, ...]]
    signal_values: frozenset[tuple[Any, ...]]
    #: Trigger → its parameter and the values of it; None where there is no parameter.
    triggers: dict[str, tuple[str, tuple[int, ...]] | None]


def _each(*choices: Iterable[Any]) -> frozenset[tuple[Any, ...]]:
    return frozenset(itertools.product(*choices))


_AVERAGES = ("SMA", "EMA")
_CROSSES: dict[str, tuple[str, tuple[int, ...]] | None] = {
    "price_cross_above": None,
    "price_cross_below": None,
}
_MEETINGS: dict[str, tuple[str, tuple[int, ...]] | None] = {
    "golden_cross": None,
    "dead_cross": None,
}
_PAIRS = ((5, 20), (20, 60), (30, 90), (50, 200))
_PAIRS_OF_AVERAGES = frozenset((name, *pair) for name in _AVERAGES for pair in _PAIRS)
_MACD = frozenset(((12, 26, 9), (8, 17, 9), (5, 35, 5)))

_KINDS = {
    "volume": _Kind(
        ("period",), _each(range(5, 51, 5)), _each((10, 20, 50)),
        {"volume_spike": ("multiplier", (2, 3, 5))},
    ),
    "rsi": _Kind(
        ("period",), _each((*range(2, 15), 21, 25)), _each((7, 9, 14, 21, 25)),
        {"overbought": ("threshold", (70, 80)), "oversold": ("threshold", (20, 30))},
    ),
    "moving_average": _Kind(
        ("type", "period"),
        _each(_AVERAGES, (3, 5, 7, 10, 15, 20, 25, 30, 50, 60, 90, 99, 100, 120, 200)),
        _each(_AVERAGES, (5, 10, 20, 30, 60, 90, 120, 200)),
        _CROSSES,
    ),
    "ma_crossover": _Kind(
        ("type", "short_period", "long_period"), _PAIRS_OF_AVERAGES, _PAIRS_OF_AVERAGES,
        _MEETINGS,
    ),
    "bollinger_bands": _Kind(
        ("period", "multiplier"),
        _each((10, 20, 50), (1.0, 1.5, 2.0, 2.5, 3.0)), _each((20,), (1.5, 2.0, 2.5)),
        _CROSSES,
    ),
    "macd": _Kind(
        ("fast", "slow", "signal_period"), _MACD, _MACD,
        {**_MEETINGS, "zero_cross_above": None, "zero_cross_below": None},
    ),
}  # fmt: skip


def wanted_name(wanted: _Params) -> Any:
    """The indicator that an object of a request names (``type``; frames say ``indicator``)."""
    return wanted.get("type", wanted.get("indicator"))


def check_indicator(kind: str, wanted: _Params) -> bool:
    """Whether the exchange has this indicator with these parameters.

    An ``indicator_signal`` may name a ``trigger`` (with ``event_params``); without one every
    trigger of the indicator is meant.
    """
    name = wanted_name(wanted)
    row = _KINDS.get(name) if isinstance(name, str) else None
    params = wanted.get("params")
    if row is None or not isinstance(params, dict) or set(params) != set(row.names):
        return False
    values = tuple(params[part] for part in row.names)
    signal = kind == "indicator_signal"
    try:
        if values not in (row.signal_values if signal else row.values):
            return False
    except TypeError:
        return False
    return not signal or _check_trigger(row, wanted)


def _check_trigger(row: _Kind, wanted: _Params) -> bool:
    trigger = wanted.get("trigger")
    if trigger is None:
        return True
    if trigger not in row.triggers:
        return False
    rule = row.triggers[trigger]
    given = wanted.get("event_params") or {}
    if rule is None:
        return given == {}
    name, values = rule
    return set(given) == {name} and given[name] in values


def _bars(market: Market, timeframe: str) -> list[Bar]:
    # Oldest first. Days are put together from the longest candles there are.
    if timeframe in UNITS:
        return market.bars.newest(timeframe, None, _HISTORY)[::-1]
    days: list[Bar] = []
    for bar in market.bars.newest("240m", None, _HISTORY * 6)[::-1]:
        start = bar.start // TIMEFRAMES[timeframe] * TIMEFRAMES[timeframe]
        if days and days[-1].start == start:
            days[-1].merge(bar)
        else:
            days.append(bar.starting(start))
    return days


def indicator_value(
    market: Market, timeframe: str, wanted: _Params, back: int = 0
) -> dict[str, float]:
    """What an indicator is worth at the newest candle, or ``back`` candles before.

    With fewer candles than its period it is made of those that there are.
    """
    bars = _bars(market, timeframe)
    bars = bars[: len(bars) - back] or bars[:1]
    closes = [bar.close / SCALE for bar in bars]
    params = wanted["params"]
    name = wanted_name(wanted)
    if name == "volume":
        volumes = [bar.volume / SCALE for bar in bars]
        average = statistics.fmean(volumes[-params["period"] :])
        ratio = volumes[-1] / average if average else 0.0
        return _rounded(volume=volumes[-1], avg_volume=average, ratio=ratio)
    if name == "rsi":
        return _rounded(rsi=_rsi(closes, params["period"]))
    if name == "moving_average":
        return _rounded(value=_average(closes, params["type"], params["period"]))
    if name == "ma_crossover":
        return _rounded(
            ma_short=_average(closes, params["type"], params["short_period"]),
            ma_long=_average(closes, params["type"], params["long_period"]),
        )
    if name == "bollinger_bands":
        last = closes[-params["period"] :]
        middle = statistics.fmean(last)
        width = params["multiplier"] * statistics.pstdev(last)
        return _rounded(bb_upper=middle + width, bb_middle=middle, bb_lower=middle - width)
    lines = [
        _average(closes[:end], "EMA", params["fast"])
        - _average(closes[:end], "EMA", params["slow"])
        for end in range(max(1, len(closes) - 3 * params["signal_period"]), len(closes) + 1)
    ]
    signal = _average(lines, "EMA", params["signal_period"])
    return _rounded(macd=lines[-1], macd_signal=signal, histogram=lines[-1] - signal)


def signal_met(
    market: Market, timeframe: str, wanted: _Params
) -> list[tuple[str, dict[str, int], dict[str, float]]]:
    """The (trigger, event_params, value) whose condition the newest candle made true."""
    row = _KINDS[wanted_name(wanted)]
    bars = _bars(market, timeframe)
    if len(bars) < 2:
        return []
    now = indicator_value(market, timeframe, wanted)
    before = indicator_value(market, timeframe, wanted, back=1)
    prices = bars[-1].close / SCALE, bars[-2].close / SCALE
    met = []
    for trigger, rule in row.triggers.items():
        if wanted.get("trigger") not in (None, trigger):
            continue
        name, choices = rule or ("", (0,))
        asked = (wanted.get("event_params") or {}).get(name)
        for bound in choices if asked is None else (asked,):
            if _true(trigger, bound, now, prices[0]) and not _true(
                trigger, bound, before, prices[1]
            ):
                met.append((trigger, {name: bound} if rule else {}, now))
    return met


def _true(trigger: str, bound: int, value: dict[str, float], price: float) -> bool:
    line = value.get("value", value.get("bb_middle", 0.0))
    gap = value.get("ma_short", 0.0) - value.get("ma_long", 0.0) + value.get("histogram", 0.0)
    return {
        "volume_spike": value.get("ratio", 0.0) >= bound,
        "overbought": value.get("rsi", 0.0) >= bound,
        "oversold": value.get("rsi", 100.0) <= bound,
        "price_cross_above": price > value.get("bb_upper", line),
        "price_cross_below": price < value.get("bb_lower", line),
        "golden_cross": gap > 0,
        "dead_cross": gap < 0,
        "zero_cross_above": value.get("macd", 0.0) > 0,
        "zero_cross_below": value.get("macd", 0.0) < 0,
    }[trigger]


def _average(values: Sequence[float], kind: str, period: int) -> float:
    if kind == "SMA":
        return statistics.fmean(values[-period:])
    share = 2 / (period + 1)
    mean = values[0]
    for value in values[1:]:
        mean += share * (value - mean)
    return mean


def _rsi(closes: Sequence[float], period: int) -> float:
    steps = [later - earlier for earlier, later in itertools.pairwise(closes[-period - 1 :])]
    gains = sum(step for step in steps if step > 0)
    losses = -sum(step for step in steps if step < 0)
    return 100 * gains / (gains + losses) if gains + losses else 50.0


def _rounded(**values: float) -> dict[str, float]:
    return {name: round(value, 8) for name, value in values.items()}
