"""The public face in words, for ``tests/data/surface.txt``: names, members, signatures.

``python -m tests.surface`` writes the file anew. Do so when a change of it is meant, and read the
difference: what stands there is what people's programs use.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import msgspec

import upbit_stream
from upbit_stream import frames, indicators, relay, simulator
from upbit_stream.metrics import Metrics
from upbit_stream.notebook.live import LiveView

__all__ = ["FILE", "describe_all"]

FILE = Path(__file__).parent / "data" / "surface.txt"

#: What the package itself calls of public classes: not promised to anyone.
_OWN_USE = {
    "ConnectionPool": {"lease", "release"},
    "IndicatorSpec": {"matches", "to_wire"},
    "SignalSpec": {"matches", "to_wire"},
    "WireFormat": {"is_list", "short_keys"},
}
#: Made by the package, never by hand.
_NOT_MADE = {"LiveView", "Metrics", "Subscription"}

_PACKAGE = Path(upbit_stream.__file__).parent


def describe_all() -> str:
    """The whole face."""
    lines = ["# Every public name. Written by: python -m tests.surface", ""]
    for name in sorted(upbit_stream.__all__):
        lines += [*_describe(name, getattr(upbit_stream, name)), ""]
    lines += ["# upbit_stream.indicators, beside these", ""]
    lines += [f"Timeframe = {_literals(indicators.Timeframe)}", ""]
    lines += ["# upbit_stream.frames", ""]
    lines += [
        *(line for name in frames.__all__ for line in _describe(name, getattr(frames, name))),
        "",
    ]
    lines += ["# What stream.metrics and stream.live() are", ""]
    lines += [*_describe("Metrics", Metrics), "", *_describe("LiveView", LiveView), ""]
    lines += ["# upbit_stream.relay", ""]
    for name in sorted(relay.__all__):
        lines += [*_describe(name, getattr(relay, name)), ""]
    lines += ["# upbit_stream.simulator", ""]
    for name in sorted(simulator.__all__):
        lines += [*_describe(name, getattr(simulator, name)), ""]
    lines += ["# Fixtures of the pytest plugin, upbit_stream.testing", ""]
    lines += sorted(_fixtures())
    return "\n".join(lines) + "\n"


def _describe(name: str, value: Any) -> Iterator[str]:
    if not inspect.isclass(value):
        yield f"{name}{_signature(value)}" if callable(value) else f"{name}: {type(value).__name__}"
        return
    bases = ", ".join(base.__name__ for base in value.__bases__ if base is not object)
    yield f"class {name}({bases}){_constructor(value)}"
    if issubclass(value, Enum):
        yield from (f"    {one.name} = {one.value!r}" for one in value)
    else:
        yield from (f"    {line}" for line in _fields(value))
    for member, owner in sorted(_members(value).items()):
        yield f"    {_member(member, owner.__dict__[member])}"


def _constructor(cls: type) -> str:
    if cls.__name__ in _NOT_MADE:
        return ""
    if issubclass(cls, Enum) or dataclasses.is_dataclass(cls) or issubclass(cls, msgspec.Struct):
        return ""
    if "__init__" not in {name for base in cls.__mro__[:-1] for name in base.__dict__}:
        return ""
    return f" {_signature(cls)}" if not _is_plain_exception(cls) else ""


def _is_plain_exception(cls: type) -> bool:
    return issubclass(cls, Exception) and cls.__init__ in (Exception.__init__, ValueError.__init__)


def _fields(cls: type) -> Iterator[str]:
    """Of a value: its fields, those of its bases too, with their defaults."""
    annotations: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        annotations |= inspect.get_annotations(base)
    if dataclasses.is_dataclass(cls):
        for one in dataclasses.fields(cls):
            yield f"{one.name}: {one.type}{_default(one.default, one.default_factory)}"
    elif issubclass(cls, msgspec.Struct):
        for field in msgspec.structs.fields(cls):
            yield (
                f"{field.name}: {annotations[field.name]}"
                f"{_default(field.default, field.default_factory)}"
            )
    elif issubclass(cls, tuple):
        for name in getattr(cls, "_fields", ()):
            yield f"{name}: {_name_of(annotations[name])}"


def _name_of(annotation: Any) -> str:
    return str(getattr(annotation, "__forward_arg__", annotation))


def _default(value: Any, factory: Any) -> str:
    if factory not in (dataclasses.MISSING, msgspec.NODEFAULT):
        return " = …"
    if value in (dataclasses.MISSING, msgspec.NODEFAULT):
        return ""
    # As it is written: the member of an enumeration by its name.
    return f" = {type(value).__name__}.{value.name}" if isinstance(value, Enum) else f" = {value!r}"


def _members(cls: type) -> dict[str, type]:
    """What a person can call or read of it, and the class that has it; fields aside."""
    fields = {line.partition(":")[0] for line in _fields(cls)}
    special = ("__call__", "__enter__", "__getitem__", "__iter__")
    found: dict[str, type] = {}
    for base in reversed(cls.__mro__):
        if base.__module__.partition(".")[0] == "upbit_stream":
            for name, value in base.__dict__.items():
                is_member = callable(value) or isinstance(
                    value, (property, classmethod, staticmethod)
                )
                own = name in _OWN_USE.get(base.__name__, ())
                if is_member and not own and (not name.startswith("_") or name in special):
                    found[name] = base
    return {name: base for name, base in found.items() if name not in fields}


def _member(name: str, value: Any) -> str:
    if isinstance(value, property):
        assert value.fget is not None
        returns = _word(inspect.signature(value.fget).return_annotation)
        return f"{name} -> {returns!r}{' (may be set)' * (value.fset is not None)}"
    return f"{name}{_signature(getattr(value, '__func__', value))}"


class _Word(str):
    """An annotation, written without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return self.replace("_datetime", "datetime")


def _signature(value: Any) -> str:
    signature = inspect.signature(value)
    named = [
        one.replace(annotation=_word(one.annotation), default=_short(one.default))
        for one in signature.parameters.values()
    ]
    returns = _word(signature.return_annotation)
    return str(signature.replace(parameters=named, return_annotation=returns))


def _word(annotation: Any) -> Any:
    return _Word(annotation) if isinstance(annotation, str) else annotation


def _short(default: Any) -> Any:
    """What is long, or differs from one version of Python to the next, is not spelled."""
    if (isinstance(default, (tuple, dict)) and default) or (
        callable(default) and not isinstance(default, type)
    ):
        return _Word("…")
    return default


def _literals(alias: Any) -> str:
    return ", ".join(alias.__args__)


def _fixtures() -> Iterator[str]:
    tree = ast.parse((_PACKAGE / "testing.py").read_text("utf-8"))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and any(
            "fixture" in ast.unparse(one) for one in node.decorator_list
        ):
            yield f"{node.name} -> {ast.unparse(node.returns) if node.returns else None}"


if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(describe_all(), "utf-8")
