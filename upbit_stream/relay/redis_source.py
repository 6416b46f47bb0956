"""Reading from Redis Streams, alone or as one of a group."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from upbit_stream.relay.brokers import Heard, Passage, Record
from upbit_stream.relay.lanes import Lane, selection_of
from upbit_stream.relay.redis_common import (
    CONSUMERS,
    NOTICES,
    RedisSide,
    all_reports,
    group_key,
    key_of,
    translated,
)

__all__ = ["RedisSource"]

# Entries of each lane in one answer; of many lanes these are many. Of larger answers each event
# costs more, because nothing of them is near any more when it is needed.
_BATCH = 50

# Notices in one answer; the broker keeps so many, or a few more.
_NOTICES = 1000

# The position before every entry; and, behind a millisecond, that behind all that could come in it.
_BEGINNING = "0-0"
_BEFORE = f"-{2**64 - 1}"

# Seconds from one read to the next, for each lane: a read names all of them, which costs the broker
# 0.7 µs for each, whether there is anything or not. So it costs at most a tenth of its time.
_PACE = 7e-6

# Seconds between two reads in which no lane grows by more than it is to keep.
_UNDOUBTED = 1.0

# Milliseconds for which a member of a group has its lanes without a word. Others may take them over
# a second later at worst, for each asks once a second.
_LEASE = 3000

# One look at a group: who lives, which lanes are this member's. Each member is due an equal share
# of its lanes, among those who want the same ones (others may never take what it leaves): it takes
# what nobody has, and is told of what is more (which it has until it leaves it). ARGV: member,
# milliseconds, what names its selection, then the lanes that it wants. Answers the lanes that it
# has, each with the group's position (or empty) and '1' for one too many.
_SHARE = """
local members, owners, positions, selections = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local member, lease, selection = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('ZADD', members, now + lease, member)
redis.call('HSET', selections, member, selection)
for _, dead in ipairs(redis.call('ZRANGEBYSCORE', members, '-inf', now)) do
  redis.call('ZREM', members, dead)
  redis.call('HDEL', selections, dead)
end
local alike = 0
for _, its in ipairs(redis.call('HVALS', selections)) do
  if its == selection then alike = alike + 1 end
end
local share = math.ceil((#ARGV - 3) / alike)
local mine, free = {}, {}
for i = 4, #ARGV do
  local lane = ARGV[i]
  local owner = redis.call('HGET', owners, lane)
  if owner == member then
    mine[#mine + 1] = lane
  elseif not owner or not redis.call('ZSCORE', members, owner) then
    free[#free + 1] = lane
  end
end
local answer = {}
local function tell(lane, surplus)
  answer[#answer + 1] = lane
  answer[#answer + 1] = redis.call('HGET', positions, lane) or ''
  answer[#answer + 1] = surplus
end
for i, lane in ipairs(mine) do tell(lane, i > share and '1' or '0') end
for i = 1, math.min(#free, share - #mine) do
  redis.call('HSET', owners, free[i], member)
  tell(free[i], '0')
end
return answer
"""

# Notes positions of lanes that are the member's own, and gives up some of these. ARGV: member, then
# lane, position (or empty) and '1' for one that is given up, in turns.
_COMMIT = """
local owners, positions = KEYS[1], KEYS[2]
for i = 2, #ARGV, 3 do
  local lane, position, leaves = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if redis.call('HGET', owners, lane) == ARGV[1] then
    if position ~= '' then redis.call('HSET', positions, lane, position) end
    if leaves == '1' then redis.call('HDEL', owners, lane) end
  end
end
"""


class RedisSource(RedisSide):
    """Reads lanes that are streams. A position is the id of an entry."""

    REPORTS = CONSUMERS

    def __init__(self, url: str) -> None:
        super().__init__(url)
        # Which memory the positions are of.
        self._positions_of = ""
        self._read_at = 0.0
        # The lanes of which all was read, up to these positions: as long as they are read on, the
        # broker cannot have let anything go.
        self._whole: Mapping[Lane, str] = {}
        # Whether the positions are of a run that has ended: then what is not there was perhaps not
        # let go for want of room, but lost, and the publishers send it again.
        self._foreign = False
        # The last one that was heard, and in which memory; None: it was not begun.
        self._notices_after: str | None = None
        self._notices_of = ""

    def open(self) -> str:
        before = self._run
        memory = super().open()
        self._positions_of = self._positions_of or self._memory
        self._whole = {}
        self._foreign = self._foreign or before not in ("", self._run)
        return memory

    def _prepare(self) -> None:
        # As it comes: redis-py would make a dict of each entry.
        self._client.set_response_callback("XREAD", lambda answer, **options: answer)

    def newest(self, lanes: Sequence[Lane]) -> Mapping[Lane, Record]:
        with translated(self._url):
            pipeline = self._opened.pipeline(transaction=False)
            for lane in lanes:
                pipeline.xrevrange(key_of(lane), count=1)
            answers = pipeline.execute() if lanes else []
        return {
            lane: Record(lane, rows[0][0].decode(), rows[0][1][b"e"])
            for lane, rows in zip(lanes, answers, strict=True)
            if rows
        }

    def at(self, positions: Mapping[Lane, str]) -> Mapping[Lane, Record]:
        with translated(self._url):
            pipeline = self._opened.pipeline(transaction=False)
            for lane, position in positions.items():
                pipeline.xrange(key_of(lane), position, position)
            answers = pipeline.execute() if positions else []
        return {
            lane: Record(lane, position, rows[0][1][b"e"])
            for (lane, position), rows in zip(positions.items(), answers, strict=True)
            if rows
        }

    def beginning(self, milliseconds: int) -> str:
        return f"{milliseconds - 1}{_BEFORE}" if milliseconds > 0 else _BEGINNING

    def read(self, positions: Mapping[Lane, str], timeout: float) -> Sequence[Passage]:
        lanes = {key_of(lane).encode(): lane for lane in positions}
        # From the last entry on, not behind it: if it is not there any more, others may be gone.
        doubtful = self._doubtful(positions)
        overlapping = {lane: place for lane, place in doubtful.items() if _is_entry(place)}
        places = {**positions, **{lane: _before(one) for lane, one in overlapping.items()}}
        count = _BATCH + bool(overlapping)
        wait = max(1, int(timeout * 1000))  # 0 would be for ever
        with translated(self._url):
            answer = self._opened.execute_command(
                "XREAD", "COUNT", count, "BLOCK", wait, "STREAMS", *lanes, *places.values()
            )
        self._foreign = False
        passages = []
        # Of what is not answered nothing is known that was not known before.
        whole = {lane: place for lane, place in positions.items() if lane not in overlapping}
        for key, rows in answer or ():
            lane, position = lanes[key], rows[-1][0].decode()
            new, missed_since = _without_overlap(rows, overlapping.get(lane))
            if new:
                payloads = [fields[1] for _, fields in new]
                passages.append(Passage(lane, payloads, position, missed_since))
            whole.pop(lane, None)
            if len(rows) < count:  # all that there is
                whole[lane] = position
        self._whole = whole
        return passages

    def _doubtful(self, positions: Mapping[Lane, str]) -> Mapping[Lane, str]:
        """Those behind which the broker may have let something go by the time of this read, which
        is waited for.
        """
        time.sleep(max(0.0, self._read_at + len(positions) * _PACE - time.monotonic()))
        before, self._read_at = self._read_at, time.monotonic()
        if self._foreign:
            return {}
        if self._read_at - before > _UNDOUBTED:
            return positions
        whole = self._whole
        return {lane: place for lane, place in positions.items() if whole.get(lane) != place}

    def carried(self, positions: Mapping[Lane, str]) -> Mapping[Lane, str]:
        # As times they may be ahead of all that comes, if the clock was set back.
        before, self._positions_of = self._positions_of, self._memory
        if before == self._memory:
            return positions
        return {
            lane: _BEGINNING if _is_entry(place) else place for lane, place in positions.items()
        }

    def trimmed(self, positions: Mapping[Lane, str]) -> Collection[Lane]:
        with translated(self._url):
            pipeline = self._opened.pipeline(transaction=False)
            for lane, place in positions.items():
                if place == _BEGINNING:
                    pipeline.xinfo_stream(key_of(lane))
                else:
                    pipeline.xrange(key_of(lane), max=place, count=1)
            answers = pipeline.execute(raise_on_error=False)
        return {lane for lane, told in zip(positions, answers, strict=True) if not _is_whole(told)}

    def notices(self) -> Heard:
        with translated(self._url):
            client = self._opened
            if self._notices_after is None:
                newest = client.xrevrange(NOTICES, count=1)
                self._notices_after = newest[0][0].decode() if newest else _BEGINNING
                self._notices_of = self._memory
                return Heard(())
            is_same = self._notices_of == self._memory
            after = self._notices_after if is_same else _BEGINNING
            rows = client.xrange(NOTICES, f"({after}", count=_NOTICES)
            if not rows:
                return Heard(())
            # As long as there is one that was heard, none behind it is gone.
            missed = is_same and not client.xrange(NOTICES, max=after, count=1)
        if after == _BEGINNING:
            missed = is_same and len(rows) >= _NOTICES
        self._notices_after, self._notices_of = rows[-1][0].decode(), self._memory
        return Heard([fields[b"n"] for _, fields in rows], missed)

    def share(
        self, group: str, member: str, lanes: Sequence[Lane]
    ) -> tuple[Mapping[Lane, str | None], Sequence[Lane]]:
        names = {str(lane): lane for lane in lanes}
        told_of = ("members", "owners", "positions", "selections")
        keys = [group_key(group, what) for what in told_of]
        asked = (member, _LEASE, selection_of(names), *names)
        with translated(self._url):
            told = self._opened.eval(_SHARE, len(keys), *keys, *asked)
        mine: dict[Lane, str | None] = {}
        surplus = []
        for i in range(0, len(told), 3):
            lane = names[told[i].decode()]
            mine[lane] = told[i + 1].decode() or None
            if told[i + 2] == b"1":
                surplus.append(lane)
        return mine, surplus

    def commit(
        self, group: str, member: str, positions: Mapping[Lane, str], leaving: Sequence[Lane]
    ) -> None:
        arguments: list[str] = []
        for lane in dict.fromkeys((*positions, *leaving)):
            arguments += (str(lane), positions.get(lane, ""), "1" if lane in leaving else "0")
        keys = [group_key(group, what) for what in ("owners", "positions")]
        with translated(self._url):
            self._opened.eval(_COMMIT, len(keys), *keys, member, *arguments)

    def reports(self) -> tuple[Mapping[str, bytes], Mapping[str, bytes]]:
        with translated(self._url):
            return all_reports(self._opened)


def _is_whole(told: object) -> bool:
    """Whether nothing was let go behind a position: by what comes before it and is still there; or,
    of the beginning, by what is told of the stream (from Redis 7.0 on).
    """
    if isinstance(told, Mapping):
        return bool(told.get("entries-added") == told["length"])
    return isinstance(told, list) and bool(told)


def _moment(position: str) -> int:
    return int(position.partition("-")[0])


def _without_overlap(rows: Sequence[Any], last: str | None) -> tuple[Sequence[Any], int | None]:
    """The rows that are new, if they were asked for from the entry ``last`` on (None: from behind
    it); and if that is not there any more, the moment since when something may be missing.
    """
    if last is None:
        return rows, None
    if rows[0][0] == last.encode():
        return rows[1:], None
    return rows, _moment(last)


def _before(position: str) -> str:
    """The one behind which an entry is the first."""
    moment, _, number = position.partition("-")
    return f"{moment}-{int(number) - 1}" if int(number) else f"{int(moment) - 1}{_BEFORE}"


def _is_entry(position: str) -> bool:
    """Whether it is that of an entry, and not made by :meth:`RedisSource.beginning`."""
    return not position.endswith(_BEFORE) and position != _BEGINNING
