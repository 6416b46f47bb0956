"""Which indicators and signals can be asked for, and how."""

from __future__ import annotations

import copy
import itertools
import pickle
import re
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from enum import IntEnum
from typing import Any

import pytest

from upbit_stream.errors import SubscriptionError
from upbit_stream.indicators import (
    TIMEFRAMES,
    BollingerBands,
    IndicatorSpec,
    Macd,
    MaCrossover,
    MovingAverage,
    Rsi,
    SignalSpec,
    Volume,
    check_indicators,
    check_signals,
    check_timeframe,
)
from upbit_stream.simulator.indicators import check_indicator

# The exchange's table, as its pages have it.

PERIODS: dict[str, tuple[int, ...]] = {
    "volume": (5, 10, 15, 20, 25, 30, 35, 40, 45, 50),
    "rsi": (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 21, 25),
    "moving_average": (3, 5, 7, 10, 15, 20, 25, 30, 50, 60, 90, 99, 100, 120, 200),
    "bollinger_bands": (10, 20, 50),
}
SIGNAL_PERIODS: dict[str, tuple[int, ...]] = {
    "volume": (10, 20, 50),
    "rsi": (7, 9, 14, 21, 25),
    "moving_average": (5, 10, 20, 30, 60, 90, 120, 200),
    "bollinger_bands": (20,),
}
MULTIPLIERS = (1.0, 1.5, 2.0, 2.5, 3.0)
SIGNAL_MULTIPLIERS = (1.5, 2.0, 2.5)
PAIRS = ((5, 20), (20, 60), (30, 90), (50, 200))
TRIPLES = ((12, 26, 9), (8, 17, 9), (5, 35, 5))
AVERAGES = ("SMA", "EMA")
TRIGGERS: dict[str, dict[str, dict[str, tuple[int, ...]]]] = {
    "volume": {"volume_spike": {"multiplier": (2, 3, 5)}},
    "rsi": {"overbought": {"threshold": (70, 80)}, "oversold": {"threshold": (20, 30)}},
    "moving_average": {"price_cross_above": {}, "price_cross_below": {}},
    "ma_crossover": {"golden_cross": {}, "dead_cross": {}},
    "bollinger_bands": {"price_cross_above": {}, "price_cross_below": {}},
    "macd": {"golden_cross": {}, "dead_cross": {}, "zero_cross_above": {}, "zero_cross_below": {}},
}

CLASSES: dict[str, Callable[..., IndicatorSpec]] = {
    "volume": Volume,
    "rsi": Rsi,
    "moving_average": MovingAverage,
    "ma_crossover": MaCrossover,
    "bollinger_bands": BollingerBands,
    "macd": Macd,
}
PARAMETERS = {
    "volume": ("period",),
    "rsi": ("period",),
    "moving_average": ("type", "period"),
    "ma_crossover": ("type", "short_period", "long_period"),
    "bollinger_bands": ("period", "multiplier"),
    "macd": ("fast", "slow", "signal_period"),
}

Values = tuple[Any, ...]


def existing(name: str, *, signals: bool) -> set[Values]:
    """Every combination of an indicator's parameters that the table has."""
    periods = (SIGNAL_PERIODS if signals else PERIODS).get(name, ())
    multipliers = SIGNAL_MULTIPLIERS if signals else MULTIPLIERS
    combinations: dict[str, set[Values]] = {
        "volume": set(itertools.product(periods)),
        "rsi": set(itertools.product(periods)),
        "moving_average": set(itertools.product(AVERAGES, periods)),
        "ma_crossover": {(average, *pair) for average in AVERAGES for pair in PAIRS},
        "bollinger_bands": set(itertools.product(periods, multipliers)),
        "macd": set(TRIPLES),
    }
    return combinations[name]


def grid(name: str) -> Iterator[Values]:
    """Many combinations, existing and not."""
    averages = (*AVERAGES, "sma", "WMA", "")
    sixteenths = [sixteenth / 16 for sixteenth in range(-2, 66)]
    choices: dict[str, tuple[Iterable[Any], ...]] = {
        "volume": (range(-2, 260),),
        "rsi": (range(-2, 260),),
        "moving_average": (averages, range(-2, 260)),
        "ma_crossover": (averages, range(0, 60, 5), range(0, 220, 5)),
        "bollinger_bands": (range(-2, 60), [*sixteenths, 1, 2, 3, 4]),
        "macd": (range(3, 15), range(15, 38), range(3, 11)),
    }
    return itertools.product(*choices[name])


def refused(make: Callable[..., object], *args: Any, **kwargs: Any) -> str | None:
    """The message of the refusal, or None."""
    try:
        make(*args, **kwargs)
    except SubscriptionError as error:
        return str(error)
    return None


def wire(name: str, values: Values) -> dict[str, Any]:
    return {"type": name, "params": dict(zip(PARAMETERS[name], values, strict=True))}


def numbers(text: str) -> set[str]:
    return set(re.findall(r"[\d.]+", text.rpartition("can be")[2].partition(";")[0]))


# What exists.


@pytest.mark.parametrize("name", CLASSES)
def test_exactly_the_existing_indicators(name: str) -> None:
    combinations = existing(name, signals=False)
    assert combinations <= set(grid(name))
    for values in grid(name):
        message = refused(CLASSES[name], *values)
        assert (message is None) == (values in combinations), values
        assert (message is None) == check_indicator("indicator", wire(name, values)), values


@pytest.mark.parametrize("name", CLASSES)
def test_exactly_the_existing_signals(name: str) -> None:
    with_signals = existing(name, signals=True)
    triggers = {trigger for row in TRIGGERS.values() for trigger in row}
    given: list[dict[str, Any]] = [{}, {"threshold": 70, "multiplier": 2}, {"nonsense": 2}]
    given += [{"threshold": threshold} for threshold in range(15, 90)]
    given += [{"multiplier": multiplier} for multiplier in range(8)]
    for values in existing(name, signals=False):
        indicator = CLASSES[name](*values)
        for trigger, event_params in itertools.product((*triggers, "nope", ""), given):
            rules = TRIGGERS[name].get(trigger)
            exists = (
                values in with_signals
                and rules is not None
                and set(event_params) == set(rules)
                and all(event_params[key] in rules[key] for key in rules)
            )
            message = refused(SignalSpec, indicator, trigger, event_params)
            assert (message is None) == exists, (indicator, trigger, event_params)
            object_ = {**wire(name, values), "trigger": trigger, "event_params": event_params}
            assert exists == check_indicator("indicator_signal", object_), object_


def test_the_simulator_has_no_signal_of_what_is_no_indicator() -> None:
    for name in CLASSES:
        for values in set(grid(name)) - existing(name, signals=False):
            assert not check_indicator("indicator_signal", wire(name, values))


@pytest.mark.parametrize("name", PERIODS)
def test_a_wrong_period_is_told_the_existing_ones(name: str) -> None:
    for period in PERIODS[name]:
        for neighbour in {period - 1, period + 1} - set(PERIODS[name]):
            message = refused(CLASSES[name], period=neighbour)
            assert message is not None
            assert f"period={neighbour}" in message
            assert numbers(message) == set(map(str, PERIODS[name]))


@pytest.mark.parametrize("name", PERIODS)
def test_a_period_without_signals_is_told_those_with(name: str) -> None:
    for period in set(PERIODS[name]) - set(SIGNAL_PERIODS[name]):
        indicator = CLASSES[name](period=period)
        for trigger, rules in TRIGGERS[name].items():
            given = {key: choices[0] for key, choices in rules.items()}
            message = refused(SignalSpec, indicator, trigger, given)
            assert message is not None
            assert message.startswith(f"{indicator!r} has no signals")
            assert numbers(message) == set(map(str, SIGNAL_PERIODS[name]))


@pytest.mark.parametrize("multiplier", [0.5, 0, 1.2, 1.75, 2.25, 2.75, 3.5, -1.0, 10**400])
def test_a_wrong_multiplier_is_told_the_existing_ones(multiplier: float) -> None:
    message = refused(BollingerBands, 20, multiplier)
    assert message is not None
    assert numbers(message) == set(map(str, MULTIPLIERS))


@pytest.mark.parametrize("multiplier", [1.0, 3.0])
def test_a_multiplier_without_signals_is_told_those_with(multiplier: float) -> None:
    bands = BollingerBands(20, multiplier)
    for make in (bands.crosses_above, bands.crosses_below):
        message = refused(make)
        assert message is not None
        assert numbers(message) == set(map(str, SIGNAL_MULTIPLIERS))


def test_a_multiplier_that_is_no_number_at_all() -> None:
    assert "nearest" not in (refused(BollingerBands, 20, float("nan")) or "nearest")
    assert (refused(BollingerBands, 20, float("inf")) or "").endswith("nearest to inf: 3.0")


@pytest.mark.parametrize("pair", [(5, 10), (20, 5), (20, 50), (5, 60), (6, 20), (50, 100)])
@pytest.mark.parametrize("average", AVERAGES)
def test_a_wrong_pair_is_told_the_existing_ones(average: str, pair: tuple[int, int]) -> None:
    message = refused(MaCrossover, average, *pair)
    assert message is not None
    assert "5/20, 20/60, 30/90 or 50/200" in message


@pytest.mark.parametrize("triple", [(12, 26, 8), (12, 17, 9), (5, 35, 9), (8, 26, 9), (26, 12, 9)])
def test_a_wrong_triple_is_told_the_existing_ones(triple: tuple[int, int, int]) -> None:
    message = refused(Macd, *triple)
    assert message is not None
    assert "12/26/9, 8/17/9 or 5/35/5" in message


@pytest.mark.parametrize("cls", [MovingAverage, MaCrossover])
@pytest.mark.parametrize("average", ["sma", "WMA", "", 20, None])
def test_a_wrong_average_is_told_the_existing_ones(cls: Any, average: object) -> None:
    assert "'SMA' or 'EMA'" in (refused(cls, average) or "")


@pytest.mark.parametrize(
    ("method", "choices"),
    [
        (Volume().spike, (2, 3, 5)),
        (Rsi().overbought, (70, 80)),
        (Rsi().oversold, (20, 30)),
    ],
)
def test_a_wrong_bound_is_told_the_existing_ones(
    method: Callable[[Any], SignalSpec], choices: tuple[int, ...]
) -> None:
    for choice in choices:
        assert list(method(choice).event_params.values()) == [choice]
        for neighbour in {choice - 1, choice + 1} - set(choices):
            assert numbers(refused(method, neighbour) or "") == set(map(str, choices))
        assert refused(method, float(choice)) is not None


@pytest.mark.parametrize(
    ("wrong", "nearest"),
    [(15, "14 or 21"), (22, "21 or 25"), (1, "2"), (0, "2"), (26, "25"), (-14, "2")],
)
def test_the_nearest_values_are_named(wrong: int, nearest: str) -> None:
    assert (refused(Rsi, wrong) or "").endswith(f"; nearest to {wrong}: {nearest}")


@pytest.mark.parametrize("wrong", [14.0, True, "14", None, [14], Decimal(14), Rsi])
def test_a_period_is_an_int(wrong: Any) -> None:
    message = refused(Rsi, wrong) or ""
    assert message.endswith(f", as int; {wrong!r} is {type(wrong).__name__}")
    assert numbers(message) == set(map(str, PERIODS["rsi"]))
    assert refused(Macd, 12, 26, wrong) is not None


@pytest.mark.parametrize("wrong", [True, "2.0", None, Decimal(2), (2.0,)])
def test_a_multiplier_is_a_number(wrong: Any) -> None:
    assert "as float" in (refused(BollingerBands, 20, wrong) or "")


def test_an_int_is_a_multiplier() -> None:
    assert BollingerBands(20, 2) == BollingerBands(20, 2.0) == BollingerBands()
    assert repr(BollingerBands(20, 2)) == "BollingerBands(period=20, multiplier=2.0)"
    assert type(BollingerBands(20, 2).params["multiplier"]) is float


def test_an_enum_of_ints_is_ints() -> None:
    class Period(IntEnum):
        LONG = 21

    assert Rsi(Period.LONG) == Rsi(21)


def test_the_base_is_no_indicator() -> None:
    assert "Volume(), Rsi(), MovingAverage()" in (refused(IndicatorSpec) or "")


# Values.


@pytest.mark.parametrize(
    ("indicator", "written", "object_"),
    [
        (Volume(), "Volume(period=20)", wire("volume", (20,))),
        (Rsi(), "Rsi(period=14)", wire("rsi", (14,))),
        (
            MovingAverage(),
            "MovingAverage(type='SMA', period=20)",
            wire("moving_average", ("SMA", 20)),
        ),
        (
            MaCrossover(),
            "MaCrossover(type='SMA', short_period=5, long_period=20)",
            wire("ma_crossover", ("SMA", 5, 20)),
        ),
        (
            BollingerBands(),
            "BollingerBands(period=20, multiplier=2.0)",
            wire("bollinger_bands", (20, 2.0)),
        ),
        (Macd(), "Macd(fast=12, slow=26, signal_period=9)", wire("macd", (12, 26, 9))),
    ],
)
def test_an_indicator_with_its_defaults(
    indicator: IndicatorSpec, written: str, object_: dict[str, Any]
) -> None:
    assert repr(indicator) == written
    assert eval(written) == indicator
    assert indicator.to_wire() == object_
    assert (indicator.name, indicator.params) == (object_["type"], object_["params"])


@pytest.mark.parametrize(
    ("signal", "written", "trigger", "event_params"),
    [
        (Volume(10).spike(), "Volume(period=10).spike(multiplier=2)",
         "volume_spike", {"multiplier": 2}),
        (Rsi(7).overbought(), "Rsi(period=7).overbought(threshold=70)",
         "overbought", {"threshold": 70}),
        (Rsi(7).oversold(), "Rsi(period=7).oversold(threshold=30)",
         "oversold", {"threshold": 30}),
        (MovingAverage("EMA", 5).crosses_above(),
         "MovingAverage(type='EMA', period=5).crosses_above()", "price_cross_above", {}),
        (MovingAverage("EMA", 5).crosses_below(),
         "MovingAverage(type='EMA', period=5).crosses_below()", "price_cross_below", {}),
        (MaCrossover("EMA", 20, 60).golden_cross(),
         "MaCrossover(type='EMA', short_period=20, long_period=60).golden_cross()",
         "golden_cross", {}),
        (MaCrossover("EMA", 20, 60).dead_cross(),
         "MaCrossover(type='EMA', short_period=20, long_period=60).dead_cross()",
         "dead_cross", {}),
        (BollingerBands(20, 1.5).crosses_above(),
         "BollingerBands(period=20, multiplier=1.5).crosses_above()", "price_cross_above", {}),
        (BollingerBands(20, 1.5).crosses_below(),
         "BollingerBands(period=20, multiplier=1.5).crosses_below()", "price_cross_below", {}),
        (Macd(8, 17).golden_cross(),
         "Macd(fast=8, slow=17, signal_period=9).golden_cross()", "golden_cross", {}),
        (Macd(8, 17).dead_cross(),
         "Macd(fast=8, slow=17, signal_period=9).dead_cross()", "dead_cross", {}),
        (Macd(8, 17).crosses_zero_above(),
         "Macd(fast=8, slow=17, signal_period=9).crosses_zero_above()", "zero_cross_above", {}),
        (Macd(8, 17).crosses_zero_below(),
         "Macd(fast=8, slow=17, signal_period=9).crosses_zero_below()", "zero_cross_below", {}),
    ],
)  # fmt: skip
def test_every_trigger(
    signal: SignalSpec, written: str, trigger: str, event_params: dict[str, int]
) -> None:
    assert repr(signal) == written
    assert eval(written) == signal
    assert signal == SignalSpec(signal.indicator, trigger, event_params)
    assert (signal.trigger, signal.event_params) == (trigger, event_params)
    stated = {"event_params": event_params} if event_params else {}
    object_ = signal.to_wire()
    assert object_ == {**signal.indicator.to_wire(), "trigger": trigger, **stated}
    assert check_indicator("indicator_signal", object_)


def test_they_are_equal_when_they_ask_for_the_same() -> None:
    assert Rsi(14) == Rsi(period=14) != Rsi(21)
    assert len({Rsi(10), Volume(10)}) == 2
    assert {Rsi(), Rsi(14), Rsi(21), Volume()} == {Rsi(14), Rsi(21), Volume(20)}
    assert Rsi().overbought() == Rsi().overbought(70) != Rsi().overbought(80)
    assert Rsi().overbought() != Rsi(21).overbought()
    assert Macd().golden_cross() != MaCrossover().golden_cross()
    assert len({Rsi().overbought(70), Rsi().overbought(80), Rsi().overbought()}) == 2


@pytest.mark.parametrize(
    "spec", [Rsi(), BollingerBands(10, 1), Rsi().oversold(), Macd().dead_cross()]
)
def test_they_can_be_copied_and_pickled(spec: object) -> None:
    for twin in (pickle.loads(pickle.dumps(spec)), copy.copy(spec), copy.deepcopy(spec)):
        assert twin == spec
        assert hash(twin) == hash(spec)


def test_they_cannot_be_changed() -> None:
    indicator = Rsi()
    with pytest.raises(AttributeError):
        indicator.period = 21  # type: ignore[misc]
    indicator.params["period"] = 21
    indicator.to_wire()["params"]["period"] = 21
    assert indicator == Rsi(14)
    given = {"threshold": 70}
    signal = SignalSpec(indicator, "overbought", given)
    with pytest.raises(AttributeError):
        signal.trigger = "oversold"  # type: ignore[misc]
    with pytest.raises(TypeError):
        signal.event_params["threshold"] = 80  # type: ignore[index]
    given["threshold"] = 80
    signal.to_wire()["event_params"]["threshold"] = 80
    assert signal == Rsi(14).overbought(70)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((Rsi, "oversold", {"threshold": 30}), "write Rsi()"),
        (("rsi", "oversold", {"threshold": 30}), "write Rsi()"),
        ((Rsi().oversold(), "oversold", {"threshold": 30}), "is a signal"),
        ((Rsi(), "golden_cross"), "choose overbought or oversold"),
        ((Rsi(), None), "choose overbought or oversold"),
        ((Rsi(), ["oversold"]), "choose overbought or oversold"),
        ((Rsi(), "oversold"), "takes exactly threshold, not {}"),
        ((Rsi(), "oversold", None), "takes exactly threshold, not None"),
        ((Rsi(), "oversold", [("threshold", 30)]), "takes exactly threshold"),
        ((Rsi(), "oversold", {"threshold": 70}), "can be 20 or 30"),
        ((Rsi(), "oversold", {"threshold": [30]}), "can be 20 or 30"),
        ((Macd(), "dead_cross", {"threshold": 30}), "takes nothing"),
    ],
)
def test_a_signal_made_by_hand_is_checked(args: tuple[Any, ...], message: str) -> None:
    assert message in (refused(SignalSpec, *args) or "")


# What comes.


def test_which_events_are_of_an_indicator() -> None:
    bands = BollingerBands(20, 2.5)
    assert bands.matches("bollinger_bands", {"period": 20, "multiplier": 2.5})
    assert bands.matches(
        "bollinger_bands", {"period": Decimal("20"), "multiplier": Decimal("2.50")}
    )
    assert bands.matches("bollinger_bands", {"multiplier": 2.5, "further": 1})
    assert bands.matches("bollinger_bands", {"period": None, "multiplier": 2.5})
    assert bands.matches("bollinger_bands", {})
    assert bands.matches("bollinger_bands", None)
    assert not bands.matches("bollinger_bands", {"period": 20, "multiplier": Decimal("2.0")})
    assert not bands.matches("bollinger_bands", {"period": 10})
    assert not bands.matches("rsi", {"period": 20})
    assert not bands.matches(None, {"period": 20, "multiplier": 2.5})
    assert BollingerBands(20, 2).matches("bollinger_bands", {"multiplier": Decimal("2.0")})
    average = MovingAverage("EMA", 20)
    assert average.matches("moving_average", {"type": "EMA", "period": 20.0})
    assert not average.matches("moving_average", {"type": "SMA", "period": 20})


def test_which_events_are_of_a_signal() -> None:
    signal = Rsi().overbought(80)
    period, threshold = {"period": Decimal(14)}, {"threshold": Decimal("80.0")}
    assert signal.matches("rsi", period, "overbought", threshold)
    assert signal.matches("rsi", period, None, threshold)
    assert signal.matches("rsi", {}, "overbought", {})
    assert signal.matches("rsi", None, None, None)
    assert not signal.matches("rsi", period, "oversold", threshold)
    assert not signal.matches("rsi", period, "overbought", {"threshold": 70})
    assert not signal.matches("rsi", {"period": 21}, "overbought", threshold)
    assert not signal.matches("volume", period, "overbought", threshold)
    assert not signal.matches(None, period, "overbought", threshold)
    assert Macd().dead_cross().matches("macd", {"fast": 12}, "dead_cross", {})
    assert not Macd().dead_cross().matches("macd", {"fast": 12}, "golden_cross", {})


# What a person gives.


def test_timeframes() -> None:
    assert TIMEFRAMES == ("5m", "15m", "60m", "240m", "1d")
    assert tuple(map(check_timeframe, TIMEFRAMES)) == TIMEFRAMES


@pytest.mark.parametrize("wrong", ["1m", "3m", "10m", "30m", "1h", "5M", "", 5, None, ["5m"]])
def test_wrong_timeframes(wrong: object) -> None:
    with pytest.raises(SubscriptionError, match="'5m', '15m', '60m', '240m' or '1d'"):
        check_timeframe(wrong)


@pytest.mark.parametrize(
    ("given", "checked"),
    [
        (Rsi(), (Rsi(),)),
        ([Rsi()], (Rsi(),)),
        ((Macd(), Rsi(), Macd(), Rsi(14), Rsi(21)), (Macd(), Rsi(), Rsi(21))),
        (iter([Rsi(), Volume()]), (Rsi(), Volume())),
        (dict.fromkeys([Rsi(), Volume()]).keys(), (Rsi(), Volume())),
    ],
)
def test_indicators(given: object, checked: tuple[IndicatorSpec, ...]) -> None:
    assert check_indicators(given) == checked


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ([], "is empty: name at least one, as Rsi()"),
        (iter(()), "is empty"),
        ("rsi", "'rsi' is no indicator: write Rsi()"),
        ("RSI", "write Rsi()"),
        ("ma_crossover", "write MaCrossover()"),
        (["MACD", Rsi()], "'MACD' is no indicator: write Macd()"),
        ("Bollinger Bands", "write BollingerBands()"),
        ("adx", "choose Volume(), Rsi(), MovingAverage(), MaCrossover(), BollingerBands() or Macd"),
        (Rsi, "write Rsi()"),
        ([Volume(), Macd], "write Macd()"),
        (int, "choose Volume()"),
        (Rsi().oversold(), "is a signal: give it to indicator_signal(), or give its indicator, "
                           "Rsi(period=14)"),
        ([Rsi(), Rsi().oversold()], "give it to indicator_signal()"),
        (None, "choose Volume()"),
        (14, "choose Volume()"),
        (b"rsi", "choose Volume()"),
        ({"type": "rsi", "params": {"period": 14}}, "choose Volume()"),
    ],
)  # fmt: skip
def test_what_are_no_indicators(wrong: object, message: str) -> None:
    assert message in (refused(check_indicators, wrong) or "")


@pytest.mark.parametrize(
    ("given", "checked"),
    [
        (Rsi().oversold(), (Rsi().oversold(),)),
        ([Macd().dead_cross()], (Macd().dead_cross(),)),
        (
            iter([Rsi().oversold(), Rsi().overbought(), Rsi().oversold(30), Rsi().oversold(20)]),
            (Rsi().oversold(), Rsi().overbought(), Rsi().oversold(20)),
        ),
    ],
)
def test_signals(given: object, checked: tuple[SignalSpec, ...]) -> None:
    assert check_signals(given) == checked


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ([], "is empty: name at least one, as Rsi().oversold()"),
        (Rsi(), "Rsi(period=14) has no trigger: use .overbought() or .oversold()"),
        ([Volume().spike(), Volume()], "Volume(period=20) has no trigger: use .spike()"),
        (BollingerBands(), "use .crosses_above() or .crosses_below()"),
        (Macd(), "use .golden_cross(), .dead_cross(), .crosses_zero_above() or "
                 ".crosses_zero_below()"),
        (MaCrossover, "write MaCrossover().golden_cross() or MaCrossover().dead_cross()"),
        ("rsi", "write Rsi().overbought() or Rsi().oversold()"),
        ("golden_cross", "such as Rsi().oversold()"),
        (Rsi().oversold, "such as Rsi().oversold()"),
        (None, "such as Rsi().oversold()"),
    ],
)  # fmt: skip
def test_what_are_no_signals(wrong: object, message: str) -> None:
    assert message in (refused(check_signals, wrong) or "")


@pytest.mark.parametrize("indicator", [make() for make in CLASSES.values()], ids=repr)
def test_the_triggers_that_are_advised_exist(indicator: IndicatorSpec) -> None:
    methods = re.findall(r"\.(\w+)\(\)", refused(check_signals, indicator) or "")
    signals = [getattr(indicator, method)() for method in methods]
    assert [signal.trigger for signal in signals] == list(TRIGGERS[indicator.name])
