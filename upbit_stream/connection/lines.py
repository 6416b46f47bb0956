"""Two sockets, one stream: the first copy of every event wins.

The lines of a pair share one router. Each asks the exchange for the same list; what one of them has
brought is left out when the other brings it, too, before it is decoded. As long as one of them
carries everything, the loss of the other is no gap.

A line that comes while the other carries *joins* it: what it brings is held until the other has
brought what comes before that (see :class:`~upbit_stream.connection.handover.Handover`). So nothing
overtakes, and a line that only seems to carry is found out: it does not bring it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from upbit_stream.connection.handover import Handover
from upbit_stream.connection.router import AnyChannel, Decode, Router
from upbit_stream.events import Event
from upbit_stream.protocol.decoding import Message
from upbit_stream.recovery.recovery import RecoveryCounters
from upbit_stream.telling import QuietLock
from upbit_stream.workers import Worker

__all__ = ["Crossing", "Line"]

# How the frames of events begin, in any format: nothing else is ever left out.
_EVENTS = (b'{"ty', b'[{"ty')

# Each line has snapshots of its own: they tell what that line carries.
_SNAPSHOT = b'"SNAPSHOT"'

# Frames that are remembered, twice at most: several seconds of the busiest market. Of each the
# hash, 64 bits: 2.5 MB in all.
_REMEMBERED = 20_000

# Seconds after a request in which every snapshot should have come over a line, and in which the
# other line should have brought what this one begins with.
_PATIENCE = 3.0

# A line that has sent nothing for so many seconds, in which the other sent so many frames, is mute.
_OUTDONE = 3.0
_OUTDONE_BY = 20


class Crossing:
    """Where the lines of a pair meet: their router, and what has passed."""

    def __init__(self, router: Router) -> None:
        self.router = router
        # Held while a line sorts what it has read, hands it over or changes what is wanted: the
        # router knows no lock, and two copies must not overtake each other. Never while anything is
        # read, or a callback or a log handler runs.
        self.lock = QuietLock()
        self.lines: tuple[Line, ...] = ()
        self._new: set[int] = set()
        self._old: set[int] = set()

    # All below with the lock held.

    def first_copies(self, payloads: Sequence[Any]) -> list[Any]:
        """Those that no line has brought before. They count as brought."""
        new, old = self._new, self._old
        first = []
        for payload in payloads:
            mark = _mark(payload)
            if mark is not None:
                if mark in new or mark in old:
                    continue
                new.add(mark)
            first.append(payload)
        if len(new) >= _REMEMBERED:
            self._new, self._old = set(), new
        return first

    def remember(self, marks: Iterable[int]) -> None:
        """These have been brought, too."""
        self._new.update(marks)


def _mark(payload: Any) -> int | None:
    """What tells the copies of an event's frame; None for what is never left out."""
    frame = bytes(payload)
    return hash(frame) if frame.startswith(_EVENTS) and _SNAPSHOT not in frame else None


class _Joining:
    """A line that has come, and waits for the other one to bring what is before its own events."""

    def __init__(self, router: Router) -> None:
        self.handover = Handover(router.route, router.newest, router.knows)
        #: Of the frames that are held.
        self.marks: list[int] = []

    def hold(self, payloads: Sequence[Any], events: Sequence[Event]) -> None:
        """Keep what the line brought."""
        self.marks += (mark for payload in payloads if (mark := _mark(payload)) is not None)
        self.handover.new(events)


class Line:
    """One line's side of the router that it shares.

    Belongs to the line's I/O thread, except for what the other line does with the crossing's lock.
    """

    def __init__(self, crossing: Crossing) -> None:
        self._crossing = crossing
        self._router = crossing.router
        self._lock = crossing.lock
        crossing.lines = (*crossing.lines, self)
        # All below with the crossing's lock.
        self._channels: tuple[AnyChannel, ...] = ()
        self._parked: tuple[AnyChannel, ...] = ()
        self._up = self._ended = False
        self._joining: _Joining | None = None
        # What is wanted of this line; whose snapshot has not come over it, and until when these are
        # waited for.
        self._wanted: set[tuple[str, str]] = set()
        self._awaited: set[tuple[str, str]] = set()
        self._patience = float("inf")
        # Frames that came, and how many the other one had brought by the last of them.
        self._frames = 0
        self._theirs = 0
        self._last_at = 0.0

    @property
    def _other(self) -> Line:
        first, second = self._crossing.lines
        return second if self is first else first

    def _covers(self, now: float) -> bool:
        """Whether everything that is wanted comes over this line. The lock is held."""
        return self._up and self._joining is None and self._complete(now)

    def _complete(self, now: float) -> bool:
        """Whether all its snapshots have come, or will not."""
        return not self._awaited or now >= self._patience

    # What a connection asks.

    @property
    def alone(self) -> bool:
        """See :class:`~upbit_stream.connection.router.Router`."""
        return self._other._ended

    def part(self) -> bool:
        """Whether this line may be replaced now: only while the other one carries everything, which
        therefore may not.
        """
        with self._lock:
            parts = self._other._covers(time.monotonic())
            self._up = self._up and not parts
            return parts

    @property
    def settled(self) -> bool:
        """See :class:`~upbit_stream.connection.router.Router`."""
        return self._router.settled

    @property
    def counters(self) -> RecoveryCounters:
        """Those of both lines; the second one has none, so that a sum counts them once."""
        return self._router.counters if self is self._crossing.lines[0] else RecoveryCounters()

    @property
    def workers(self) -> tuple[Worker, ...]:
        """See :class:`~upbit_stream.connection.router.Router`."""
        return self._router.workers

    def reset(self, *, lost: bool) -> None:
        """The socket was lost. That is a gap only of what the other line does not carry."""
        with self._lock:
            was_joining, self._joining = self._joining is not None, None
            self._up = False
            wanted, self._wanted = self._wanted, set()
            self._awaited.clear()
            other = self._other
            serves = other._up and other._joining is None
            carries = other._wanted - other._awaited if serves else set()
            if was_joining or (serves and carries >= wanted | other._wanted):
                return
            if carries:
                # The other line has not begun to bring the rest, however long ago it asked for it;
                # or has not even asked, busy with something else.
                self._router.expect_again(carries)
            else:
                self._doubt_everything()

    def _doubt_everything(self) -> None:
        """No line has carried everything: what comes next tells what was missed. The lock is
        held.
        """
        self._router.reset(lost=True)
        for line in self._crossing.lines:
            if line._up:
                self._router.requested()
                line._join()
        self._router.hand_over()

    def finish(self) -> None:
        """The line has ended. The last one gives every channel what is still waiting."""
        with self._lock:
            self._join()
            self._up, self._ended = False, True
            if self._other._ended:
                self._router.finish()

    def disown(self) -> None:
        """In the child of a fork, where no thread goes on."""
        self._router.disown()

    # What a session asks.

    def take(self, payloads: Sequence[Any], decode: Decode) -> list[Message]:
        """Sort what came over this line first."""
        with self._lock:
            now = time.monotonic()
            self._frames += len(payloads)
            self._theirs = self._other._frames
            self._last_at = now
            if self._joining is not None:
                messages = self._hold(self._joining, payloads, decode)
                self._try_to_join(now)
                return messages
            if (other := self._other._joining) is not None:
                # All of it: it is to be seen whether this line brings what the other begins with.
                messages = self._show(other.handover, payloads, decode)
                self._other._try_to_join(now)
                return messages
            events = decode(self._crossing.first_copies(payloads))
            self._note_snapshots(events)
            return self._router.route(events)

    def _hold(self, joining: _Joining, payloads: Sequence[Any], decode: Decode) -> list[Message]:
        decoded = decode(payloads)
        events = [one for one in decoded if isinstance(one, Event)]
        self._note_snapshots(events)
        joining.hold(payloads, events)
        return [one for one in decoded if not isinstance(one, Event)]

    def _show(self, handover: Handover, payloads: Sequence[Any], decode: Decode) -> list[Message]:
        decoded = decode(self._crossing.first_copies(payloads))
        events = [one for one in decoded if isinstance(one, Event)]
        self._note_snapshots(events)
        handover.old(events)
        return [one for one in decoded if not isinstance(one, Event)]

    def _note_snapshots(self, events: Iterable[Any]) -> None:
        if self._awaited:
            for event in events:
                if isinstance(event, Event) and event.stream_type == "SNAPSHOT":
                    self._awaited.discard((event.type, event.code or ""))

    def _try_to_join(self, now: float) -> None:
        """Carry from now on, if the other line has brought what comes before; or if it has not for
        too long: then it only seemed to carry. The lock is held.
        """
        if self._joining is None:
            return
        if self._complete(now) and self._joining.handover.caught_up:
            self._join()
        elif now >= self._patience:
            self._doubt_everything()

    def _join(self) -> None:
        """Deliver what is held, and from now on what comes. The lock is held."""
        joining, self._joining = self._joining, None
        if joining is not None:
            joining.handover.release()
            self._crossing.remember(joining.marks)

    def outdone(self, now: float) -> bool:
        """Whether the other line delivers, and this one does not."""
        with self._lock:
            return (
                self._up
                and now - self._last_at > _OUTDONE
                and self._other._frames - self._theirs >= _OUTDONE_BY
            )

    def update(self, channels: Iterable[AnyChannel], parked: Iterable[AnyChannel] = ()) -> bool:
        """This line carries these channels. The router serves what any line carries."""
        with self._lock:
            if not self._up and self._other._up and self._other._joining is None:
                self._joining = _Joining(self._router)
            self._up = True
            self._channels, self._parked = tuple(channels), tuple(parked)
            lines = [one for one in self._crossing.lines if one._up]
            served = dict.fromkeys(channel for one in lines for channel in one._channels)
            left = [one for line in lines for one in line._parked if one not in served]
            wanting = self._router.update(served, dict.fromkeys(left))
            wanted = {
                (channel.demand.type, code)
                for channel in self._channels
                for code in channel.demand.codes
                if channel.demand.has_snapshots
            }
            self._awaited = (self._awaited & wanted) | (wanted - self._wanted)
            self._wanted = wanted
            return wanting

    def requested(self) -> None:
        """This line has asked for what it is to carry."""
        with self._lock:
            self._last_at = time.monotonic()
            self._theirs = self._other._frames
            self._patience = self._last_at + _PATIENCE
            self._router.requested()

    def expect_again(self, listed: set[tuple[str, str]]) -> None:
        """The exchange had lost all but these on this line."""
        with self._lock:
            self._awaited |= self._wanted - listed
            self._patience = time.monotonic() + _PATIENCE
            if not self._other._covers(time.monotonic()):
                self._router.expect_again(listed)

    def lose_patience(self) -> None:
        """See :class:`~upbit_stream.connection.router.Router`."""
        with self._lock:
            self._try_to_join(time.monotonic())
            self._router.lose_patience()

    def _locked(self, ask: Callable[[], Any]) -> Any:
        with self._lock:
            return ask()

    def route(self, decoded: Sequence[Any]) -> list[Message]:
        """See :class:`~upbit_stream.connection.router.Router`."""
        messages: list[Message] = self._locked(lambda: self._router.route(decoded))
        return messages

    def hand_over(self) -> bool:
        """See :class:`~upbit_stream.connection.router.Router`."""
        return bool(self._locked(self._router.hand_over))

    def find_silent(self) -> list[tuple[AnyChannel, tuple[str, ...]]]:
        """See :class:`~upbit_stream.connection.router.Router`."""
        silent: list[tuple[AnyChannel, tuple[str, ...]]] = self._locked(self._router.find_silent)
        return silent

    def collect(self) -> bool:
        """See :class:`~upbit_stream.connection.router.Router`."""
        return bool(self._locked(self._router.collect))

    def tell_drops(self) -> None:
        """See :class:`~upbit_stream.connection.router.Router`."""
        self._locked(self._router.tell_drops)
