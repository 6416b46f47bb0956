"""A server that accepts and drops, for ever: bounded attempts, an idle client, a true health."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from upbit_stream.simulator import Simulator


@pytest.mark.long
@pytest.mark.parametrize("seconds", [6.5, pytest.param(90.0, marks=pytest.mark.soak)])
def test_a_flapping_server(sim: Simulator, seconds: float) -> None:
    stop = threading.Event()

    def flap() -> None:
        dropped = 0
        while not stop.wait(0.05):  # 50 ms, and it is gone
            if len(sim.handshakes) > dropped:
                dropped = len(sim.handshakes)
                sim.reset()

    flapping = threading.Thread(target=flap)
    flapping.start()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "tests.soak.flapping", sim.url, str(seconds)],
            capture_output=True,
            text=True,
            timeout=seconds + 30,
            check=True,
        )
    finally:
        stop.set()
        flapping.join()
    cpu, reconnects, problems = done.stdout.splitlines()
    # The first loss is healed at once; from then on one attempt in five seconds.
    assert 3 <= len(sim.handshakes) <= 3 + (seconds + 1) / 5
    # A twentieth of a core would already be far too much; starting up is over by then.
    assert float(cpu) < 0.05 * seconds
    assert int(reconnects) >= 2
    if int(reconnects) >= 3:
        assert (
            "reconnects a minute (healthy: below 0.1); the last one: the connection dro" in problems
        )
    assert "reconnecting" in problems
