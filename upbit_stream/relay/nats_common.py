"""What sink and source share on NATS: its names, the loop, what its errors mean.

==============================  ===============================================================
stream ``UPBIT``                all that is published, on the subjects below
``upbit.trade.KRW-BTC``         the entries of a lane
``upbit.notices``               gaps and states
bucket ``upbit-reports``        ``publisher.NAME`` and ``consumer.NAME``; they last six seconds
bucket ``upbit-members``        ``GROUP=MEMBER``, what it wants; they last three seconds
bucket ``upbit-groups``         of each group who has which lane, and how far it has come
==============================  ===============================================================

nats-py is asyncio; its loop runs on a thread of its own, and nothing of it is seen outside.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Coroutine, Iterable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import contextmanager, suppress
from ssl import SSLContext
from typing import Any, TypeVar

from upbit_stream.relay.brokers import (
    BrokerRefused,
    BrokerUnavailable,
    public_url,
    unreachable,
    wrong_password,
)
from upbit_stream.relay.lanes import Lane
from upbit_stream.workers import LOOK_AROUND, Worker, numbered

__all__ = ["DUPLICATES", "NOTICES", "STREAM", "NatsLink", "subject_of"]

_log = logging.getLogger("upbit_stream")

T = TypeVar("T")

STREAM = "UPBIT"
NOTICES = "upbit.notices"

# Seconds for connecting, and for an answer: after them the broker counts as away.
_CONNECT = 3.0
_ANSWER = 5.0

# Seconds between pings; after two of them without an answer the connection is lost.
_PING = 1.5

#: Seconds for which the broker knows an event that comes again.
DUPLICATES = 120.0

# Said of a stream that a consumer has made, because none was there: how much it keeps is for the
# first publisher to say.
_UNSETTLED = "made by a consumer"

# What the server says of a stream that there is, with other settings.
_IN_USE = 10058

_LOST = "{}: the connection was lost"
_WITH_PASSWORD = "nats://user:password@host:4222"

#: Seconds that a report lasts.
REPORTS_LAST = 6.0


def subject_of(lane: Lane) -> str:
    """The subject of a lane."""
    return f"upbit.{lane.type}.{lane.code}"


class NatsLink:
    """A connection with its loop."""

    def __init__(self, url: str, ssl_context: SSLContext | None = None) -> None:
        self._url = url
        # None: the system's certificates, verified.
        self._tls = {} if ssl_context is None else {"tls": ssl_context}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._worker: Worker | None = None
        # Whether it was told that the stream keeps something else.
        self._warned = False
        # What the client has met last. Written on the loop.
        self._why: Exception | None = None
        self.client: Any = None
        self.jetstream: Any = None

    def open(self, **retention: Any) -> str:
        """Connect, and have the stream; what tells this stream from one that was made anew.

        ``retention``: what it is to keep, from whoever publishes: the first publisher decides, and
        another one that wants something else is told in the log. A consumer takes it as it is.
        """
        try:
            import nats
        except ModuleNotFoundError as missing:
            raise ModuleNotFoundError(
                f"{public_url(self._url)} needs the package nats-py: pip install "
                '"upbit-stream[nats]"',
                name=missing.name,
            ) from missing
        del nats
        self._start()
        try:
            return self.call(self._connect(retention), _CONNECT + _ANSWER)
        except BaseException:
            self.close()
            raise

    def _start(self) -> None:
        loop = asyncio.new_event_loop()
        running = threading.Event()

        def run() -> None:
            asyncio.set_event_loop(loop)
            loop.call_soon(running.set)
            loop.run_forever()
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

        self._loop = loop
        self._worker = Worker(numbered("upbit-nats"), run)
        self._worker.start()
        running.wait(_CONNECT)

    async def _connect(self, retention: dict[str, Any]) -> str:
        from upbit_stream.relay.nats_client import BulkClient

        async def note(error: Exception) -> None:
            """It is raised where it matters, but of some the client does not say why."""
            self._why = error

        self._why = None
        # Known before it is connected: what fails half way must be closed, too.
        self.client = BulkClient()
        await self.client.connect(
            self._url,
            connect_timeout=int(_CONNECT),
            allow_reconnect=False,
            max_reconnect_attempts=1,
            ping_interval=_PING,
            max_outstanding_pings=2,
            error_cb=note,
            **self._tls,
        )
        self.jetstream = self.client.jetstream(timeout=_ANSWER, publish_async_max_pending=100_000)
        info = await self._find_or_make(retention)
        if retention and info.config.description == _UNSETTLED:
            info = await self.jetstream.update_stream(**self._settings(retention))
        self._compare(info.config, retention)
        return str(info.created)

    async def _find_or_make(self, retention: dict[str, Any]) -> Any:
        from nats.js.errors import BadRequestError, NotFoundError

        try:
            return await self.jetstream.stream_info(STREAM)
        except NotFoundError:
            pass
        try:
            return await self.jetstream.add_stream(**self._settings(retention))
        except BadRequestError as error:
            if error.err_code != _IN_USE:
                raise
            # Somebody has made it at this very moment.
            return await self.jetstream.stream_info(STREAM)

    def _settings(self, retention: dict[str, Any]) -> dict[str, Any]:
        return {
            "name": STREAM,
            "subjects": ["upbit.>"],
            "description": "" if retention else _UNSETTLED,
            # The server takes none that is longer than the messages last.
            "duplicate_window": min(DUPLICATES, retention.get("max_age", DUPLICATES)),
            **(retention or {"max_msgs_per_subject": 10_000}),
        }

    def _compare(self, there: Any, retention: dict[str, Any]) -> None:
        other = {name: getattr(there, name) for name in retention}
        if other != retention and not self._warned:
            self._warned = True
            _log.warning(
                "%s: the stream %s keeps %s there, as another publisher or you have set it, and "
                "not %s: it stays as it is; give all publishers the same, or change it with "
                "the nats tool (nats stream edit %s)",
                public_url(self._url),
                STREAM,
                _told(other),
                _told(retention),
                STREAM,
            )

    def call(self, coroutine: Coroutine[Any, Any, T], timeout: float = _ANSWER) -> T:
        """Have it done on the loop; what it returns. Errors of nats-py are raised as ours."""
        return self.wait(self.begin(coroutine), timeout)

    def begin(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Have it done on the loop meanwhile; to be waited for, or not."""
        loop = self._loop
        if loop is None:
            coroutine.close()
            raise BrokerUnavailable("not connected")
        return asyncio.run_coroutine_threadsafe(coroutine, loop)

    def wait(self, future: Future[T], timeout: float = _ANSWER) -> T:
        """What comes of it. Errors of nats-py are raised as ours."""
        with self._translated():
            try:
                return self._look_at(future, time.monotonic() + timeout)
            finally:
                future.cancel()

    def _look_at(self, future: Future[T], deadline: float) -> T:
        """What comes of it; not for as long as the deadline allows if the connection is lost."""
        while True:
            left = deadline - time.monotonic()
            try:
                return future.result(max(0.0, min(left, LOOK_AROUND)))
            except (FutureTimeoutError, asyncio.TimeoutError):
                if future.done():
                    return future.result()  # it came at this moment, or raises that itself
                if left <= 0:
                    raise
                if self.client is not None and self.client.is_closed:
                    raise BrokerUnavailable(_LOST.format(public_url(self._url))) from None

    @contextmanager
    def _translated(self) -> Iterator[None]:
        from nats import errors

        try:
            yield
        except errors.AuthorizationError as error:
            raise wrong_password(self._url, error, _WITH_PASSWORD) from error
        except (errors.Error, OSError, FutureTimeoutError, asyncio.TimeoutError) as error:
            if "authorization violation" in str(error).lower():
                raise wrong_password(self._url, error, _WITH_PASSWORD) from error
            raise unreachable(self._url, self._reason(error)) from error

    def _reason(self, error: BaseException) -> BaseException:
        """Why that is: ``error``, or what says more."""
        from nats import errors

        if isinstance(error, (FutureTimeoutError, asyncio.TimeoutError)):
            return TimeoutError()  # in Python 3.10 these are no such
        return self._why or error if isinstance(error, errors.NoServersError) else error

    def check(self) -> None:
        """:class:`BrokerUnavailable` when the connection is lost; :class:`BrokerRefused` when this
        user may not do what is needed.
        """
        if "permissions violation" in str(self._why).lower():
            raise BrokerRefused(
                f"{public_url(self._url)}: {self._why}; give that user the rights that the guide "
                "to the relay lists"
            )
        if self.client is None or not self.client.is_connected:
            raise BrokerUnavailable(_LOST.format(public_url(self._url)))

    async def check_stream(self, made: str) -> None:
        """:class:`BrokerUnavailable` when the stream is not the one that :meth:`open` has told:
        nothing comes of it any more, and the connection does not say so.
        """
        from nats.js.errors import NotFoundError

        try:
            there = str((await self.jetstream.stream_info(STREAM)).created)
        except NotFoundError:
            there = ""
        if there != made:
            raise BrokerUnavailable(
                f"{public_url(self._url)}: the stream {STREAM} was deleted; if that was not you, "
                "look who else uses that server"
            )

    async def trimmed(self, lanes: Iterable[Lane]) -> set[Lane]:
        """See :meth:`~upbit_stream.relay.brokers.Source.trimmed`."""
        info = await self.jetstream.stream_info(STREAM, subjects_filter="upbit.>")
        state, config = info.state, info.config
        if state.first_seq <= 1 and not state.num_deleted:
            return set()
        if config.max_age or (config.max_msgs or -1) > 0 or (config.max_bytes or -1) > 0:
            return set(lanes)  # it may have been anything
        kept, counts = config.max_msgs_per_subject, state.subjects or {}
        return {lane for lane in lanes if 0 < kept <= counts.get(subject_of(lane), 0)}

    async def end(self) -> int:
        """The sequence of the newest message of the stream; 0 of an empty one."""
        return int((await self.jetstream.stream_info(STREAM)).state.last_seq)

    async def let_go(self, subject: str, sequence: int, seconds: float) -> bool:
        """Whether the stream may have let go of messages of a subject that came after that one,
        within the last ``seconds``.
        """
        from nats.js.errors import NotFoundError

        with suppress(NotFoundError):
            if sequence and await self.jetstream.get_msg(STREAM, seq=sequence):
                return False
        info = await self.jetstream.stream_info(STREAM, subjects_filter=subject)
        config, count = info.config, (info.state.subjects or {}).get(subject, 0)
        too_old = bool(config.max_age) and seconds > config.max_age
        return bool(too_old or 0 < config.max_msgs_per_subject <= count)

    async def bucket(self, name: str, ttl: float | None = None) -> Any:
        """A bucket of keys and values, which is made if there is none."""
        from nats.js.errors import BucketNotFoundError

        try:
            return await self.jetstream.key_value(name)
        except BucketNotFoundError:
            return await self.jetstream.create_key_value(bucket=name, ttl=ttl, history=1)

    async def leave_report(self, key: str, report: bytes) -> dict[str, bytes]:
        """Leave a report under a key; all reports, by key."""
        bucket = await self.bucket("upbit-reports", REPORTS_LAST)
        await bucket.put(key, report)
        return await self.reports(bucket)

    async def reports(self, bucket: Any = None) -> dict[str, bytes]:
        """All reports, by key."""
        bucket = bucket or await self.bucket("upbit-reports", REPORTS_LAST)
        return await entries_of(bucket)

    def close(self) -> None:
        """End the connection, the loop and its thread."""
        loop, worker, client = self._loop, self._worker, self.client
        self._loop = self._worker = self.client = self.jetstream = None
        if loop is None or worker is None:
            return

        async def end() -> None:
            if client is not None:
                await client.close()
            rest = [one for one in asyncio.all_tasks() if one is not asyncio.current_task()]
            for task in rest:
                task.cancel()
            await asyncio.gather(*rest, return_exceptions=True)

        future = asyncio.run_coroutine_threadsafe(end(), loop)
        try:
            future.result(2.0)
        except Exception:
            future.cancel()  # it is lost anyway
        loop.call_soon_threadsafe(loop.stop)
        worker.join(float("inf"))


def _told(retention: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value:g}" for name, value in retention.items())


async def entries_of(bucket: Any) -> dict[str, bytes]:
    """What a bucket holds at this moment."""
    watcher = await bucket.watchall(ignore_deletes=True)
    found = {}
    try:
        async for entry in watcher:
            if entry is None:
                break
            found[entry.key] = bytes(entry.value or b"")
    finally:
        await watcher.stop()
    return found
