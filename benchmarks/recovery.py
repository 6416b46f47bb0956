"""How long a client is without data after a fault: against the simulator, for real."""

from __future__ import annotations

import contextlib
import ssl
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.clients.flow import CLIENTS, PING_INTERVAL, PING_TIMEOUT, STALE_AFTER
from upbit_stream.simulator import Simulator

__all__ = ["FAULTS", "Fault", "measure", "report"]

# Seconds. A first loss is healed within this, beside the outage and the snapshot's own time.
_AT_ONCE = 0.3

# Trades a second: an event each 5 ms or so.
_RATE = 200

# Seconds for which a client flows before the fault; for what is silence one must know the noise.
_WARM_UP = 1.0
_WARM_UP_MUTE = 8.0

# Seconds after which a client that has no data is given up.
_PATIENCE = 15.0

# Seconds of an outage.
_OUTAGE = 3.0


def _refused_for_a_while(sim: Simulator) -> float:
    sim.refuse()
    sim.reset()
    time.sleep(_OUTAGE)
    sim.accept()
    return time.monotonic()


def _unavailable_twice(sim: Simulator) -> float:
    sim.fail_handshakes(503, 2)
    return _now(sim.reset())


def _restart(sim: Simulator) -> float:
    sim.restart()
    return time.monotonic()


def _now(_: object) -> float:
    return time.monotonic()


class Fault(NamedTuple):
    """Something that goes wrong."""

    #: Does it, and returns the moment at which it is over (or, if it stays, at which it began).
    do: Callable[[Simulator], float]
    #: Seconds that it may take, beside a snapshot's own time.
    target: float
    warm_up: float = _WARM_UP


#: Two handshakes are refused, each followed by its delay: at most 0.11 and 0.22 s.
_DELAYS = 0.33

FAULTS: dict[str, Fault] = {
    "close 1000": Fault(lambda sim: _now(sim.close(1000)), _AT_ONCE),
    "reset": Fault(lambda sim: _now(sim.reset()), _AT_ONCE),
    "end without a close frame": Fault(lambda sim: _now(sim.eof()), _AT_ONCE),
    "restart": Fault(_restart, _AT_ONCE),
    "503 twice": Fault(_unavailable_twice, _AT_ONCE + _DELAYS),
    # The delays grow: one of 1.6 s or, by chance, of 3.2 s may just have begun.
    "refused for 3 s": Fault(_refused_for_a_while, _AT_ONCE),
    "half-open": Fault(lambda sim: _now(sim.stall()), PING_INTERVAL + PING_TIMEOUT + 1.0),
    "mute": Fault(lambda sim: _now(sim.mute()), STALE_AFTER + 1.0 + 2.0 + 1.0, _WARM_UP_MUTE),
}


class _Client:
    """A client's process, and when its events came."""

    def __init__(self, name: str, url: str) -> None:
        root = Path(__file__).parent.parent
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.clients.flow", name, url],
            cwd=root,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        # Appended to by the reader alone.
        self.times: list[float] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.times.append(float(line))

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()


@contextlib.contextmanager
def _flowing(name: str, sim: Simulator) -> Iterator[_Client]:
    client = _Client(name, sim.url)
    try:
        if not _wait(lambda: client.times, _PATIENCE):
            raise RuntimeError(f"{name} gets no data at all")
        yield client
    finally:
        client.close()


def _wait(condition: Callable[[], object], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.002)
    return True


def measure(client: str, name: str, patience: float = _PATIENCE) -> float | None:
    """Seconds from the fault's end to the first event over another connection, of a fresh client;
    None: the client ended, or had none within ``patience`` seconds.
    """
    fault = FAULTS[name]
    with Simulator(rate=_RATE) as sim, _flowing(client, sim) as flowing:
        time.sleep(fault.warm_up)
        known = len(sim.handshakes)
        over = fault.do(sim)

        def recovered() -> float | None:
            fresh = [one.at for one in sim.handshakes[known:] if one.status == 101]
            return next((at for at in flowing.times[-500:] if fresh and at > fresh[0]), None)

        _wait(lambda: flowing.ended or recovered() is not None, patience)
        at = recovered()
        return None if at is None else max(0.0, at - over)


def snapshot_time() -> float:
    """Seconds from the handshake of a fresh client to its first event."""
    with Simulator(rate=0) as sim, _flowing("upbit_stream", sim) as client:
        return client.times[0] - sim.handshakes[0].at


def tls_failing_once() -> float | None:
    """Seconds from a handshake that was cut short to the first event, of a client in this process
    (it must trust a certificate that is made here).
    """
    import trustme

    from upbit_stream import StreamConfig, UpbitStream

    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with Simulator(rate=_RATE, ssl_context=context) as sim:
        from tests.gate import Gate, reset

        with (
            Gate(sim.url, [reset]) as gate,
            UpbitStream(config=StreamConfig(url=gate.url, ssl_context=trusting)) as stream,
        ):
            stream.ticker("KRW-BTC").get(_PATIENCE)
            return time.monotonic() - gate.times[0]


def report(rounds: int, others: int, circumstances: str) -> str:
    """The table. Each fault ``rounds`` times, for the other client ``others`` times."""
    own = statistics.median(snapshot_time() for _ in range(min(rounds, 5)))
    lines = [
        circumstances,
        "",
        f"A fresh client each time, {_RATE} trades a second, pings every {PING_INTERVAL:g} s with "
        f"{PING_TIMEOUT:g} s for the pong, stale_after {STALE_AFTER:g} s. Seconds from the fault's "
        "end (half-open and mute: from its beginning) to the first event over a new connection: "
        f"median of {rounds}, lowest and highest in brackets. A snapshot's own time, from the "
        f"handshake to the first event: {own:.3f} s, which is added to each target. upbit-sdk "
        f"{others} times, given up after {_PATIENCE:g} s.",
        "",
        "| fault | upbit_stream | target | | upbit-sdk |",
        "|---|---|---|---|---|",
    ]
    theirs = _others()
    for name, fault in FAULTS.items():
        values = [measure("upbit_stream", name) for _ in range(rounds)]
        sdk = "not installed"
        if theirs:
            sdk = _line([measure("upbit-sdk", name) for _ in range(others)])
        lines.append(f"| {name} | {_line(values)} | {_judge(values, fault.target + own)} | {sdk} |")
        print(lines[-1], file=sys.stderr, flush=True)
    values = [tls_failing_once() for _ in range(rounds)]
    lines.append(
        f"| TLS failing once | {_line(values)} | {_judge(values, _AT_ONCE + 0.11 + own)} | |"
    )
    return "\n".join(lines) + "\n"


def _judge(values: list[float | None], target: float) -> str:
    healed = [value for value in values if value is not None]
    met = len(healed) == len(values) and statistics.median(healed) <= target
    return f"≤ {target:.2f} | {'met' if met else 'MISSED'}"


def _line(values: list[float | None]) -> str:
    healed = [value for value in values if value is not None]
    never = len(values) - len(healed)
    told = f"{never} of {len(values)} never" if never else ""
    if not healed:
        return told
    spread = f"{statistics.median(healed):.3f} ({min(healed):.3f} to {max(healed):.3f})"
    return f"{spread}, {told}" if told else spread


def _others() -> bool:
    try:
        import upbit  # noqa: F401  # only to see whether it is there
    except ImportError:
        return False
    return "upbit-sdk" in CLIENTS
