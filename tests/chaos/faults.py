"""Every kind of fault that the simulator has, and that a stream has to survive.

Left out on purpose: what ends a stream for good (401, ``INVALID_AUTH``), and what no client can
know of: trades that are left out of a socket which goes on delivering later ones. So whatever
silences a feed here ends with the socket's end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from upbit_stream.simulator.garbage import GARBAGE

__all__ = ["FAULTS", "REST_OUTAGE", "Command", "Fault"]

#: What the simulator's process is told: ``name``, and arguments.
Command = dict[str, Any]

#: Seconds for which REST is away in its outage: longer than the harness's ``backfill_deadline``.
REST_OUTAGE = 9.0

_AT_ONCE = (0.0, 0.0)


@dataclass(frozen=True)
class Fault:
    """One kind: what begins it, and what ends it between so many seconds later."""

    begin: tuple[Command, ...]
    end: tuple[Command, ...] = ()
    lasts: tuple[float, float] = _AT_ONCE
    #: What it takes hold of. Two with the same hold wait for each other, because the end of one
    #: would end the other; everything else overlaps.
    hold: str = ""
    #: Whether it may be about one connection, instead of all.
    aimed: bool = False
    #: How often one is chosen, beside 1.0 for the others.
    weight: float = 1.0


def do(name: str, **arguments: Any) -> Command:
    """A command."""
    return {"name": name, **arguments}


def _at_the_door(begin: Command, *, lasts: tuple[float, float], end: Command) -> Fault:
    return Fault((begin, do("reset")), (end,), lasts, "door")


def _handshakes(status: int, count: int, **headers: str) -> Fault:
    failing = do("fail_handshakes", status=status, count=count, headers=headers)
    return Fault((failing, do("reset")))


def _rest(*begin: Command, lasts: tuple[float, float], end: tuple[Command, ...] = ()) -> Fault:
    # Together with a loss, for otherwise nobody asks REST.
    return Fault((*begin, do("reset")), end, lasts, "rest")


#: Name → kind.
FAULTS: dict[str, Fault] = {
    **{
        f"close {code}": Fault((do("close", code=code),), aimed=True)
        for code in (1000, 1001, 1002, 1003, 1008, 1009, 1011, 1012, 1013, 3000)
    },
    "reset": Fault((do("reset"),), aimed=True, weight=5),
    "end without a close frame": Fault((do("eof"),), aimed=True, weight=3),
    "restart": Fault((do("restart"),), hold="door", weight=2),
    "restart 1012": Fault((do("restart", code=1012),), hold="door"),
    "half-open": Fault((do("stall"),), aimed=True, weight=3),
    "a stall that passes": Fault(
        (do("stall"),), (do("resume"),), (0.1, 1.5), hold="line", aimed=True, weight=3
    ),
    "mute": Fault((do("mute"),), aimed=True, weight=2),
    "mute after a reset": _at_the_door(
        do("mute", future=True), lasts=(0.2, 1.0), end=do("unmute")
    ),
    "slow line": Fault(
        (do("slow_down", bytes_per_second=40_000, delay=0.1),), (do("slow_down"),), (0.3, 1.5),
        hold="slow", aimed=True, weight=2,
    ),
    "refused": _at_the_door(do("refuse"), lasts=(0.1, 2.0), end=do("accept")),
    "slow handshakes": _at_the_door(
        do("slow_handshake", seconds=0.4), lasts=(0.3, 1.0), end=do("slow_handshake", seconds=0)
    ),
    "a handshake that hangs": Fault((do("stall_handshakes", count=1), do("reset"))),
    **{f"HTTP {status}": _handshakes(status, 2) for status in (429, 500, 502, 503)},
    "HTTP 418": _handshakes(418, 1, **{"Retry-After": "1"}),
    "error TOO_MANY_REQUEST": Fault(
        (do("send_raw", payload='{"error":{"name":"TOO_MANY_REQUEST","message":"why"}}'),),
        aimed=True,
    ),
    **{
        f"garbage: {kind}": Fault((do("send_garbage", kind=kind),), aimed=True, weight=0.3)
        for kind in GARBAGE
    },
    "duplicates": Fault((do("duplicate_trades", count=30),), weight=2),
    "late trades": Fault((do("reorder_trades", count=5),), weight=2),
    # Nobody may come in before trades flow again, and nobody stays who missed some.
    "a feed that dies before its server": Fault(
        (do("drop_trades", ratio=1.0),),
        (do("refuse"), do("reset"), do("drop_trades"), do("accept")),
        (0.1, 0.8), hold="door",
    ),
    **{
        f"REST {status}": _rest(do("fail_rest", status=status, count=2), lasts=(1.0, 1.0))
        for status in (429, 500, 503)
    },
    "REST 418": _rest(
        do("fail_rest", status=418, headers={"Retry-After": "1"}), lasts=(1.5, 1.5)
    ),
    "slow REST": _rest(
        do("slow_rest", seconds=0.3), lasts=(1.0, 2.0), end=(do("slow_rest", seconds=0),)
    ),
    "REST that hangs": _rest(
        do("stall_rest", count=1), lasts=(1.0, 1.0), end=(do("stall_rest", count=0),)
    ),
    "REST outage": Fault(
        (do("stall_rest"), do("reset")), (do("stall_rest", count=0),),
        (REST_OUTAGE, REST_OUTAGE + 1), hold="rest", weight=0.3,
    ),
}  # fmt: skip
