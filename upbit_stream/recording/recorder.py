"""``Recorder``: a callback with a buffer, and the thread that empties it."""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from collections import deque
from os import PathLike
from types import TracebackType
from typing import Any

import msgspec

from upbit_stream.errors import RecordingError
from upbit_stream.events import Event
from upbit_stream.recording.lines import Numbers, numbers_of
from upbit_stream.recording.lock import Lock
from upbit_stream.recording.names import Names, RecordingFormat, choose_format
from upbit_stream.recording.writer import Rotation, Writer
from upbit_stream.workers import LOOK_AROUND, Worker, at_the_very_end, numbered

__all__ = ["Recorder", "RecorderStats"]

_log = logging.getLogger("upbit_stream")

# So many events wake the thread, to be made into lines before it is time to write.
_BATCH = 2048
# Bytes of lines that are written before it is time: they are held in memory.
_FRAME = 4 << 20
# Parquet files are made once an hour, unless something else was asked for.
_PARQUET_SECONDS = 3600.0
# Seconds for what nobody has closed at the end of the process.
_UNATTENDED_CLOSE = 10.0


class RecorderStats(msgspec.Struct, frozen=True):
    """What a recorder has done since it was made; ``bytes`` and ``files`` are the recording's."""

    #: Events on the disk: they survive a crash.
    recorded: int
    #: Events in memory, which are on the disk an interval later.
    queued: int
    #: Events that are not recorded: refused, or given up when the disk did not take them.
    lost: int
    gaps: int
    drops: int
    bytes: int
    files: int


class Recorder:
    """Writes every event that it is called with, so that it survives whatever comes after.

    ::

        with Recorder("trades.jsonl.zst") as recorder, UpbitStream() as stream:
            stream.trade("KRW-BTC", callback=recorder)
            stream.on_gap(recorder.on_gap)
            stream.on_drop(recorder.on_drop)
            stream.run()

    A callback for any type of event, of several subscriptions and streams, on any thread. Events
    are on the disk ``flush_interval`` seconds later at the latest, and read back whole after a
    ``kill -9`` or a loss of power: :func:`~upbit_stream.recording.read_recording`. A recording
    that exists is gone on with.

    ``format``: ``"jsonl"``, ``"zstd"`` (lines of JSON in compressed frames) or ``"parquet"``; by
    default what the name says. ``rotate_bytes``, ``rotate_seconds``: begin another file (of this
    name with a number) at this size on the disk, after this time; Parquet files are made when
    they are complete, by default once an hour. ``buffer_size``: events in memory; when so many
    wait for a slow disk the callback waits, and the subscription's ``overflow`` decides.

    A callback that a full disk leaves no room for raises :class:`RecordingError`, which
    ``on_error`` is told; every event that is not recorded is counted in ``stats.lost``. What the
    disk did not take is tried again every interval.

    Raises ``ValueError`` for impossible arguments, ``ImportError`` without the extra
    ``recording`` (which lines without compression do not need), and :class:`RecordingError` when
    the file cannot be written, is no recording, or has another recorder.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        format: RecordingFormat | None = None,
        flush_interval: float = 1.0,
        rotate_bytes: int | None = None,
        rotate_seconds: float | None = None,
        buffer_size: int = 20_000,
    ) -> None:
        for name, value in (
            ("flush_interval", flush_interval),
            ("rotate_bytes", rotate_bytes),
            ("rotate_seconds", rotate_seconds),
            ("buffer_size", buffer_size),
        ):
            if value is not None and not 0 < value < float("inf"):
                raise ValueError(f"{name}={value!r}: give a number above 0")
        chosen = choose_format(path, format)
        if chosen == "parquet" and rotate_bytes is None and rotate_seconds is None:
            rotate_seconds = _PARQUET_SECONDS
        self._names = Names(path)
        self._interval = flush_interval
        self._limit = buffer_size
        self._batch = min(_BATCH, max(1, buffer_size // 2))
        try:
            self._file_lock = Lock(self._names.lock, self._names.path)
            try:
                self._writer = Writer(
                    self._names, chosen, Rotation(bytes=rotate_bytes, seconds=rotate_seconds)
                )
            except BaseException:
                self._file_lock.release()
                raise
        except OSError as error:
            raise RecordingError(
                f"cannot record to {self._names.path}: {error.strerror or error}; check the "
                "folder and its "
                "permissions, or choose another file"
            ) from error
        # Guards everything below; never held while anything is encoded or written.
        self._lock = threading.Lock()
        # For the thread: there is something to do. For callbacks: there is room again.
        self._wake = threading.Condition(self._lock)
        self._room = threading.Condition(self._lock)
        # For flush(): a round has ended.
        self._round = threading.Condition(self._lock)
        self._pending: deque[Event] = deque()
        self._gaps: list[Any] = []
        self._drops: list[Any] = []
        self._numbers: Numbers | None = self._writer.numbers
        self._closing = False
        # Why events are refused; None while they are not.
        self._failure: OSError | None = None
        # Events taken from the buffer that are not on the disk yet.
        self._in_hand = 0
        self._stats = RecorderStats(0, 0, 0, 0, 0, 0, 0)
        self._lost_untold = 0
        # Flushes that were asked for, and up to which one they are done.
        self._asked = 0
        self._done = 0
        self._next_write = time.monotonic() + flush_interval
        self._tell_size()
        self._worker = Worker(numbered("upbit-recorder"), self._run)
        self._worker.start()
        _recorders.add(self)

    # For streams to call.

    def __call__(self, event: Event) -> None:
        """Record an event. Raises :class:`RecordingError` when it will not be."""
        if not isinstance(event, Event):
            raise TypeError(
                f"give an event, not {type(event).__name__}: a recorder is a callback of a "
                "subscription"
            )
        numbers = numbers_of(event)
        with self._lock:
            self._wait_for_room()
            if numbers is not None and numbers != self._numbers:
                self._settle(numbers)
            self._pending.append(event)
            if len(self._pending) == self._batch:
                self._wake.notify()

    def on_gap(self, gap: Any) -> None:
        """Note a gap in the manifest: for ``stream.on_gap``. A :class:`Gap`, or a mapping."""
        self._note(self._gaps, gap)

    def on_drop(self, drop: Any) -> None:
        """Note what a full queue has dropped in the manifest: for ``stream.on_drop``."""
        self._note(self._drops, drop)

    # For the person.

    @property
    def stats(self) -> RecorderStats:
        """The counters of this moment."""
        with self._lock:
            queued = len(self._pending) + self._in_hand
            return msgspec.structs.replace(self._stats, queued=queued)

    @property
    def failure(self) -> OSError | None:
        """Why nothing can be written at the moment; None when all is well."""
        return self._failure

    @property
    def closed(self) -> bool:
        """Whether nothing is recorded any more."""
        return self._closing

    def flush(self, timeout: float = 10.0) -> None:
        """Wait until what was recorded before is on the disk.

        Raises :class:`RecordingError` when it cannot be written, ``TimeoutError`` when that took
        longer than ``timeout`` seconds.
        """
        deadline = time.monotonic() + timeout
        with self._lock:
            if self._closing:
                return
            self._asked += 1
            mine = self._asked
            self._wake.notify()
            while self._done < mine and self._worker.alive:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError(
                        f"{self._names.path} was not written within {timeout} s; give it more "
                        "time (timeout=…), or "
                        "a faster disk"
                    )
                self._round.wait(min(left, LOOK_AROUND))
            if self._failure is not None:
                raise RecordingError(self._why(self._failure)) from self._failure

    def close(self, timeout: float = 60.0) -> bool:
        """Write what is in memory, and end; whether that was done within ``timeout`` seconds.

        Of a Parquet recording the last file is made, which takes a second for a few hundred
        thousand events. May be called again. Raises :class:`RecordingError`, once, when events
        could not be written.
        """
        deadline = time.monotonic() + timeout
        with self._lock:
            first, self._closing = not self._closing, True
            for condition in (self._wake, self._room, self._round):
                condition.notify_all()
        ended = self._worker.join(deadline)
        if ended and first:
            _recorders.discard(self)
            self._file_lock.release()
            self._check_end()
        return ended

    def _check_end(self) -> None:
        with self._lock:
            # Of a thread that has died.
            left = len(self._pending) + self._in_hand
            self._lose(left)
            self._pending.clear()
            self._in_hand = 0
            lost, failure = self._stats.lost, self._failure
        if failure is not None or left:
            why = "the thread has died" if failure is None else failure.strerror or failure
            raise RecordingError(
                f"{self._names.path} is not complete: {why}; {lost} events are lost. What was "
                "written "
                "can be read; make room, and record on to the same file",
                lost=lost,
            ) from failure

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.close()
        except RecordingError as failed:
            if error is None:
                raise
            # What ended the block is what is raised.
            _log.error("%s", failed)

    # What the callers' threads do, with the lock.

    def _wait_for_room(self) -> None:
        while len(self._pending) >= self._limit and self._failure is None and not self._closing:
            if not self._worker.alive:
                self._refuse("its thread has died; make a new Recorder")
            self._room.wait(LOOK_AROUND)
        if self._closing:
            self._refuse("it is closed; make a new Recorder, it goes on with the file")
        if self._failure is not None and len(self._pending) >= self._limit:
            self._refuse(self._why(self._failure), self._failure)

    def _refuse(self, why: str, cause: OSError | None = None) -> None:
        self._lose(1)
        raise RecordingError(
            f"an event is not recorded in {self._names.path}: {why}", lost=1
        ) from cause

    def _settle(self, numbers: Numbers) -> None:
        if self._numbers is not None:
            self._refuse(
                f"its numbers are of kind {self._numbers!r}, and the event's {numbers!r} "
                "(the setting numbers of a StreamConfig); give them a recording of their own; "
                "choose another file"
            )
        self._numbers = numbers

    def _note(self, notices: list[Any], notice: Any) -> None:
        plain = msgspec.to_builtins(notice)
        with self._lock:
            notices.append(plain)

    def _lose(self, count: int) -> None:
        self._lost_untold += count
        self._stats = msgspec.structs.replace(self._stats, lost=self._stats.lost + count)

    def _why(self, error: OSError) -> str:
        return (
            f"{self._names.path} cannot be written: {error.strerror or error}; make room, or check "
            "the disk"
        )

    # The thread.

    def _run(self) -> None:
        while not self._round_of_work():
            pass
        try:
            self._writer.note([], [], self._lost_untold)
            self._writer.close()
        except OSError as error:
            self._fail(error)
        with self._lock:
            self._tell_size()

    def _round_of_work(self) -> bool:
        """Take what has come, and write if it is time; whether it was the last round."""
        writer = self._writer
        with self._lock:
            left = self._next_write - time.monotonic()
            self._wake.wait_for(self._has_work, max(0.0, min(left, LOOK_AROUND)))
            closing, asked = self._closing, self._asked
            events: list[Event] = []
            # While the disk takes nothing, more in hand would only be more memory.
            takes = self._failure is None or closing
            if takes:
                events = list(self._pending)
                self._pending.clear()
            self._in_hand += len(events)
            gaps, drops, lost = self._gaps, self._drops, self._lost_untold
            self._gaps, self._drops, self._lost_untold = [], [], 0
            numbers = self._numbers
            self._room.notify_all()
        if numbers is not None and writer.numbers is None:
            writer.set_numbers(numbers)
        writer.note(gaps, drops, lost)
        impossible = writer.add(events) if events else 0
        wanted = asked > self._done or closing
        full = writer.waiting >= _FRAME and self._failure is None
        if wanted or full or time.monotonic() >= self._next_write:
            self._write()
        with self._lock:
            self._in_hand -= impossible
            self._stats = msgspec.structs.replace(
                self._stats,
                lost=self._stats.lost + impossible,
                gaps=self._stats.gaps + len(gaps),
                drops=self._stats.drops + len(drops),
            )
            if wanted and (takes or self._failure is not None):
                self._done = asked
            self._round.notify_all()
        return closing

    def _has_work(self) -> bool:
        return (
            self._closing
            or self._asked > self._done
            or (len(self._pending) >= self._batch and self._failure is None)
        )

    def _write(self) -> None:
        before = self._writer.manifest.events
        try:
            self._writer.write()
        except OSError as error:
            self._fail(error)
        else:
            if self._failure is not None:
                _log.warning("%s can be written again", self._names.path)
                self._failure = None
        self._next_write = time.monotonic() + self._interval
        written = self._writer.manifest.events - before
        with self._lock:
            self._in_hand -= written
            self._stats = msgspec.structs.replace(
                self._stats, recorded=self._stats.recorded + written
            )
            self._tell_size()

    def _fail(self, error: OSError) -> None:
        if self._failure is None:
            _log.error("%s; it is tried again every %g s", self._why(error), self._interval)
        with self._lock:
            self._failure = error
            if self._closing:
                # This was the last attempt.
                self._lose(len(self._pending) + self._in_hand)
                self._pending.clear()
                self._in_hand = 0
            self._room.notify_all()

    def _tell_size(self) -> None:
        files = self._writer.manifest.files
        self._stats = msgspec.structs.replace(
            self._stats, bytes=sum(file.bytes for file in files), files=len(files)
        )

    # Forks, and the end of the process.

    def _disown(self) -> None:
        """In the child of a fork, where the thread does not exist: have been closed."""
        self._lock = threading.Lock()
        self._wake = self._room = self._round = threading.Condition(self._lock)
        self._pending.clear()
        self._closing = True
        self._worker = Worker(self._worker.name, self._run)  # never started: has ended
        self._writer.forget()
        self._file_lock.forget()


_recorders: weakref.WeakSet[Recorder] = weakref.WeakSet()


def _close_all() -> None:
    for recorder in list(_recorders):
        try:
            if not recorder.close(_UNATTENDED_CLOSE):
                _log.error(
                    "%s was not closed in time; close() a recorder, or use 'with', before the "
                    "program ends",
                    recorder._names.path,
                )
        except RecordingError as error:
            _log.error("%s", error)


# When the streams have delivered what they had.
at_the_very_end(_close_all)


def _after_fork() -> None:
    for recorder in list(_recorders):
        recorder._disown()
    _recorders.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
