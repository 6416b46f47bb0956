"""Demands of the info endpoint: indicators, and signals of them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, ClassVar

from upbit_stream.errors import SubscriptionError
from upbit_stream.events import Event, Indicator, IndicatorSignal
from upbit_stream.indicators import (
    IndicatorSpec,
    SignalSpec,
    check_indicators,
    check_signals,
    check_timeframe,
)
from upbit_stream.protocol.codes import check_codes
from upbit_stream.protocol.demands.base import Demand, LiveDemand, Sink, not_in_won, union
from upbit_stream.protocol.endpoints import Endpoint
from upbit_stream.protocol.limits import INDICATOR_COMBINATIONS
from upbit_stream.protocol.requests import TypeRequest, combinations

__all__ = ["IndicatorDemand", "check_combinations"]


def _indicator_key(event: Indicator | IndicatorSignal) -> Hashable:
    trigger = event.trigger if isinstance(event, IndicatorSignal) else None
    return event.code, event.timeframe, event.indicator, event.params, trigger


class IndicatorDemand(LiveDemand, frozen=True):
    """Indicators, or signals of them, of some codes in one timeframe."""

    timeframe: str = ""
    indicators: tuple[IndicatorSpec | SignalSpec, ...] = ()

    endpoint: ClassVar[Endpoint] = Endpoint.INFO

    @property
    def conflation_key(self) -> Callable[[Any], Hashable]:
        return _indicator_key

    @classmethod
    def make_indicators(
        cls, codes: object, indicators: object, timeframe: object
    ) -> IndicatorDemand:
        """A checked demand for values of indicators."""
        return cls(
            "indicator",
            _check_won(check_codes(codes)),
            timeframe=check_timeframe(timeframe),
            indicators=check_indicators(indicators),
        )

    @classmethod
    def make_signals(cls, codes: object, signals: object, timeframe: object) -> IndicatorDemand:
        """A checked demand for signals of indicators."""
        return cls(
            "indicator_signal",
            _check_won(check_codes(codes)),
            timeframe=check_timeframe(timeframe),
            indicators=check_signals(signals),
        )

    @property
    def group(self) -> Hashable:
        return self.type, self.timeframe

    @classmethod
    def merge(cls, members: Sequence[IndicatorDemand]) -> Iterable[TypeRequest]:
        # The exchange counts codes × indicators, so codes go together only with those that want
        # the very same indicators: not one combination is asked for that nobody wants.
        wanted: dict[str, dict[IndicatorSpec | SignalSpec, None]] = {}
        for member in members:
            for code in member.codes:
                wanted.setdefault(code, {}).update(dict.fromkeys(member.indicators))
        alike: dict[frozenset[IndicatorSpec | SignalSpec], list[str]] = {}
        for code, specs in wanted.items():
            alike.setdefault(frozenset(specs), []).append(code)
        for codes in alike.values():
            yield TypeRequest(
                members[0].type,
                tuple(codes),
                {
                    "timeframe": members[0].timeframe,
                    "indicators": [spec.to_wire() for spec in wanted[codes[0]]],
                },
            )

    def adding(self, codes: tuple[str, ...]) -> IndicatorDemand:
        return super().adding(_check_won(codes))

    def concerns(self, event: Event) -> bool:
        if not isinstance(event, (Indicator, IndicatorSignal)):
            return True
        if event.timeframe is not None and event.timeframe != self.timeframe:
            return False
        params = {} if event.params is None else event.params.to_dict()
        if isinstance(event, IndicatorSignal):
            event_params = {} if event.event_params is None else event.event_params.to_dict()
            return any(
                spec.matches(event.indicator, params, event.trigger, event_params)
                for spec in self.indicators
                if isinstance(spec, SignalSpec)
            )
        return any(
            spec.matches(event.indicator, params)
            for spec in self.indicators
            if isinstance(spec, IndicatorSpec)
        )

    def sieve(self, sink: Sink) -> Sink:
        def fitting(event: Event) -> None:
            if self.concerns(event):
                sink(event)

        return fitting


def check_combinations(demands: Iterable[Demand]) -> None:
    """:class:`SubscriptionError` if the exchange would refuse the list of these demands, because
    they are too many combinations of codes and indicators.
    """
    count = combinations(union(one for one in demands if isinstance(one, IndicatorDemand)))
    if count > INDICATOR_COMBINATIONS:
        raise SubscriptionError(
            f"with this there would be {count} combinations of codes and indicators, and Upbit "
            f"takes {INDICATOR_COMBINATIONS} at a time: leave out codes or indicators, or close "
            "a subscription first"
        )


def _check_won(codes: tuple[str, ...]) -> tuple[str, ...]:
    if others := not_in_won(codes):
        raise SubscriptionError(
            f"{', '.join(others)}: the exchange has indicators of KRW markets only; leave these out"
        )
    return codes
