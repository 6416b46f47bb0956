"""The measurements: which jobs, which ratios, which targets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args

from benchmarks.clients import is_here
from benchmarks.findings import Figure, Finding, Report, divide
from benchmarks.job import Job, Kind
from benchmarks.laboratory import Laboratory

__all__ = ["SUITES", "Bench"]

OURS, LIMIT, DRAIN, PICOWS = (
    "upbit_stream", "the limit", "nothing but reading", "picows + msgspec"
)  # fmt: skip
WEBSOCKET_CLIENT, WEBSOCKETS = "websocket-client + json", "websockets + json"

# About two seconds of work each.
_MESSAGES = {
    OURS: 600_000, LIMIT: 600_000, DRAIN: 2_000_000, PICOWS: 600_000, WEBSOCKET_CLIENT: 100_000,
    WEBSOCKETS: 100_000, "ccxt": 30_000, "pyupbit": 50_000, "upbit-sdk": 12_000,
}  # fmt: skip
_TARGETS = {
    LIMIT: 0.85, PICOWS: 1.0, WEBSOCKET_CLIENT: 5.0, WEBSOCKETS: 5.0, "ccxt": 5.0,
    "pyupbit": 5.0, "upbit-sdk": 40.0,
}  # fmt: skip

# A client that takes more than this part of what the server can send may be waiting for it.
_SERVER_BUSY = 0.7


@dataclass
class Bench:
    """What a suite works with."""

    laboratory: Laboratory
    rounds: int
    #: Of the numbers of messages.
    scale: float
    report: Report

    def measure(self, *jobs: dict[str, Any]) -> list[dict[str, list[float]]]:
        """Jobs in turns: for each, what was measured, a value a round. Those of clients that are
        not installed are empty.
        """
        made = [Job(**{**job, "messages": self.scaled(job["messages"])}) for job in jobs]
        present = [job for job in made if is_here(job.client)]
        for absent in {job.client for job in made} - {job.client for job in present}:
            remark = f"{absent} is not installed, and was not measured."
            if remark not in self.report.remarks:
                self.report.remarks.append(remark)
        found = self.laboratory.in_turns(present, self.rounds)
        by_job = {
            job: {name: [one[name] for one in results] for name in results[0]}
            for job, results in zip(present, found, strict=True)
        }
        return [by_job.get(job, {}) for job in made]

    def scaled(self, messages: int) -> int:
        """Whole hundreds, so that parts of them are whole."""
        return max(1000, int(messages * self.scale) // 100 * 100)

    def find(self, *arguments: Any) -> None:
        """Note a finding."""
        self.report.findings.append(Finding(*arguments))

    def figure(self, *arguments: Any) -> None:
        """Note a figure."""
        self.report.figures.append(Figure(*arguments))


def throughput(bench: Bench) -> None:
    """Every client with tickers in DEFAULT; the fast ones with everything else, too."""
    for kind in get_args(Kind):
        for wire_format in ("DEFAULT", "SIMPLE"):
            main = (kind, wire_format) == ("ticker", "DEFAULT")
            clients = list(_MESSAGES) if main else [OURS, LIMIT, PICOWS, DRAIN]
            share = {"orderbook 15": 0.5, "orderbook 30": 0.3}.get(kind, 1.0)
            found = bench.measure(
                *(
                    {"client": name, "kind": kind, "wire_format": wire_format,
                     "messages": int(_MESSAGES[name] * share)}
                    for name in clients
                )
            )  # fmt: skip
            rates = {name: one["rate"] for name, one in zip(clients, found, strict=True) if one}
            server = rates.pop(DRAIN)
            what = f"{kind}, {wire_format}"
            for name, values in rates.items():
                bench.figure(f"Messages a second: {what}", name, values)
                if max(divide(values, server)) > _SERVER_BUSY:
                    bench.report.remarks.append(f"The server was the bottleneck: {what}, {name}.")
                if name != OURS:
                    target = _TARGETS[name] if main or name == PICOWS else None
                    if wire_format == "SIMPLE" and not main:
                        target = None
                    ratios = divide(rates[OURS], values)
                    bench.find(f"throughput against {name}: {what}", ratios, target)
            bench.figure(f"Messages a second: {what}", DRAIN, server)


def variants(bench: Bench) -> None:
    """Ours against ours: formats, TLS, subscriptions, codes."""
    usual = {"client": OURS, "messages": _MESSAGES[OURS]}
    varied: dict[str, dict[str, Any]] = {
        "plain DEFAULT, one subscription, 200 codes": {},
        "SIMPLE": {"wire_format": "SIMPLE"},
        "TLS": {"tls": True},
        "10 subscriptions": {"subscriptions": 10},
        "100 subscriptions": {"subscriptions": 100},
        "1 code": {"codes": 1},
        "855 codes": {"codes": 855},
    }
    targets = {"SIMPLE": 1.25, "TLS": 0.6, "100 subscriptions": 0.8}
    found = bench.measure(*({**usual, **change} for change in varied.values()))
    rates = {name: one["rate"] for name, one in zip(varied, found, strict=True)}
    first, *others = rates
    for name, values in rates.items():
        bench.figure("Messages a second: tickers, ours", name, values)
    for name in others:
        ratios = divide(rates[name], rates[first])
        bench.find(f"throughput, {name} against {first}", ratios, targets.get(name))


def processor(bench: Bench) -> None:
    """Processor time a message, when they come one by one, and when they come in tens."""
    for burst, how in ((1, "one by one"), (10, "ten at a time")):
        clients = (OURS, WEBSOCKETS, WEBSOCKET_CLIENT)
        found = bench.measure(
            *(
                {"client": name, "measure": "cpu", "messages": 5000, "rate": 1000, "burst": burst}
                for name in clients
            )
        )
        for name, one in zip(clients, found, strict=True):
            if one:
                group = "Processor microseconds a message at 1,000 a second"
                bench.figure(group, f"{name}, {how}", one["cpu"])
        if found[1]:
            bench.find(
                f"processor time a message at 1,000 a second against {WEBSOCKETS}: {how}",
                divide(found[0]["cpu"], found[1]["cpu"]), 0.45, "≤",
            )  # fmt: skip


def latency(bench: Bench) -> None:
    """From the server's send to the callback, with a second callback that computes."""
    clients = (OURS, WEBSOCKET_CLIENT, WEBSOCKETS)
    for rate in (1000, 5000, 20_000):
        found = bench.measure(
            *(
                {"client": name, "measure": "latency", "messages": rate * 5, "rate": rate}
                for name in clients
            )
        )
        for name, one in zip(clients, found, strict=True):
            for part, values in one.items():
                group = f"Latency in microseconds at {rate:,} messages a second"
                bench.figure(group, f"{name}, {part}", values)
        for part in ("p50", "p99", "p999"):
            target = 1.5 if (rate, part) == (5000, "p99") else None
            bench.find(
                f"latency at {rate:,} a second, {part}, against a bare loop of {WEBSOCKET_CLIENT}",
                divide(found[0][part], found[1][part]), target, "≤",
            )  # fmt: skip


def memory(bench: Bench) -> None:
    """After ten million messages against after a hundred thousand; and with a slow callback."""
    once = Bench(bench.laboratory, 1, bench.scale, bench.report)
    many = once.scaled(10_000_000)
    # A bounded queue, as it is by default: what piles up in it is not what is asked here.
    job = {"client": OURS, "measure": "memory", "messages": 10_000_000, "queue_size": 100_000}
    (found,) = once.measure(job)
    early, late = f"after {many // 100:,} messages", f"after {many:,}"
    once.find(
        f"resident memory {late} against {early}", divide(found["late"], found["early"]), 1.02, "≤"
    )
    for name, what in (("early", early), ("late", late), ("peak", "peak")):
        once.figure("MiB resident", what, found[name])
    size, rate, slow = 20_000, 20_000, 0.6
    seconds = once.scaled(2_000_000) / rate * slow
    (found,) = once.measure(
        {"client": OURS, "measure": "slow", "messages": 2_000_000, "rate": rate,
         "queue_size": size}
    )  # fmt: skip
    slowly = f"after a callback ten times too slow for {seconds:.0f} s, against before"
    for what, over, under, target in (
        ("resident memory", "after", "steady", 1.05),
        ("the same, the interpreter's free lists emptied,", "collected", "steady", None),
        ("allocated blocks", "live_after", "live", None),
    ):
        once.find(f"{what} {slowly}", divide(found[over], found[under]), target, "≤")
    once.figure("MiB resident", "a slow callback: before", found["steady"])
    once.figure("MiB resident", f"a slow callback: {size:,} events queued", found["full"])
    once.figure("MiB resident", "a slow callback: after it", found["after"])
    once.figure("MiB resident", "a slow callback: free lists emptied", found["collected"])


def start(bench: Bench) -> None:
    """Import, and the way to the first event."""
    for package in ("upbit_stream", "websocket"):
        _import_time(package)  # which writes its bytecode, as installing it does
    ours = [_import_time("upbit_stream") for _ in range(bench.rounds)]
    theirs = [_import_time("websocket") for _ in range(bench.rounds)]
    ratios = divide([one["seconds"] for one in ours], [one["seconds"] for one in theirs])
    bench.find("time of `import upbit_stream` against `import websocket`", ratios, 2.0, "≤")
    for name, values in (("upbit_stream", ours), ("websocket", theirs)):
        bench.figure("Milliseconds of import", name, [one["seconds"] * 1000 for one in values])
        bench.figure("MiB resident after import", name, [one["resident"] for one in values])
    clients = (OURS, WEBSOCKET_CLIENT, WEBSOCKETS, "upbit-sdk", "ccxt")
    found = bench.measure(
        *({"client": name, "measure": "first_event", "messages": 1000} for name in clients)
    )
    for name, one in zip(clients, found, strict=True):
        if one:
            bench.figure("Seconds from process start to the first event", name, one["seconds"])
            bench.figure("MiB resident at the first event", name, one["resident"])


def _import_time(package: str) -> dict[str, float]:
    code = (
        "import json, time; began = time.perf_counter()\n"
        f"import {package}\n"
        "seconds = time.perf_counter() - began; import psutil\n"
        "resident = psutil.Process().memory_info().rss / (1 << 20)\n"
        "print(json.dumps({'seconds': seconds, 'resident': resident}))"
    )
    command = [sys.executable, "-c", code]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    result: dict[str, float] = json.loads(done.stdout)
    return result


#: By name, in the order in which they are run.
SUITES: dict[str, Callable[[Bench], None]] = {
    one.__name__: one for one in (throughput, variants, processor, latency, memory, start)
}
