"""What an import brings along: not what few need."""

from __future__ import annotations

import subprocess
import sys


def test_keys_and_rest_are_imported_when_they_are_needed() -> None:
    script = "import sys, upbit_stream; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "websocket" in loaded
    unneeded = {"jwt", "cryptography", "urllib3", "psutil", "websockets", "typer", "rich"}
    assert not loaded & {*unneeded, "zstandard", "pyarrow"}
