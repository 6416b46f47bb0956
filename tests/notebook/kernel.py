"""A real kernel, and what each cell has put out, also long after it ran."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import zmq
from jupyter_client.connect import write_connection_file
from jupyter_client.session import Session

from tests.conftest import PATIENCE, eventually

__all__ = ["CellFailed", "Kernel"]


class CellFailed(AssertionError):
    """A cell raised."""


class Kernel:
    """Runs cells as a front end does. Ends with the ``with`` block."""

    def __init__(self, environ: Mapping[str, str], folder: Path) -> None:
        path = str(folder / f"kernel-{uuid4()}.json")
        _, connection = write_connection_file(path, ip="127.0.0.1")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ipykernel_launcher", "-f", path],
            stdout=subprocess.DEVNULL,  # it tells how to connect to it
            stderr=subprocess.DEVNULL,
            env={**os.environ, "IPYTHONDIR": str(folder), **environ},
        )
        self._session = Session(key=connection["key"].encode())
        self._context = zmq.Context()
        self._shell = self._connect(zmq.DEALER, connection["shell_port"])
        self._control = self._connect(zmq.DEALER, connection["control_port"])
        self._iopub = self._connect(zmq.SUB, connection["iopub_port"])
        self._iopub.subscribe(b"")
        # By the run (message id) that it belongs to; a list is only appended to, by the reader.
        self._messages: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self._over = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        # What is put out before the subscription stands is lost: until something arrives.
        eventually(lambda: self.is_over(self._send("kernel_info_request", {}), 0.2), 60.0)

    def _connect(self, kind: int, port: int) -> zmq.Socket[bytes]:
        made = self._context.socket(kind)
        made.linger = 0
        made.connect(f"tcp://127.0.0.1:{port}")
        return made

    def __enter__(self) -> Kernel:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self.alive:
            self._process.kill()
        self._process.wait()
        self._over.set()
        self._reader.join()
        self._context.destroy(0)

    def _read(self) -> None:
        while not self._over.is_set():
            if self._iopub.poll(100):
                _, parts = self._session.feed_identities(self._iopub.recv_multipart())
                message = self._session.deserialize(parts)
                self._messages[message["parent_header"].get("msg_id", "")].append(message)

    def _send(
        self,
        type_: str,
        content: dict[str, Any],
        metadata: dict[str, Any] | None = None,
        shell: str | None = None,
    ) -> str:
        message = self._session.msg(type_, content, metadata=metadata)
        if shell is not None:
            message["header"]["subshell_id"] = shell
        self._session.send(self._shell, message)
        return str(message["header"]["msg_id"])

    # Cells.

    def begin(self, code: str, cell: str = "") -> str:
        """Run ``code`` as the cell named ``cell``, and wait for nothing; returns the run's name."""
        content = {
            "code": code,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": False,
        }
        return self._send("execute_request", content, {"cellId": cell} if cell else {})

    def finish(self, run: str, patience: float = PATIENCE) -> None:
        """Wait until that run is over; raises :class:`CellFailed` when it raised."""
        eventually(lambda: self.is_over(run), patience)
        if errors := self.of_type(run, "error"):
            raise CellFailed("\n".join(errors[0]["traceback"]))

    def run(self, code: str, cell: str = "") -> str:
        """Run ``code`` as the cell named ``cell`` to its end; returns the run's name."""
        run = self.begin(code, cell)
        self.finish(run)
        return run

    def ask(self, expression: str) -> str:
        """What ``expression`` prints as."""
        return self.text(self.run(f"print({expression})")).strip()

    def is_over(self, run: str, seconds: float = 0.0) -> bool:
        """Whether that run, or the handling of what was said, ends within so many seconds."""
        deadline = time.monotonic() + seconds
        while True:
            states = [content["execution_state"] for content in self.of_type(run, "status")]
            if "idle" in states or time.monotonic() >= deadline:
                return "idle" in states
            time.sleep(0.005)

    # Widgets.

    def say(self, widget: str, *, shell: str | None = None, **content: Any) -> str:
        """Send a custom message, as the widget's front end does, to the cells' channel or that of a
        :meth:`subshell`; its name, as that of a run.
        """
        data = {"method": "custom", "content": content}
        return self._send("comm_msg", {"comm_id": widget, "data": data}, shell=shell)

    def subshell(self) -> str | None:
        """A channel beside that of the cells, as newer front ends have one for widgets; None: the
        kernel has none.
        """
        self._session.send(self._control, "create_subshell_request", {})
        if not self._control.poll(int(PATIENCE * 1000)):
            return None
        _, parts = self._session.feed_identities(self._control.recv_multipart())
        content = self._session.deserialize(parts)["content"]
        return str(content["subshell_id"]) if content["status"] == "ok" else None

    def widget(self, run: str) -> str:
        """The widget that the run has displayed; its name."""
        (shown,) = self.of_type(run, "execute_result")
        return str(shown["data"]["application/vnd.jupyter.widget-view+json"]["model_id"])

    def updates(self, widget: str) -> list[tuple[float, dict[str, Any]]]:
        """What was sent to the widget's front end after its beginning: when (seconds since the
        epoch), and which of its values changed.
        """
        found = [
            (message["header"]["date"].timestamp(), message["content"]["data"]["state"])
            for messages in list(self._messages.values())
            for message in list(messages)
            if message["header"]["msg_type"] == "comm_msg"
            and message["content"]["comm_id"] == widget
            and message["content"]["data"].get("method") == "update"
        ]
        return sorted(found, key=lambda update: update[0])

    def value(self, widget: str, name: str) -> Any:
        """The newest value of that name that the widget's front end has."""
        (begun,) = (
            message["content"]["data"]["state"]
            for messages in list(self._messages.values())
            for message in list(messages)
            if message["header"]["msg_type"] == "comm_open"
            and message["content"]["comm_id"] == widget
        )
        newest = begun.get(name)
        for _, state in self.updates(widget):
            newest = state.get(name, newest)
        return newest

    # Their outputs.

    def of_type(self, run: str, type_: str) -> list[dict[str, Any]]:
        """The contents of the messages of that type that belong to the run, so far."""
        messages = list(self._messages[run])
        return [one["content"] for one in messages if one["header"]["msg_type"] == type_]

    def text(self, run: str, stream: str = "stdout") -> str:
        """What the run has printed, so far."""
        return "".join(
            content["text"] for content in self.of_type(run, "stream") if content["name"] == stream
        )

    # The process.

    def interrupt(self) -> None:
        """As the button does."""
        self._process.send_signal(signal.SIGINT)

    def shut_down(self) -> int:
        """Ask the kernel to end, and wait for its process; its exit code."""
        self._session.send(self._control, "shutdown_request", {"restart": False})
        return self._process.wait(PATIENCE)

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self._process.poll() is None
