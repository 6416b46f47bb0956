"""The life of one socket: reading, routing, asking, keeping alive. Runs on the I/O thread."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol

from upbit_stream.config import StreamConfig
from upbit_stream.connection.causes import EXPECTED, PongOverdue
from upbit_stream.connection.clocks import Clocks
from upbit_stream.connection.inquiries import Inquirer, Inquiry
from upbit_stream.connection.keepalive import KeepAlive
from upbit_stream.connection.router import AnyChannel, Routing
from upbit_stream.connection.schedule import RequestSchedule
from upbit_stream.connection.staleness import Doubt, Staleness, Witness, slowed_down
from upbit_stream.connection.traffic import Traffic
from upbit_stream.connection.trial import Trial
from upbit_stream.connection.waker import Waker
from upbit_stream.connection.wishes import Wishes
from upbit_stream.limiter import RateLimiter
from upbit_stream.protocol.decoding import (
    Decoder,
    Message,
    SubscriptionList,
    Undecodable,
    UnknownType,
)
from upbit_stream.protocol.demands import Demand, union
from upbit_stream.protocol.endpoints import Endpoint
from upbit_stream.protocol.limits import REQUESTS
from upbit_stream.protocol.requests import (
    TypeRequest,
    listed_codes,
    same_list,
    with_snapshots,
    write_list_request,
    write_request,
)
from upbit_stream.protocol.wire_format import WireFormat
from upbit_stream.recovery.tapes import is_repairable
from upbit_stream.telling import Quiet
from upbit_stream.transport import BulkWebSocket, ConnectionClosed

__all__ = ["Session"]

_log = logging.getLogger("upbit_stream")

# Seconds between the looks at what needs no hurry.
_HOUSEKEEPING = 1.0

# Seconds for which a backlog is read before it is handed over: every hand-over wakes threads, which
# take turns with this one. When there is no backlog, it is handed over at once.
_GATHER = 0.005

# Seconds after a reconnect in which slow pings are no reason for another.
_SLOW_PAUSE = 600.0

# Reads, at most, of what a socket that is to be closed still has.
_LAST_READS = 100

# Seconds of silence after which a socket that cannot be written to has nothing more to say.
_LAST_WORDS = 0.2


class SessionObserver(Protocol):
    """Who is told, on the I/O thread. What it raises ends the session."""

    def on_messages(self, messages: Sequence[Message]) -> None:
        """What came and is no event."""

    def on_culprit(self, channel: AnyChannel) -> None:
        """The exchange refuses what this channel wants."""

    def on_difference(self, rows: Sequence[Any]) -> None:
        """The exchange's list is another one than was asked for; it is asked for again."""

    def on_silence(self, channel: AnyChannel, codes: tuple[str, ...]) -> None:
        """Nothing has come of these codes."""

    def on_jump(self, seconds: float) -> None:
        """The process was stopped, or its clock was set, by so much; the server is being pinged."""

    def on_expiry(self) -> None:
        """Nobody has needed the connection for as long as it was to linger."""


class Session:
    """One open socket, from the upgrade to its end."""

    def __init__(
        self,
        websocket: BulkWebSocket,
        *,
        endpoint: Endpoint,
        config: StreamConfig,
        waker: Waker,
        wishes: Wishes,
        router: Routing,
        trial: Trial,
        traffic: Traffic,
        staleness: Staleness,
        observer: SessionObserver,
    ) -> None:
        now = time.monotonic()
        # Renewals that were asked for before are not meant.
        self._fresh_since = now
        self._websocket = websocket
        self._waker = waker
        self._wishes = wishes
        self._router: Routing = router
        self._trial = trial
        self._traffic = traffic
        self._staleness = staleness
        staleness.restart()
        self._clocks = Clocks()
        # Looks at what comes while the connection is in doubt.
        self._witness: Witness | None = None
        # Messages on this socket that were no events; and all events, at the last closer look.
        self._answers = 0
        self._events = 0
        self._pongs = 0
        self._watching = False
        self._observer = observer
        self._endpoint = endpoint
        # Asked once for a socket, not once for a read.
        self._tells_sizes = _log.isEnabledFor(logging.DEBUG)
        self._wire_format = WireFormat(config.wire_format)
        self._decode_all = Decoder(self._wire_format, config.numbers, endpoint).decode_all
        self._keepalive = KeepAlive(config.ping_interval, config.ping_timeout, now)
        self._ping_timeout = config.ping_timeout
        self._backfill = config.backfill
        limiter = RateLimiter(REQUESTS)
        self._schedule = RequestSchedule(limiter)
        self._inquirer = Inquirer(limiter)
        # What the list was when a question for it was sent, by the question's ticket.
        self._inquired: dict[str | None, tuple[TypeRequest, ...]] = {}
        self._version = -1
        self._demands: dict[AnyChannel, Demand] = {}
        self._housekeeping_at = now + _HOUSEKEEPING
        # Some channel has no room (policy "block"): nothing is read until it has.
        self._held_up = False
        self._send_failure: ConnectionClosed | None = None

    def begin(self) -> None:
        """The first thing to call: from now on the waker waits for the socket."""
        self._watch(True)
        self._traffic.sample(time.monotonic())
        self._deliver()  # what a lost socket had brought, and was held back or found no room

    def end(self) -> None:
        """The last thing to call, before the socket is closed."""
        self._watch(False)

    def run(self) -> str | None:
        """Serve until the connection is to be closed (None), or a new socket should take over; then
        it says why.

        Raises what ended the socket otherwise: :class:`~upbit_stream.transport.ConnectionClosed`,
        :class:`~upbit_stream.connection.causes.PongOverdue`, ``OSError``, or what the observer
        raised.
        """
        while not self._wishes.closing:
            kept = self.round()
            reason = self._look_closer() if kept else None
            if not self._demands or self._trial.searching:
                continue
            if reason is None:
                better = self._wishes.renewal(self._fresh_since) or (
                    self._too_slow() if kept else None
                )
                reason = better if better and self._router.part() else None
            if reason is not None:
                self._fresh_since = time.monotonic()  # if it fails, it was tried
                return reason
        return None

    def round(self) -> bool:
        """Do what is due, and deliver what comes until something else is; whether the house was
        kept in it, which happens once a second.
        """
        kept = self._attend()
        now = time.monotonic()
        self._serve(now + self._patience(now))
        return kept

    def attend(self) -> float:
        """Do what is due; how many seconds may pass until something else is."""
        self._attend()
        return self._patience(time.monotonic())

    def poll(self) -> None:
        """Deliver what is there, without waiting."""
        if self._held_up:
            self._try_again()
            return
        now = time.monotonic()
        self._receive()
        if not self._websocket.received:
            self._complain(now)

    def finish(self) -> None:
        """Deliver what is still there. The socket is to be closed, so it may fail."""
        with suppress(*EXPECTED):
            for _ in range(_LAST_READS):
                self._receive()
                if not self._websocket.received:
                    break

    def reroute(self, router: Routing) -> None:
        """Have events sorted by this one from now on."""
        self._router = router

    @property
    def answers_only(self) -> bool:
        """Whether it asked for nothing that comes at once, and a ping was answered: it can give no
        better proof that it works.
        """
        return self._pongs > 0 and not any(demand.snapshot for demand in self._demands.values())

    def _attend(self) -> bool:
        if self._wishes.version != self._version:
            self._adopt()
        if not self._router.settled:
            with Quiet():  # first it is delivered, then told of
                if self._router.collect():
                    self._deliver()
        now = time.monotonic()
        self._ask(now)
        self._inquire(now)
        self._ping(now)
        return self._keep_house(now)

    def _watch(self, watch: bool) -> None:
        sock = self._websocket.sock
        if watch is not self._watching and sock is not None:
            self._watching = watch
            if watch:
                self._waker.watch(sock)
            else:
                self._waker.unwatch(sock)

    def _complain(self, now: float) -> None:
        """There was nothing to read: is that all right?"""
        if self._send_failure is not None:
            raise self._send_failure
        # Only now, for with a backlog the pong may be behind it; and as of the time before that
        # look, for the thread may have been stopped since.
        if self._keepalive.overdue(now):
            raise PongOverdue(f"no pong within {self._ping_timeout:g} s")

    def _look_closer(self) -> str | None:
        """Whether the connection is worth keeping; if not, why. Once a second."""
        now = time.monotonic()
        events = self._traffic.messages - self._answers
        busy, self._events = events > self._events, events
        if not self._demands or self._held_up or self._trial.searching:
            self._staleness.restart()
            return None
        doubt = self._staleness.look(busy, now, self._witness)
        if doubt is Doubt.ASK:
            self._witness = Witness(self._router, self._demands)
            self._router = self._witness
            self._schedule.want(self._schedule.asked, again=True, now=now)
            self._inquirer.want(Inquiry(), now)  # nobody waits for it: any answer will do
        elif doubt is not None and self._witness is not None:
            self._router, self._witness = self._witness.router, None
            if doubt is Doubt.REPLACE:
                return f"it has sent nothing for {self._staleness.silence:.0f} s"
        if self._router.outdone(now):
            return "it sends nothing, while the other line does"
        return None

    def _too_slow(self) -> str | None:
        now = time.monotonic()
        recent = self._traffic.recent_reconnects
        lately = recent and now - recent[-1].moment < _SLOW_PAUSE
        if lately or not slowed_down([latency for _, latency in self._traffic.latencies]):
            return None
        return f"its pings take {self._traffic.ping_latency:.0f} ms, far more than before"

    def _serve(self, until: float) -> None:
        """Deliver what comes, until it is time for something else: at ``until``, or earlier."""
        # A hot path, once for every message where they come one by one: no word in it that could
        # be said outside.
        wishes = self._wishes
        while True:
            now = time.monotonic()
            readable = self._waker.wait(until - now) or self._websocket.pending
            if self._held_up:
                self._try_again()
                return
            if not readable:
                self._complain(now)
                return
            only_events = self._receive()
            if (
                not only_events
                or self._held_up
                or self._websocket.pending
                or now >= until
                or wishes.closing
                or wishes.version != self._version
            ):
                return

    def _patience(self, now: float) -> float:
        if self._websocket.pending and not self._held_up:
            return 0.0
        due = min(self._schedule.due_in(now), self._housekeeping_at - now)
        if self._schedule.idle:
            due = min(due, self._inquirer.due_in(now))
        if self._send_failure is not None:
            due = min(due, _LAST_WORDS)
        return min(due, self._keepalive.due_in(now))

    def _adopt(self) -> None:
        """Take over what is wanted now."""
        self._version, channels = self._wishes.fetch()
        now = time.monotonic()
        admitted = self._trial.admit(channels)
        self._demands = {channel: channel.demand for channel in admitted}
        parked = [channel for channel in channels if channel not in self._demands]
        again = self._router.update(admitted, parked)
        self._schedule.want(self._wanted(), again=again, now=now)
        for inquiry in self._wishes.inquiries:
            self._inquirer.want(inquiry, now)

    def _wanted(self) -> tuple[TypeRequest, ...]:
        requests = union(self._demands.values())
        # Snapshots tell whether something was missed, also where nobody wants to see them.
        return with_snapshots(requests, is_repairable) if self._backfill else requests

    def _ask(self, now: float) -> None:
        requests = self._schedule.take(now)
        if requests is not None:
            ticket = str(uuid.uuid4())
            text = write_request(requests, ticket=ticket, wire_format=self._wire_format)
            self._send(self._websocket.send_text, text)
            self._router.requested()
            self._trial.asked(self._demands, now)
            if self._trial.searching:
                self._inquirer.want(Inquiry(), now)  # nobody waits for it: it is the receipt

    def _inquire(self, now: float) -> None:
        # Only when everything was asked for, so that the answer tells of what is wanted now.
        if self._schedule.idle and (ticket := self._inquirer.take(now)) is not None:
            text = write_list_request(ticket=ticket, wire_format=self._wire_format)
            self._inquired[ticket] = self._schedule.asked
            self._send(self._websocket.send_text, text)

    def _listed(self, answer: SubscriptionList) -> None:
        asked = self._inquired.pop(answer.ticket, None)
        if asked is None:
            return
        self._inquirer.answer(answer.ticket, answer.result)
        if asked is not self._schedule.asked:
            return  # it tells of a list that was replaced since
        # An error would have come before the answer.
        self._taken()
        if not same_list(asked, answer.result):
            self._observer.on_difference(answer.result)
            self._router.expect_again(listed_codes(answer.result))
            self._schedule.want(asked, again=True, now=time.monotonic())

    def _taken(self) -> None:
        """The exchange has taken the list that was asked for last."""
        if self._trial.searching:
            self._version = -1  # what is to be asked for next is another matter
        culprit = self._trial.accepted()
        if culprit is not None:
            self._observer.on_culprit(culprit)

    def _ping(self, now: float) -> None:
        if self._held_up:
            # The pong cannot be read, but the pings keep the server content.
            self._keepalive.forgive()
        payload = self._keepalive.ping(now)
        if payload is not None:
            self._send(self._websocket.ping, payload)

    def _send(self, send: Callable[[Any], object], data: str | bytes) -> None:
        try:
            send(data)
        except ConnectionClosed as failure:
            # The server's last words (why it closed) may be there already: read on for a moment.
            self._send_failure = failure

    def _receive(self) -> bool:
        """Read what there is, and hand it over; whether it was nothing but events."""
        messages: list[Message] = []
        pongs = self._pongs
        until = time.monotonic() + _GATHER
        try:
            while not messages:
                messages = self._read()
                if not self._websocket.pending or time.monotonic() >= until:
                    break
        finally:
            self._deliver()
        if messages:
            self._traffic.undecodable += sum(isinstance(one, Undecodable) for one in messages)
            self._traffic.unknown += sum(isinstance(one, UnknownType) for one in messages)
            self._answers += len(messages)
            self._observer.on_messages(messages)
            for message in messages:
                if isinstance(message, SubscriptionList):
                    self._listed(message)
        # After a pong it is known when the next ping is due.
        return not messages and self._pongs == pongs

    def _read(self) -> list[Message]:
        """Route the events of one read; what came and is no event is returned."""
        websocket, traffic = self._websocket, self._traffic
        payloads = websocket.receive()
        traffic.bytes += websocket.received
        if websocket.pongs:
            self._note_pongs()
        if not payloads:
            return []
        traffic.messages += len(payloads)
        if self._tells_sizes:
            sizes = [len(payload) for payload in payloads]
            _log.debug("%s: %d frames with %s bytes", self._endpoint.value, len(sizes), sizes)
        return self._router.take(payloads, self._decode_all)

    def _note_pongs(self) -> None:
        for payload, at in self._websocket.take_pongs():
            round_trip = self._keepalive.pong(payload, at)
            if round_trip is not None:
                self._pongs += 1
                self._traffic.note_latency(round_trip, at)

    def _deliver(self) -> None:
        if not self._router.hand_over():
            self._held_up = True
            self._watch(False)

    def _try_again(self) -> None:
        if self._router.hand_over():
            self._held_up = False
            self._watch(True)
            self._keepalive.excuse(time.monotonic())

    def _keep_house(self, now: float) -> bool:
        if now < self._housekeeping_at:
            return False
        if (jump := self._clocks.jump(now, due=self._housekeeping_at)) is not None:
            # Suspended, stopped, or its clock set: is the other side still there?
            self._keepalive.excuse(now)
            self._staleness.restart()
            self._observer.on_jump(jump)
        self._housekeeping_at = now + _HOUSEKEEPING
        self._traffic.sample(now)
        with Quiet():
            self._router.lose_patience()
            self._deliver()
        self._router.tell_drops()
        for channel, codes in self._router.find_silent():
            self._observer.on_silence(channel, codes)
        if self._trial.overdue(now):
            self._taken()
        if now >= self._wishes.expires_at:
            self._observer.on_expiry()
        return True
