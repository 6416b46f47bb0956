"""Publishing to Redis Streams."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from upbit_stream.relay.entries import ORDER_DIGITS, Entry
from upbit_stream.relay.lanes import Lane
from upbit_stream.relay.redis_common import (
    NOTICES,
    ORDERS,
    PUBLISHERS,
    RedisSide,
    key_of,
    translated,
)

__all__ = ["RedisSink"]

# Ids of trades that are remembered for each lane: so many at least, twice as many at most.
_REMEMBERED = 2048

# Entries in one call of the script, which holds up everyone else of that Redis; and bytes of them
# after which another call begins, so that Redis has something to do while the rest is on its way.
_AT_ONCE = 500
_BYTES = 128 * 1024

_NOTICES_KEPT = 1000

# Adds what is new, and only that, in one step: nobody comes between the look and the writing.
#
# Of a lane is known (in the hash ORDERS, under its key): for trades the largest id, and up to which
# id (:floor) nothing new is taken, because that is from before the lane's beginning, or it is not
# remembered what was there. It follows the sets of ids: when the younger one is full (:size), it
# becomes the older one, and :more is the largest id by then. For states the newest timestamp, and
# in :more the marks of what came of that millisecond.
#
# A trade with an id above the largest is new without a look into the sets; one that is below may be
# late, and is looked up.
#
# Redis takes nothing back of a script that fails half way. So a failing call ends the writing, and
# what was written until then is noted before the failure is told: or it would be written again.
#
# KEYS: the hash, then the lanes. ARGV: how many ids are remembered, how to trim and at what; then
# for each lane how many entries, and of each its order (with the mark behind it) and its payload.
_PUBLISH = """
local find, sub = string.find, string.sub
local failure
local function call(...)
  local answer = redis.pcall(...)
  if type(answer) == 'table' and answer.err then
    local name, key = ...
    failure = failure or redis.error_reply(answer.err .. ' (' .. name .. ' ' .. key .. ')')
    return nil
  end
  return answer
end
local orders = KEYS[1]
local remembered, trimming, threshold = tonumber(ARGV[1]), ARGV[2], ARGV[3]
local fields = {}
for i = 2, #KEYS do
  local key, n = KEYS[i], #fields
  fields[n + 1], fields[n + 2] = key, key .. ':more'
  fields[n + 3], fields[n + 4] = key .. ':floor', key .. ':size'
end
local told = call('HMGET', orders, unpack(fields))
if failure then
  return failure
end
local count, at, news = 0, 4, {}
for i = 2, #KEYS do
  local key, from = KEYS[i], (i - 2) * 4
  local newest, more = told[from + 1] or '', told[from + 2] or ''
  local floor, size = told[from + 3] or '', tonumber(told[from + 4] or 0)
  local ids, before = {}, count
  local last = at + 2 * tonumber(ARGV[at])
  for j = at + 1, last, 2 do
    local order, mark = sub(ARGV[j], 1, 20), sub(ARGV[j], 21)
    local new = order > newest
    if not new and mark ~= '' then
      new = order == newest and not find(more, mark, 1, true)
    elseif not new and order > floor then
      new = call('SISMEMBER', key .. ':seen', order) == 0
        and call('SISMEMBER', key .. ':old', order) == 0
      for k = 1, #ids do
        new = new and ids[k] ~= order
      end
    end
    new = new and not failure
    if new and call('XADD', key, trimming, '~', threshold, '*', 'e', ARGV[j + 1]) then
      count = count + 1
      if mark ~= '' then
        more = order > newest and mark or more .. ',' .. mark
      else
        ids[#ids + 1] = order
        if newest == '' then
          floor = order
        end
      end
      if order > newest then
        newest = order
      end
    end
  end
  at = last + 1
  if #ids > 0 then
    call('SADD', key .. ':seen', unpack(ids))
    size = size + #ids
    if size >= remembered then
      if more > floor then
        floor = more
      end
      more, size = newest, 0
      call('RENAME', key .. ':seen', key .. ':old')
    end
  end
  if count > before then
    local n = #news
    news[n + 1], news[n + 2] = fields[from + 1], newest
    news[n + 3], news[n + 4] = fields[from + 2], more
    news[n + 5], news[n + 6] = fields[from + 3], floor
    news[n + 7], news[n + 8] = fields[from + 4], size
  end
end
if #news > 0 then
  call('HSET', orders, unpack(news))
end
return failure or count
"""

# Begins a lane with a trade, if there is none. KEYS: the hash, the lane. ARGV: order and payload.
_BEGIN = """
local orders, key, order = KEYS[1], KEYS[2], ARGV[1]
if redis.call('HEXISTS', orders, key) == 1 then
  return 0
end
redis.call('SADD', key .. ':seen', order)
redis.call('XADD', key, '*', 'e', ARGV[2])
redis.call('HSET', orders, key, order, key .. ':more', '')
redis.call('HSET', orders, key .. ':floor', order, key .. ':size', 1)
return 1
"""

# Lets in what is from before a lane's beginning, from an order on, as long as it is remembered all
# that came since. (Then the first one is among the ids; :floor, which it was, is the largest id
# that is forgotten later on.) KEYS: the hash, the lane. ARGV: the order, and the one before it.
_REOPEN = """
local orders, key = KEYS[1], KEYS[2]
local floor = redis.call('HGET', orders, key .. ':floor')
if floor and floor > ARGV[1] and (redis.call('SISMEMBER', key .. ':seen', floor) == 1
    or redis.call('SISMEMBER', key .. ':old', floor) == 1) then
  redis.call('HSET', orders, key .. ':floor', ARGV[2])
end
"""


class RedisSink(RedisSide):
    """Writes lanes as streams.

    ``max_length``: entries that a lane keeps, about; ``max_age``: instead of it, for how many
    seconds it keeps them. Each publisher trims what it adds to: of several with different settings
    the smallest counts.
    """

    REPORTS = PUBLISHERS

    def __init__(self, url: str, *, max_length: int = 10_000, max_age: float | None = None) -> None:
        super().__init__(url)
        self._max_length = max_length
        self._max_age = max_age
        # The names of the scripts there.
        self._publish = self._begin = self._reopen = ""

    def _prepare(self) -> None:
        self._publish = self._client.script_load(_PUBLISH)
        self._begin = self._client.script_load(_BEGIN)
        self._reopen = self._client.script_load(_REOPEN)

    def send(self, entries: Sequence[Entry]) -> int:
        with translated(self._url):
            client = self._opened
            pipeline = client.pipeline(transaction=False)
            for part in _parts(entries):
                self._call(pipeline, part)
            return sum(pipeline.execute())

    def _call(self, pipeline: Any, entries: Sequence[Entry]) -> None:
        lanes: dict[Lane, list[Any]] = {}
        for entry in entries:
            told = lanes.get(entry.lane)
            if told is None:
                told = lanes[entry.lane] = []
            told.append(f"{entry.order:0{ORDER_DIGITS}d}{entry.mark}")
            told.append(entry.payload)
        arguments: list[Any] = [_REMEMBERED, *self._trimming()]
        for told in lanes.values():
            arguments.append(len(told) // 2)
            arguments += told
        keys = (ORDERS, *map(key_of, lanes))
        pipeline.evalsha(self._publish, len(keys), *keys, *arguments)

    def _trimming(self) -> tuple[str, int]:
        if self._max_age is None:
            return "MAXLEN", self._max_length
        return "MINID", self._now() - int(self._max_age * 1000)

    def _now(self) -> int:
        # The broker's clock, which the ids of entries are made of.
        seconds, microseconds = self._opened.time()
        return int(seconds) * 1000 + int(microseconds) // 1000

    def reopen(self, orders: Mapping[Lane, int]) -> None:
        with translated(self._url):
            pipeline = self._opened.pipeline(transaction=False)
            for lane, order in orders.items():
                told = (f"{one:0{ORDER_DIGITS}d}" for one in (order, order - 1))
                pipeline.evalsha(self._reopen, 2, ORDERS, key_of(lane), *told)
            pipeline.execute()

    def begin(self, entries: Sequence[Entry]) -> Collection[Lane]:
        with translated(self._url):
            pipeline = self._opened.pipeline(transaction=False)
            for entry in entries:
                order = f"{entry.order:0{ORDER_DIGITS}d}"
                keys = (ORDERS, key_of(entry.lane))
                pipeline.evalsha(self._begin, len(keys), *keys, order, entry.payload)
            begun = pipeline.execute()
        return {entry.lane for entry, done in zip(entries, begun, strict=True) if done}

    def newest(self, lanes: Sequence[Lane]) -> Mapping[Lane, int]:
        if not lanes:
            return {}
        with translated(self._url):
            told = self._opened.hmget(ORDERS, [key_of(lane) for lane in lanes])
        return {
            lane: int(order) for lane, order in zip(lanes, told, strict=True) if order is not None
        }

    def tell(self, notice: bytes) -> None:
        with translated(self._url):
            self._opened.xadd(NOTICES, {"n": notice}, maxlen=_NOTICES_KEPT)


def _parts(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """What goes into one call each."""
    part: list[Entry] = []
    size = 0
    for entry in entries:
        part.append(entry)
        size += len(entry.payload)
        if size >= _BYTES or len(part) >= _AT_ONCE:
            yield part
            part, size = [], 0
    if part:
        yield part
