"""One client's WebSocket after the upgrade: its requests, its list, its end."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, NamedTuple

from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

from upbit_stream.protocol.endpoints import Endpoint
from upbit_stream.protocol.wire_format import WireFormat
from upbit_stream.simulator.feed import Feed, Variant
from upbit_stream.simulator.frames import frame, payload_of
from upbit_stream.simulator.gate import Window, take_all
from upbit_stream.simulator.journal import Closed, ErrorSent, Journal, RequestSeen
from upbit_stream.simulator.keys import dump, shorten
from upbit_stream.simulator.pipe import Pipe
from upbit_stream.simulator.private import PrivateFeed
from upbit_stream.simulator.replay import Recorded, Replay
from upbit_stream.simulator.requests import Item, Refusal, Refused, Request, read_request
from upbit_stream.simulator.settings import Limits, Timing

__all__ = ["Session", "SessionContext"]

_STATUS_UP = frame(b'{"status":"UP"}')

_Stream = tuple[str, str, Variant]


class _Parts(NamedTuple):
    """Which parts of a stream are wanted."""

    snapshot: bool
    realtime: bool


@dataclass(frozen=True)
class SessionContext:
    """What all sessions of a simulator share."""

    feed: Feed
    private: PrivateFeed
    journal: Journal
    timing: Timing
    limits: Limits
    chance: random.Random
    replay: Replay | None
    #: What the exchange will not have, though it looks as it should.
    refusals: list[Refusal] = field(default_factory=list)


class Session:
    """One client. Owned by the loop's thread."""

    def __init__(
        self,
        number: int,
        endpoint: Endpoint,
        protocol: ServerProtocol,
        pipe: Pipe,
        context: SessionContext,
        ended: Callable[[Session], None],
        *,
        account: str = "",
    ) -> None:
        self.number = number
        self.endpoint = endpoint
        #: The access key of the client's token; empty without one.
        self.account = account
        self.pipe = pipe
        self.wire_format = WireFormat.DEFAULT
        #: The list as the client asked for it.
        self.items: tuple[Item, ...] = ()
        #: Frames that wait for the next flush.
        self.outbox: list[bytes] = []
        #: Answers pings, sends no data: a server whose feed died.
        self.muted = False
        self._protocol = protocol
        self._context = context
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._streams: dict[_Stream, None] = {}
        self._request_windows = [
            Window(limit, context.limits.tolerance) for limit in context.limits.requests
        ]
        self._parts: list[bytes] = []
        self._timers: list[asyncio.TimerHandle] = []
        # Snapshots and recorded frames that a next request takes back.
        self._planned: list[asyncio.TimerHandle] = []
        self._status_timer: asyncio.TimerHandle | None = None
        self._idle_timer: asyncio.TimerHandle | None = None
        self._active_at = monotonic()
        self._finished = False
        self._closing = False
        # An error was sent: nothing more is read.
        self._refused = False
        # Too much waits behind a stall; the connection ends with it.
        self._overflowed = False
        self._compressed = bool(protocol.extensions)
        self._watch_idle()

    # What comes in.

    def receive(self, events: list[Any]) -> None:
        """Frames of the client; pongs and close frames were answered by the protocol."""
        self._active_at = monotonic()
        for event in events:
            if not isinstance(event, Frame):
                continue
            if event.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                self._parts.append(bytes(event.data))
                if event.fin:
                    message = b"".join(self._parts)
                    self._parts.clear()
                    if not (self._closing or self._refused):
                        self._read(message)
            elif event.opcode is Opcode.PING:
                self._context.journal.count("pings")
            elif event.opcode is Opcode.CLOSE:
                self._closing = True

    def _read(self, message: bytes) -> None:
        if message == b"PING":
            self._context.journal.count("text_pings")
            self._send_status()
            return
        try:
            parsed = json.loads(message)
        except ValueError:
            self._note(message.decode(errors="replace"), len(message))
            self.refuse(Refused("WRONG_FORMAT"))
            return
        self._note(parsed, len(message))
        if not take_all(self._request_windows, monotonic()):
            self.refuse(Refused("TOO_MANY_REQUEST"))
            return
        try:
            request = read_request(parsed, self.endpoint, self._context.limits.combinations)
        except Refused as refusal:
            self.refuse(refusal)
            return
        for planned in self._context.refusals:
            if any(planned.is_about(item) for item in request.items):
                self.refuse(Refused(planned.name, planned.message))
                return
        if request.items:
            self._replace_list(request)
        if request.lists:
            self._answer_list(request)

    def _note(self, parsed: Any, size: int) -> None:
        self._context.journal.add(
            RequestSeen(monotonic(), self.number, self.endpoint.value, parsed, size)
        )

    def _send_status(self) -> None:
        self._write([_STATUS_UP])
        if self._status_timer is not None:
            self._status_timer.cancel()
        if not self._finished:
            self._status_timer = self._loop.call_later(
                self._context.timing.status_interval, self._send_status
            )

    # The list.

    def _replace_list(self, request: Request) -> None:
        """The request is the whole list from now on."""
        self._cancel(self._planned)
        self.wire_format = request.wire_format or WireFormat.DEFAULT
        self.items = request.items
        wanted: dict[_Stream, _Parts] = {}
        if self.endpoint is Endpoint.PUBLIC:
            for item in request.items:
                for stream in self._streams_of(item):
                    before = wanted.get(stream, _Parts(False, False))
                    wanted[stream] = _Parts(
                        before.snapshot or item.snapshot, before.realtime or item.realtime
                    )
            self._replace_streams(wanted)
        else:
            self._context.private.subscribed(self)
        if self._context.replay is not None:
            self._plan_replay(self._context.replay)

    def _replace_streams(self, wanted: dict[_Stream, _Parts]) -> None:
        feed = self._context.feed
        # What ran before goes on without a gap; what is new begins behind its snapshot.
        keep: dict[_Stream, None] = {
            stream: None
            for stream, parts in wanted.items()
            if parts.realtime and (not parts.snapshot or _like(stream, self._streams))
        }
        gone = [stream for stream in self._streams if stream not in keep]
        for stream in gone:
            feed.remove(self, *stream)
        listed = {stream[:2] for stream in wanted}
        self._send_late([stream for stream in gone if stream[:2] not in listed])
        for stream in keep:
            feed.add(self, *stream)
        self._streams = keep
        self._plan_snapshots(
            [(stream, parts.realtime) for stream, parts in wanted.items() if parts.snapshot]
        )

    def _streams_of(self, item: Item) -> list[_Stream]:
        exchange = self._context.feed.exchange
        streams = []
        for code, units in item.targets():
            # Silence: an unknown code, and grouped prices where there are none.
            if code not in exchange or (item.level and not code.startswith("KRW-")):
                continue
            # What was recorded is not made up.
            if self._context.replay is None or (item.type, code) not in self._context.replay:
                streams.append((item.type, code, Variant(self.wire_format, units, item.level)))
        return streams

    def forget(self, kind: str, code: str) -> None:
        """Lose one code of a type, as if it had never been asked for."""
        for stream in [one for one in self._streams if one[:2] == (kind, code)]:
            self._context.feed.remove(self, *stream)
            del self._streams[stream]
        without = [item.without(code) if item.type == kind else item for item in self.items]
        self.items = tuple(item for item in without if item.codes or item.type != kind)

    def _send_late(self, gone: list[_Stream]) -> None:
        # Of the old list: states at once, trades when (and if) they are made, because a trade
        # that is told twice would be an invention.
        left = self._context.limits.late_frames
        until = monotonic() + self._context.timing.late_window
        for kind, code, variant in gone:
            if left <= 0:
                break
            feed = self._context.feed
            if kind == "trade":
                feed.linger(self, kind, code, variant, 1, until)
            else:
                data = feed.snapshot(kind, code, variant, "REALTIME")
                if data is not None:
                    self._write([data])
            left -= 1

    def _plan_snapshots(self, streams: list[tuple[_Stream, bool]]) -> None:
        bursts = self._context.timing.snapshot_bursts
        share = -(-len(streams) // len(bursts))
        for place, (earliest, latest) in enumerate(bursts):
            part = streams[place * share : (place + 1) * share]
            if part:
                delay = self._context.chance.uniform(earliest, latest)
                self._planned.append(self._loop.call_later(delay, self._send_snapshots, part))

    def _send_snapshots(self, streams: list[tuple[_Stream, bool]]) -> None:
        feed = self._context.feed
        # What was pushed before belongs before the snapshot.
        self.flush()
        frames = []
        for (kind, code, variant), realtime in streams:
            # The format may have changed since the request.
            stream = (kind, code, variant._replace(wire_format=self.wire_format))
            data = feed.snapshot(*stream, "SNAPSHOT")
            if data is not None:
                frames.append(data)
            if realtime:
                self._streams[stream] = None
                feed.add(self, *stream)
        self._write(frames)

    def _plan_replay(self, replay: Replay) -> None:
        keys: list[tuple[str, str | None]] = []
        for item in self.items:
            codes: Iterable[str | None] = [code for code, _ in item.targets()]
            keys += [(item.type, code) for code in codes or replay.codes_of(item.type)]
        begin = self._context.timing.snapshot_bursts[0][0]
        for delay, recorded in replay.schedule(keys):
            timer = self._loop.call_later(begin + delay, self._send_recorded, recorded)
            self._planned.append(timer)

    def _send_recorded(self, frames: list[Recorded]) -> None:
        self._write([one.written(self.wire_format) for one in frames])

    def _answer_list(self, request: Request) -> None:
        if request.wire_format is not None and request.wire_format is not self.wire_format:
            self._change_format(request.wire_format)
        answer: dict[str, Any] = {
            "method": "LIST_SUBSCRIPTIONS",
            "result": [item.listed() for item in self.items],
            "ticket": request.ticket,
        }
        if self.wire_format.short_keys:
            answer = shorten("LIST_SUBSCRIPTIONS", answer)
        self.send_text(dump(answer))

    def _change_format(self, wire_format: WireFormat) -> None:
        feed = self._context.feed
        self.wire_format = wire_format
        changed: dict[_Stream, None] = {}
        for kind, code, variant in self._streams:
            feed.remove(self, kind, code, variant)
            new = variant._replace(wire_format=wire_format)
            feed.add(self, kind, code, new)
            changed[kind, code, new] = None
        self._streams = changed

    # What goes out.

    def push(self, data: bytes) -> None:
        """A frame for the next flush."""
        self.outbox.append(data)

    def send_text(self, text: str) -> None:
        """One message, in a binary frame like all of them."""
        self._write([frame(text.encode())])

    def send_bytes(self, data: bytes) -> None:
        """Bytes as they are, framed or not."""
        self.flush()
        self.pipe.write(data)

    def flush(self) -> None:
        """Write what was pushed."""
        frames, self.outbox = self.outbox, []
        if frames:
            self._write(frames)

    def _write(self, frames: list[bytes]) -> None:
        if self._finished or self._closing or self._overflowed or not frames:
            return
        if self.muted:
            self._context.journal.count("muted_frames", len(frames))
            return
        if self._compressed:
            if self._protocol.state is not State.OPEN:
                return  # the client has gone
            for whole in frames:
                self._protocol.send_binary(payload_of(whole))
            data = b"".join(self._protocol.data_to_send())
        else:
            data = b"".join(frames)
        self._active_at = monotonic()
        self.pipe.write(data)
        self._context.journal.count("frames_sent", len(frames))
        if self.pipe.waiting > self._context.limits.buffer:
            # It does not read. Nothing is left out in silence: the connection ends.
            if self.pipe.stalled:
                self._overflowed = True
            else:
                self.drop("buffer")

    # The end.

    def refuse(self, refusal: Refused) -> None:
        """An error frame, and the close behind it."""
        self._refused = True
        self.flush()
        self.send_text(refusal.to_json())
        self._context.journal.add(ErrorSent(monotonic(), self.number, refusal.name))
        delay = self._context.chance.uniform(*self._context.timing.error_close_delay)
        self._timers.append(self._loop.call_later(delay, self.close, 1000, "", "error"))

    def close(self, code: int = 1000, reason: str = "", why: str = "server") -> None:
        """A close frame; TCP follows when the client answers, or after a while."""
        if self._finished or self._protocol.state is not State.OPEN:
            return
        self.flush()
        self._protocol.send_close(code, reason)
        self._closing = True
        self.pipe.write(b"".join(self._protocol.data_to_send()))
        self._end(why)
        self._loop.call_later(self._context.timing.close_timeout, self.pipe.abort)

    def drop(self, why: str) -> None:
        """End TCP without a close frame: ``eof``, ``reset``, or at once for another reason."""
        self._end(why)
        {"eof": self.pipe.close, "reset": self.pipe.reset}.get(why, self.pipe.abort)()

    def resume(self) -> None:
        """Undo a stall."""
        self.pipe.resume()
        self._active_at = monotonic()
        if self._overflowed:
            self.drop("buffer")

    def lost(self) -> None:
        """TCP is gone."""
        self._end("client")

    def _watch_idle(self) -> None:
        left = self._active_at + self._context.timing.idle_timeout - monotonic()
        if left <= 0 and not self.pipe.stalled:
            self.drop("idle")
            return
        self._idle_timer = self._loop.call_later(max(left, 0.05), self._watch_idle)

    def _end(self, why: str) -> None:
        if self._finished:
            return
        self._finished = True
        self._cancel(self._timers)
        self._cancel(self._planned)
        for timer in (self._status_timer, self._idle_timer):
            if timer is not None:
                timer.cancel()
        for stream in self._streams:
            self._context.feed.remove(self, *stream)
        self._streams.clear()
        self._context.feed.forget(self)
        self._context.journal.add(Closed(monotonic(), self.number, why))
        self._ended(self)

    @staticmethod
    def _cancel(timers: list[asyncio.TimerHandle]) -> None:
        for timer in timers:
            timer.cancel()
        timers.clear()


def _like(stream: _Stream, known: dict[_Stream, None]) -> bool:
    # The same stream, whatever its format was.
    kind, code, variant = stream
    return any(
        (kind, code, variant._replace(wire_format=wire_format)) in known
        for wire_format in WireFormat
    )
