"""How much comes from NATS at a time, and what is begun anew."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timezone
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
from nats.aio.client import Client

from tests.conftest import GatedCallback, eventually
from tests.relay.desk import Press, ids
from tests.relay.looking import BTC
from tests.relay.servers import NatsServer, needs_nats
from upbit_stream import ConnectionPool, Trade, UpbitStream
from upbit_stream.recovery.history import IDS_PER_MS
from upbit_stream.relay import RelaySource
from upbit_stream.relay.brokers import BrokerRefused, BrokerUnavailable, open_sink
from upbit_stream.relay.entries import Entry, EntryReader
from upbit_stream.relay.lanes import Lane
from upbit_stream.relay.nats_client import BulkClient
from upbit_stream.relay.nats_source import NatsSource

pytestmark = needs_nats


@pytest.fixture(params=["short cut", "as everyone"], autouse=True)
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With nats-py as it is known, and as it may be one day."""
    monkeypatch.setattr(BulkClient, "is_known", request.param == "short cut")


def test_nats_py_is_as_it_is_known() -> None:
    known = ["self", "sid", "subject", "reply", "data", "headers"]
    assert list(inspect.signature(Client._process_msg).parameters) == known


_CODES = ("KRW-BTC", "KRW-ETH")
_LONG_AGO = datetime(2020, 1, 1, tzinfo=timezone.utc)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    """One that cuts off a client for which two megabytes wait."""
    settings = tmp_path / "nats.conf"
    settings.write_text("max_pending: 2MB\n")
    with NatsServer("-c", str(settings)) as server:
        yield server


@pytest.fixture
def press(server: NatsServer) -> Iterator[Press]:
    with Press(server, keeps=20_000) as press:
        yield press


def reader(server: NatsServer) -> UpbitStream:
    """A stream of all that there is."""
    source = RelaySource(url=server.url, since=_LONG_AGO)
    return UpbitStream(source=source, pool=ConnectionPool())


def test_a_long_backlog_does_not_get_a_consumer_cut_off(server: NatsServer, press: Press) -> None:
    made = press.print(16_000, _CODES)
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
    press.print(16_000, _CODES)
    gated = GatedCallback()
    with reader(server) as stream:
        stream.trade(_CODES, callback=gated, overflow="block", queue_size=10)
        eventually(lambda: stream.stats.queued >= 10)
        assert _asked_for(server) <= stream.stats.messages + len(_CODES) * 2000
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


def test_so_is_one_that_was_deleted_when_nothing_was_asked_of_it(
    server: NatsServer, press: Press
) -> None:
    made = press.print(5000)
    gated = GatedCallback()
    with reader(server) as stream:
        stream.trade("KRW-BTC", callback=gated, overflow="block", queue_size=10)
        eventually(lambda: _asked_for(server) == 2000)
        # Nobody is told of its end, and to the next question nothing is answered.
        asyncio.run(_delete_consumers(server))
        gated.release.set()
        eventually(lambda: len(gated.seen) == len(made))
        assert ids(gated.seen) == made
        assert stream.stats.reconnects == 0


class Taker:
    """Reads as a feed does; a context manager."""

    def __init__(self, url: str, *lanes: Lane) -> None:
        self.source = NatsSource(url)
        self.positions = {lane: self.source.beginning(0) for lane in lanes}
        self.ids: list[int] = []
        #: In front of which of them something may be missing.
        self.missing: list[int] = []

    def read(self, timeout: float = 0.1) -> int:
        """Read on; how many came."""
        before = len(self.ids)
        for passage in self.source.read(self.positions, timeout):
            self.positions[passage.lane] = passage.position
            if passage.missed_since is not None:
                self.missing.append(len(self.ids))
            trades = EntryReader("float").read_all(passage.lane, passage.payloads, print)
            self.ids += [one.sequential_id for one in trades]  # type: ignore[attr-defined]
        return len(self.ids) - before

    def read_on(self) -> None:
        """Read for a while."""
        for _ in range(100):
            self.read()

    def __enter__(self) -> Taker:
        self.source.open()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.source.close()


def test_what_was_let_go_is_told_where_it_was(server: NatsServer) -> None:
    with Press(server, keeps=2000) as press, Taker(server.url, BTC) as taker:
        made = press.print(2000)
        eventually(lambda: taker.read() and len(taker.ids) >= 1000)
        # All that was asked for is on its way, and most of what is behind it is let go.
        made += press.print(4000)
        eventually(lambda: taker.read() == 0 and taker.ids[-1] == made[-1])
    places = [made.index(one) for one in taker.ids]
    holes = [
        number for number, (one, other) in enumerate(pairwise(places), start=1) if other != one + 1
    ]
    assert holes == [2000]
    assert taker.missing == holes


def test_a_quiet_code_whose_last_event_is_too_old_misses_nothing(server: NatsServer) -> None:
    with closing(open_sink(server.url, max_age=1.0)) as sink, Taker(server.url, BTC) as taker:
        sink.open()
        trade = partial(Entry, BTC, mark="")
        sink.send([trade(order=1 * IDS_PER_MS, payload=_payload(1))])
        eventually(taker.read)
        eventually(lambda: not taker.source.newest([BTC]))
        taker.source.close()
        taker.source.open()
        taker.read()
        sink.send([trade(order=2 * IDS_PER_MS, payload=_payload(2))])
        eventually(taker.read)
    assert taker.ids == [1, 2]
    assert taker.missing == []


def test_a_stream_that_was_made_anew_is_not_read_on(server: NatsServer, press: Press) -> None:
    with Taker(server.url, BTC) as taker:
        press.print(50)
        eventually(taker.read)
        asyncio.run(_delete_stream(server))
        press.reopen()
        press.print(100)
        with pytest.raises(BrokerUnavailable, match="was deleted"):
            taker.read_on()
    assert len(taker.ids) == 50


def test_a_server_that_gives_little_at_a_time(tmp_path: Path) -> None:
    settings = tmp_path / "little.conf"
    settings.write_text("jetstream { limits { max_request_batch: 100 } }\n")
    with NatsServer("-c", str(settings)) as server, Press(server) as press:
        made = press.print(500, _CODES)
        lanes = [Lane("trade", code) for code in _CODES]
        with Taker(server.url, *lanes) as taker:
            eventually(lambda: taker.read() and len(taker.ids) == 1000)
        assert sorted(taker.ids) == sorted([*made, *made])


def test_one_who_may_not_ask_is_told(tmp_path: Path) -> None:
    settings = tmp_path / "rights.conf"
    settings.write_text(
        "authorization { users = [ { user: a, password: a }, { user: b, password: b, "
        'permissions: { publish: { deny: ["$JS.API.CONSUMER.MSG.NEXT.>"] } } } ] }\n'
    )
    with NatsServer("-c", str(settings)) as server:
        first, second = (server.url.replace("//", f"//{one}:{one}@") for one in "ab")
        with closing(open_sink(first)) as sink, Taker(second, BTC) as taker:
            sink.open()
            with pytest.raises(BrokerRefused, match="permissions violation"):
                taker.read_on()


def test_answers_of_what_is_read_no_more_end_no_reading(server: NatsServer, press: Press) -> None:
    press.print(3000)
    others = [Lane("trade", f"KRW-C{number}") for number in range(50)]
    with Taker(server.url, *others) as taker:
        taker.read(0.0)
        taker.positions = {BTC: taker.source.beginning(0)}
        assert taker.read(5.0)


def _payload(id_: int) -> bytes:
    return msgspec.msgpack.encode({"ty": "trade", "cd": "KRW-BTC", "sid": id_})


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


async def _delete_stream(server: NatsServer) -> None:
    import nats

    client = await nats.connect(server.url)
    await client.jetstream().delete_stream("UPBIT")
    await client.close()
