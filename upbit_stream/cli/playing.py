"""A recording, played again: its events at the times at which they came, or faster."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from upbit_stream.cli.failures import RunFailed
from upbit_stream.cli.texts import text
from upbit_stream.cli.views.picture import Playing, view_of
from upbit_stream.errors import RecordingError
from upbit_stream.recording import read_recording
from upbit_stream.recording.manifest import load
from upbit_stream.recording.names import Names
from upbit_stream.workers import Worker

__all__ = ["Clockwork", "RecordingFeed", "contents_of", "played"]

# A pause of the recording (its end, and its going on the next day) that is longer than this many
# seconds is left out.
_LONGEST_PAUSE = 60.0
# Seconds for the thread to end; it looks around as often while it waits.
_END = 3.0
_LOOK_AROUND = 0.2
# The bounds of the speed that keys change.
_FASTEST, _SLOWEST = 4096.0, 1 / 64


def contents_of(
    path: Path, until: Callable[[], bool] = lambda: False
) -> Mapping[str, Mapping[str, int]]:
    """Type → code → how many events the recording has; those so far once ``until()`` is true.

    Raises ``FileNotFoundError`` and :class:`~upbit_stream.errors.RecordingError`.
    """
    manifest = load(Names(path).manifest)
    if manifest is not None and manifest.closed and manifest.counts:
        return manifest.counts
    # None, or one that is behind: of a crash, or of a recorder that is at work.
    counts: dict[str, dict[str, int]] = {}
    for event in read_recording(path):
        codes = counts.setdefault(event.type, {})
        code = event.code or event.type
        codes[code] = codes.get(code, 0) + 1
        if until():
            break
    return counts


class Clockwork:
    """The time of a recording: how far it is, how fast it goes. For any thread."""

    def __init__(self, speed: float | None) -> None:
        # Guards everything below it; told when any of it changes.
        self._changed = threading.Condition()
        self._speed = speed
        self._paused = False
        self._stopped = False
        # At this moment (monotonic) it had come so far (seconds from the first event).
        self._since = time.monotonic()
        self._passed = 0.0

    @property
    def speed(self) -> float | None:
        """How many times as fast as it was recorded; None: nobody waits."""
        return self._speed

    @property
    def paused(self) -> bool:
        """Whether it stands still."""
        return self._paused

    def passed(self) -> float:
        """Seconds of the recording."""
        with self._changed:
            return self._now()

    def wait_for(self, moment: float, *, until: Callable[[], bool] = lambda: False) -> bool:
        """Wait until it is so far; False when it was stopped, or ``until()`` is true, before."""
        with self._changed:
            while not self._stopped and not until():
                if not self._paused:
                    if self._speed is None:
                        self._passed = max(self._passed, moment)
                        return True
                    left = (moment - self._now()) / self._speed
                    if left <= 0:
                        return True
                    self._changed.wait(min(left, _LOOK_AROUND))
                else:
                    self._changed.wait(_LOOK_AROUND)
            return False

    def begin(self) -> None:
        """The first event is there: it starts now."""
        with self._changed:
            self._since, self._passed = time.monotonic(), 0.0

    def toggle(self) -> None:
        """Stand still, or go on."""
        with self._changed:
            self._settle()
            self._paused = not self._paused
            self._changed.notify_all()

    def change_speed(self, factor: float) -> None:
        """Go faster or slower by ``factor``."""
        with self._changed:
            self._settle()
            self._speed = min(_FASTEST, max(_SLOWEST, (self._speed or 1.0) * factor))
            self._changed.notify_all()

    def stop(self) -> None:
        """Nobody waits any more."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _now(self) -> float:
        if self._paused or self._speed is None:
            return self._passed
        return self._passed + (time.monotonic() - self._since) * self._speed

    def _settle(self) -> None:
        self._passed, self._since = self._now(), time.monotonic()


def played(
    events: Iterable[Any], clockwork: Clockwork, until: Callable[[], bool] = lambda: False
) -> Iterator[Any]:
    """The events, each when it is its time."""
    # What is to be taken off the time of an event, in nanoseconds; None before the first.
    start: int | None = None
    last = 0
    for event in events:
        if start is None:
            start = event.received_at
            clockwork.begin()
        elif event.received_at - last > _LONGEST_PAUSE * 1e9:
            start += event.received_at - last
        last = event.received_at
        if not clockwork.wait_for((event.received_at - start) / 1e9, until=until):
            return
        yield event


class RecordingFeed:
    """Plays a recording for a viewer, on a thread of its own. A context manager.

    ``contents`` as :func:`contents_of` tells them, of what is to be shown.
    """

    def __init__(
        self,
        path: Path,
        contents: Mapping[str, Mapping[str, int]],
        take: Callable[[Any], None],
        speed: float | None,
        begun: float,
    ) -> None:
        views = {view_of(type_): type_ for type_ in reversed([*contents])}
        self.types: Sequence[str] = [type_ for type_ in contents if type_ in views.values()]
        self.units: Sequence[str] = [one for one in contents if one.startswith("candle")]
        self._path = path
        self._take = take
        self._begun = begun
        self._total = sum(sum(codes.values()) for codes in contents.values())
        self._wanted = {(type_, code) for type_, codes in contents.items() for code in codes}
        self._clockwork = Clockwork(speed)
        self._worker = Worker("upbit-replay", self._work)
        # Written by the worker alone, each in one step.
        self._count = 0
        self._received_at = 0
        self._error: Exception | None = None
        self._ended = False

    def __enter__(self) -> RecordingFeed:
        self._worker.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._clockwork.stop()
        self._worker.join(time.monotonic() + _END)

    def _work(self) -> None:
        try:
            wanted = (
                event
                for event in read_recording(self._path)
                if (event.type, event.code or event.type) in self._wanted
            )
            for event in played(wanted, self._clockwork):
                self._received_at = event.received_at
                self._take(event)
                self._count += 1
        except (OSError, RecordingError, ImportError) as error:
            self._error = error
        finally:
            self._ended = True

    @property
    def source(self) -> str:
        """The file."""
        return str(self._path)

    @property
    def messages(self) -> int:
        """Events so far."""
        return self._count

    @property
    def over(self) -> bool:
        """Whether all of it was shown."""
        return self._ended

    def clock_ns(self) -> int:
        """The time of the newest event: ages are told against it."""
        return self._received_at

    def show(self, type_: str, code: str) -> None:
        """All of it comes anyway."""

    def tend(self) -> None:
        """Raises what has ended the reading."""
        if self._error is not None:
            raise RunFailed(str(self._error)) from self._error

    def press(self, key: str) -> None:
        """Space, plus and minus."""
        if key == " ":
            self._clockwork.toggle()
        elif key in ("+", "=", "-"):
            self._clockwork.change_speed(0.5 if key == "-" else 2.0)

    def status(self, rate: float | None) -> Playing:
        """How far it is."""
        moment = datetime.fromtimestamp(self._received_at / 1e9) if self._received_at else None
        return Playing(
            moment=text("replay.not_begun") if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}",
            speed=self._clockwork.speed,
            events=self._count,
            total=self._total,
            paused=self._clockwork.paused,
            ended=self._ended,
            elapsed=time.monotonic() - self._begun,
        )
