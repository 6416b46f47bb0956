"""Runs the suites and writes what came out."""

from __future__ import annotations

import datetime
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks import brokers, losses, outage, recovery, recovery_cost
from benchmarks.findings import Report
from benchmarks.laboratory import Laboratory
from benchmarks.report import markdown, plots
from benchmarks.suites import SUITES, Bench

__all__ = ["OTHERS", "run", "run_other"]

PACKAGES = (
    "msgspec", "websocket-client", "websockets", "picows", "upbit-sdk", "pyupbit", "ccxt", "redis",
    "hiredis", "nats-py",
)  # fmt: skip


def run(rounds: int, scale: float, only: Sequence[str] | None, output: Path | None) -> None:
    """Measure, print the table; into the folder ``output``, if there is one, table and plots."""
    unknown = set(only or ()) - set(SUITES)
    if unknown:
        sys.exit(f"there is no suite {', '.join(unknown)}; there are {', '.join(SUITES)}")
    report = Report()
    with Laboratory() as laboratory:
        bench = Bench(laboratory, rounds, scale, report)
        for name in only or SUITES:
            began = time.monotonic()
            SUITES[name](bench)
            print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    spread = f"Medians of {rounds} rounds in turns, lowest and highest in brackets."
    text = markdown(report, f"{_circumstances()}. {spread}")
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        (output / "results.md").write_text(text, "utf-8")
        for name, drawing in plots(report).items():
            (output / name).write_bytes(drawing)
    print(text)


def run_other(
    name: str, rounds: int, scale: float, only: Sequence[str] | None, output: Path | None
) -> None:
    """Measure one of the :data:`OTHERS`, print the table, and write it.

    ``only``: these clients, where clients are compared.
    """
    text = OTHERS[name](rounds, scale, only)
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        (output / f"{name}.md").write_text(text, "utf-8")
    print(text)


def _recovery(_: int, scale: float, __: Sequence[str] | None) -> str:
    """How long clients are without data after a fault, twenty times each at ``scale`` 1.0."""
    times = max(1, round(20 * scale)), max(1, round(3 * scale))
    return recovery.report(*times, f"{_circumstances()}.")


def _losses(_: int, scale: float, only: Sequence[str] | None) -> str:
    """What each client loses, under a hundred faults at ``scale`` 1.0."""
    there = losses.everyone()
    unknown = set(only or ()) - set(there)
    if unknown:
        sys.exit(f"there is no client {', '.join(unknown)} here; there are {', '.join(there)}")
    return losses.report(max(1, round(100 * scale)), only or there, f"{_circumstances()}.")


def _outage(_: int, scale: float, __: Sequence[str] | None) -> str:
    """How an outage of ten minutes is repaired, at ``scale`` 1.0."""
    return outage.report(scale, f"{_circumstances()}.")


def _recovery_cost(rounds: int, scale: float, _: Sequence[str] | None) -> str:
    """What the recovery costs on a good day."""
    report = Report()
    with Laboratory() as laboratory:
        bench = Bench(laboratory, rounds, scale, report)
        recovery_cost.checking(bench)
        recovery_cost.memory(bench)
    spread = f"Medians of {rounds} rounds in turns, lowest and highest in brackets."
    return markdown(report, f"{_circumstances()}. {spread}")


def _brokers(rounds: int, scale: float, _: Sequence[str] | None) -> str:
    """What goes through each broker."""
    report = Report()
    brokers.measure(rounds, max(1000, round(100_000 * scale)), report)
    spread = f"Medians of {rounds} rounds in turns, lowest and highest in brackets."
    return markdown(report, f"{_circumstances()}. {spread}")


#: What is measured instead of the suites, by the name of its file: what makes its text of the
#: rounds, the scale and the chosen clients.
OTHERS: dict[str, Callable[[int, float, Sequence[str] | None], str]] = {
    "recovery": _recovery,
    "losses": _losses,
    "outage": _outage,
    "recovery-cost": _recovery_cost,
    "brokers": _brokers,
}


def _circumstances() -> str:
    names = {}
    for name in PACKAGES:
        try:
            names[name] = version(name)
        except PackageNotFoundError:
            continue
    return (
        f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}, {_processor()}, "
        f"{os.cpu_count()} cores, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}; "
        + ", ".join(f"{name} {number}" for name, number in names.items())
    )


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
