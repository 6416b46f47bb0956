"""Publishing to Redis Streams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from upbit_stream.relay.brokers import BrokerUnavailable
from upbit_stream.relay.entries import ORDER_DIGITS, Entry
from upbit_stream.relay.lanes import Lane
from upbit_stream.relay.redis_common import (
    NOTICES,
    ORDERS,
    PUBLISHERS,
    connect,
    fresh_reports,
    key_of,
    translated,
)

__all__ = ["RedisSink"]

# Ids of trades that are remembered for each lane: so many at least, twice as many at most.
_REMEMBERED = 2048

# Entries in one call of the script, which holds up everyone else of that Redis.
_AT_ONCE = 500

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
# KEYS: the hash, then the lanes. ARGV: how many ids are remembered, how to trim and at what, then
# the number of a lane, order, mark and payload in turns.
_PUBLISH = """
local call, find = redis.call, string.find
local orders = KEYS[1]
local remembered, trimming, threshold = tonumber(ARGV[1]), ARGV[2], ARGV[3]
local fields = {}
for i = 2, #KEYS do
  local key = KEYS[i]
  local n = #fields
  fields[n + 1], fields[n + 2] = key, key .. ':more'
  fields[n + 3], fields[n + 4] = key .. ':floor', key .. ':size'
end
local told = call('HMGET', orders, unpack(fields))
local lanes = {}
for i = 2, #KEYS do
  local at = (i - 2) * 4
  lanes[i] = {key = KEYS[i], newest = told[at + 1] or '', more = told[at + 2] or '',
              floor = told[at + 3] or '', size = tonumber(told[at + 4] or 0), ids = {}, added = {}}
end
local function is_new(lane, id)
  if id <= lane.floor or lane.added[id] then
    return false
  end
  return call('SISMEMBER', lane.key .. ':seen', id) == 0
    and call('SISMEMBER', lane.key .. ':old', id) == 0
end
local count = 0
for i = 4, #ARGV, 4 do
  local lane, order, mark = lanes[tonumber(ARGV[i])], ARGV[i + 1], ARGV[i + 2]
  local new = order > lane.newest
  if mark == '' then
    new = new or is_new(lane, order)
    if new then
      lane.ids[#lane.ids + 1] = order
      lane.added[order] = true
      if lane.newest == '' then
        lane.floor = order
      end
    end
  elseif new then
    lane.more = mark
  elseif order == lane.newest and not find(lane.more, mark, 1, true) then
    new = true
    lane.more = lane.more .. ',' .. mark
  end
  if new then
    call('XADD', lane.key, trimming, '~', threshold, '*', 'e', ARGV[i + 3])
    count = count + 1
    lane.changed = true
    if order > lane.newest then
      lane.newest = order
    end
  end
end
local news = {}
for i = 2, #KEYS do
  local lane = lanes[i]
  local ids = #lane.ids
  if ids > 0 then
    call('SADD', lane.key .. ':seen', unpack(lane.ids))
    lane.size = lane.size + ids
    if lane.size >= remembered then
      if lane.more > lane.floor then
        lane.floor = lane.more
      end
      lane.more, lane.size = lane.newest, 0
      call('RENAME', lane.key .. ':seen', lane.key .. ':old')
    end
  end
  if lane.changed then
    local at, n = (i - 2) * 4, #news
    news[n + 1], news[n + 2] = fields[at + 1], lane.newest
    news[n + 3], news[n + 4] = fields[at + 2], lane.more
    news[n + 5], news[n + 6] = fields[at + 3], lane.floor
    news[n + 7], news[n + 8] = fields[at + 4], lane.size
  end
end
if #news > 0 then
  call('HSET', orders, unpack(news))
end
return count
"""


class RedisSink:
    """Writes lanes as streams.

    ``max_length``: entries that a lane keeps, about; ``max_age``: instead of it, for how many
    seconds it keeps them.
    """

    def __init__(self, url: str, *, max_length: int = 10_000, max_age: float | None = None) -> None:
        self._url = url
        self._max_length = max_length
        self._max_age = max_age
        self._client: Any = None
        self._publish = ""

    def open(self) -> str:
        self._client = connect(self._url)
        with translated(self._url):
            self._publish = self._client.script_load(_PUBLISH)
            server = self._client.info("server")
        return str(server["run_id"])

    def send(self, entries: Sequence[Entry]) -> int:
        with translated(self._url):
            client = self._opened
            pipeline = client.pipeline(transaction=False)
            for begin in range(0, len(entries), _AT_ONCE):
                self._call(pipeline, entries[begin : begin + _AT_ONCE])
            return sum(pipeline.execute())

    def _call(self, pipeline: Any, entries: Sequence[Entry]) -> None:
        numbers: dict[Lane, int] = {}
        arguments: list[Any] = [_REMEMBERED, *self._trimming()]
        for entry in entries:
            # From 2: the first key is that of what is known of the lanes.
            number = numbers.setdefault(entry.lane, len(numbers) + 2)
            arguments += (number, f"{entry.order:0{ORDER_DIGITS}d}", entry.mark, entry.payload)
        keys = (ORDERS, *map(key_of, numbers))
        pipeline.evalsha(self._publish, len(keys), *keys, *arguments)

    def _trimming(self) -> tuple[str, int]:
        if self._max_age is None:
            return "MAXLEN", self._max_length
        return "MINID", self._now() - int(self._max_age * 1000)

    def _now(self) -> int:
        # The broker's clock, which the ids of entries are made of.
        seconds, microseconds = self._opened.time()
        return int(seconds) * 1000 + int(microseconds) // 1000

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

    def report(self, name: str, report: bytes) -> Mapping[str, bytes]:
        with translated(self._url):
            return fresh_reports(self._opened, PUBLISHERS, name, report)

    @property
    def _opened(self) -> Any:
        if self._client is None:
            raise BrokerUnavailable("not connected")
        return self._client

    def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()
