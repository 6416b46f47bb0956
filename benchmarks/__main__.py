"""Makes an environment with the peers, measures in it, and writes the table and the plots."""

from __future__ import annotations

import argparse
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).parent.parent
ENVIRONMENT = ROOT / ".benchmarks"
REQUIREMENTS = Path(__file__).parent / "requirements.txt"

# What may be measured instead of the suites.
_OTHERS = {
    "recovery": "how long a client is without data after each kind of fault (20 rounds)",
    "losses": "what each client loses under the same 100 faults",
    "outage": "how an outage of ten minutes is repaired",
    "brokers": "what goes through Redis and NATS, against their own clients",
    "recovery-cost": "the memory of the recovery, and what looking for duplicates costs",
}


def main() -> None:
    """Read the arguments and do it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="times that each is measured (5)")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="of the numbers of messages and seconds (1.0)"
    )
    parser.add_argument(
        "--only",
        metavar="SUITE",
        action="append",
        help="one suite (with --losses: one client); repeatable",
    )
    for name, what in _OTHERS.items():
        parser.add_argument(
            f"--{name}", dest="other", action="store_const", const=name, help=f"instead: {what}"
        )
    parser.add_argument("--output", type=Path, help="folder for the table and the plots")
    parser.add_argument(
        "--here",
        action="store_true",
        help="measure in this environment, and leave out the peers that it has not",
    )
    options = parser.parse_args()
    if options.here and options.other:
        from benchmarks.run import run_other

        run_other(options.other, options.rounds, options.scale, options.only, options.output)
    elif options.here:
        from benchmarks.run import run

        run(options.rounds, options.scale, options.only, options.output)
    else:
        arguments = [one for one in sys.argv[1:] if one != "--here"]
        command = [str(make_environment()), "-m", "benchmarks", "--here", *arguments]
        sys.exit(subprocess.run(command, cwd=ROOT, check=False).returncode)


def make_environment() -> Path:
    """The interpreter of a virtual environment with this project and its peers."""
    python = ENVIRONMENT / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    if not python.exists():
        venv.create(ENVIRONMENT, with_pip=True)
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, "-e", f"{ROOT}[dev]", "-r", str(REQUIREMENTS)], check=True)
    return python


if __name__ == "__main__":
    main()
