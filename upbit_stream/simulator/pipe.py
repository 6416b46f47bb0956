"""The way out to one client, where the network's faults happen."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from collections import deque

__all__ = ["Pipe"]

# How often a slow line moves.
_STEP = 0.02


class Pipe:
    """Writes to a transport: at once, or held back by a stall, a delay or a slow line.

    Owned by the loop's thread.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._held = bytearray()
        self._stalled = False
        self._bytes_per_second: float | None = None
        self._delay = 0.0
        self._pump: asyncio.TimerHandle | None = None
        # What is on a long way, and when it arrives: nothing overtakes what was sent before it.
        self._under_way: deque[tuple[float, bytes]] = deque()
        self._arrival: asyncio.TimerHandle | None = None
        #: Bytes given to the transport.
        self.written = 0

    @property
    def waiting(self) -> int:
        """Bytes that did not reach the system yet."""
        late = sum(len(data) for _, data in self._under_way)
        return len(self._held) + late + self._transport.get_write_buffer_size()

    @property
    def open(self) -> bool:
        """Whether writing makes sense."""
        return not self._transport.is_closing()

    @property
    def stalled(self) -> bool:
        """Whether nothing gets through."""
        return self._stalled

    def write(self, data: bytes) -> None:
        """Send, sooner or later."""
        if self._transport.is_closing():
            return
        if self._delay or self._under_way:
            due = self._loop.time() + self._delay
            if self._under_way:
                due = max(due, self._under_way[-1][0])
            self._under_way.append((due, data))
            self._await_arrival()
        else:
            self._pass_on(data)

    def _await_arrival(self) -> None:
        if self._arrival is None and self._under_way:
            self._arrival = self._loop.call_at(self._under_way[0][0], self._arrive)

    def _arrive(self) -> None:
        self._arrival = None
        now = self._loop.time()
        while self._under_way and self._under_way[0][0] <= now:
            self._pass_on(self._under_way.popleft()[1])
        self._await_arrival()

    def _pass_on(self, data: bytes) -> None:
        if self._stalled or self._bytes_per_second is not None:
            self._held += data
            self._start_pump()
        elif not self._transport.is_closing():
            self.written += len(data)
            self._transport.write(data)

    def stall(self) -> None:
        """Neither read nor write; TCP stays up."""
        self._stalled = True
        self._transport.pause_reading()

    def resume(self) -> None:
        """Undo :meth:`stall`: what was held back is sent now."""
        if self._stalled:
            self._stalled = False
            if not self._transport.is_closing():
                self._transport.resume_reading()
            if self._bytes_per_second is None:
                self._release(len(self._held))
            else:
                self._start_pump()

    def slow_down(self, bytes_per_second: float | None, delay: float) -> None:
        """Let only so many bytes through, or each of them later."""
        self._bytes_per_second = bytes_per_second
        self._delay = delay
        if bytes_per_second is None and not self._stalled:
            self._release(len(self._held))

    def _start_pump(self) -> None:
        if self._pump is None and self._bytes_per_second is not None and not self._stalled:
            self._pump = self._loop.call_later(_STEP, self._move)

    def _move(self) -> None:
        self._pump = None
        if self._stalled or self._bytes_per_second is None or self._transport.is_closing():
            return
        self._release(max(1, int(self._bytes_per_second * _STEP)))
        if self._held:
            self._start_pump()

    def _release(self, count: int) -> None:
        data = bytes(self._held[:count])
        del self._held[:count]
        if data and not self._transport.is_closing():
            self.written += len(data)
            self._transport.write(data)

    def close(self) -> None:
        """Send what waits, then close TCP."""
        self._cancel()
        self._transport.close()

    def abort(self) -> None:
        """Close TCP now; what waits is lost."""
        self._cancel()
        self._transport.abort()

    def reset(self) -> None:
        """Close TCP with an RST."""
        raw: socket.socket | None = self._transport.get_extra_info("socket")
        if raw is not None:
            # Windows has shorts in this structure, everyone else ints.
            linger = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.abort()

    def _cancel(self) -> None:
        self._held.clear()
        self._under_way.clear()
        if self._arrival is not None:
            self._arrival.cancel()
            self._arrival = None
        if self._pump is not None:
            self._pump.cancel()
            self._pump = None
