"""Python, this package, and what it is built on."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Iterator
from importlib import metadata

from upbit_stream.cli.checks.check import Check
from upbit_stream.cli.texts import text
from upbit_stream.version import __version__

__all__ = ["check_software", "satisfies"]

_OLDEST = (3, 10)
_DISTRIBUTION = "upbit-stream"
# Extras for those who work on the package are not told of.
_EXTRAS = ("cli", "simulator", "recording", "notebook", "prometheus", "redis", "nats")


def check_software() -> Iterator[Check]:
    """The versions, and what is missing or too old."""
    old = sys.version_info < _OLDEST
    yield Check(
        "software",
        "python",
        "fail" if old else "ok",
        f"{platform.python_implementation()} {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}",
        text("advice.python") if old else None,
    )
    yield Check("software", _DISTRIBUTION, "ok", __version__)
    requirements = _requirements()
    for name, demand in requirements.pop("", []):
        yield _package(name, demand)
    for extra in _EXTRAS:
        if extra in requirements:
            yield _extra(extra, requirements[extra])


def _requirements() -> dict[str, list[tuple[str, str]]]:
    """Extra (or ``""``) → the packages it needs, with their versions."""
    try:
        lines = metadata.requires(_DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return {}  # run from a directory of sources
    found: dict[str, list[tuple[str, str]]] = {}
    for line in lines:
        demand, _, marker = line.partition(";")
        match = re.match(r"\s*([\w.-]+)(?:\[[^]]*\])?\s*(.*)", demand)
        extra = re.search(r"""extra\s*==\s*["']([\w-]+)["']""", marker)
        if match and match[1] != _DISTRIBUTION:
            pair = (match[1], match[2].strip(" ()"))
            found.setdefault(extra[1] if extra else "", []).append(pair)
    return found


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _package(name: str, demand: str) -> Check:
    version = _installed(name)
    if version is None:
        told, fine = text("doctor.missing"), False
    else:
        told, fine = version, satisfies(version, demand)
    advice = None if fine else text("advice.package", requirement=f"{name}{demand}")
    return Check("software", name, "ok" if fine else "fail", told, advice)


def _extra(extra: str, packages: list[tuple[str, str]]) -> Check:
    told, lacking = [], []
    for name, demand in packages:
        version = _installed(name)
        told.append(f"{name} {version or text('doctor.missing')}")
        if version is None or not satisfies(version, demand):
            lacking.append(name)
    advice = text("advice.extra", extra=extra) if lacking else None
    return Check("software", f"[{extra}]", "note" if lacking else "ok", ", ".join(told), advice)


def satisfies(version: str, demand: str) -> bool:
    """Whether a version is one of those that are demanded, as in ``>=1.9.2,<2``."""
    mine = _numbers(version)
    for part in filter(None, (one.strip() for one in demand.split(","))):
        match = re.fullmatch(r"(>=|<=|==|!=|<|>)\s*([\w.]+)", part)
        if match is None:
            continue  # of a kind that this package does not use
        sign, limit = match[1], _numbers(match[2])
        compared = (mine > limit) - (mine < limit)
        fits = {">=": compared >= 0, "<=": compared <= 0, "==": compared == 0,
                "!=": compared != 0, "<": compared < 0, ">": compared > 0}  # fmt: skip
        if not fits[sign]:
            return False
    return True


def _numbers(version: str) -> tuple[int, ...]:
    release = re.match(r"\d+(?:\.\d+)*", version)
    numbers = [int(part) for part in release[0].split(".")] if release else [0]
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)
