"""``python -m upbit_stream.simulator``: a simulator in a process of its own.

Prints one JSON line with ``url``, ``rest_url`` and ``port`` when it is ready, then takes commands
from standard input (see :mod:`upbit_stream.simulator.control`) until that ends.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from upbit_stream.simulator import Limits, Simulator, Timing
from upbit_stream.simulator.control import choose_codes, run_simulator, server_tls

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run until standard input ends or Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m upbit_stream.simulator", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--rate", type=float, default=100.0, help="trades a second")
    parser.add_argument("--codes", help="how many markets, or their codes with commas between")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--history", type=int, default=60, help="past trades of each market")
    parser.add_argument("--ledger-size", type=int, default=100_000)
    parser.add_argument("--timing", choices=("quick", "instant", "realistic"), default="quick")
    parser.add_argument("--no-limits", action="store_true", help="allow any number of requests")
    parser.add_argument("--auth-refusal", choices=("http", "frame"), default="http")
    parser.add_argument("--ban-notice", choices=("header", "body"), default="header")
    parser.add_argument("--replay", help="a file with recorded frames")
    parser.add_argument("--replay-speed", type=float, help="1: as recorded; else all at once")
    parser.add_argument("--tls-cert", help="PEM file; serves wss:// and https://")
    parser.add_argument("--tls-key", help="PEM file, where the key is not beside the certificate")
    chosen = parser.parse_args(arguments)
    timing = {"instant": Timing.instant, "realistic": Timing.realistic}.get(chosen.timing, Timing)
    simulator = Simulator(
        host=chosen.host,
        port=chosen.port,
        codes=choose_codes(chosen.codes),
        rate=chosen.rate,
        seed=chosen.seed,
        ssl_context=server_tls(chosen.tls_cert, chosen.tls_key),
        timing=timing(),
        limits=Limits.off() if chosen.no_limits else Limits(),
        auth_refusal=chosen.auth_refusal,
        ban_notice=chosen.ban_notice,
        history=chosen.history,
        ledger_size=chosen.ledger_size,
        replay=chosen.replay,
        replay_speed=chosen.replay_speed,
    )
    run_simulator(simulator, ready=_announce, commands=sys.stdin, answers=sys.stdout)


def _announce(simulator: Simulator) -> None:
    where = {"url": simulator.url, "rest_url": simulator.rest_url, "port": simulator.port}
    print(json.dumps(where), flush=True)


if __name__ == "__main__":
    main()
