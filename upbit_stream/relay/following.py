"""Following lanes: from where, how far, and which of them."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from upbit_stream.config import StreamConfig
from upbit_stream.connection.inquiries import Inquiry
from upbit_stream.connection.observer import ConnectionObserver
from upbit_stream.connection.router import AnyChannel, Router
from upbit_stream.connection.traffic import Traffic
from upbit_stream.errors import DecodingError, HealthWarning
from upbit_stream.protocol.demands import Demand
from upbit_stream.relay.brokers import Record, Source, public_url
from upbit_stream.relay.doubts import Doubts
from upbit_stream.relay.entries import EntryReader
from upbit_stream.relay.lanes import Lane, lanes_of
from upbit_stream.relay.notices import (
    ConsumerReport,
    Notice,
    PublisherReport,
    carried,
    read_reports,
)
from upbit_stream.relay.place import RelaySource
from upbit_stream.relay.progress import Progress
from upbit_stream.relay.seen import Filter, make_filter

__all__ = ["Following"]

_log = logging.getLogger("upbit_stream")

# Seconds for which nobody publishes before that is told.
_ABANDONED = 10.0

# Seconds for which the other members of a group have a lane though they do not answer, and which an
# attempt to connect may take.
_LEASE = 3.0

_replace: Any = msgspec.structs.replace


class Following:
    """What a consumer reads, and how far it has come. Belongs to the I/O thread, but for
    :attr:`duplicates`, which anyone may read.
    """

    def __init__(
        self,
        place: RelaySource,
        member: str,
        source: Source,
        router: Router,
        traffic: Traffic,
        observer: ConnectionObserver,
        config: StreamConfig,
    ) -> None:
        self._place = place
        self._member = member
        self._source = source
        self._router = router
        self._traffic = traffic
        self._observer = observer
        self._reader = EntryReader(config.numbers)
        policy = config.reconnect
        # Seconds after which every member of a group is back, that is.
        longest = max(policy.cap * (1 + policy.jitter), policy.min_interval)
        self._all_back = _LEASE + longest
        #: The lanes that are read, and up to where they were.
        self.positions: dict[Lane, str] = {}
        #: Events that had come before.
        self.duplicates = 0
        self._filters: dict[Lane, Filter] = {}
        self._newest: dict[Lane, Any] = {}
        self._version = -1
        self._channels: tuple[AnyChannel, ...] = ()
        self._demands: dict[AnyChannel, Demand] = {}
        self._wanted: list[Lane] = []
        self._progress = Progress()
        # What was delivered, and the broker was not told yet.
        self._news: dict[Lane, str] = {}
        # Lanes that are read no more, and still to be left, with how far they were read.
        self._leaving: dict[Lane, str] = {}
        # What names the broker's memory; None before the first time.
        self._memory: str | None = None
        self._doubts = Doubts(source)
        # Until when only what was ours is ours; and what others had before the broker forgot it.
        self._others_wait_until = float("-inf")
        # When the broker was told last that this member lives, by both clocks: while a machine
        # sleeps, one of them stands still.
        self._shared_at = (time.monotonic(), time.time())
        self._orphans: set[Lane] = set()
        self._published_at = time.monotonic()
        self._abandoned = False
        self._reported = (time.monotonic(), 0)

    # What is wanted.

    def resume(self, memory: str) -> None:
        """The broker is there, or there again, with that memory."""
        self._published_at = time.monotonic()
        if self._memory not in (None, memory):
            self._remind()
        # Not before: if it is lost meanwhile, all of that is done again.
        self._memory = memory
        self._tell_notices()

    def _remind(self) -> None:
        """The broker has lost its memory."""
        now = time.monotonic()
        for one in self._filters.values():
            one.expect_old_ones()
        places = self._source.carried({**self.positions, **self._leaving})
        lost = [lane for lane, place in self.positions.items() if places[lane] != place]
        self.positions.update((lane, places[lane]) for lane in self.positions)
        self._leaving.update((lane, places[lane]) for lane in self._leaving)
        self._doubts.forgot(self.positions, lost)
        if self._place.name is not None:
            self._others_wait_until = now + self._all_back
            self._orphans = set(self._wanted) - self.positions.keys()
            self._share()
            noted = self._progress.noted((*self.positions, *self._leaving))
            noted.update((lane, places[lane]) for lane in lost if lane in noted)
            self._source.commit(self._place.name, self._member, noted, ())

    def adopt(self, version: int, channels: tuple[AnyChannel, ...]) -> None:
        """Serve these channels, and those only."""
        if version == self._version:
            return
        demands = {channel: channel.demand for channel in channels}
        changed = [one for one, its in demands.items() if self._demands.get(one) != its]
        wanted = list(dict.fromkeys(lane for its in demands.values() for lane in lanes_of(its)))
        self._router.update(channels)
        streaming = {lane for its in demands.values() if its.realtime for lane in lanes_of(its)}
        self._wanted = [lane for lane in wanted if lane in streaming]
        self._progress.serve(_readers(demands))
        for lane in [one for one in self.positions if one not in streaming]:
            self._stop(lane)
        # For each lane whether someone wants nothing but its snapshot.
        waiting: dict[Lane, bool] = {}
        for demand in [demands[one] for one in changed if demands[one].snapshot]:
            for lane in lanes_of(demand):
                waiting[lane] = waiting.get(lane, False) or not demand.realtime
        if self._place.name is None:
            self._begin({lane: None for lane in self._wanted if lane not in self.positions})
        else:
            self._share()
        self._give_snapshots(waiting)
        self._router.requested()
        # Not before: what the broker could not answer is asked again.
        self._version, self._channels, self._demands = version, channels, demands

    def _stop(self, lane: Lane) -> None:
        position = self.positions.pop(lane)
        self._doubts.leave(lane)
        self._filters.pop(lane, None)
        self._newest.pop(lane, None)
        if self._place.name is not None:
            self._leaving[lane] = position

    def _begin(self, lanes: Mapping[Lane, str | None]) -> None:
        """Read these, too: behind a position, or from where the source begins."""
        fresh = [lane for lane, position in lanes.items() if position is None]
        if (since := self._place.since) is not None:
            beginning = self._source.beginning(int(since.timestamp() * 1000))
            self.positions.update(dict.fromkeys(fresh, beginning))
        else:
            newest = self._source.newest(fresh)
            begun = {lane: self._source.beginning(0) for lane in fresh}
            begun.update((lane, record.position) for lane, record in newest.items())
            snapshots = [self._as_snapshot(record) for record in newest.values()]
            for snapshot in filter(None, snapshots):
                lane = Lane(snapshot.type, snapshot.code)
                self._filter_of(lane).is_new(snapshot)
                self._newest[lane] = snapshot
            self._route(snapshots)
            self.positions.update(begun)
        known = {lane: position for lane, position in lanes.items() if position is not None}
        for record in self._source.at(known).values():
            # Others had it; it tells what follows from what was before.
            for event in self._read(record):
                self._filter_of(record.lane).is_new(event)
                self._newest[record.lane] = event
        self.positions.update(known)

    def _give_snapshots(self, lanes: Mapping[Lane, bool]) -> None:
        """Give those who wait for them the present states."""
        asked = []
        snapshots = []
        for lane, alone in lanes.items():
            newest = self._newest.get(lane)
            if lane in self.positions and newest is not None:
                # What was read last, not what is newest: what is between is still to come.
                snapshots.append(_replace(newest, stream_type="SNAPSHOT"))
            elif alone:
                asked.append(lane)
        records = self._source.newest(asked).values()
        self._route([*snapshots, *map(self._as_snapshot, records)])

    def _as_snapshot(self, record: Record) -> Any:
        events = self._read(record)
        self._traffic.messages += 1
        self._traffic.bytes += len(record.payload)
        return _replace(events[0], stream_type="SNAPSHOT") if events else None

    def _read(self, record: Record) -> Sequence[Any]:
        """The event; nothing, if it is none."""
        return self._reader.read_all(record.lane, [record.payload], self._tell_undecodable)

    def answer(self, inquiries: Iterable[Inquiry]) -> None:
        """Tell what is followed, as the exchange would."""
        for inquiry in inquiries:
            if not inquiry.done:
                types: dict[str, list[str]] = {}
                for lane in self._wanted:
                    types.setdefault(lane.type, []).append(lane.code)
                inquiry.answer([{"type": one, "codes": codes} for one, codes in types.items()])

    # What comes.

    def bring(self, timeout: float) -> None:
        """Read what is there, and sort it; waits ``timeout`` seconds at most for something."""
        events: list[Any] = []
        passages = self._source.read(self.positions, timeout)
        if self._place.name is not None and self._is_overdue:
            # We were frozen: others may have gone on with what was ours, and have this, too.
            self._share()
        self._doubts.read(passages)
        for passage in passages:
            lane = passage.lane
            if lane not in self.positions:
                continue  # that is the case
            self.positions[lane] = passage.position
            self._traffic.messages += len(passage.payloads)
            self._traffic.bytes += sum(map(len, passage.payloads))
            came = self._reader.read_all(lane, passage.payloads, self._tell_undecodable)
            if came:
                self._doubts.look(passage, self._newest.get(lane), came)
            news = list(filter(self._filter_of(lane).is_new, came))
            self.duplicates += len(came) - len(news)
            if news:
                self._newest[lane] = news[-1]
                events += news
        self._tell_gaps()
        if events:
            self._traffic.lag = max(0.0, (time.time_ns() - events[-1].received_at) / 1e6)
            self._router.route(events)
        # Not before: what was read is not lost when the broker is.
        self._doubts.ask()
        self._tell_gaps()

    def _tell_gaps(self) -> None:
        for gap in self._doubts.gaps():
            _log.warning("%s", gap)
            self._observer.connection_gap(gap)

    def _filter_of(self, lane: Lane) -> Filter:
        known = self._filters.get(lane)
        if known is None:
            known = self._filters[lane] = make_filter(lane.type)
        return known

    def _tell_undecodable(self, error: DecodingError) -> None:
        self._traffic.undecodable += 1
        self._traffic.note_error()
        _log.warning("%s: %s", self._member, error)
        self._observer.connection_error(error)

    def _route(self, events: Sequence[Any]) -> None:
        self._router.route([event for event in events if event is not None])

    # Now and then.

    def look(self, now: float) -> None:
        """See to what needs no hurry: once a second."""
        self._traffic.sample(now)
        self._router.lose_patience()
        self._router.tell_drops()
        if self._place.name is not None:
            self._share()
        for channel, codes in self._router.find_silent():
            if silent := self._those_without_any(channel.demand.type, codes):
                self._observer.codes_silent(channel, silent)
        self._tell_notices()

    def _those_without_any(self, type_: str, codes: tuple[str, ...]) -> tuple[str, ...]:
        """Those of which nothing was ever published; what other members have is theirs to tell."""
        if self._place.name is None:
            return codes
        nowhere = self._source.beginning(0)
        return tuple(one for one in codes if self.positions.get(Lane(type_, one)) == nowhere)

    @property
    def _is_overdue(self) -> bool:
        """Whether others may take this member for dead."""
        monotonic, wall = self._shared_at
        return max(time.monotonic() - monotonic, time.time() - wall) > _LEASE

    def _share(self) -> None:
        """Follow what is this member's part."""
        group = self._place.name or ""
        now = time.monotonic(), time.time()
        if time.monotonic() < self._others_wait_until:
            # The broker has forgotten who had what: the others come back for theirs.
            held = list(dict.fromkeys((*self.positions, *self._leaving)))
            mine, _ = self._source.share(group, self._member, held)
            surplus: Sequence[Lane] = ()
        else:
            mine, surplus = self._source.share(group, self._member, self._wanted)
        self._shared_at = now
        for lane in [one for one in self.positions if one not in mine]:
            self.positions.pop(lane)  # it was taken away, because we did not answer for too long
            self._doubts.leave(lane)
            self._newest.pop(lane, None)
            self._news.pop(lane, None)
            self._progress.forget((lane,))
        for lane in surplus:
            if lane in self.positions:
                self._stop(lane)
        fresh = {
            lane: position
            for lane, position in mine.items()
            if lane not in self.positions and lane not in self._leaving and lane not in surplus
        }
        for lane in self._orphans & fresh.keys():
            # Who had it did not come back, and how far it was is forgotten: rather twice.
            fresh[lane] = fresh[lane] or self._source.beginning(0)
            self._orphans.discard(lane)
        self._begin(fresh)
        # If this member dies before anything was delivered, the group has begun all the same.
        begun = {lane: self.positions[lane] for lane in fresh if mine[lane] is None}
        if begun:
            self._source.commit(group, self._member, begun, ())

    def commit(self) -> bool:
        """Everything that was read is in the channels: note what was delivered of it, and leave
        what is to be left; whether nothing is to do.
        """
        group = self._place.name
        if group is None:
            return True
        read = {**self.positions, **self._leaving}
        settled = self._progress.is_settled
        self._news.update(self._progress.look(read))
        leaving = [lane for lane, position in self._leaving.items() if settled(lane, position)]
        if self._news or leaving:
            self._source.commit(group, self._member, self._news, leaving)
            self._news = {}
            self._forget(leaving)
        return not self._leaving

    def _forget(self, lanes: Iterable[Lane]) -> None:
        for lane in lanes:
            self._leaving.pop(lane, None)
        self._progress.forget(lanes)

    def abandon(self) -> None:
        """Leave all at once, with what is noted of it."""
        if self._leaving and self._place.name is not None:
            leaving = list(self._leaving)
            self._source.commit(self._place.name, self._member, {}, leaving)
            self._forget(leaving)

    def leave(self) -> bool:
        """Note what was delivered, for the last time, and leave all; to be called again until
        nothing is to do.
        """
        if self._place.name is not None:
            self._leaving.update(self.positions)
            self.positions = {}
        return self.commit()

    def _tell_notices(self) -> None:
        heard = self._source.notices()
        if heard.missed:
            warning = HealthWarning(
                f"{public_url(self._place.url)} keeps no more of what publishers told while nobody "
                "listened here: they may have told of gaps; look for these in the log of "
                "upbit-stream publish",
                kind="notices",
            )
            _log.warning("%s", warning)
            self._observer.connection_error(warning)
        for text in heard.notices:
            notice = Notice.decode(text)
            if notice is not None and notice.gap is not None:
                _log.warning("%s: %s", notice.publisher, notice.gap)
                self._observer.connection_gap(notice.gap)
            elif notice is not None and notice.state is not None:
                _log.info("%s: %s", notice.publisher, notice.state)

    # Reports.

    def report(self) -> None:
        """Say how this consumer does, and see how the publishers do."""
        moment, before = self._reported
        now = time.monotonic()
        self._reported = now, self._traffic.messages
        report = ConsumerReport(
            host=socket.gethostname(),
            pid=os.getpid(),
            group=self._place.name or "",
            lanes=len(self.positions),
            received=self._traffic.messages,
            duplicates=self.duplicates,
            rate=(self._traffic.messages - before) / max(now - moment, 0.001),
            lag=self._traffic.lag,
        )
        told = self._source.report(self._member, msgspec.json.encode(report))
        after = time.monotonic()
        self._traffic.note_latency(after - now, after)
        self._look_at_publishers(read_reports(told), after)

    def _look_at_publishers(self, reports: Mapping[str, PublisherReport], now: float) -> None:
        self._traffic.published = carried(reports.values())
        if any(one.state == "connected" for one in reports.values()):
            self._published_at = now
            if self._abandoned:
                self._abandoned = False
                _log.info("%s is published to again", public_url(self._place.url))
        elif not self._abandoned and now - self._published_at > _ABANDONED:
            self._abandoned = True
            states = ", ".join(f"{name} is {one.state}" for name, one in reports.items())
            warning = HealthWarning(
                f"nobody publishes to {public_url(self._place.url)} "
                f"({states or 'no publisher is there'}): run upbit-stream publish, or look at its "
                "log",
                kind="silence",
            )
            _log.warning("%s", warning)
            self._observer.connection_error(warning)


def _readers(demands: Mapping[AnyChannel, Demand]) -> Mapping[Lane, tuple[AnyChannel, ...]]:
    """Who gets what comes of each lane."""
    readers: dict[Lane, tuple[AnyChannel, ...]] = {}
    for channel, demand in demands.items():
        for lane in lanes_of(demand) if demand.realtime else ():
            readers[lane] = (*readers.get(lane, ()), channel)
    return readers
