"""How much comes from NATS at a time, and what is begun anew."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import GatedCallback, eventually
from tests.relay.desk import Press, ids
from tests.relay.servers import NatsServer, needs_nats
from upbit_stream import ConnectionPool, Trade, UpbitStream
from upbit_stream.relay import RelaySource

pytestmark = needs_nats

_CODES = ("KRW-BTC", "KRW-ETH")
_LONG_AGO = datetime(2020, 1, 1, tzinfo=timezone.utc)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    """One that cuts off a client for which one megabyte waits."""
    settings = tmp_path / "nats.conf"
    settings.write_text("max_pending: 1MB\n")
    with NatsServer("-c", str(settings)) as server:
        yield server


@pytest.fixture
def press(server: NatsServer) -> Iterator[Press]:
    with Press(server) as press:
        yield press


def reader(server: NatsServer) -> UpbitStream:
    """A stream of all that there is."""
    source = RelaySource(url=server.url, since=_LONG_AGO)
    return UpbitStream(source=source, pool=ConnectionPool())


def test_a_long_backlog_does_not_get_a_consumer_cut_off(server: NatsServer, press: Press) -> None:
    made = press.print(8000, _CODES)
    gated = GatedCallback()
    with reader(server) as stream:
        stream.trade(_CODES, callback=gated, overflow="block", queue_size=10)
        eventually(lambda: stream.stats.queued >= 10)
        gated.release.set()
        eventually(lambda: len(gated.seen) == 2 * len(made))
        assert stream.stats.reconnects == 0
        assert stream.stats.messages == 2 * len(made)
    for code in _CODES:
        assert ids(one for one in gated.seen if one.code == code) == made


def test_what_waits_is_bounded(server: NatsServer, press: Press) -> None:
    press.print(8000, _CODES)
    gated = GatedCallback()
    with reader(server) as stream:
        stream.trade(_CODES, callback=gated, overflow="block", queue_size=10)
        eventually(lambda: stream.stats.queued >= 10)
        assert _asked_for(server) <= stream.stats.messages + len(_CODES) * 1000
        gated.release.set()


def test_a_consumer_that_was_deleted_is_made_anew(server: NatsServer, press: Press) -> None:
    made = press.print(10)
    trades: list[Trade] = []
    with reader(server) as stream:
        stream.trade("KRW-BTC", callback=trades.append)
        eventually(lambda: len(trades) == 10)
        asyncio.run(_delete_consumers(server))
        made += press.print(10)
        eventually(lambda: len(trades) >= 20)
        made += press.print(10)
        eventually(lambda: len(trades) >= 30)
        assert ids(trades) == made
        assert stream.stats.reconnects == 0


async def _consumers(jetstream: Any) -> list[Any]:
    """Those of trades."""
    there = await jetstream.consumers_info("UPBIT")
    return [one for one in there if (one.config.filter_subject or "").startswith("upbit.trade.")]


def _asked_for(server: NatsServer) -> int:
    """How many trades the server has sent."""

    async def count() -> int:
        import nats

        client = await nats.connect(server.url)
        told = await _consumers(client.jetstream())
        await client.close()
        return sum(one.delivered.consumer_seq for one in told)

    return asyncio.run(count())


async def _delete_consumers(server: NatsServer) -> None:
    import nats

    client = await nats.connect(server.url)
    jetstream = client.jetstream()
    those = await _consumers(jetstream)
    assert those
    for one in those:
        await jetstream.delete_consumer("UPBIT", one.name)
    await client.close()
