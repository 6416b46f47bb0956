"""What sink and source share on Redis: the names of its keys, the connection, what its errors mean.

========================================  ======================================================
``upbit:trade:KRW-BTC``                   a stream of entries; their only field is ``e``
``upbit:trade:KRW-BTC:seen`` ``:old``     ids of its trades, two sets of bounded size
``upbit:orders``                          a hash: what is known of each lane's order
``upbit:notices``                         a stream: gaps and states; their only field is ``n``
``upbit:memory``                          something random: it is there as long as the others are
``upbit:publishers`` ``upbit:consumers``  hashes of reports, the time of each before it
``upbit:group:NAME:…``                    ``members``, their ``selections``; of each lane
                                          ``owners``, ``positions``
========================================  ======================================================

A lane is one key, and one script writes many lanes: so it is one Redis, not a cluster of them.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

from upbit_stream.relay.brokers import (
    BrokerRefused,
    BrokerUnavailable,
    public_url,
    unreachable,
    wrong_password,
)
from upbit_stream.relay.lanes import Lane

__all__ = [
    "CONSUMERS",
    "NOTICES",
    "ORDERS",
    "PUBLISHERS",
    "RedisSide",
    "all_reports",
    "group_key",
    "key_of",
    "translated",
]

_PREFIX = "upbit:"
ORDERS = f"{_PREFIX}orders"
NOTICES = f"{_PREFIX}notices"
_MEMORY = f"{_PREFIX}memory"
PUBLISHERS = f"{_PREFIX}publishers"
CONSUMERS = f"{_PREFIX}consumers"

# Seconds for connecting, and for an answer: after them the broker counts as away.
_CONNECT = 3.0
_ANSWER = 3.0

#: Seconds for which a report counts.
_FRESH = 6

# Takes a report, forgets those of the dead, and answers with those of the living: their names and
# their reports in turns. The time is the broker's own, so no two clocks are compared.
_REPORT = """
local now = tonumber(redis.call('TIME')[1])
redis.call('HSET', KEYS[1], ARGV[1], now .. ' ' .. ARGV[2])
local living = {}
local told = redis.call('HGETALL', KEYS[2])
for i = 1, #told, 2 do
  local at, report = string.match(told[i + 1], '^(%d+) (.*)$')
  local age = now - tonumber(at)
  if age <= tonumber(ARGV[3]) then
    living[#living + 1] = told[i]
    living[#living + 1] = report
  elseif age > 600 then
    redis.call('HDEL', KEYS[2], told[i])
  end
end
return living
"""


def key_of(lane: Lane) -> str:
    """The stream of a lane."""
    return f"{_PREFIX}{lane.type}:{lane.code}"


def group_key(group: str, what: str) -> str:
    """A key of a group of consumers."""
    return f"{_PREFIX}group:{group}:{what}"


def _connect(url: str) -> Any:
    """A client that has reached the broker. ``ModuleNotFoundError`` says which extra is
    missing.
    """
    try:
        import redis
    except ModuleNotFoundError as missing:
        raise ModuleNotFoundError(
            f'{public_url(url)} needs the package redis: pip install "upbit-stream[redis]"',
            name=missing.name,
        ) from missing
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    with translated(url):
        client = redis.Redis.from_url(
            url,
            socket_connect_timeout=_CONNECT,
            socket_timeout=_ANSWER,
            socket_keepalive=True,
            protocol=2,
            # Whoever called it knows better what to do about a failure.
            retry=Retry(NoBackoff(), 0),
        )
        client.ping()
        return client


def _memory_of(client: Any) -> str:
    """What names the memory that the keys are in: it goes on after a restart if they do."""
    # The look comes first: one that is out of memory writes nothing.
    if (known := client.get(_MEMORY)) is None:
        client.set(_MEMORY, secrets.token_hex(8), nx=True)
        known = client.get(_MEMORY) or b""
    return str(known.decode())


def _check_memory(client: Any, memory: str, url: str) -> None:
    """:class:`BrokerUnavailable` when it is another one than :func:`_memory_of` has told: somebody
    has deleted all keys, and the connection does not say so.
    """
    if (client.get(_MEMORY) or b"").decode() != memory:
        raise BrokerUnavailable(
            f"{public_url(url)}: the keys that begin with {_PREFIX!r} were deleted; if that was "
            "not you, look who else uses that server"
        )


@contextmanager
def translated(url: str) -> Iterator[None]:
    """Errors of redis-py as ours. None of them holds the password."""
    from redis import exceptions

    try:
        yield
    except exceptions.AuthenticationError as error:
        raise wrong_password(url, error, "redis://:password@host:6379") from error
    except (exceptions.ConnectionError, exceptions.TimeoutError, OSError) as error:
        if isinstance(error, exceptions.AuthorizationError):
            raise BrokerRefused(f"{public_url(url)}: {error}") from error
        raise unreachable(url, error) from error
    except exceptions.NoPermissionError as error:
        raise BrokerRefused(f"{public_url(url)}: {error}") from error
    except exceptions.RedisError as error:  # out of memory, read only, its scripts forgotten …
        if "WRONGTYPE" in str(error):
            raise BrokerRefused(
                f"{public_url(url)}: a key that begins with {_PREFIX!r} is not what this package "
                f"makes of it ({error}): rename or delete that key, or use another database "
                "(redis://host:6379/1)"
            ) from error
        raise BrokerUnavailable(f"{public_url(url)}: {error}") from error


def all_reports(client: Any) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """The reports of the living publishers and consumers."""
    now = int(client.time()[0])
    told: list[dict[str, bytes]] = []
    for key in (PUBLISHERS, CONSUMERS):
        reports = {}
        for name, text in client.hgetall(key).items():
            at, _, report = text.partition(b" ")
            if now - int(at) <= _FRESH:
                reports[name.decode()] = report
        told.append(reports)
    return told[0], told[1]


class RedisSide:
    """What sink and source are alike in: the connection, the report. Belongs to one thread."""

    #: The hash in which the reports of its kind are.
    REPORTS: ClassVar[str]

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: Any = None
        # What names the run of the server, and its memory, which may go on in the next one.
        self._run = self._memory = ""

    def open(self) -> str:
        """See :class:`~upbit_stream.relay.brokers.Sink`."""
        self._client = _connect(self._url)
        with translated(self._url):
            self._prepare()
            run, memory = str(self._client.info("server")["run_id"]), _memory_of(self._client)
        self._run, self._memory = run, memory
        return f"{self._run}/{self._memory}"

    def _prepare(self) -> None:
        """Tell the new client what it needs to know."""

    @property
    def _opened(self) -> Any:
        if self._client is None:
            raise BrokerUnavailable("not connected")
        return self._client

    def report(self, name: str, report: bytes) -> Mapping[str, bytes]:
        """See :class:`~upbit_stream.relay.brokers.Sink`."""
        with translated(self._url):
            _check_memory(self._opened, self._memory, self._url)
            told = self._opened.eval(_REPORT, 2, self.REPORTS, PUBLISHERS, name, report, _FRESH)
        return {told[i].decode(): bytes(told[i + 1]) for i in range(0, len(told), 2)}

    def close(self) -> None:
        """See :class:`~upbit_stream.relay.brokers.Sink`."""
        client, self._client = self._client, None
        if client is not None:
            client.close()
