"""Asking Upbit's REST, within its limits: what the socket missed can be had there."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Mapping
from ssl import SSLContext
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from upbit_stream.config import ReconnectPolicy, reconnect_delay
from upbit_stream.limiter import CallLimiter, rest_limiter
from upbit_stream.protocol.limits import stated_wait
from upbit_stream.proxies import find_proxy
from upbit_stream.recovery.underway import Underway

if TYPE_CHECKING:
    import urllib3

__all__ = ["RestClient", "RestFailed", "make_pool"]

# Seconds for connecting and for each read. Closing may have to wait for as long.
_TIMEOUT = 2.0

# Seconds for a whole answer, however it drips.
_WHOLE = 10.0
_CHUNK = 1 << 16

# Seconds without a call after a 429 that states no time.
_PAUSE = 1.0

# Tries in a row after which nobody is there: live events should not wait any longer for nothing.
_UNANSWERED = 8

# How long to wait between two tries. (The interval between reconnects is of no concern here.)
_RETRY = ReconnectPolicy()


class RestFailed(Exception):
    """REST did not give what was asked for: a sentence for people."""


class RestClient:
    """Calls of one stream's REST interface. Any thread may ask; ``cancel`` ends every wait."""

    def __init__(self, rest_url: str, ssl_context: SSLContext | None = None) -> None:
        self._rest_url = rest_url
        self._ssl_context = ssl_context
        # Guards the making of the pool of connections, which is thread-safe itself.
        self._lock = threading.Lock()
        self._pool: urllib3.PoolManager | None = None
        self._cancelled = threading.Event()
        self._underway = Underway()

    def get(self, path: str, fields: Mapping[str, str], *, group: str, deadline: float) -> bytes:
        """The body of the answer. Tries again, within the limits, until ``deadline`` (of
        ``time.monotonic()``), or until nobody answers; raises :class:`RestFailed`.
        """
        limiter = rest_limiter(self._rest_url, group)
        attempt = unanswered = 0
        why = "there was no time left to ask"
        while True:
            while (wait := limiter.take()) > 0:
                self.sleep(wait, deadline, why)
            try:
                status, headers, body = self._counted(limiter, path, fields, deadline, why)
            except _NoAnswer as failure:
                why = str(failure)
                unanswered += 1
                if unanswered == _UNANSWERED:
                    raise RestFailed(why) from failure
            else:
                unanswered = 0
                if status == 200:
                    return body
                why = f"{path} was answered with HTTP {status}"
                if status in (418, 429):
                    # For everyone in this process: the exchange counts by address.
                    limiter.hold(stated_wait(headers, body) or _PAUSE)
                elif status < 500:
                    raise RestFailed(why)
            self.sleep(reconnect_delay(_RETRY, attempt, random.uniform(-1, 1)), deadline, why)
            attempt += 1

    def sleep(self, seconds: float, deadline: float, why: str) -> None:
        """Wait; raises :class:`RestFailed` with ``why`` if that would go beyond ``deadline``, and
        at once when the client is cancelled.
        """
        if time.monotonic() + seconds > deadline:
            raise RestFailed(why)
        if self._cancelled.wait(seconds):
            raise RestFailed("the stream was closed")

    def cancel(self) -> None:
        """Ask nothing any more; what is being asked is cut off, but for a connection that is being
        made: that ends within seconds. Takes no lock that is held for long.
        """
        self._cancelled.set()
        self._underway.end()
        self.rest()

    def look(self, now: float) -> None:
        """Cut off calls that take too long, however the answer drips. Called now and then."""
        self._underway.look(now)

    def rest(self) -> None:
        """Let go of the open connections until the next call."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.clear()

    def _counted(
        self,
        limiter: CallLimiter,
        path: str,
        fields: Mapping[str, str],
        deadline: float,
        why: str,
    ) -> tuple[int, Mapping[str, str], bytes]:
        """With a permission of the limiter, which learns when it was used."""
        try:
            if time.monotonic() >= deadline:
                raise RestFailed(why)
            until = min(time.monotonic() + _WHOLE, deadline)
            with self._underway.call(until):
                return self._request(path, fields, until)
        finally:
            limiter.answered()

    def _request(
        self, path: str, fields: Mapping[str, str], until: float
    ) -> tuple[int, Mapping[str, str], bytes]:
        import urllib3  # only here: it takes time to import, and a good day needs none of it

        timeout = max(0.01, min(_TIMEOUT, until - time.monotonic()))
        try:
            response = self._connections().request(
                "GET",
                self._rest_url + path,
                fields=fields,
                timeout=urllib3.Timeout(connect=timeout, read=timeout),
                retries=False,
                preload_content=False,
                headers={"Accept": "application/json"},
            )
            body = bytearray()
            whole = False
            while not whole:
                chunk = response.read1(_CHUNK)
                body += chunk
                whole = not chunk
                # Also behind the last one: it may seem to be the end because it was cut off.
                if self._cancelled.is_set() or time.monotonic() > until:
                    response.close()
                    raise _NoAnswer(f"{path} takes too long")
            response.release_conn()
        except urllib3.exceptions.HTTPError as error:
            raise _NoAnswer(f"{path}: {type(error).__name__}: {error}") from error
        names = {name.lower(): value for name, value in response.headers.items()}
        return response.status, names, bytes(body)

    def _connections(self) -> urllib3.PoolManager:
        with self._lock:
            if self._pool is None:
                pool = make_pool(self._rest_url, self._ssl_context)
                self._pool = self._underway.follow(pool)
            return self._pool

    def disown(self) -> None:
        """In the child of a fork: the lock may be one that nobody will ever give back, and the
        connections are the parent's.
        """
        self._lock, self._pool, self._underway = threading.Lock(), None, Underway()
        self._cancelled = threading.Event()
        self._cancelled.set()


def make_pool(rest_url: str, ssl_context: SSLContext | None) -> urllib3.PoolManager:
    """Connections to that REST interface, through the environment's proxy if there is one."""
    import urllib3

    url = urlsplit(rest_url)
    # Looked up each time: a notebook may set it late.
    proxy = find_proxy(url.hostname or "", secure=url.scheme == "https")
    if proxy is None:
        return urllib3.PoolManager(ssl_context=ssl_context, maxsize=4)
    secret = ":".join(proxy.credentials) if proxy.credentials else None
    return urllib3.ProxyManager(
        f"http://{proxy.address}",
        proxy_headers=urllib3.make_headers(proxy_basic_auth=secret),
        ssl_context=ssl_context,
        maxsize=4,
    )


class _NoAnswer(Exception):
    """Nothing came back, or not all of it."""
