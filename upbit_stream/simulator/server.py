"""The listening side: one thread with its event loop, one port for WebSocket and REST."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from time import monotonic
from typing import Any, TypeVar

from websockets.datastructures import Headers
from websockets.extensions.base import ServerExtensionFactory
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol

from upbit_stream.protocol.endpoints import Endpoint
from upbit_stream.simulator.connection import Connection
from upbit_stream.simulator.feed import Feed
from upbit_stream.simulator.gate import Gate
from upbit_stream.simulator.journal import Handshake, Journal
from upbit_stream.simulator.market import Exchange
from upbit_stream.simulator.session import Session, SessionContext
from upbit_stream.simulator.settings import Limits, Timing

__all__ = ["Server"]

_T = TypeVar("_T")

_PATHS = {
    "/websocket/v1": Endpoint.PUBLIC,
    "/websocket/v1/private": Endpoint.PRIVATE,
    "/websocket/v1/info": Endpoint.INFO,
}

# Outside of what systems take for outgoing connections: there a client that asks a closed port
# of its own machine now and then meets itself.
_PORTS = range(20_000, 32_000)

# Trades made in one go, before the sockets get their turn.
_CHUNK = 500
_STEP = 0.005
_START_TIMEOUT = 10.0
_CALL_TIMEOUT = 30.0


class Server:
    """Sockets, sessions and the clockwork. Everything but start, stop and call runs in its thread."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        exchange: Exchange,
        journal: Journal,
        rate: float,
        seed: int,
        timing: Timing,
        limits: Limits,
        ssl_context: ssl.SSLContext | None,
    ) -> None:
        self.host = host
        self.port = port
        self.exchange = exchange
        self.journal = journal
        self.rate = rate
        self.timing = timing
        self.limits = limits
        self.feed = Feed(exchange)
        self.gate = Gate(limits)
        self.extensions: Sequence[ServerExtensionFactory] = [ServerPerMessageDeflateFactory()]
        self._chance = random.Random(f"{seed}:timing")
        self._context = SessionContext(self.feed, journal, timing, limits, self._chance)
        self._ssl = ssl_context
        # The fields below are touched by the loop's thread only.
        self.connections: dict[int, Connection] = {}
        self.sessions: dict[int, Session] = {}
        self._numbers = 0
        self._listener: asyncio.Server | None = None
        self._reserved: socket.socket | None = None
        self._tasks: list[asyncio.Task[None]] = []
        # Set once by start().
        self._loop: asyncio.AbstractEventLoop
        self._thread: threading.Thread | None = None

    # From outside.

    def start(self) -> None:
        """Bind, listen, run; raises what went wrong."""
        ready: Future[None] = Future()
        self._thread = threading.Thread(
            target=self._run, args=(ready,), name="upbit-simulator", daemon=True
        )
        self._thread.start()
        ready.result(_START_TIMEOUT)

    def stop(self, timeout: float = 10.0) -> None:
        """Drop everybody, stop the loop, join the thread."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._stopping.set)
        thread.join(timeout)

    def call(self, function: Callable[..., _T], *args: Any) -> _T:
        """Run a function in the loop's thread and wait for what it returns."""

        async def run() -> _T:
            return function(*args)

        return self.call_async(run)

    def call_async(
        self, function: Callable[..., Awaitable[_T]], *args: Any, timeout: float = _CALL_TIMEOUT
    ) -> _T:
        """The same for a coroutine function."""
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
        loops = (self._make_trades, self._show_books, self._show_candles)
        self._tasks = [self._loop.create_task(work()) for work in loops]
        ready.set_result(None)
        try:
            await self._stopping.wait()
        finally:
            for task in self._tasks:
                task.cancel()
            self.stop_listening()
            self._release_port()
            for connection in list(self.connections.values()):
                connection.pipe.abort()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            # Transports close in the next rounds of the loop.
            for _ in range(3):
                await asyncio.sleep(0)

    async def listen(self) -> None:
        """Accept connections, on the same port as before."""
        if self._listener is not None:
            return
        listening = self._reserved or _bind(self.host, self.port)
        self._reserved = None
        self.port = listening.getsockname()[1]
        self._listener = await self._loop.create_server(
            self._new_connection, sock=listening, ssl=self._ssl, backlog=512
        )

    def stop_listening(self) -> None:
        """Refuse connections. The port stays ours: bound, but nobody listens."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
            with contextlib.suppress(OSError):
                self._reserved = _bind(self.host, self.port)

    def _release_port(self) -> None:
        if self._reserved is not None:
            self._reserved.close()
            self._reserved = None

    def _new_connection(self) -> Connection:
        self._numbers += 1
        return Connection(self._numbers, self)

    # The clockwork.

    async def _make_trades(self) -> None:
        begun = monotonic()
        made = 0
        while True:
            due = int((monotonic() - begun) * self.rate) - made
            if due > self.rate:
                # A second late: the machine is too slow for this rate, the market trades less.
                begun += (due - self.rate) / self.rate
                due = int(self.rate)
            while due > 0:
                count = min(due, _CHUNK)
                self.produce(count)
                made += count
                due -= count
                await asyncio.sleep(0)
            await asyncio.sleep(_STEP if self.rate else 0.05)

    def produce(self, count: int, among: Sequence[str] | None = None) -> None:
        """Make trades and send them."""
        self.publish(self.exchange.trades(count, among))

    def publish(self, fills: list[Any]) -> None:
        """Send trades, and the tickers that they change."""
        now = monotonic()
        for fill in fills:
            self.feed.publish_trades((fill,), now)
            if self.feed.wanted("ticker", fill.code):
                self.feed.publish_ticker(fill, now)
        self.feed.flush()

    async def _show_books(self) -> None:
        interval = self.timing.book_interval
        while True:
            await asyncio.sleep(interval - self._loop.time() % interval)
            grid = self.exchange.now() // 100 * 100
            now = monotonic()
            for market in list(self.exchange.opened):
                if market.book.changed and self.feed.wanted("orderbook", market.code):
                    self.feed.publish_book(market, grid, now)
            self.feed.flush()

    async def _show_candles(self) -> None:
        interval = self.timing.candle_interval
        while True:
            await asyncio.sleep(interval - self._loop.time() % interval)
            now = monotonic()
            for market in list(self.exchange.opened):
                self.feed.publish_candles(market, now)
            self.feed.flush()

    # What connections ask.

    def arrived(self, connection: Connection) -> None:
        self.connections[connection.number] = connection

    def left(self, connection: Connection) -> None:
        self.connections.pop(connection.number, None)

    async def answer(
        self, connection: Connection, request: Request, protocol: ServerProtocol
    ) -> Response | None:
        path = request.path.partition("?")[0]
        endpoint = _PATHS.get(path)
        if endpoint is None:
            return Response(404, "Not Found", Headers({"Content-Length": "0"}))
        if self.timing.handshake_latency:
            await asyncio.sleep(self.timing.handshake_latency)
        response = protocol.accept(request)
        if response.status_code == 101:
            response.headers["remaining-req"] = "group=websocket; min=300; sec=4"
        self.journal.add(
            Handshake(
                monotonic(), connection.number, endpoint.value, response.status_code,
                dict(request.headers.raw_items()),
            )
        )  # fmt: skip
        return response

    def upgraded(
        self, connection: Connection, request: Request, protocol: ServerProtocol
    ) -> Session:
        endpoint = _PATHS[request.path.partition("?")[0]]
        session = Session(
            connection.number, endpoint, protocol, connection.pipe, self._context, self._ended
        )
        self.sessions[connection.number] = session
        return session

    def _ended(self, session: Session) -> None:
        self.sessions.pop(session.number, None)


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    places = [port] if port else [*random.sample(_PORTS, 50), 0]
    for place in places:
        bound = socket.socket(family, socket.SOCK_STREAM)
        # On Windows this option means something else, and what it means elsewhere is the rule.
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((host, place))
        except OSError:
            bound.close()
            if place == places[-1]:
                raise
        else:
            return bound
    raise AssertionError("the last place was tried and raised")
