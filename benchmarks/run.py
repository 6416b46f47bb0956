"""Runs the suites and writes what came out."""

from __future__ import annotations

import datetime
import os
import platform
import sys
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks import losses, recovery
from benchmarks.findings import Report
from benchmarks.laboratory import Laboratory
from benchmarks.report import markdown, plots
from benchmarks.suites import SUITES, Bench

__all__ = ["run", "run_losses", "run_recovery"]

PACKAGES = (
    "msgspec", "websocket-client", "websockets", "picows", "upbit-sdk", "pyupbit", "ccxt"
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


def run_recovery(scale: float, output: Path | None) -> None:
    """Measure recovery times, twenty of each at ``scale`` 1.0, print the table, and write it."""
    text = recovery.report(
        max(1, round(20 * scale)), max(1, round(3 * scale)), _circumstances() + "."
    )
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        (output / "recovery.md").write_text(text, "utf-8")
    print(text)


def run_losses(scale: float, only: Sequence[str] | None, output: Path | None) -> None:
    """Measure what each client loses, under a hundred faults at ``scale`` 1.0, print and write it.

    ``only``: these clients.
    """
    there = losses.everyone()
    unknown = set(only or ()) - set(there)
    if unknown:
        sys.exit(f"there is no client {', '.join(unknown)} here; there are {', '.join(there)}")
    text = losses.report(max(1, round(100 * scale)), only or there, _circumstances() + ".")
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        (output / "losses.md").write_text(text, "utf-8")
    print(text)


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
