"""A client of the simulator that knows nothing of the SDK under construction."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Protocol

import jwt
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from upbit_stream.simulator import Simulator
from upbit_stream.simulator.simulator import DEFAULT_KEYS

#: No wait of these tests is longer; it is only reached where something is broken.
PATIENCE = 10.0


class Client:
    """One socket. Numbers arrive as Decimals, with every digit of the wire."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    def send(self, message: object) -> None:
        self.socket.send(message if isinstance(message, (str, bytes)) else json.dumps(message))

    def ask(self, *parts: dict[str, Any], format: str | None = None) -> None:
        """A request: the ticket, these objects, the format."""
        tail = [] if format is None else [{"format": format}]
        self.send([{"ticket": str(uuid.uuid4())}, *parts, *tail])

    def raw(self) -> str | bytes:
        return self.socket.recv(timeout=PATIENCE)

    def read(self) -> Any:
        """The next frame, parsed."""
        return json.loads(self.raw(), parse_float=Decimal)

    def read_many(self, count: int) -> list[Any]:
        return [self.read() for _ in range(count)]

    def until(self, found: Callable[[Any], object]) -> list[Any]:
        """All frames up to the first that is ``found``."""
        frames = []
        while True:
            frames.append(self.read())
            if found(frames[-1]):
                return frames

    def barrier(self) -> list[Any]:
        """Everything that the server sent before it answered one more request."""
        ticket = str(uuid.uuid4())
        self.send([{"ticket": ticket}, {"method": "LIST_SUBSCRIPTIONS"}])
        frames = self.until(
            lambda frame: isinstance(frame, dict) and ticket in (frame.get("ticket"),
                                                                frame.get("tckt"))
        )  # fmt: skip
        return frames[:-1]

    def end(self) -> tuple[list[Any], int | None]:
        """Everything up to the end, and the code of the close frame (None without one)."""
        frames = []
        try:
            while True:
                frames.append(self.read())
        except ConnectionClosed as error:
            return frames, error.rcvd.code if error.rcvd else None


class Start(Protocol):
    """Starts a simulator."""

    def __call__(self, **options: Any) -> Simulator: ...


class Connect(Protocol):
    """Connects to a simulator."""

    def __call__(
        self,
        sim: Simulator,
        endpoint: str = "public",
        *,
        compression: str | None = None,
        authorization: str | None = None,
        **options: Any,
    ) -> Client: ...


def make_token(
    *, access: str | None = None, secret: str | None = None, algorithm: str = "HS512",
    nonce: str | None = None,
) -> str:  # fmt: skip
    """The token of the simulator's own account, unless told otherwise."""
    (known_access, known_secret), *_ = DEFAULT_KEYS.items()
    payload = {"access_key": access or known_access, "nonce": nonce or str(uuid.uuid4())}
    return jwt.encode(payload, secret or known_secret, algorithm=algorithm)
