"""Restarting a kernel, as a front end's button does: nothing stays, and the cells work again."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from tests.conftest import PATIENCE, eventually
from tests.notebook.conftest import SETUP
from upbit_stream.simulator import Simulator

CELLS = (
    SETUP,
    "stream = UpbitStream()",
    "@stream.trade('KRW-BTC', history=10)\ndef on_trade(trade): print('trade')",
    "view = stream.live('KRW-BTC'); view",
    "trades, = [one for one in stream.subscriptions if one.type == 'trade']",
    "figure = trades.plot(); figure",
    "stream.start(); stream.wait_connected(10)",
)
# A thread for each of these, once.
THREADS = ["upbit-dispatch-trade", "upbit-io-public", "upbit-live", "upbit-plot", "upbit-watchdog"]
WAYS = {"idle": ("", False), "while a cell waits": ("stream.run()", False), "killed": ("", True)}


class Notebook:
    """Cells in a kernel that is started, and started anew, as a notebook server does."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self._manager = manager
        self._client = client

    def run(self, code: str) -> str:
        """Run a cell to its end; what it has printed."""
        printed: list[str] = []

        def put_out(message: dict[str, Any]) -> None:
            if message["msg_type"] == "stream":
                printed.append(message["content"]["text"])

        reply = self._client.execute_interactive(code, timeout=PATIENCE, output_hook=put_out)
        assert reply["content"]["status"] == "ok", reply["content"]
        return "".join(printed)

    def begin(self, code: str) -> None:
        """Run a cell, and wait for nothing."""
        self._client.execute(code)

    def see(self, widget: str) -> None:
        """Say that the widget of that variable is seen, as its front end does."""
        name = self.run(f"print({widget}.model_id)").strip()
        content = {"method": "custom", "content": {"view": "one", "visible": True}}
        message = self._client.session.msg("comm_msg", {"comm_id": name, "data": content})
        self._client.shell_channel.send(message)

    def restart(self, kill: bool) -> None:
        """As the button does."""
        self._manager.restart_kernel(now=kill)
        self._client.wait_for_ready(timeout=60)

    def processes(self) -> list[psutil.Process]:
        """That of the kernel, and those it has started."""
        kernel = psutil.Process(int(self.run("import os; print(os.getpid())")))
        return [kernel, *kernel.children(recursive=True)]


@contextmanager
def started(environ: dict[str, str]) -> Iterator[Notebook]:
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(
        env={**os.environ, **environ}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        yield Notebook(manager, client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@pytest.mark.parametrize(("cell", "kill"), WAYS.values(), ids=WAYS)
def test_restarting(market: Simulator, tmp_path: Path, cell: str, kill: bool) -> None:
    environ = {
        "UPBIT_STREAM_URL": market.url,
        "UPBIT_REST_URL": market.rest_url,
        "IPYTHONDIR": str(tmp_path),
    }
    begun, ended = tmp_path / "begun", tmp_path / "ended"
    with started(environ) as notebook:
        for _ in range(3):
            notebook.run(f"import atexit; atexit.register(open, {str(ended)!r}, 'w')")
            before = len(market.handshakes)
            for one in CELLS:
                notebook.run(one)
            for widget in ("view", "figure"):
                notebook.see(widget)
            eventually(lambda: threads(notebook) == THREADS)
            market.wait_for_subscription("ticker", "KRW-BTC")
            assert (len(market.connections), len(market.handshakes)) == (1, before + 1)
            processes = notebook.processes()
            if cell:
                notebook.begin(f"open({str(begun)!r}, 'w').close(); {cell}")
                eventually(begun.exists)
                begun.unlink()
            notebook.restart(kill)
            assert not any(map(psutil.Process.is_running, processes))
            eventually(lambda: not market.connections)
            # It has ended by itself, unless it was killed.
            assert ended.exists() == (not kill)
            ended.unlink(missing_ok=True)
            assert threads(notebook) == []
            assert len(market.handshakes) == before + 1


def threads(notebook: Notebook) -> list[str]:
    """The kinds of our threads there."""
    printed = notebook.run("""
import threading
names = sorted(one.name.rstrip("-0123456789") for one in threading.enumerate())
print(" ".join(name for name in names if name.startswith("upbit")))
""")
    return printed.split()
