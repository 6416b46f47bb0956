"""What can go wrong, on demand. Every method may be called from any thread.

Where a method takes ``connection`` it is a number out of ``Simulator.connections`` (or an endpoint:
``"public"``, ``"private"``, ``"info"``); without one it is about every open socket.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from upbit_stream.simulator.frames import BINARY, TEXT, frame
from upbit_stream.simulator.garbage import GARBAGE
from upbit_stream.simulator.handshake import HttpFaults, Planned
from upbit_stream.simulator.requests import Refusal
from upbit_stream.simulator.server import Server
from upbit_stream.simulator.session import Session

__all__ = ["Faults", "Where"]

Where = int | str | None


class Faults:
    """The faults of a simulator, as methods."""

    _server: Server

    def _each(self, where: Where, action: Callable[[Session], object]) -> int:
        """Do something to the chosen sockets; returns how many they are."""

        def work() -> int:
            chosen = [
                session
                for session in list(self._server.sessions.values())
                if where in (None, session.number, session.endpoint.value)
            ]
            for session in chosen:
                action(session)
            return len(chosen)

        return self._server.call(work)

    # Sockets that end.

    def close(self, code: int = 1000, reason: str = "", connection: Where = None) -> int:
        """Close with a close frame, as a server does before maintenance or by mistake."""
        return self._each(connection, lambda session: session.close(code, reason))

    def reset(self, connection: Where = None) -> int:
        """End TCP with an RST."""
        return self._each(connection, lambda session: session.drop("reset"))

    def eof(self, connection: Where = None) -> int:
        """End TCP without a close frame."""
        return self._each(connection, lambda session: session.drop("eof"))

    def restart(self, *, code: int | None = None) -> None:
        """Drop everybody and come back on the same port, while the market goes on.

        ``code``: say good-bye with this close code; otherwise the sockets are reset.
        """
        self._server.call_async(self._server.restart, code)

    # Sockets that stay, and are dead.

    def stall(self, connection: Where = None) -> int:
        """Neither read nor write, not even pongs; TCP stays up: a half-open connection."""
        return self._each(connection, lambda session: session.pipe.stall())

    def resume(self, connection: Where = None) -> int:
        """Undo :meth:`stall`; what was held back arrives now."""
        return self._each(connection, lambda session: session.resume())

    def mute(self, connection: Where = None, *, future: bool = False) -> int:
        """Answer pings, but send no data; ``future``: also on sockets that are yet to come."""

        def silence(session: Session) -> None:
            session.muted = True

        if future:
            self._server.call(setattr, self._server, "muted", True)
        return self._each(connection, silence)

    def unmute(self, connection: Where = None) -> int:
        """Undo :meth:`mute`; what was not sent is lost."""

        def speak(session: Session) -> None:
            session.muted = False

        self._server.call(setattr, self._server, "muted", False)
        return self._each(connection, speak)

    def slow_down(
        self,
        bytes_per_second: float | None = None,
        *,
        delay: float = 0.0,
        connection: Where = None,
    ) -> int:
        """Let only so many bytes a second through, and all of it ``delay`` seconds later.

        Without arguments the line is fast again.
        """
        return self._each(
            connection, lambda session: session.pipe.slow_down(bytes_per_second, delay)
        )

    # The door.

    def refuse(self) -> None:
        """Close the listening socket: connections are refused, open ones stay."""
        self._server.call(self._server.stop_listening)

    def accept(self) -> None:
        """Listen again, on the same port."""
        self._server.call_async(self._server.listen)

    def slow_handshake(self, seconds: float) -> None:
        """Answer every upgrade so much later."""
        self._server.call(setattr, self._server.doorman.faults, "delay", seconds)

    def stall_handshakes(self, count: int | None = None) -> None:
        """Never answer the next ``count`` upgrades (None: any, 0: none)."""
        self._server.call(setattr, self._server.doorman.faults, "stalled", count)

    def fail_handshakes(
        self,
        status: int,
        count: int = 1,
        *,
        headers: Mapping[str, str] | None = None,
        body: str = "",
    ) -> None:
        """Answer the next ``count`` upgrades with this HTTP status."""
        self._plan(self._server.doorman.faults, Planned(status, headers or {}, body), count)

    # Requests.

    def refuse_requests(
        self,
        codes: Iterable[str] = (),
        type: str | None = None,
        *,
        name: str = "INVALID_PARAM",
        message: str | None = None,
    ) -> None:
        """Answer every request that names one of ``codes`` (or that type; with both, one of the
        codes in that type) with this error, and close: a bad one among the good ones.
        """
        refusal = Refusal(frozenset(codes), type, name, message)
        self._server.call(self._server.refusals.append, refusal)

    def allow_requests(self) -> None:
        """Take back every :meth:`refuse_requests`."""
        self._server.call(self._server.refusals.clear)

    def forget_subscription(self, type: str, code: str, connection: Where = None) -> int:
        """Lose a code of a type, as if it had not been asked for: neither sent nor listed."""
        return self._each(connection, lambda session: session.forget(type, code))

    # REST.

    def fail_rest(
        self,
        status: int,
        count: int = 1,
        *,
        headers: Mapping[str, str] | None = None,
        body: str = "",
    ) -> None:
        """Answer the next ``count`` REST calls with this HTTP status."""
        self._plan(self._server.rest.faults, Planned(status, headers or {}, body), count)

    def slow_rest(self, seconds: float) -> None:
        """Answer every REST call so much later."""
        self._server.call(setattr, self._server.rest.faults, "delay", seconds)

    def stall_rest(self, count: int | None = None) -> None:
        """Never answer the next ``count`` REST calls (None: any, 0: none)."""
        self._server.call(setattr, self._server.rest.faults, "stalled", count)

    def _plan(self, faults: HttpFaults, planned: Planned, count: int) -> None:
        self._server.call(faults.planned.extend, [planned] * count)

    # What is sent.

    def send_raw(
        self,
        payload: bytes | str,
        opcode: int | Literal["none"] | None = None,
        *,
        connection: Where = None,
    ) -> int:
        """Send a payload as it is: text in a text frame, bytes in a binary one.

        ``opcode``: of the frame; ``"none"``: no frame around it.
        """
        data = payload.encode() if isinstance(payload, str) else payload
        if opcode is None:
            opcode = TEXT if isinstance(payload, str) else BINARY
        whole = data if opcode == "none" else frame(data, opcode)
        return self._each(connection, lambda session: session.send_bytes(whole))

    def send_garbage(self, kind: str, *, connection: Where = None) -> int:
        """Send what no server should; ``kind`` is one of ``GARBAGE``."""
        if kind not in GARBAGE:
            raise ValueError(f"kind={kind!r}: choose one of {', '.join(GARBAGE)}")
        return self._each(connection, lambda session: session.send_bytes(GARBAGE[kind]))

    # Trades. The ledger and REST keep the truth.

    def drop_trades(self, count: int = 0, *, ratio: float = 0.0) -> None:
        """Leave the next ``count`` trades (or a ratio of all, from now on) out on the sockets."""
        self._server.call(self._server.feed.trade_faults.set, "drop", count, ratio)

    def duplicate_trades(self, count: int = 0, *, ratio: float = 0.0) -> None:
        """Send the next ``count`` trades (or a ratio of all, from now on) twice."""
        self._server.call(self._server.feed.trade_faults.set, "duplicate", count, ratio)

    def reorder_trades(self, count: int = 0, *, ratio: float = 0.0) -> None:
        """Send the next ``count`` trades (or a ratio of all) after the one that follows them."""
        self._server.call(self._server.feed.trade_faults.set, "reorder", count, ratio)
