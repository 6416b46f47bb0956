"""Nothing lost, doubled or out of order, whatever goes wrong. ``pytest -m soak tests/chaos`` has
the thousand faults, and so has ``python -m tests.chaos --faults 1000``.
"""

from __future__ import annotations

import pytest

from tests.chaos.run import Chaos, Settings

SEEDS = (1, 2, 3)


@pytest.mark.long
@pytest.mark.parametrize("lines", [1, 2])
def test_fifty_faults(lines: int) -> None:
    report = Chaos(Settings(faults=50, seed=1, lines=lines, pace=0.4, rate=500)).run()
    assert not report.problems, str(report)
    assert report.total.trades > 1000
    assert report.reconnects > 0


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("lines", [1, 2])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_thousand_faults(seed: int, lines: int) -> None:
    report = Chaos(Settings(faults=1000, seed=seed, lines=lines)).run()
    print(report)
    assert not report.problems, str(report)
