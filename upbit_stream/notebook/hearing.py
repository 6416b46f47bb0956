"""What the browser says to our widgets, heard while one of our calls waits in a cell.

A kernel that runs a cell hears nothing else on the cell's channel: what the browser sends waits
until the cell has ended. (Newer front ends have a channel of their own for widgets, if the kernel
has, too.) So our own waits look through what has come. What is for a widget of ours is handled, and
nothing else: cells, and the words for other widgets, go to the kernel in the order in which they
came. What the kernel had read before the cell began waits for the cell's end.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

__all__ = ["hear", "hear_beside_cells", "turns"]

_log = logging.getLogger("upbit_stream")

# Seconds between two looks at what has come.
_TURN = 0.1

#: A method, which is called with what the front end has said.
Told = Callable[[dict[str, Any]], object]

# Who is told, by the name of the widget's channel. Any thread adds and takes away, in one step.
_told: dict[str, weakref.WeakMethod[Told]] = {}


def hear(widget: Any, told: Told) -> None:
    """Have the method ``told`` called with what the widget's front end says.

    It is kept by the widget. Mostly it is called on the kernel's main thread, by newer kernels on
    another one.
    """
    name: str = widget.model_id
    widget.on_msg(lambda _, content, __: told(content) if isinstance(content, dict) else None)
    _told[name] = weakref.WeakMethod(told, lambda _: _told.pop(name, None))


def hear_beside_cells(widget: Any) -> None:
    """Leave what is said to it on the channel for widgets, if front end and kernel have one; for
    those who can be told on any thread.

    From ipykernel 7.4 on the kernel moves it to the channel of the cell that made the widget, where
    it waits.
    """
    widget.comm._reply_subshell_for = None  # others do not look at it


def turns(deadline: float | None) -> Iterator[float | None]:
    """Until when to wait in each turn of a wait that ends at ``deadline`` (of ``time.monotonic()``;
    None: never). Between the turns our widgets are told what has come for them.
    """
    ear = _ear() if _told else None
    if ear is None or not ear.in_cell:
        # A widget that is shown from now on is shown by a later cell.
        yield deadline
        return
    while True:
        ear.listen()
        until = time.monotonic() + _TURN
        if deadline is not None and until >= deadline:
            break
        yield until
    yield deadline


class _Ear:
    """Listens to the main channel of one kernel."""

    def __init__(self, kernel: Any, stream: Any) -> None:
        self._kernel = kernel
        self._stream = stream
        # The main thread's: when it has listened last.
        self._listened_at = float("-inf")

    @property
    def in_cell(self) -> bool:
        """Whether this thread runs the cells of that channel, and does so at this moment."""
        try:
            return asyncio.get_running_loop() is self._stream.io_loop.asyncio_loop
        except RuntimeError:
            return False  # a thread of the person's own

    def listen(self) -> None:
        """Look through what has come, if that was not done just now."""
        now = time.monotonic()
        if now - self._listened_at < _TURN:
            return
        self._listened_at = now
        heard: list[tuple[Told, dict[str, Any], dict[str, Any]]] = []
        with _interrupts_later():
            self._sort(heard)
        for told, content, message in heard:
            self._tell(told, content, message)

    def _sort(self, heard: list[tuple[Told, dict[str, Any], dict[str, Any]]]) -> None:
        """Take out what is for us; hand everything else to the kernel, which keeps its order."""
        stream = self._stream
        hand_on, copies = stream._recv_callback, stream._recv_copy

        def receive(frames: list[Any]) -> Any:
            ours = self._ours(frames)
            if ours is None:
                return hand_on(frames)
            heard.append(ours)
            return None

        stream.on_recv(receive, copy=copies)
        try:
            stream.flush(1)  # zmq.POLLIN
        finally:
            stream.on_recv(hand_on, copy=copies)

    def _ours(self, frames: list[Any]) -> tuple[Told, dict[str, Any], dict[str, Any]] | None:
        """Who is told what, and the message that says so; None: it is none of ours."""
        session = self._kernel.session
        copied = [bytes(getattr(frame, "bytes", frame)) for frame in frames]
        try:
            _, parts = session.feed_identities(copied)
            # Not with deserialize(): each message is taken once, and the kernel may want this one.
            if session.unpack(parts[1]).get("msg_type") != "comm_msg":
                return None
            content = session.unpack(parts[4])
            told = _told.get(content["comm_id"], _nobody)()
            said = content["data"]["content"]
            ours = content["data"]["method"] == "custom" and isinstance(said, dict)
            if told is None or not ours or content["comm_id"] not in self._comms:
                return None
            return told, said, session.deserialize(parts)  # which looks at its signature
        except Exception:
            return None  # the kernel says what is wrong with it

    @property
    def _comms(self) -> Any:
        return self._kernel.comm_manager.comms

    def _tell(self, told: Told, content: dict[str, Any], message: dict[str, Any]) -> None:
        """Handle it as the kernel does: the front end waits for these states."""
        self._state("busy", message)
        try:
            told(content)
        except Exception:
            _log.exception(
                "a bug of this package: what the browser said to a widget could not be handled; "
                "the stream goes on (please report it)"
            )
        finally:
            self._state("idle", message)
            # The front end shows the newest state, and the cell still runs.
            self._state("busy", self._kernel.get_parent())

    def _state(self, state: str, parent: dict[str, Any]) -> None:
        kernel = self._kernel
        kernel.session.send(
            kernel.iopub_socket,
            "status",
            {"execution_state": state},
            parent=parent,
            ident=f"kernel.{kernel.ident}.status".encode(),
        )


def _nobody() -> None:
    return None


@cache
def _ear() -> _Ear | None:
    """That of this process's kernel; None: it is of a kind that we do not know."""
    shell: Any = sys.modules["ipykernel.zmqshell"].ZMQInteractiveShell.instance()
    kernel = shell.kernel
    try:
        thread = getattr(kernel, "shell_channel_thread", None)
        stream = kernel.shell_stream
        if thread is not None:  # since ipykernel 7 that is another thread's
            stream = thread.manager.get_shell_channel_to_subshell_pair(None).to_stream
        known = callable(stream._recv_callback) and stream.io_loop.asyncio_loop is not None
    except Exception:
        return None
    return _Ear(kernel, stream) if known else None


@contextmanager
def _interrupts_later() -> Iterator[None]:
    """In between, none: it could lose a message that was read and not yet handed on."""
    if threading.current_thread() is not threading.main_thread():
        yield  # to which no signal comes
        return
    came: list[Any] = []
    before = signal.signal(signal.SIGINT, lambda _, frame: came.append(frame))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if came and callable(before):
            before(signal.SIGINT, came[0])
