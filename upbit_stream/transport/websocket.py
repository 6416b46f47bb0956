"""One WebSocket: websocket-client's handshake, TLS, proxies, masking and sends, our own reading."""

from __future__ import annotations

import selectors
import socket
import ssl
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, NoReturn, cast

import websocket
from websocket._http import connect, proxy_info

from upbit_stream.transport.frames import (
    ABNORMAL_CLOSURE,
    NO_STATUS_RECEIVED,
    NORMAL_CLOSURE,
    PING,
    SMALLEST_BUFFER,
    FrameReader,
    is_valid_close_code,
)
from upbit_stream.transport.upgrade import HandshakeSocket, upgrade

DEFAULT_TIMEOUT: Final = 10.0
DEFAULT_MAX_MESSAGE_SIZE: Final = 16 * 1024 * 1024
DEFAULT_SEND_TIMEOUT: Final = 1.0
LONGEST_CLOSE_REASON: Final = 123  # bytes: 125 of a control frame less the two of the code
PONGS_KEPT: Final = 64
LARGEST_RECORD: Final = 16 * 1024  # of TLS: RFC 8446, section 5.1

WOULD_BLOCK: Final = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class ConnectionClosed(Exception):
    """The WebSocket is over: nothing more will be received."""

    def __init__(self, code: int, reason: str = "", *, local: bool = False) -> None:
        super().__init__(code, reason)
        self.code = code
        """The peer's close code; 1005 when its close frame had none; 1006 when there was no close
        frame (`__cause__` is the OSError then, if there was one); of our own when `local`."""
        self.reason = reason
        """The peer's words in its close frame, ours in all other cases."""
        self.local = local
        """We failed the connection: the peer broke the protocol, and was told `code`."""

    def __str__(self) -> str:
        who = "failed by us" if self.local else "closed"
        return f"{who} with {self.code}" + (f": {self.reason}" if self.reason else "")


class BulkWebSocket(websocket.WebSocket):
    """websocket-client with bulk reading. Made by `open_websocket`; one object, one connection.

    It belongs to ONE thread, which alone sends and receives: no lock is taken for either. The only
    method for other threads is `abort()`.

    Between calls the socket is non-blocking. The owner's loop, with any selector::

        while True:
            if not ws.pending:
                selector.select(timeout)
            for message in ws.receive():
                ...

    The inherited ways to send all work (`send`, `send_bytes`, `ping`, ...). Each has `send_timeout`
    seconds and raises `ConnectionClosed` when the frame cannot be sent in that time, or at all. It
    is not to be used for sending again (a frame may have been cut off in the middle), but may
    still be read: the peer's last words and its close frame are often there already.
    """

    def __init__(
        self,
        *,
        max_message_size: int = DEFAULT_MAX_MESSAGE_SIZE,
        send_timeout: float = DEFAULT_SEND_TIMEOUT,
        buffer_size: int = SMALLEST_BUFFER,
        on_created: Callable[[BulkWebSocket], None] | None = None,
        authorize: Callable[[], str] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._authorize = authorize
        self._send_timeout = send_timeout
        self._reader = FrameReader(max_message_size, buffer_size)
        self.pongs: deque[tuple[bytes, float]] = deque(maxlen=PONGS_KEPT)
        """See `take_pongs()`."""
        self.received = 0
        """Bytes that the last `receive()` took off the socket."""
        self._tls = False
        self._filled = False  # the last read filled the buffer: there may be more
        self._close_sent = False
        self._send_failure: ConnectionClosed | None = None
        self._closed: ConnectionClosed | None = None
        self._aborted = False
        # abort() must not reach a descriptor that shutdown() has just given back to the system.
        self._socket_lock = threading.Lock()
        if on_created is not None:
            on_created(self)

    # --- opening -------------------------------------------------------------------------------

    def connect(self, url: str, **options: Any) -> None:
        """TCP, proxy, TLS and upgrade, as the library does them; see `open_websocket`.

        What differs from the library: redirects are not followed, the TLS handshake comes after
        the socket is in our hands (so that `abort()` can end it), and the whole has a deadline.
        """
        deadline = time.monotonic() + (self.sock_opt.timeout or DEFAULT_TIMEOUT)
        try:
            # `sslopt` asks for a socket that has not shaken hands yet.
            self.sock, address = connect(
                url,
                self.sock_opt,
                proxy_info(**options),  # type: ignore[no-untyped-call]  # as the library has it
                None,
            )
            if self._aborted:
                raise ConnectionAbortedError("between TCP and TLS")
            sock = HandshakeSocket(self.sock, deadline, self._authorize)
            sock.do_handshake()
            self.handshake_response = upgrade(sock, url, *address, options)
            self.sock.settimeout(0.0)
            self._tls = isinstance(self.sock, ssl.SSLSocket)
            self.connected = True
        except BaseException as error:
            self.shutdown()
            _close_half_made(error)
            if self._aborted and isinstance(error, Exception):
                raise ConnectionAbortedError(f"opening {url} was aborted") from error
            raise

    def abort(self) -> None:
        """End the connection at once; for any thread, at any time, any number of times.

        During TLS and upgrade, `open_websocket` raises ConnectionAbortedError. A TCP connect (or
        a DNS query) cannot be interrupted: it takes its own time first. On an open connection it
        is as if the peer had gone: `receive()` raises `ConnectionClosed` with 1006.
        """
        self._aborted = True
        with self._socket_lock:
            if self.sock is not None:
                # Not SSLSocket's own shutdown(), which would go on in plain text.
                with suppress(OSError):
                    socket.socket.shutdown(self.sock, socket.SHUT_RDWR)

    # --- receiving -----------------------------------------------------------------------------

    def receive(self) -> list[memoryview]:
        """Read once and return the payload of every data message that is complete now.

        The views are valid until the next `receive()`: decode or copy what is to last. Empty when
        nothing has arrived, or only a part, or only control frames. Pings are answered here,
        violations and the peer's close frame too.

        Raises `ConnectionClosed` when it is over: at once when no message is left to be returned,
        otherwise in the next call, and then in every one.
        """
        if self._closed is not None:
            raise self._closed
        if self.sock is None:
            self._end(ABNORMAL_CLOSURE, "the socket has been shut down")
        reader = self._reader
        room = reader.room()
        received = self.received = 0
        failed = False
        try:
            received = self.sock.recv_into(room)
            if self._tls:
                # One record a call: the rest of what is there, too.
                while received and len(room) - received >= LARGEST_RECORD:
                    more = self.sock.recv_into(room[received:])
                    if not more:
                        break
                    received += more
        except WOULD_BLOCK:
            if not received:
                self._filled = False
                return []
        except OSError as error:
            if not received:
                self._end(ABNORMAL_CLOSURE, f"connection lost: {error}", error)
            failed = True  # and fails again, when what came before it has been taken
        if not received:
            self._end(ABNORMAL_CLOSURE, "end of the stream without a close frame")
        self.received = received
        self._filled = failed or len(room) - received < (LARGEST_RECORD if self._tls else 1)
        messages = reader.messages(received)
        if reader.controls or reader.ending is not None:
            self._answer()
            if self._closed is not None and not messages:
                raise self._closed
        return messages

    @property
    def pending(self) -> bool:
        """Whether to call `receive()` without asking a selector, which could not tell.

        True when decrypted bytes wait inside TLS (also right after the upgrade), when the last
        read filled the buffer, and when `receive()` is due to raise.
        """
        if self._filled or self._closed is not None:
            return True
        return self._tls and self.sock is not None and cast(ssl.SSLSocket, self.sock).pending() > 0

    def take_pongs(self) -> list[tuple[bytes, float]]:
        """The pongs since the last call: payload and `time.monotonic()` of arrival.

        Of more than 64 the newest 64.
        """
        pongs = list(self.pongs)
        self.pongs.clear()
        return pongs

    def _answer(self) -> None:
        """Do what the control frames and the ending of the last read call for."""
        reader = self._reader
        now = time.monotonic()
        for opcode, payload in reader.controls:
            if opcode != PING:
                self.pongs.append((payload, now))
            else:
                with suppress(ConnectionClosed):  # kept for the owner's next send
                    self.pong(payload)
        reader.controls.clear()
        if reader.ending is not None:
            code, reason, violation = reader.ending
            self._closed = ConnectionClosed(code, reason, local=violation)
            with suppress(ConnectionClosed):  # a peer that cannot be told is gone all the same
                self._send_close(code, reason if violation else "")

    def _end(self, code: int, reason: str, cause: BaseException | None = None) -> NoReturn:
        self._closed = ConnectionClosed(code, reason)
        raise self._closed from cause

    # --- sending -------------------------------------------------------------------------------

    def _send(self, data: bytes | str) -> int:
        """All of `data`, or `ConnectionClosed`: the library's hook below every way to send."""
        if self._send_failure is not None:
            raise self._send_failure
        sock = self.sock
        if sock is None:
            raise ConnectionClosed(ABNORMAL_CLOSURE, "the socket has been shut down")
        try:
            sock.settimeout(self._send_timeout)
            sock.sendall(cast(bytes, data))
            sock.settimeout(0.0)
        except OSError as error:
            self._send_failure = ConnectionClosed(ABNORMAL_CLOSURE, f"cannot send: {error}")
            with suppress(OSError):
                sock.settimeout(0.0)
            raise self._send_failure from error
        return len(data)

    # --- closing -------------------------------------------------------------------------------

    def start_close(self, code: int = NORMAL_CLOSURE, reason: str = "") -> None:
        """Send the close frame, once: any later call does nothing. Does not wait.

        Go on with `receive()`: messages may still come, and then `ConnectionClosed` with the
        peer's code. A reason longer than 123 bytes is cut. Raises ValueError for a code that no
        frame may carry, and `ConnectionClosed` when it cannot be sent.
        """
        if not is_valid_close_code(code):
            raise ValueError(f"not a close code that can be sent: {code}")
        self._send_close(code, reason)

    def _send_close(self, code: int, reason: str) -> None:
        if self._close_sent:
            return
        self._close_sent = True
        payload = b""
        if code != NO_STATUS_RECEIVED:
            words = reason.encode()[:LONGEST_CLOSE_REASON].decode("utf-8", "ignore")
            payload = code.to_bytes(2, "big") + words.encode()
        self.send(payload, websocket.ABNF.OPCODE_CLOSE)

    def close(
        self, status: int = NORMAL_CLOSURE, reason: str | bytes = "", timeout: float | None = 3.0
    ) -> None:
        """The whole of closing in one call, for those who need no messages any more.

        `start_close()`, up to `timeout` seconds (None: no limit) for the peer's close frame, and
        `shutdown()`.
        """
        words = reason if isinstance(reason, str) else reason.decode("utf-8", "ignore")
        deadline = None if timeout is None else time.monotonic() + timeout
        with suppress(ConnectionClosed), selectors.DefaultSelector() as selector:
            if self.sock is not None:
                self.start_close(status, words)
                selector.register(self.sock, selectors.EVENT_READ)
            left = timeout
            while self.sock is not None and (left is None or left > 0):
                if self.pending or selector.select(left):
                    self.receive()
                left = None if deadline is None else deadline - time.monotonic()
        self.shutdown()

    def linger(self, timeout: float) -> None:
        """After a violation: let the peer read the close frame, for `timeout` seconds at most.

        Bytes that nobody has read make the system end a connection with a reset, and that can
        overtake the frame. So whatever still comes is read and thrown away, until the peer ends.
        """
        deadline = time.monotonic() + timeout
        waste = bytearray(64 * 1024)
        with suppress(OSError), selectors.DefaultSelector() as selector:
            if self.sock is None:
                return
            selector.register(self.sock, selectors.EVENT_READ)
            while (left := deadline - time.monotonic()) > 0:
                try:
                    if not self.sock.recv_into(waste):
                        return
                except WOULD_BLOCK:
                    selector.select(left)

    def shutdown(self) -> None:
        """Free the socket at once, without a word to the peer. Never raises; owner's thread."""
        with self._socket_lock:
            super().shutdown()  # type: ignore[no-untyped-call]  # as the library has it

    def recv_frame(self) -> NoReturn:
        """Not for this class: the library's reading would miss what the buffer holds."""
        raise NotImplementedError("BulkWebSocket is read with receive()")


def _close_half_made(error: BaseException) -> None:
    """Close the SSLSocket that nobody was given: one whose peer has reset the connection when it
    is to be made leaves ``ssl`` as an exception, still open, and only that knows of it.
    """
    for frame, _ in traceback.walk_tb(error.__traceback__):
        made = frame.f_locals.get("self")
        if isinstance(made, ssl.SSLSocket):
            made.close()
