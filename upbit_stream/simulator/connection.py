"""One TCP connection: HTTP first, then either an answer or a WebSocket."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol, cast

from websockets.extensions.base import ServerExtensionFactory
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol

from upbit_stream.simulator.pipe import Pipe
from upbit_stream.simulator.session import Session

__all__ = ["Connection", "Door"]

# Larger requests are refused by the protocol (1009); all 855 codes need 10 kB.
_MAX_REQUEST = 1024 * 1024


class Door(Protocol):
    """What a connection needs of its server."""

    @property
    def extensions(self) -> Sequence[ServerExtensionFactory]:
        """The WebSocket extensions on offer."""

    def arrived(self, connection: Connection) -> None:
        """TCP is up."""

    def left(self, connection: Connection) -> None:
        """TCP is gone."""

    async def answer(
        self, connection: Connection, request: Request, protocol: ServerProtocol
    ) -> Response | None:
        """The answer to an HTTP request: 101 for an upgrade; None for none at all."""

    def upgraded(
        self, connection: Connection, request: Request, protocol: ServerProtocol
    ) -> Session:
        """The upgrade was answered: who goes on."""


class Connection(asyncio.Protocol):
    """The bytes of one client. websockets' own protocol object reads and writes the frames.

    Owned by the loop's thread.
    """

    def __init__(self, number: int, door: Door) -> None:
        self.number = number
        self.pipe: Pipe
        #: The address of the client.
        self.peer = ""
        self.session: Session | None = None
        self._door = door
        self._protocol = self._fresh()
        self._answering: asyncio.Task[None] | None = None

    def _fresh(self) -> ServerProtocol:
        return ServerProtocol(extensions=self._door.extensions, max_size=_MAX_REQUEST)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.pipe = Pipe(cast(asyncio.Transport, transport))
        address = transport.get_extra_info("peername")
        self.peer = str(address[0]) if address else ""
        self._door.arrived(self)

    def data_received(self, data: bytes) -> None:
        self._protocol.receive_data(data)
        self._process()

    def eof_received(self) -> bool:
        self._protocol.receive_eof()
        self._process()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answering is not None:
            self._answering.cancel()
        if self.session is not None:
            self.session.lost()
        self._door.left(self)

    def _process(self) -> None:
        if self._answering is not None:
            # What comes before the answer waits in the protocol.
            return
        events = self._protocol.events_received()
        if self.session is None and events and isinstance(events[0], Request):
            self._answering = asyncio.get_running_loop().create_task(self._answer(events[0]))
            self._answering.add_done_callback(self._answered)
            return
        if self.session is not None:
            self.session.receive(events)
        self._send_protocol_data()

    def _send_protocol_data(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self.pipe.write(data)
            else:
                self.pipe.close()

    def _answered(self, task: asyncio.Task[None]) -> None:
        # A mistake of the simulator itself: the client is not left waiting, the loop logs it.
        if not task.cancelled() and (error := task.exception()) is not None:
            self.pipe.abort()
            raise error

    async def _answer(self, request: Request) -> None:
        response = await self._door.answer(self, request, self._protocol)
        if response is None:
            return
        if response.status_code == 101:
            self._protocol.send_response(response)
            self._send_protocol_data()
            self.session = self._door.upgraded(self, request, self._protocol)
        else:
            self.pipe.write(response.serialize())
            if response.headers.get("Connection", "").lower() == "close":
                self.pipe.close()
            # The connection is kept for the next request.
            self._protocol = self._fresh()
        self._answering = None
        if self.session is not None:
            self._process()
