"""``python -m benchmarks``: the clients in turns, and a table of ratios."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from importlib.metadata import version
from typing import Any

from benchmarks.clients import CLIENTS
from benchmarks.frames import CODES, payloads
from benchmarks.server import serve

OURS = "upbit_stream"


def main() -> None:
    """Read the arguments and do it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="times that each client is measured")
    parser.add_argument("--messages", type=int, default=200_000, help="for each measurement")
    parser.add_argument("--role", choices=["server", "client"], help=argparse.SUPPRESS)
    parser.add_argument("--task", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.role == "server":
        serve(_core(0), options.messages)
    elif options.role == "client":
        _measure(json.loads(options.task))
    else:
        _compare(options.rounds, options.messages)


def _core(number: int) -> int | None:
    """A core for the server (0) or the client (1), where there are two and they can be chosen."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    cores = sorted(os.sched_getaffinity(0))
    return cores[number] if len(cores) > 1 else None


def _measure(task: dict[str, Any]) -> None:
    if task["core"] is not None:
        os.sched_setaffinity(0, {task["core"]})
    seconds = CLIENTS[task["client"]](task["port"], task["format"], task["messages"])
    print(json.dumps({"seconds": seconds}))


def _compare(rounds: int, messages: int) -> None:
    messages -= messages % (len(CODES) * 5)
    command = [sys.executable, "-m", "benchmarks"]
    server = subprocess.Popen(
        [*command, "--role", "server", "--messages", str(messages)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdin is not None
    assert server.stdout is not None
    port = int(server.stdout.readline())
    rates: dict[tuple[str, str], list[float]] = {}
    try:
        for _ in range(rounds):
            for wire_format in ("DEFAULT", "SIMPLE"):
                for name in CLIENTS:
                    server.stdin.write(wire_format + "\n")
                    server.stdin.flush()
                    task = {
                        "client": name, "port": port, "format": wire_format,
                        "messages": messages, "core": _core(1),
                    }  # fmt: skip
                    done = subprocess.run(
                        [*command, "--role", "client", "--task", json.dumps(task)],
                        stdout=subprocess.PIPE,
                        text=True,
                        check=True,
                        timeout=300,
                    )
                    rate = (messages - 1) / json.loads(done.stdout)["seconds"]
                    rates.setdefault((name, wire_format), []).append(rate)
    finally:
        server.stdin.close()
        server.kill()
        server.wait()
    print(f"Tickers of {len(CODES)} codes, {messages:,} messages, {rounds} rounds; ", end="")
    print(f"DEFAULT {len(payloads(False)[0])} bytes, SIMPLE {len(payloads(True)[0])} bytes.")
    packages = [f"{name} {version(name)}" for name in ("msgspec", "websocket-client")]
    print(f"{platform.platform()}, Python {platform.python_version()}, {', '.join(packages)}.")
    print("Ratios are medians over the rounds (the lowest and highest behind them).\n")
    print("| upbit_stream against | DEFAULT | SIMPLE |")
    print("|---|---|---|")
    for name in CLIENTS:
        if name != OURS:
            shown = [_ratio(rates[OURS, one], rates[name, one]) for one in ("DEFAULT", "SIMPLE")]
            print(f"| {name} | {' | '.join(shown)} |")
    shorter = _ratio(rates[OURS, "SIMPLE"], rates[OURS, "DEFAULT"])
    print(f"\nSIMPLE against our own DEFAULT: {shorter}")
    print("\n| messages a second (median) | DEFAULT | SIMPLE |")
    print("|---|---|---|")
    for name in CLIENTS:
        middle = [statistics.median(rates[name, one]) for one in ("DEFAULT", "SIMPLE")]
        print(f"| {name} | {middle[0]:,.0f} | {middle[1]:,.0f} |")


def _ratio(ours: list[float], theirs: list[float]) -> str:
    ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
    return f"{statistics.median(ratios):.2f} × ({min(ratios):.2f} to {max(ratios):.2f})"


if __name__ == "__main__":
    main()
