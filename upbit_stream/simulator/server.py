"""The listening side: one thread with its event loop, one port for WebSocket and REST."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from time import monotonic
from typing import Any, TypeVar

from websockets.extensions.base import ServerExtensionFactory
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol

from upbit_stream.protocol.endpoints import Endpoint
from upbit_stream.simulator.clockwork import Clockwork
from upbit_stream.simulator.connection import Connection
from upbit_stream.simulator.feed import Feed
from upbit_stream.simulator.gate import Accounts, Gate
from upbit_stream.simulator.handshake import AuthRefusal, BanNotice, Doorman
from upbit_stream.simulator.journal import Handshake, Journal
from upbit_stream.simulator.market import Exchange
from upbit_stream.simulator.private import PrivateFeed
from upbit_stream.simulator.replay import Replay
from upbit_stream.simulator.requests import Refused
from upbit_stream.simulator.rest import Rest
from upbit_stream.simulator.session import Session, SessionContext
from upbit_stream.simulator.settings import Limits, Timing

__all__ = ["Server", "Setup"]

_T = TypeVar("_T")

_PATHS = {
    "/websocket/v1": Endpoint.PUBLIC,
    "/websocket/v1/private": Endpoint.PRIVATE,
    "/websocket/v1/info": Endpoint.INFO,
}

# Outside of what systems take for outgoing connections: there a client that asks a closed port
# of its own machine now and then meets itself.
_PORTS = range(20_000, 32_000)
_TRIES = 50

_START_TIMEOUT = 10.0
_STOP_TIMEOUT = 10.0
_CALL_TIMEOUT = 30.0


@dataclass(frozen=True)
class Setup:
    """How a server is to be."""

    host: str
    port: int
    rate: float
    seed: int
    keys: dict[str, str]
    timing: Timing
    limits: Limits
    auth_refusal: AuthRefusal
    ban_notice: BanNotice
    replay: Replay | None
    ssl_context: ssl.SSLContext | None


class Server:
    """The thread, the port, and who is connected.

    ``start``, ``stop``, ``call`` and ``call_async`` are for other threads; everything else runs
    in the server's own.
    """

    def __init__(self, setup: Setup, exchange: Exchange, journal: Journal) -> None:
        self.setup = setup
        #: Set before start() returns, and not changed after it.
        self.port = setup.port
        self.exchange = exchange
        self.journal = journal
        #: What is offered; the exchange compresses for those who ask for it.
        self.extensions: Sequence[ServerExtensionFactory] = [ServerPerMessageDeflateFactory()]
        chance = random.Random(f"{setup.seed}:timing")
        self.feed = Feed(exchange)
        self.private = PrivateFeed(
            exchange, lambda: list(self.sessions.values()), chance, setup.timing.first_asset_delay
        )
        gate = Gate(setup.limits)
        self.doorman = Doorman(
            gate, Accounts(setup.keys), latency=setup.timing.handshake_latency,
            ban_notice=setup.ban_notice, auth_refusal=setup.auth_refusal,
        )  # fmt: skip
        self.rest = Rest(exchange, gate, journal, setup.ban_notice)
        self.clockwork = Clockwork(
            exchange, self.feed, self.private, lambda: self.sessions.values(), rate=setup.rate,
            timing=setup.timing, limits=setup.limits, chance=chance,
        )  # fmt: skip
        self._context = SessionContext(
            self.feed, self.private, journal, setup.timing, setup.limits, chance, setup.replay
        )
        #: What requests are refused for, on demand.
        self.refusals = self._context.refusals
        # By number; owned by the loop's thread, as is all that follows.
        self.connections: dict[int, Connection] = {}
        self.sessions: dict[int, Session] = {}
        #: New sessions send no data.
        self.muted = False
        self._numbers = 0
        self._listener: asyncio.Server | None = None
        self._closing: asyncio.Task[None] | None = None
        # The port while nobody listens on it.
        self._reserved: socket.socket | None = None
        # Made by the thread before start() returns.
        self._loop: asyncio.AbstractEventLoop
        self._stopping: asyncio.Event
        # Owned by the thread that starts and stops.
        self._thread: threading.Thread | None = None

    # From other threads.

    def start(self) -> None:
        """Bind, listen, run; raises what went wrong."""
        if self._thread is not None:
            raise RuntimeError("the simulator is running already")
        ready: Future[None] = Future()
        thread = threading.Thread(
            target=self._run, args=(ready,), name="upbit-simulator", daemon=True
        )
        thread.start()
        ready.result(_START_TIMEOUT)
        self._thread = thread

    def stop(self) -> None:
        """Drop everybody, stop the loop, join the thread."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._stopping.set)
        thread.join(_STOP_TIMEOUT)
        if thread.is_alive():
            raise RuntimeError(f"the simulator did not stop within {_STOP_TIMEOUT:g} s")

    def call(self, function: Callable[..., _T], *args: Any) -> _T:
        """Run a function in the loop's thread and return what it returns."""

        async def run() -> _T:
            return function(*args)

        return self.call_async(run)

    def call_async(
        self, function: Callable[..., Awaitable[_T]], *args: Any, timeout: float = _CALL_TIMEOUT
    ) -> _T:
        """The same for a coroutine function, for at most ``timeout`` seconds."""
        if self._thread is None:
            raise RuntimeError("the simulator is not running: use it in a with statement")

        async def run() -> _T:
            return await function(*args)

        future = asyncio.run_coroutine_threadsafe(run(), self._loop)
        try:
            return future.result(timeout)
        except BaseException:
            future.cancel()
            raise

    # The thread.

    def _run(self, ready: Future[None]) -> None:
        try:
            asyncio.run(self._main(ready))
        except BaseException as error:
            if ready.done():
                raise
            ready.set_exception(error)

    async def _main(self, ready: Future[None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        await self.listen()
        tasks = [self._loop.create_task(work) for work in self.clockwork.works()]
        tasks.append(self._loop.create_task(self._wait_for_stop()))
        ready.set_result(None)
        try:
            # A task of the clockwork only ends by an error, which must not pass in silence.
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            self.stop_listening()
            if self._reserved is not None:
                self._reserved.close()
            for connection in list(self.connections.values()):
                connection.pipe.abort()
            await asyncio.gather(*tasks, return_exceptions=True)
            if self._closing is not None:
                await self._closing
            for connection in list(self.connections.values()):  # accepted at the last moment
                connection.pipe.abort()
            # Transports close in the next rounds of the loop.
            for _ in range(3):
                await asyncio.sleep(0)

    async def _wait_for_stop(self) -> None:
        await self._stopping.wait()

    async def listen(self) -> None:
        """Accept connections, on the same port as before."""
        if self._listener is not None:
            return
        listening = self._reserved or _bind(self.setup.host, self.port)
        self._reserved = None
        self.port = listening.getsockname()[1]
        self._listener = await self._loop.create_server(
            self._new_connection, sock=listening, ssl=self.setup.ssl_context, backlog=512
        )

    def stop_listening(self) -> None:
        """Refuse connections. The port stays ours: bound, but nobody listens."""
        if self._listener is not None:
            listener, self._listener = self._listener, None
            if os.name == "posix":
                for sock in listener.sockets:
                    self._loop.remove_reader(sock.fileno())
                    with contextlib.suppress(OSError):
                        sock.shutdown(socket.SHUT_RDWR)
                self._closing = self._loop.create_task(self._close_soon(listener))
            else:
                listener.close()
            with contextlib.suppress(OSError):
                self._reserved = _bind(self.setup.host, self.port)

    async def _close_soon(self, listener: asyncio.Server) -> None:
        """Close a listener that refuses already. At once would be too soon: before Python 3.12
        asyncio loses the sockets that were accepted a moment ago.
        """
        for _ in range(3):
            await asyncio.sleep(0)
        listener.close()

    async def restart(self, code: int | None) -> None:
        """Drop everybody (with a close code, if there is one) and listen again. In one go: whoever
        comes back at once finds the door open.
        """
        self.stop_listening()
        if code is None:
            self.drop_all("reset")
        else:
            for session in list(self.sessions.values()):
                session.close(code, "")
        await self.listen()

    def drop_all(self, how: str) -> None:
        """End every connection, also those that did not shake hands yet."""
        for session in list(self.sessions.values()):
            session.drop(how)
        for connection in list(self.connections.values()):
            if connection.session is None:
                connection.pipe.abort()

    # What connections ask (see connection.Door).

    def _new_connection(self) -> Connection:
        self._numbers += 1
        return Connection(self._numbers, self)

    def arrived(self, connection: Connection) -> None:
        """TCP is up."""
        self.connections[connection.number] = connection
        self.journal.count("tcp_connections")

    def left(self, connection: Connection) -> None:
        """TCP is gone."""
        self.connections.pop(connection.number, None)
        self.doorman.forget(connection.number)

    async def answer(
        self, connection: Connection, request: Request, protocol: ServerProtocol
    ) -> Response | None:
        """The answer to an HTTP request: 101 for an upgrade; None for none at all."""
        endpoint = _PATHS.get(request.path.partition("?")[0])
        if endpoint is None:
            return await self.rest.answer(connection.peer, request)
        if self.doorman.faults.takes_stall():
            self.journal.count("stalled_handshakes")
            return None
        number = connection.number
        response = await self.doorman.refuse(number, connection.peer, endpoint, request)
        if response is None:
            response = protocol.accept(request)
            if response.status_code == 101:
                response.headers["remaining-req"] = self.doorman.remaining(number, connection.peer)
        headers = dict(request.headers.raw_items())
        self.journal.add(
            Handshake(monotonic(), number, endpoint.value, response.status_code, headers)
        )
        return response

    def upgraded(
        self, connection: Connection, request: Request, protocol: ServerProtocol
    ) -> Session:
        """The upgrade was answered: who goes on."""
        number = connection.number
        session = Session(
            number, _PATHS[request.path.partition("?")[0]], protocol, connection.pipe,
            self._context, self._ended, account=self.doorman.accounts.get(number, ""),
        )  # fmt: skip
        session.muted = self.muted
        self.sessions[number] = session
        self.journal.count("sessions")
        if number in self.doorman.unwelcome:
            session.refuse(Refused("INVALID_AUTH"))
        return session

    def _ended(self, session: Session) -> None:
        self.sessions.pop(session.number, None)


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    places = [port] if port else [*random.sample(_PORTS, _TRIES), 0]
    for place in places:
        # Said to be TCP, for only then asyncio sends at once (TCP_NODELAY): otherwise a small
        # message waits up to 40 ms for the delayed acknowledgement of the one before it.
        bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        # Open connections must not keep the port from being bound again. On Windows they do not,
        # and the option would let strangers share the port.
        if os.name == "posix":
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((host, place))
        except OSError:
            bound.close()
            if place == places[-1]:
                raise
        else:
            return bound
    raise AssertionError("the last place either was bound or raised")
