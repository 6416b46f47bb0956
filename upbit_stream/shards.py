"""A list of codes over several connections: ``StreamConfig(shard_above=…)``.

When a connection carries more than the setting for a while, codes that make half of its load move
to a further connection. That is make before break, and what shows that nothing is missed are the
exchange's own answers. The new connection is asked for its list: if the codes are on it, it is sent
everything from then on. Then the old one is asked: its answer comes behind everything that it was
sent before, and with that all has come that the new one was not sent.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from itertools import pairwise

from upbit_stream.connection.inquiries import Inquiry
from upbit_stream.connection.parts import Part, Passage
from upbit_stream.connection.pool import Lease
from upbit_stream.connection.routes import AnyChannel
from upbit_stream.connection.states import ConnectionState
from upbit_stream.connection.traffic import Sample
from upbit_stream.errors import UpbitStreamError
from upbit_stream.protocol.requests import listed_codes
from upbit_stream.telling import tell

__all__ = ["Shards", "halve", "rates"]

# Connections of one stream, at most.
_AT_MOST = 8

# Seconds for which a connection must have carried too much, each single one of them.
_SUSTAINED = 3

# Seconds after a split in which there is no other, so that its effect can be seen.
_PAUSE = 10.0

# The same after one that came to nothing, and for a connection that cannot be divided.
_LONG_PAUSE = 60.0

# Seconds for which both carry the codes, at least; and at most, if the old one still lags then.
_OVERLAP = 1.0
_OVERLAP_AT_MOST = 4.0

# Seconds after which a move that has not come about is given up.
_MOVE_WITHIN = 30.0

# Seconds for which it is remembered what had come over the old connection.
_REMEMBER = 5.0

# The part of the load that must move for a split to be worth a connection.
_WORTH_IT = 0.1


class _Shard:
    """One of the connections, with the parts that it carries."""

    def __init__(self, lease: Lease) -> None:
        self.lease = lease
        self.parts: dict[AnyChannel, Part] = {}
        #: The moment (of ``time.monotonic()``) before which it is not split.
        self.whole_until = float("-inf")
        self.counting_since: float | None = None

    @property
    def serving(self) -> bool:
        return self.lease.connection.serving

    @property
    def reconnects(self) -> int:
        return sum(line.traffic.reconnects for line in self.lease.connection.lines)

    @property
    def settled(self) -> bool:
        """Whether nothing is being fetched that was missed: what waits for it would be lost."""
        return all(line.settled for line in self.lease.connection.lines)

    @property
    def rates(self) -> list[float]:
        """Messages a second, of the last seconds one by one; none while it is not connected."""
        if self.lease.connection.state is not ConnectionState.CONNECTED:
            return []
        return rates(self.lease.connection.lines[0].traffic.samples.copy(), _SUSTAINED)

    def add(self, part: Part) -> None:
        self.parts[part.channel] = part
        self.lease.connection.wishes.add(part.as_channel)

    def carry(self, wanted: Mapping[AnyChannel, Sequence[str]]) -> None:
        """Carry these codes of these channels, and nothing else."""
        wishes = self.lease.connection.wishes
        for channel in [one for one in self.parts if one not in wanted]:
            wishes.remove(self.parts.pop(channel).as_channel)
        changed = False
        for channel, codes in wanted.items():
            part = self.parts.get(channel)
            if part is None:
                self.add(Part(channel, tuple(codes)))
            else:
                changed = part.want(tuple(codes)) or changed
        if changed:
            wishes.touch()

    def ask(self) -> Inquiry:
        """Ask the exchange for the list, behind what is wanted now."""
        inquiry = Inquiry()
        self.lease.connection.wishes.inquire(inquiry)
        return inquiry

    def count(self, now: float) -> None:
        """Count the events of each code from now on, unless that is being done."""
        if self.counting_since is None:
            self.counting_since = now
            for part in self.parts.values():
                part.census = Counter()

    def stop_counting(self) -> dict[str, int]:
        """Count no further; the messages of each code, if they were counted."""
        if self.counting_since is None:
            return {}
        counts: dict[tuple[object, str], int] = {}
        for part in self.parts.values():
            census, part.census = part.census or Counter(), None
            group = type(part.demand), part.demand.type, part.demand.group
            for code in part.demand.codes:
                # One message serves everyone who wants the same.
                counts[group, code] = max(census[code], counts.get((group, code), 0))
        self.counting_since = None
        loads: dict[str, int] = {}
        for (_, code), count in counts.items():
            loads[code] = loads.get(code, 0) + count
        return loads


class _Move:
    """Codes on their way from one connection to another."""

    def __init__(self, source: _Shard, target: _Shard, codes: Collection[str], now: float) -> None:
        self.source = source
        self.target = target
        self.codes = frozenset(codes)
        self.begun_at = now
        self.crossed_at: float | None = None
        self.passages: dict[AnyChannel, Passage] = {}
        #: The codes of each channel that both connections carry since the beginning.
        self.carried: dict[AnyChannel, tuple[str, ...]] = {}
        self._reconnects = source.reconnects, target.reconnects
        for channel, part in source.parts.items():
            mine = tuple(code for code in part.demand.codes if code in self.codes)
            if mine:
                self.carried[channel] = mine
                self.passages[channel] = passage = Passage(channel, mine)
                part.lead(passage.old)  # before the new one can have been sent anything
        for channel, mine in self.carried.items():
            part = Part(channel, mine)
            part.on_trial = True
            part.lead(self.passages[channel].new)
            target.add(part)
        #: Shows that the new one carries the codes.
        self.proof = target.ask()
        #: Shows that the old one has brought what came before; None: not asked yet.
        self.fence: Inquiry | None = None
        self.fenced_at = now

    @property
    def disturbed(self) -> bool:
        """Whether either was lost since the beginning, so that nothing is shown by anything."""
        serving = self.source.serving and self.target.serving
        return not serving or self._reconnects != (self.source.reconnects, self.target.reconnects)

    @property
    def proven(self) -> bool:
        """Whether the exchange says that it sends the codes over the new one."""
        listed = listed_codes(self.proof.rows or ())
        return all(
            (channel.demand.type, code) in listed
            for channel, codes in self.carried.items()
            for code in codes
        )

    def ready(self, now: float) -> bool:
        """Whether it can be crossed; asks what must be asked for that."""
        if not self.proof.done:
            return False
        if self.fence is None:
            if not self.proven:
                self.proof = self.target.ask()
            elif self.source.settled:
                self.fence, self.fenced_at = self.source.ask(), now
            return False
        if not self.fence.done:
            return False
        if self.fence.rows is None or not self.source.settled:
            self.fence = None
            return False
        waited = now - self.fenced_at
        caught_up = all(passage.caught_up for passage in self.passages.values())
        return waited >= (_OVERLAP if caught_up else _OVERLAP_AT_MOST)

    def keep_to(self, wanted: Mapping[AnyChannel, Collection[str]]) -> None:
        """These are wanted now: what is not any more does not move, even if it is wanted again."""
        self.carried = {
            channel: left
            for channel, codes in self.carried.items()
            if (left := tuple(code for code in codes if code in wanted.get(channel, ())))
        }

    def whole_codes(self, channels: Iterable[AnyChannel]) -> frozenset[str]:
        """The codes that can move, because everyone who wants them has had both since then."""
        wanted = {code for codes in self.carried.values() for code in codes}
        for channel in channels:
            wanted -= set(channel.demand.codes) - set(self.carried.get(channel, ()))
        return frozenset(wanted)

    def finish(self) -> None:
        """Have what comes go straight into the channels. If nothing was crossed, the new one's goes
        nowhere.
        """
        crossed = self.crossed_at is not None
        for shard in (self.source, self.target) if crossed else (self.source,):
            for channel, part in shard.parts.items():
                if channel in self.passages:
                    part.lead(None)


class Shards:
    """The connections that carry the public subscriptions of one stream, as one lease.

    ``take`` leases a further connection, ``give_back`` ends one. Its owner holds a lock around
    every call, and calls :meth:`look` once a second.
    """

    def __init__(
        self, limit: float, take: Callable[[], Lease], give_back: Callable[[Lease], object]
    ) -> None:
        self._limit = limit
        self._take = take
        self._give_back = give_back
        self._shards: tuple[_Shard, ...] = ()
        self._channels: tuple[AnyChannel, ...] = ()
        self._where: dict[str, _Shard] = {}
        self._move: _Move | None = None
        self._quiet_until = float("-inf")
        # Channels whose connection has ended for good, with the reason: they end without the lock.
        self._failed: dict[AnyChannel, UpbitStreamError] = {}

    # As a lease.

    def prepare(self) -> None:
        """Have a connection."""
        self._drop_failed()
        if not self._shards:
            self._shards = (_Shard(self._take()),)

    def carry(self, channel: AnyChannel) -> None:
        """Serve ``channel``, too."""
        self._channels = (*self._channels, channel)
        self._arrange()

    def drop(self, channel: AnyChannel) -> None:
        """Serve ``channel`` no more."""
        self._channels = tuple(one for one in self._channels if one is not channel)
        self._arrange()

    def touch(self) -> None:
        """A channel's own demand has changed."""
        self._arrange()

    def release(self) -> tuple[Lease, ...]:
        """Need nothing any more: the leases to be given back."""
        trial = self.on_trial
        leases = tuple(shard.lease for shard in self._shards)
        self._shards, self._channels, self._where, self._move = (), (), {}, None
        return leases if trial is None else (*leases, trial)

    @property
    def on_trial(self) -> Lease | None:
        """The one that nobody depends on yet."""
        move = self._move
        return move.target.lease if move is not None and move.crossed_at is None else None

    # Who carries what.

    def _arrange(self) -> None:
        wanted: dict[_Shard, dict[AnyChannel, list[str]]] = {shard: {} for shard in self._shards}
        for channel in self._channels:
            for code in channel.demand.codes:
                if (shard := self._place(code)) is not None:
                    wanted[shard].setdefault(channel, []).append(code)
        move = self._move
        if move is not None and move.crossed_at is None:
            move.keep_to({channel: channel.demand.codes for channel in self._channels})
            move.target.carry(move.carried)
        for shard in self._shards:
            shard.carry(wanted[shard])
        idle = [shard for shard in self._shards if not shard.parts]
        for shard in idle if len(idle) < len(self._shards) else idle[1:]:
            self._leave(shard)

    def _place(self, code: str) -> _Shard | None:
        """Where a code is carried: a new one where there is the least to do."""
        shard = self._where.get(code)
        if shard not in self._shards:
            shard = min(self._shards, key=lambda one: sum(one.rates[-1:]), default=None)
            if shard is not None:
                self._where[code] = shard
        return shard

    def _leave(self, shard: _Shard) -> None:
        self._shards = tuple(one for one in self._shards if one is not shard)
        self._where = {code: one for code, one in self._where.items() if one is not shard}
        if self._move is not None and shard in (self._move.source, self._move.target):
            self._end_move()
        self._give_back(shard.lease)

    def _drop_failed(self) -> None:
        """Forget connections that have ended for good, and their channels with them, which end at
        the next :meth:`look`.
        """
        failed = [shard for shard in self._shards if not shard.serving]
        if not failed:
            return
        self._shards = tuple(shard for shard in self._shards if shard not in failed)
        for shard in failed:
            if (error := shard.lease.connection.error) is not None:
                self._failed.update(dict.fromkeys(shard.parts, error))
        self._channels = tuple(one for one in self._channels if one not in self._failed)
        self._where = {code: one for code, one in self._where.items() if one not in failed}

    # Splitting.

    def look(self, now: float) -> list[Callable[[], None]]:
        """See to the load; what is returned is to be called at once, without the lock."""
        self._drop_failed()
        failed, self._failed = self._failed, {}
        if failed or any(channel.ended for channel in self._channels):
            self._channels = tuple(one for one in self._channels if not one.ended)
            self._arrange()
        ends = [partial(channel.end, error) for channel, error in failed.items()]
        return [*ends, *self._look_at_load(now)]

    def _look_at_load(self, now: float) -> list[Callable[[], None]]:
        move = self._move
        if move is None:
            self._consider(now)
            return []
        if move.crossed_at is not None:
            if now - move.crossed_at >= _REMEMBER:
                self._end_move()
            return []
        if move.disturbed or not move.carried or now - move.begun_at >= _MOVE_WITHIN:
            self._give_up(now)
            return []
        return self._cross(move, now) if move.ready(now) else []

    def _consider(self, now: float) -> None:
        """Split the connection that carries the most, if that is too much."""
        if now < self._quiet_until or len(self._shards) >= _AT_MOST:
            return
        over: list[tuple[float, _Shard]] = []
        for shard in self._shards:
            each = shard.rates
            if not each or each[-1] <= self._limit or now < shard.whole_until:
                shard.stop_counting()
                continue
            shard.count(now)
            since = shard.counting_since
            counted = since is not None and now - since >= _SUSTAINED
            if counted and len(each) == _SUSTAINED and min(each) > self._limit and shard.settled:
                over.append((min(each), shard))
        if over:
            self._split(*max(over, key=lambda one: one[0]), now)

    def _split(self, rate: float, shard: _Shard, now: float) -> None:
        loads = shard.stop_counting()
        codes = halve(loads)
        if sum(loads[code] for code in codes) <= _WORTH_IT * sum(loads.values()):
            shard.whole_until = now + _LONG_PAUSE
            tell(logging.DEBUG, "%s: %.0f messages a second, of one code", _name(shard), rate)
            return
        for other in self._shards:
            other.stop_counting()
        self._quiet_until = now + _LONG_PAUSE  # should there be no descriptor, or no thread
        target = _Shard(self._take())
        self._move = _Move(shard, target, codes, now)
        tell(
            logging.INFO,
            "%s: %.0f messages a second (shard_above=%g); %d of %d codes are to move to %s",
            _name(shard), rate, self._limit, len(codes), len(loads), _name(target),
        )  # fmt: skip

    def _cross(self, move: _Move, now: float) -> list[Callable[[], None]]:
        codes = move.whole_codes(self._channels)
        if not codes:
            self._give_up(now)
            return []
        move.crossed_at = now
        self._quiet_until = now + _PAUSE
        self._shards = (*self._shards, move.target)
        self._where.update(dict.fromkeys(codes, move.target))
        for part in move.target.parts.values():
            part.on_trial = False
        self._arrange()
        tell(logging.INFO, "%s: %d codes have moved to it", _name(move.target), len(codes))
        return [partial(passage.cross, codes) for passage in move.passages.values()]

    def _give_up(self, now: float) -> None:
        move = self._move
        assert move is not None
        self._quiet_until = now + _LONG_PAUSE
        self._end_move()
        tell(
            logging.INFO, "%s: no codes have moved to it; another attempt later", _name(move.target)
        )

    def _end_move(self) -> None:
        move, self._move = self._move, None
        assert move is not None
        if move.crossed_at is None:
            for passage in move.passages.values():
                passage.give_up()
            self._give_back(move.target.lease)
        move.finish()


def _name(shard: _Shard) -> str:
    return shard.lease.connection.name


def rates(samples: Sequence[Sample], seconds: int) -> list[float]:
    """The messages a second between the last samples, ``seconds`` figures at most."""
    newest = list(samples)[-seconds - 1 :]
    return [
        (after.messages - before.messages) / (after.at - before.at)
        for before, after in pairwise(newest)
        if after.at > before.at
    ]


def halve(loads: Mapping[str, int]) -> tuple[str, ...]:
    """The codes that are to go, so that about half of the load goes: never all of them. The busiest
    stays.
    """
    staying, going = [0, 0], [0, 0]
    leaving: list[str] = []
    # Each to the side that has less, the busy ones first; of those without load, half.
    for code in sorted(loads, key=lambda one: -loads[one]):
        side = going if going < staying else staying
        side[0] += loads[code]
        side[1] += 1
        if side is going:
            leaving.append(code)
    return tuple(leaving)
