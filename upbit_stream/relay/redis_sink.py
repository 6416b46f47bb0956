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
# remembered what was there. It follows the sets of ids: when the younger one is full, it becomes
# the older one. For states the newest timestamp with the marks of what came of that millisecond.
#
# A trade with an id above the largest is new without a look into the sets; one that is below may be
# late, and is looked up.
_PUBLISH = """
local orders = KEYS[1]
local remembered = tonumber(ARGV[1])
local trimming, threshold = ARGV[2], ARGV[3]
local lanes = {}
local function known(key)
  local lane = lanes[key]
  if not lane then
    local told = redis.call('HMGET', orders, key, key .. ':more', key .. ':floor')
    lane = {newest = told[1] or '', more = told[2] or '', floor = told[3] or '',
            seen = key .. ':seen', old = key .. ':old'}
    lanes[key] = lane
  end
  return lane
end
local function add(key, payload)
  redis.call('XADD', key, trimming, '~', threshold, '*', 'e', payload)
end
local added = 0
for i = 4, #ARGV, 4 do
  local key, order, mark, payload = KEYS[tonumber(ARGV[i])], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local lane = known(key)
  if mark ~= '' then
    if order > lane.newest then
      add(key, payload)
      added = added + 1
      lane.newest, lane.more, lane.changed = order, mark, true
    elseif order == lane.newest and not string.find(lane.more, mark, 1, true) then
      add(key, payload)
      added = added + 1
      lane.more, lane.changed = lane.more .. ',' .. mark, true
    end
  else
    local new = order > lane.newest
    if not new and order > lane.floor then
      new = redis.call('SISMEMBER', lane.seen, order) == 0
        and redis.call('SISMEMBER', lane.old, order) == 0
    end
    if new then
      add(key, payload)
      added = added + 1
      redis.call('SADD', lane.seen, order)
      if lane.newest == '' then
        lane.floor = order
      end
      if order > lane.newest then
        lane.newest = order
      end
      lane.changed = true
      lane.size = (lane.size or redis.call('SCARD', lane.seen) - 1) + 1
      if lane.size >= remembered then
        if lane.more > lane.floor then
          lane.floor = lane.more
        end
        lane.more = lane.newest
        redis.call('RENAME', lane.seen, lane.old)
        lane.size = 0
      end
    end
  end
end
for key, lane in pairs(lanes) do
  if lane.changed then
    redis.call('HSET', orders, key, lane.newest, key .. ':more', lane.more,
               key .. ':floor', lane.floor)
  end
end
return added
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
