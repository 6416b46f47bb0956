"""Somebody else on the same market, who is never hit: when each trade could be had.

A process of its own, so that neither the stream nor the simulator holds it up. ``python -m
tests.chaos.bystander URL CODE…`` notes arrivals until its standard input ends, and prints them.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from typing import Any

import websocket

from tests.process import Process

__all__ = ["Bystander"]


class Bystander(Process):
    """The process. Its socket is the next one that the simulator sees."""

    def __init__(self, url: str, codes: list[str]) -> None:
        super().__init__("-m", "tests.chaos.bystander", url, *codes)
        self.read()

    def arrivals(self) -> dict[str, int]:
        """It ends; when each trade came, in nanoseconds since the epoch, by ``CODE id``."""
        told, _ = self.process.communicate(timeout=20)
        arrivals: dict[str, int] = json.loads(told)
        return arrivals


def _watch(url: str, codes: list[str]) -> None:
    ws = websocket.create_connection(url, timeout=20)
    ended = threading.Event()

    def end() -> None:
        sys.stdin.read()
        ended.set()
        ws.send_close()

    threading.Thread(target=end, daemon=True).start()
    wanted = {"type": "trade", "codes": codes, "is_only_realtime": True}
    ws.send(json.dumps([{"ticket": "bystander"}, wanted]))
    print("ready", flush=True)
    # Read later, so that noting takes no time.
    came: list[tuple[int, Any]] = []
    while not ended.is_set():
        data = ws.recv()
        came.append((time.time_ns(), data))
    ws.close()
    trades = [(at, json.loads(data)) for at, data in came if data]
    arrivals = {f"{one['code']} {one['sequential_id']}": at for at, one in trades if "code" in one}
    print(json.dumps(arrivals))


if __name__ == "__main__":
    _watch(sys.argv[1], sys.argv[2:])
