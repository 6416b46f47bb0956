"""What the recovery costs on a good day: memory for each code, time for each trade.

``python -m benchmarks.recovery_cost`` measures the memory in its own process.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import msgspec
import psutil

from benchmarks.findings import divide
from benchmarks.frames import codes, payloads
from benchmarks.suites import OURS, Bench
from upbit_stream import Trade, WireFormat
from upbit_stream.protocol.decoding import Decoder
from upbit_stream.recovery.recovery import Recovery, RecoverySettings
from upbit_stream.recovery.tapes import REMEMBERED

__all__ = ["checking", "memory"]

UNCHECKED = "upbit_stream, duplicates unchecked"

_MIB = 1 << 20

# All markets of the exchange.
_CODES = 855

# More than are remembered while a trade is waited for.
_MANY = 30_000

# Of each code: more than are remembered, so that every window is full.
_TRADES = 3 * REMEMBERED

# About two seconds of work.
_MESSAGES = 600_000


def checking(bench: Bench) -> None:
    """Trades at full speed through the whole SDK, looked at for duplicates and not, in turns.

    Processor time, which is not that of others who use the same core.
    """
    for wire_format in ("DEFAULT", "SIMPLE"):
        job = {
            "kind": "trade", "wire_format": wire_format, "measure": "cpu", "messages": _MESSAGES,
        }  # fmt: skip
        checked, unchecked = bench.measure({**job, "client": OURS}, {**job, "client": UNCHECKED})
        what = f"processor time of a trade, {wire_format}, looked at for duplicates against not"
        bench.find(what, divide(checked["cpu"], unchecked["cpu"]), 1.05, "≤")
        for name, found in ((OURS, checked), (UNCHECKED, unchecked)):
            group = f"Processor microseconds a trade at full speed, {wire_format}"
            bench.figure(group, name, found["cpu"])


def memory(bench: Bench) -> None:
    """The state of all codes, each with a full window, in a process of its own each time."""
    done = [
        subprocess.run(
            [sys.executable, "-m", "benchmarks.recovery_cost"],
            cwd=Path(__file__).parent.parent,
            capture_output=True,
            check=True,
        )
        for _ in range(bench.rounds)
    ]
    found: list[dict[str, float]] = [json.loads(one.stdout) for one in done]
    for what in found[0]:
        bench.figure("MiB of recovery state", what, [one[what] for one in found])


def _measure() -> dict[str, float]:
    """MiB resident first, for being traced takes memory itself."""
    (trade,) = Decoder(WireFormat.DEFAULT).decode_all(payloads("trade", "DEFAULT", 1)[:1])
    assert isinstance(trade, Trade)
    gc.collect()
    before = _resident()
    recovery = _fill(trade)
    gc.collect()
    resident = _resident() - before
    del recovery
    tracemalloc.start()
    recovery = _fill(trade)
    gc.collect()
    traced = tracemalloc.get_traced_memory()[0] / _MIB
    tracemalloc.stop()
    del recovery
    return {
        f"{_CODES} codes, full windows: allocated": traced,
        f"{_CODES} codes, full windows: resident": resident,
    }


def _fill(trade: Trade) -> Recovery:
    """A recovery through which trades of every code went."""
    settings = RecoverySettings(
        backfill=True, deadline=120.0, at_most=100_000, numbers="float",
        rest_url="http://127.0.0.1:9/v1",
    )  # fmt: skip
    recovery = Recovery("public", settings, tell=_nowhere, when_done=_nothing)
    sinks = [recovery.sink("trade", code, _nowhere) for code in codes(_CODES)]
    id_ = trade.sequential_id or 0
    for _ in range(_TRADES):
        for sink in sinks:
            id_ += 1
            sink(_with_id(trade, id_))
        recovery.look(time.monotonic())
    return recovery


def _with_id(trade: Trade, id_: int) -> Trade:
    return msgspec.structs.replace(trade, sequential_id=id_)


def _nowhere(_: object) -> None:
    """Where what is delivered goes."""


def _nothing() -> None:
    """What is to be done when something was fetched."""


def _resident() -> float:
    return float(psutil.Process().memory_info().rss) / _MIB


if __name__ == "__main__":
    print(json.dumps(_measure()), flush=True)
