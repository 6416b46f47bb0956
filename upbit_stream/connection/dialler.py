"""Making the connection: attempt after attempt, within the limits, until one succeeds."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from upbit_stream.config import StreamConfig
from upbit_stream.connection.causes import ConnectTimeout, Verdict
from upbit_stream.connection.opening import Opening
from upbit_stream.connection.retry import retrying
from upbit_stream.connection.waker import Waker
from upbit_stream.limiter import connect_limiter
from upbit_stream.transport import BulkWebSocket, open_websocket
from upbit_stream.workers import Worker

__all__ = ["Dialler", "Interrupted", "when"]

_log = logging.getLogger("upbit_stream")

# Seconds; no selector takes a time of weeks.
_LONGEST_WAIT = 3600.0


class Interrupted(BaseException):
    """The connection is to be closed: leave whatever is being waited for.

    Not an ``Exception``: no handler of failures, tenacity's included, is to take it for one.
    """


class Dialler:
    """Opens sockets for one connection. Belongs to its I/O thread, but for :attr:`threads`.

    ``closing`` says whether the connection is to be closed; a wake-up of ``waker`` has it asked.
    """

    def __init__(
        self,
        name: str,
        url: str,
        config: StreamConfig,
        waker: Waker,
        closing: Callable[[], bool],
        authorize: Callable[[], str] | None,
    ) -> None:
        self._name = name
        self._url = url
        self._config = config
        self._waker = waker
        self._closing = closing
        self._authorize = authorize
        self._attempts = 0
        # Attempts that were abandoned may still hang in a system call.
        self._threads: tuple[Worker, ...] = ()

    @property
    def threads(self) -> tuple[Worker, ...]:
        """The threads of attempts, which may still run. For any thread."""
        return self._threads

    def connect(self, attempts_before: int) -> BulkWebSocket:
        """An open socket. Raises the last attempt's own exception when there is to be no further
        one, and :class:`Interrupted`.
        """
        retrier = retrying(
            self._config.reconnect,
            sleep=self.sleep,
            tell=self._attempt_failed,
            attempts_before=attempts_before,
        )
        return retrier(self._attempt)

    def try_begin(self) -> Opening | None:
        """As :meth:`begin`, if the limit on connecting allows it now."""
        return None if connect_limiter(self._url).take() > 0 else self.begin()

    def part(self, websocket: BulkWebSocket, timeout: float) -> None:
        """Close a socket that is needed no more, on a thread of its own: the server gets
        ``timeout`` seconds to answer.
        """
        farewell = Worker(
            f"upbit-farewell-{self._name}-{self._attempts}",
            lambda: websocket.close(timeout=timeout),
        )
        self._threads = (*(one for one in self._threads if one.alive), farewell)
        farewell.start()

    def begin(self) -> Opening:
        """Start one attempt, on a thread of its own."""
        self._attempts += 1
        name = f"upbit-connect-{self._name}-{self._attempts}"
        opening = Opening(name, self._open, self._waker.wake)
        self._threads = (*(one for one in self._threads if one.alive), opening.worker)
        opening.worker.start()
        return opening

    def heed(self, verdict: Verdict) -> None:
        """A stated wait is for everyone in this process who connects to that host."""
        if verdict.wait_at_least > 0:
            connect_limiter(self._url).hold(verdict.wait_at_least)

    def sleep(self, seconds: float) -> None:
        """Wait; raises :class:`Interrupted` as soon as the connection is to be closed."""
        until = time.monotonic() + seconds
        while not self._closing():
            left = until - time.monotonic()
            if left <= 0:
                return
            self._waker.wait(min(left, _LONGEST_WAIT))
        raise Interrupted

    def _attempt(self) -> BulkWebSocket:
        limiter = connect_limiter(self._url)
        while (wait := limiter.take()) > 0:
            self.sleep(wait)
        if self._closing():
            raise Interrupted
        opening = self.begin()
        deadline = time.monotonic() + self._config.connect_timeout
        while not opening.done:
            self._waker.wait(deadline - time.monotonic())
            if self._closing():
                opening.abandon()
                raise Interrupted
            if not opening.done and time.monotonic() >= deadline:
                opening.abandon()
                raise ConnectTimeout(f"no connection within {self._config.connect_timeout:g} s")
        return opening.result()

    def _open(self, on_created: Callable[[BulkWebSocket], None]) -> BulkWebSocket:
        return open_websocket(
            self._url,
            timeout=self._config.connect_timeout,
            authorize=self._authorize,
            ssl_context=self._config.ssl_context,
            max_message_size=self._config.max_message_size,
            on_created=on_created,
        )

    def _attempt_failed(self, verdict: Verdict, delay: float) -> None:
        self.heed(verdict)
        _log.warning(
            "%s (%s): %s; trying again %s", self._name, self._url, verdict.cause, when(delay)
        )


def when(delay: float) -> str:
    """``delay`` seconds, for people."""
    return "at once" if delay < 0.05 else f"in {delay:.1f} s"
