"""Options that a call does not have, by name or by place, or lacks: what is said of them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import ParamSpec, TypeVar

__all__ = ["nearest", "with_hints", "with_hints_at_init"]

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C")

# How alike two names have to be for one to be taken for the other mistyped, from 0 to 1.
_ALIKE = 0.6

# What is shown for an option that is missing, of that method or of all.
_EXAMPLES = {
    "type": '"ticker"',
    "codes": '"KRW-BTC"',
    "indicators": "Rsi(14)",
    "indicator_signal.indicators": "Rsi(14).overbought(70)",
    "timeframe": '"5m"',
}


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The name that is most like ``name``; None: none is like it."""
    import difflib  # for the mistyped only

    alike = difflib.get_close_matches(name, sorted(known), n=1, cutoff=_ALIKE)
    return alike[0] if alike else None


def with_hints(call: Callable[P, R]) -> Callable[P, R]:
    """``call``, which names the option that was meant when one is given that it does not have, says
    where to put what it does not take by place, and shows what it lacks.

    For what is called now and then: it costs a look at the names of each call. Type checkers see
    the same signature as before.
    """
    return _checked(call, call.__name__, ())


def with_hints_at_init(elsewhere: type | None = None) -> Callable[[type[C]], type[C]]:
    """The same for making objects of a class, which takes its options by name.

    ``elsewhere`` makes the object for the class's option ``config``: its options are no mistakes in
    spelling, but belong there.
    """

    def decorate(cls: type[C]) -> type[C]:
        others = () if elsewhere is None else tuple(inspect.signature(elsewhere).parameters)
        where = "" if elsewhere is None else elsewhere.__name__
        init: Callable[..., None] = cls.__dict__["__init__"]
        type.__setattr__(cls, "__init__", _checked(init, cls.__name__, others, where))
        return cls

    return decorate


def _checked(
    call: Callable[P, R], name: str, others: tuple[str, ...], where: str = ""
) -> Callable[P, R]:
    _, *parameters = inspect.signature(call).parameters.values()  # the first one is self
    options = tuple(one.name for one in parameters)
    known = frozenset(options)
    places = tuple(one.name for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD)
    required = tuple(one.name for one in parameters if one.default is one.empty)
    most = 1 + len(places)

    @functools.wraps(call)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        if not known.issuperset(kwargs):
            raise TypeError(_explain(name, kwargs, options, others, where)) from None
        if len(args) > most:
            raise TypeError(_explain_place(name, args[1:], options, places))
        by_place = places[: len(args) - 1]
        if twice := [one for one in by_place if one in kwargs]:
            raise TypeError(f"{name}() was given {twice[0]} by place and by name; give it once")
        if missing := [one for one in required if one not in kwargs and one not in by_place]:
            raise TypeError(_explain_missing(name, missing, required, places))
        return call(*args, **kwargs)

    return checked


def _explain(
    name: str,
    given: Iterable[str],
    options: tuple[str, ...],
    others: tuple[str, ...],
    where: str,
) -> str:
    # Their values are not shown: one may be a key.
    unknown = next(one for one in given if one not in options)
    headline = f"{name}() has no option {unknown!r}"
    meant = unknown if unknown in others else nearest(unknown, options)
    if meant is None:
        meant = nearest(unknown, others)
    if meant in others:
        return f"{headline}; give it to {where}, as in {name}(config={where}({meant}=…))"
    if meant is not None:
        return f"{headline}; did you mean {meant!r}?"
    return f"{headline}; choose among {', '.join(options)}"


def _explain_place(
    name: str, given: tuple[object, ...], options: tuple[str, ...], places: tuple[str, ...]
) -> str:
    # No values here, either.
    taken = f"only {' and '.join(places)}" if places else "nothing"
    told = f"{name}() takes {taken} by place, and was given {len(given)}"
    if "codes" in places and all(isinstance(one, str) for one in given[places.index("codes") :]):
        before = "".join(f"{one}, " for one in places[: places.index("codes")])
        return f'{told}; put several codes into one list: {name}({before}["KRW-BTC", "KRW-ETH"])'
    named = next((one for one in options if one not in places), None)
    if named is None:
        return f"{told}; leave out what is more"
    right = ", ".join((*places, f"{named}=…"))
    return f"{told}; give what is more by its name, as in {name}({right})"


def _explain_missing(
    name: str, missing: list[str], required: tuple[str, ...], places: tuple[str, ...]
) -> str:
    shown = []
    for option in required:
        example = _EXAMPLES.get(f"{name}.{option}") or _EXAMPLES.get(option, "…")
        shown.append(example if option in places else f"{option}={example}")
    *others, last = missing
    lacks = f"{', '.join(others)} and {last}" if others else last
    return f"{name}() needs {lacks}; call it as in {name}({', '.join(shown)})"
