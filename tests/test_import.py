"""What an import brings along: not what few need."""

from __future__ import annotations

import subprocess
import sys
import textwrap


def test_no_logging_handler_is_installed() -> None:
    script = """
        import logging, upbit_stream, upbit_stream.simulator, upbit_stream.testing
        from upbit_stream import StreamConfig, UpbitStream
        with UpbitStream(config=StreamConfig(url="ws://127.0.0.1:9/websocket/v1")):
            pass
        print(logging.getLogger("upbit_stream").handlers, logging.getLogger().handlers)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "[] []\n"


def test_keys_and_rest_are_imported_when_they_are_needed() -> None:
    script = "import sys, upbit_stream; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "websocket" in loaded
    unneeded = {"jwt", "cryptography", "urllib3", "psutil", "websockets", "typer", "rich"}
    assert not loaded & {*unneeded, "zstandard", "pyarrow"}
    assert not loaded & {"IPython", "ipykernel", "anywidget", "ipywidgets", "traitlets"}
    assert "upbit_stream.notebook" not in done.stdout.split()
