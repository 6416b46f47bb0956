"""The technical indicators that Upbit computes, and the signals that it makes of them.

An indicator is a value that says what is wanted, and a signal is one of its triggers::

    stream.indicator("KRW-BTC", [Rsi(14), Macd(12, 26, 9)], print, timeframe="60m")
    stream.indicator_signal("KRW-BTC", Rsi(14).oversold(30), print, timeframe="60m")

What holds for all of them:

* They exist for **KRW markets only**, and with the values that the exchange has chosen: any other
  is refused here, when the object is made, by a
  :class:`~upbit_stream.errors.SubscriptionError` that names the existing ones.
* Periods are counted in **candles of the timeframe**: ``Rsi(14)`` in ``"60m"`` looks back on 14
  hours.
* An indicator is sent when a candle closes. A signal is sent when a candle closes and its
  condition has turned from unmet to met; it is silent while the condition stays met. Neither has
  a snapshot.
* Fewer parameters have signals than have indicators: ``Rsi(2)`` exists, ``Rsi(2).oversold()``
  does not.

They are immutable, equal when they ask for the same, and may be keys of a dict.

Source of the values: Upbit's developer pages of 2026.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, Literal, NamedTuple, TypeAlias, get_args

import msgspec

from upbit_stream.errors import SubscriptionError

__all__ = [
    "TIMEFRAMES",
    "BollingerBands",
    "IndicatorSpec",
    "MaCrossover",
    "Macd",
    "MovingAverage",
    "Rsi",
    "SignalSpec",
    "Timeframe",
    "Volume",
    "check_indicators",
    "check_signals",
    "check_timeframe",
]

#: The candles that indicators are made of.
Timeframe: TypeAlias = Literal["5m", "15m", "60m", "240m", "1d"]
TIMEFRAMES: tuple[str, ...] = get_args(Timeframe)

# Parameter → its values, in ascending order. Parameters that exist only in certain combinations
# stand together: "short_period/long_period" → pairs.
_Rules: TypeAlias = Mapping[str, Sequence[Any]]


class _Row(NamedTuple):
    """One row of the exchange's table: what exists of an indicator."""

    values: _Rules
    signal_values: _Rules
    #: Trigger → the values of its parameter.
    triggers: Mapping[str, _Rules]


_TYPES = ("SMA", "EMA")
_CROSSOVERS = {
    "type": _TYPES,
    "short_period/long_period": ((5, 20), (20, 60), (30, 90), (50, 200)),
}
_MACDS = {"fast/slow/signal_period": ((12, 26, 9), (8, 17, 9), (5, 35, 5))}
_PRICE_CROSSES: dict[str, _Rules] = {"price_cross_above": {}, "price_cross_below": {}}
_LINE_CROSSES: dict[str, _Rules] = {"golden_cross": {}, "dead_cross": {}}
_ZERO_CROSSES: dict[str, _Rules] = {"zero_cross_above": {}, "zero_cross_below": {}}

_TABLE = {
    "volume": _Row(
        {"period": (5, 10, 15, 20, 25, 30, 35, 40, 45, 50)},
        {"period": (10, 20, 50)},
        {"volume_spike": {"multiplier": (2, 3, 5)}},
    ),
    "rsi": _Row(
        {"period": (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 21, 25)},
        {"period": (7, 9, 14, 21, 25)},
        {"overbought": {"threshold": (70, 80)}, "oversold": {"threshold": (20, 30)}},
    ),
    "moving_average": _Row(
        {
            "type": _TYPES,
            "period": (3, 5, 7, 10, 15, 20, 25, 30, 50, 60, 90, 99, 100, 120, 200),
        },
        {"type": _TYPES, "period": (5, 10, 20, 30, 60, 90, 120, 200)},
        _PRICE_CROSSES,
    ),
    "ma_crossover": _Row(_CROSSOVERS, _CROSSOVERS, _LINE_CROSSES),
    "bollinger_bands": _Row(
        {"period": (10, 20, 50), "multiplier": (1.0, 1.5, 2.0, 2.5, 3.0)},
        {"period": (20,), "multiplier": (1.5, 2.0, 2.5)},
        _PRICE_CROSSES,
    ),
    "macd": _Row(_MACDS, _MACDS, _LINE_CROSSES | _ZERO_CROSSES),
}

# Triggers whose method has a name of its own.
_METHODS = {
    "volume_spike": "spike",
    "price_cross_above": "crosses_above",
    "price_cross_below": "crosses_below",
    "zero_cross_above": "crosses_zero_above",
    "zero_cross_below": "crosses_zero_below",
}


class SignalSpec(msgspec.Struct, frozen=True):
    """An indicator with the trigger that is waited for.

    Made by the methods of the indicators: ``Rsi(14).overbought(70)``. ``trigger`` and
    ``event_params`` are spelled as in the event that comes (``"overbought"``,
    ``{"threshold": 70}``).
    """

    indicator: IndicatorSpec
    trigger: str
    event_params: Mapping[str, int] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        indicator, trigger, given = _as_indicator(self.indicator), self.trigger, self.event_params
        row = _TABLE[indicator.name]
        if not isinstance(trigger, str) or trigger not in row.triggers:
            raise SubscriptionError(
                f"{indicator!r} has no trigger {trigger!r}: choose {_any_of(row.triggers)}"
            )
        rules = row.triggers[trigger]
        if not isinstance(given, Mapping) or set(given) != set(rules):
            wanted = f"exactly {', '.join(rules)}" if rules else "nothing"
            raise SubscriptionError(
                f"{trigger} of {indicator!r}: event_params takes {wanted}, not {given!r}; write "
                "it with "
                f"the method, {_any_of(_calls(indicator.name))}"
            )
        msgspec.structs.force_setattr(self, "event_params", MappingProxyType(dict(given)))
        _check(f"{indicator!r} has no signals: for those", row.signal_values, indicator.params)
        _check(f"{self!r} does not exist:", rules, given)

    def __repr__(self) -> str:
        method = _METHODS.get(self.trigger, self.trigger)
        given = ", ".join(f"{name}={value!r}" for name, value in self.event_params.items())
        return f"{self.indicator!r}.{method}({given})"

    def __hash__(self) -> int:
        # A view of a dict has no hash.
        return hash((self.indicator, self.trigger))

    def __reduce__(self) -> tuple[Any, ...]:
        # A read-only view of a dict cannot be pickled or copied.
        return type(self), (self.indicator, self.trigger, dict(self.event_params))

    def to_wire(self) -> dict[str, Any]:
        """The object as it stands in a request."""
        further = {"event_params": dict(self.event_params)} if self.event_params else {}
        return {**self.indicator.to_wire(), "trigger": self.trigger, **further}

    def matches(
        self,
        indicator: str | None,
        params: Mapping[str, Any] | None,
        trigger: str | None,
        event_params: Mapping[str, Any] | None,
    ) -> bool:
        """Whether an event that says this is of this signal.

        What the event leaves out, or has as None, speaks against nothing; but it must name the
        indicator.
        """
        return (
            self.indicator.matches(indicator, params)
            and (trigger is None or trigger == self.trigger)
            and _agree(self.event_params, event_params)
        )


class IndicatorSpec(msgspec.Struct, frozen=True):
    """What all indicators have in common.

    Use one of them: :class:`Volume`, :class:`Rsi`, :class:`MovingAverage`, :class:`MaCrossover`,
    :class:`BollingerBands`, :class:`Macd`.
    """

    #: Upbit's name of the indicator, as events have it: ``"rsi"``.
    name: ClassVar[str] = ""

    def __post_init__(self) -> None:
        if self.name not in _TABLE:
            raise SubscriptionError(
                f"{self!r} is no indicator of Upbit's: choose {_any_of(_WRITTEN)}"
            )
        _check(f"{self!r} does not exist:", _TABLE[self.name].values, self.params)

    @property
    def params(self) -> dict[str, Any]:
        """The parameters by Upbit's names, as events have them: ``{"period": 14}``."""
        return msgspec.structs.asdict(self)

    def to_wire(self) -> dict[str, Any]:
        """The object as it stands in a request."""
        return {"type": self.name, "params": self.params}

    def matches(self, indicator: str | None, params: Mapping[str, Any] | None) -> bool:
        """Whether an event that says this is of this indicator.

        Parameters that the event leaves out, or has as None, speak against nothing.
        """
        return indicator == self.name and _agree(self.params, params)


class Volume(IndicatorSpec, frozen=True):
    """The traded volume against its average over ``period`` candles: 5, 10, 15, … 50.

    Its value has ``volume`` and ``avg_volume`` (in the traded currency), and ``ratio``, the one
    by the other. Signals exist for the periods 10, 20 and 50.
    """

    period: int = 20

    name: ClassVar[str] = "volume"

    def spike(self, multiplier: int = 2) -> SignalSpec:
        """The volume reaches ``multiplier`` (2, 3 or 5) times its average."""
        return SignalSpec(self, "volume_spike", {"multiplier": multiplier})


class Rsi(IndicatorSpec, frozen=True):
    """The relative strength index over ``period`` candles: 2 to 14, 21 or 25.

    Its value has ``rsi``, from 0 to 100. Signals exist for the periods 7, 9, 14, 21 and 25.
    """

    period: int = 14

    name: ClassVar[str] = "rsi"

    def overbought(self, threshold: int = 70) -> SignalSpec:
        """The index rises to ``threshold``: 70 or 80."""
        return SignalSpec(self, "overbought", {"threshold": threshold})

    def oversold(self, threshold: int = 30) -> SignalSpec:
        """The index falls to ``threshold``: 20 or 30."""
        return SignalSpec(self, "oversold", {"threshold": threshold})


class MovingAverage(IndicatorSpec, frozen=True):
    """The average price over ``period`` candles, simple (``"SMA"``) or exponential (``"EMA"``).

    Periods: 3, 5, 7, 10, 15, 20, 25, 30, 50, 60, 90, 99, 100, 120, 200. Its value has ``value``,
    in won. Signals exist for the periods 5, 10, 20, 30, 60, 90, 120 and 200.
    """

    type: Literal["SMA", "EMA"] = "SMA"
    period: int = 20

    name: ClassVar[str] = "moving_average"

    def crosses_above(self) -> SignalSpec:
        """The *price* crosses the average upwards, and is above it."""
        return SignalSpec(self, "price_cross_above")

    def crosses_below(self) -> SignalSpec:
        """The *price* crosses the average downwards, and is below it."""
        return SignalSpec(self, "price_cross_below")


class MaCrossover(IndicatorSpec, frozen=True):
    """Two moving averages (both ``"SMA"`` or both ``"EMA"``), of a short and a long period.

    The pairs that exist, in candles: 5/20, 20/60, 30/90 and 50/200. Its value has ``ma_short``
    and ``ma_long``, in won.
    """

    type: Literal["SMA", "EMA"] = "SMA"
    short_period: int = 5
    long_period: int = 20

    name: ClassVar[str] = "ma_crossover"

    def golden_cross(self) -> SignalSpec:
        """The short average crosses the long one upwards."""
        return SignalSpec(self, "golden_cross")

    def dead_cross(self) -> SignalSpec:
        """The short average crosses the long one downwards."""
        return SignalSpec(self, "dead_cross")


class BollingerBands(IndicatorSpec, frozen=True):
    """The average price over ``period`` candles, with a band on either side.

    ``period`` is 10, 20 or 50. The bands are ``multiplier`` standard deviations away: 1.0, 1.5,
    2.0, 2.5 or 3.0. Its value has ``bb_upper``, ``bb_middle`` and ``bb_lower``, in won. Signals
    exist for the period 20 with the multipliers 1.5, 2.0 and 2.5.
    """

    period: int = 20
    multiplier: float = 2.0

    name: ClassVar[str] = "bollinger_bands"

    def __post_init__(self) -> None:
        super().__post_init__()
        msgspec.structs.force_setattr(self, "multiplier", float(self.multiplier))

    def crosses_above(self) -> SignalSpec:
        """The *price* crosses upwards.

        Which of the lines it crosses the exchange's pages do not say; the simulator takes the
        upper band.
        """
        return SignalSpec(self, "price_cross_above")

    def crosses_below(self) -> SignalSpec:
        """The *price* crosses downwards; the simulator takes the lower band."""
        return SignalSpec(self, "price_cross_below")


class Macd(IndicatorSpec, frozen=True):
    """Moving average convergence/divergence: a fast average less a slow one, and its average.

    The triples that exist, in candles: 12/26/9, 8/17/9 and 5/35/5. Its value has ``macd`` (the
    difference), ``macd_signal`` (its average over ``signal_period``), both in won, and
    ``histogram``, the one less the other.
    """

    fast: int = 12
    slow: int = 26
    signal_period: int = 9

    name: ClassVar[str] = "macd"

    def golden_cross(self) -> SignalSpec:
        """The MACD line crosses its signal line upwards."""
        return SignalSpec(self, "golden_cross")

    def dead_cross(self) -> SignalSpec:
        """The MACD line crosses its signal line downwards."""
        return SignalSpec(self, "dead_cross")

    def crosses_zero_above(self) -> SignalSpec:
        """The MACD line crosses zero upwards."""
        return SignalSpec(self, "zero_cross_above")

    def crosses_zero_below(self) -> SignalSpec:
        """The MACD line crosses zero downwards."""
        return SignalSpec(self, "zero_cross_below")


_CLASSES = (Volume, Rsi, MovingAverage, MaCrossover, BollingerBands, Macd)
_WRITTEN = [f"{cls.__name__}()" for cls in _CLASSES]


def check_timeframe(value: object) -> str:
    """``value`` if it is a timeframe that indicators exist in."""
    if isinstance(value, str) and value in TIMEFRAMES:
        return value
    raise SubscriptionError(f"timeframe={value!r}: choose {_any_of(map(repr, TIMEFRAMES))}")


def check_indicators(value: object) -> tuple[IndicatorSpec, ...]:
    """``value`` (one indicator or an iterable of them) as a tuple without repeats."""
    return tuple(dict.fromkeys(map(_as_indicator, _each(value, "Rsi()"))))


def check_signals(value: object) -> tuple[SignalSpec, ...]:
    """``value`` (one signal or an iterable of them) as a tuple without repeats."""
    return tuple(dict.fromkeys(map(_as_signal, _each(value, "Rsi().oversold()"))))


def _each(value: object, example: str) -> Iterator[object]:
    given: tuple[object, ...] = (value,)
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping)):
        given = tuple(value)
    if not given:
        raise SubscriptionError(f"indicators={value!r} is empty: name at least one, as {example}")
    return iter(given)


def _as_indicator(value: object) -> IndicatorSpec:
    if isinstance(value, IndicatorSpec):
        return value
    if isinstance(value, SignalSpec):
        raise SubscriptionError(
            f"{value!r} is a signal: give it to indicator_signal(), or give its indicator, "
            f"{value.indicator!r}"
        )
    meant = _class_meant(value)
    raise SubscriptionError(
        f"{value!r} is no indicator: write {meant.__name__}()"
        if meant
        else f"{value!r} is no indicator: choose {_any_of(_WRITTEN)}"
    )


def _as_signal(value: object) -> SignalSpec:
    if isinstance(value, SignalSpec):
        return value
    if isinstance(value, IndicatorSpec):
        raise SubscriptionError(f"{value!r} has no trigger: use {_any_of(_calls(value.name))}")
    if meant := _class_meant(value):
        ways = (f"{meant.__name__}(){call}" for call in _calls(meant.name))
        raise SubscriptionError(f"{value!r} is no signal: write {_any_of(ways)}")
    raise SubscriptionError(
        f"{value!r} is no signal: write a trigger of an indicator, such as Rsi().oversold()"
    )


def _class_meant(value: object) -> type[IndicatorSpec] | None:
    """The indicator that a class, or a string in any spelling, means."""
    name = value.__name__ if isinstance(value, type) else value
    if not isinstance(name, str):
        return None
    bare = name.replace("_", "").replace(" ", "").lower()
    return next((cls for cls in _CLASSES if cls.__name__.lower() == bare), None)


def _calls(indicator: str) -> list[str]:
    return [f".{_METHODS.get(trigger, trigger)}()" for trigger in _TABLE[indicator].triggers]


def _agree(ours: Mapping[str, Any], theirs: Mapping[str, Any] | None) -> bool:
    stated = theirs or {}
    # Numbers of any type: Decimal("2.5") == 2.5, as everything in the table is exact in binary.
    return all(stated.get(name) in (None, value) for name, value in ours.items())


def _check(problem: str, rules: _Rules, given: Mapping[str, Any]) -> None:
    """Refuse what is not in the table; the message begins with ``problem``."""
    for joined, choices in rules.items():
        values = tuple(given[name] for name in joined.split("/"))
        together = len(values) > 1
        examples = choices[0] if together else choices[:1]
        strange = [pair for pair in zip(values, examples, strict=True) if not _same_type(*pair)]
        value = values if together else values[0]
        if not strange and value in choices:
            continue
        hint = ""
        if strange:
            wrong, example = strange[0]
            hint = f", as {type(example).__name__}; {wrong!r} is {type(wrong).__name__}"
        elif not together and not isinstance(value, str):
            near = [one for one in choices if one < value][-1:]
            near += [one for one in choices if one > value][:1]
            hint = f"; nearest to {value!r}: {_any_of(map(repr, near))}" if near else ""
        written = ("/".join(map(str, one)) if together else repr(one) for one in choices)
        raise SubscriptionError(f"{problem} {joined} can be {_any_of(written)}{hint}")


def _same_type(value: object, example: object) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, (int, float) if isinstance(example, float) else type(example))


def _any_of(choices: Iterable[str]) -> str:
    *others, last = choices
    return f"{', '.join(others)} or {last}" if others else last
