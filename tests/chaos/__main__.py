"""Random faults against a stream, judged by the simulator's ledger; ends with 1 if it is wrong."""

from __future__ import annotations

import argparse
import sys

from tests.chaos.run import Chaos, Settings


def main() -> None:
    """Read the arguments, run, report."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--faults", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lines", type=int, choices=(1, 2), default=1, help="redundancy")
    parser.add_argument(
        "--pace", type=float, default=0.7, help="seconds between two faults, on average (0.7)"
    )
    parser.add_argument("--rate", type=float, default=100.0, help="trades a second (100)")
    chosen = parser.parse_args()
    print(f"seed {chosen.seed}", flush=True)
    report = Chaos(
        Settings(
            chosen.faults,
            chosen.seed,
            chosen.lines,
            chosen.pace,
            chosen.rate,
            progress=lambda line: print(line, file=sys.stderr, flush=True),
        )
    ).run()
    print(report)
    sys.exit(1 if report.problems else 0)


if __name__ == "__main__":
    main()
