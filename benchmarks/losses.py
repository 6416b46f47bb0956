"""What clients lose under the same faults: each with a simulator of its own, all at once."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import msgspec

from benchmarks.clients.taking import CLIENTS, CODES
from tests.process import SimulatorProcess

__all__ = ["FAULTS", "Losses", "measure", "report", "schedule"]

# Trades a second, over all codes.
_RATE = 50

# Seconds between two faults: from and to.
_PAUSE = (1.0, 2.0)

# Seconds for which a socket is half-open before it is reset.
_HALF_OPEN = 1.0

# Seconds: until a client must have begun, for which the market goes on after the last fault, and
# for which what is under way is waited for when it has stopped.
_BEGIN = 20.0
_CALM = 8.0
_UNDER_WAY = 4.0

_SEED = 6


def _half_open(sim: SimulatorProcess) -> None:
    sim.do("stall")
    time.sleep(_HALF_OPEN)
    sim.do("reset")


def _unavailable_twice(sim: SimulatorProcess) -> None:
    sim.do("fail_handshakes", status=503, count=2)
    sim.do("reset")


FAULTS: dict[str, Callable[[SimulatorProcess], object]] = {
    "close 1000": lambda sim: sim.do("close", code=1000),
    "close 1012": lambda sim: sim.do("close", code=1012),
    "reset": lambda sim: sim.do("reset"),
    "end without a close frame": lambda sim: sim.do("eof"),
    "restart": lambda sim: sim.do("restart"),
    "reset, and 503 twice": _unavailable_twice,
    f"half-open for {_HALF_OPEN:g} s, then reset": _half_open,
}


def schedule(count: int, seed: int = _SEED) -> list[tuple[float, str]]:
    """Seconds to wait and the fault then; of each kind as many, shuffled."""
    chance = random.Random(seed)
    kinds = [list(FAULTS)[number % len(FAULTS)] for number in range(count)]
    chance.shuffle(kinds)
    return [(chance.uniform(*_PAUSE), kind) for kind in kinds]


class Losses(msgspec.Struct, frozen=True, kw_only=True):
    """What one client was given, compared with the ledger."""

    #: Trades that were made, from the first one that it was given.
    made: int
    lost: int
    #: Trades that it was given again, and those of them that came as a snapshot.
    doubled: int
    snapshots: int
    #: Trades that came after a younger one of the same code.
    disordered: int
    #: Faults that found it connected.
    met: int
    #: After so many faults it had ended; None: it never did.
    ended_after: int | None


class _Taking:
    """A client's process, and what it took."""

    def __init__(self, name: str, url: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.clients.taking", name, url],
            cwd=Path(__file__).parent.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        # Appended to by the reader alone: code, id, whether it was a snapshot.
        self.taken: list[tuple[str, int, bool]] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            code, id_, *mark = line.split()
            self.taken.append((code, int(id_), bool(mark)))

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def wait_for(self, codes: Iterable[str]) -> None:
        """Until there was a trade of each."""
        deadline = time.monotonic() + _BEGIN
        while {code for code, _, _ in list(self.taken)} != set(codes):
            if time.monotonic() >= deadline:
                raise RuntimeError("it gets no trades at all")
            time.sleep(0.01)

    def wait_until(self, last: Mapping[str, int]) -> None:
        """Until the last trade of each code came, for a while."""
        deadline = time.monotonic() + _UNDER_WAY
        while time.monotonic() < deadline:
            if set(last.items()) <= {(code, id_) for code, id_, _ in list(self.taken)}:
                return
            time.sleep(0.05)

    def close(self) -> None:
        with self._process:  # it closes the pipe, and waits
            self._process.kill()
            self._reader.join()


def measure(client: str, faults: Iterable[tuple[float, str]], calm: float = _CALM) -> Losses:
    """A fresh client through all of them; then the market goes on for ``calm`` seconds."""
    arguments = ("--codes", ",".join(CODES), "--rate", f"{_RATE}", "--seed", f"{_SEED}")
    with SimulatorProcess(*arguments) as sim:
        taking = _Taking(client, sim.url)
        try:
            taking.wait_for(CODES)
            met, ended_after = 0, None
            for number, (pause, kind) in enumerate(faults):
                time.sleep(pause)
                if taking.ended and ended_after is None:
                    ended_after = number
                met += bool(sim.do("connections"))
                FAULTS[kind](sim)
            time.sleep(calm)
            sim.do("rate", value=0)
            ledgers = {code: sim.do("ledger", code=code) for code in CODES}
            taking.wait_until({code: ledgers[code][-1] for code in CODES})
        finally:
            taking.close()
    return _compare(taking.taken, ledgers, met, ended_after)


def _compare(
    taken: list[tuple[str, int, bool]],
    ledgers: dict[str, list[int]],
    met: int,
    ended_after: int | None,
) -> Losses:
    seen: dict[str, set[int]] = {code: set() for code in ledgers}
    first: dict[str, int] = {}
    newest: dict[str, int] = {}
    doubled = snapshots = disordered = 0
    for code, id_, is_snapshot in taken:
        if id_ in seen[code]:
            doubled += 1
            snapshots += is_snapshot
            continue
        seen[code].add(id_)
        first.setdefault(code, id_)
        disordered += id_ < newest.get(code, 0)
        newest[code] = max(id_, newest.get(code, 0))
    made = {code: {id_ for id_ in ledgers[code] if id_ >= first[code]} for code in ledgers}
    return Losses(
        made=sum(map(len, made.values())),
        lost=sum(len(made[code] - seen[code]) for code in ledgers),
        doubled=doubled,
        snapshots=snapshots,
        disordered=disordered,
        met=met,
        ended_after=ended_after,
    )


def report(count: int, circumstances: str) -> str:
    """The table: ``count`` faults for everyone."""
    present = [name for name in CLIENTS if not name.startswith("upbit-sdk") or find_spec("upbit")]
    faults = schedule(count)
    with ThreadPoolExecutor(len(present)) as pool:
        found = list(pool.map(lambda name: measure(name, faults), present))
    lines = [
        circumstances,
        "",
        f"{count} faults, one every {_PAUSE[0]:g} to {_PAUSE[1]:g} s, of each kind as many: "
        f"{', '.join(FAULTS)}. {_RATE} trades a second over {len(CODES)} codes. Each client in a "
        "process of its own, with a simulator (the same seed) in another, all at the same time and "
        f"with the same schedule (seed {_SEED}). Compared with the simulator's ledger, from the "
        "first trade that a client was given until the market was stopped, "
        f"{_CALM:g} s after the last fault. With the defaults of each, but that upbit_stream may "
        "connect again 0.1 s after its last connect (min_interval), so that more of the faults "
        "find it connected; every fault is for both of its lines at once. upbit-sdk is its own "
        "reconnecting stream (ws_stream), and, in a second row, a loop around it that begins it "
        "again a second after it ended. The loop of websocket-client connects again a second "
        "after any error. A fault that finds a client connected meets it.",
        "",
        "| client | trades made | lost | for each fault that met it | doubled (of them "
        "snapshots) | out of order | faults that met it | how it ended |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, one in zip(present, found, strict=True):
        end, each = "still running", f"{one.lost / max(one.met, 1):.1f}"
        if one.ended_after is not None:
            end, each = f"by itself, at fault {one.ended_after}", ""
        lines.append(
            f"| {name} | {one.made:,} | {one.lost:,} ({one.lost / one.made:.1%}) | {each} | "
            f"{one.doubled:,} ({one.snapshots:,}) | {one.disordered:,} | {one.met} | {end} |"
        )
    return "\n".join(lines) + "\n"
