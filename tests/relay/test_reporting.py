"""What a relay tells of the gaps of its stream: all of it, but what another one has."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial

import msgspec
import pytest

from tests.conftest import GatedCallback, eventually
from tests.relay.looking import Listener
from tests.relay.servers import Broker, RedisServer, needs_redis
from upbit_stream import Gap, StreamConfig, UpbitStream
from upbit_stream.relay import notices, reporting
from upbit_stream.relay.brokers import Sink, open_sink
from upbit_stream.relay.lanes import Lane
from upbit_stream.relay.notices import PublisherReport, by_type, uncovered
from upbit_stream.relay.relay import Relay
from upbit_stream.simulator import Simulator

CODES = ("KRW-BTC", "KRW-ETH")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """On one machine clocks do not differ, and nobody needs to wait so long for a report."""
    monkeypatch.setattr(notices, "_APART", 50)
    monkeypatch.setattr(reporting, "_REPORT_EVERY", 0.2)
    monkeypatch.setattr(reporting, "_DOUBTED", 1.0)


@pytest.fixture
def other_stream(config: StreamConfig) -> Iterator[UpbitStream]:
    """One with a connection of its own, as in another process."""
    with UpbitStream(config=replace(config, ping_interval=14.0)) as stream:
        yield stream


def report(
    since: int, until: int, *lanes: Lane, state: str = "connected", pid: int = 1
) -> PublisherReport:
    return PublisherReport(
        host="other",
        pid=pid,
        state=state,
        whole_since=since,
        whole_until=until,
        carries=by_type(lanes),
        lanes=len(lanes),
        published=0,
        duplicates=0,
        dropped=0,
        buffered=0,
        rate=0.0,
    )


def gap(begin: int, end: int, *codes: str) -> Gap:
    return Gap(
        type="ticker",
        codes=codes,
        recovered=False,
        by_code={},
        from_timestamp=begin,
        to_timestamp=end,
        ranges=dict.fromkeys(codes, (begin, end)),
        why="it was away",
    )


BTC, ETH = (Lane("ticker", code) for code in CODES)


@pytest.mark.parametrize(
    ("reports", "left"),
    [
        ([], CODES),
        ([report(1000, 9000, BTC, ETH)], ()),
        ([report(1000, 9000, BTC)], ("KRW-ETH",)),
        ([report(1000, 9000, BTC), report(2000, 8000, ETH)], ()),
        # Of other types.
        ([report(1000, 9000, Lane("trade", "KRW-BTC"), Lane("trade", "KRW-ETH"))], CODES),
        # It began in the gap, or so shortly before that clocks may differ by as much.
        ([report(4500, 9000, BTC, ETH)], CODES),
        ([report(3980, 9000, BTC, ETH)], CODES),
        # It reported before the gap was over: it may have been cut off as well.
        ([report(1000, 5000, BTC, ETH)], CODES),
        ([report(1000, 6020, BTC, ETH)], CODES),
        # It is cut off now, or is of a version that does not say up to when.
        ([report(0, 9000, BTC, ETH)], CODES),
        ([report(1000, 0, BTC, ETH)], CODES),
    ],
)
def test_what_others_cover(reports: list[PublisherReport], left: tuple[str, ...]) -> None:
    found = uncovered(gap(4000, 6000, *CODES), reports)
    assert (found.codes if found else ()) == left


def test_a_gap_without_codes_is_never_covered() -> None:
    assert uncovered(gap(4000, 6000), [report(1, 9000, BTC, ETH)]) == gap(4000, 6000)


def tickers(relay: Relay, stream: UpbitStream, *codes: str) -> None:
    """Publish these, and wait until the broker has them."""
    relay.publish(stream.ticker(codes))
    eventually(lambda: relay.stats.published + relay.stats.duplicates >= len(codes))


def test_a_gap_of_both_relays_is_told(
    sim: Simulator, stream: UpbitStream, other_stream: UpbitStream, broker: Broker
) -> None:
    with (
        Relay(stream, broker.url) as one,
        Relay(other_stream, broker.url) as other,
        Listener(broker) as listener,
    ):
        tickers(one, stream, *CODES)
        tickers(other, other_stream, *CODES)
        time.sleep(0.6)  # until each has the other's report
        sim.reset()
        eventually(lambda: listener.codes("ticker") == {*CODES})


def test_a_gap_of_one_relay_is_covered_by_the_other(
    sim: Simulator,
    stream: UpbitStream,
    other_stream: UpbitStream,
    broker: Broker,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reporting, "_DOUBTED", 15.0)  # a loaded machine reports late
    caplog.set_level(logging.INFO, "upbit_stream")
    with (
        Relay(stream, broker.url) as one,
        Relay(other_stream, broker.url) as other,
        Listener(broker) as listener,
    ):
        tickers(other, other_stream, *CODES)
        (kept,) = sim.connections
        tickers(one, stream, *CODES)
        time.sleep(0.6)  # so that the other one has been there for a while
        sim.burst(2, CODES)
        eventually(lambda: one.stats.published + one.stats.duplicates >= 4)
        (hit,) = (number for number in sim.connections if number != kept)
        sim.reset(hit)
        eventually(lambda: "another publisher has it" in caplog.text)
        assert listener.gaps("ticker") == []


@needs_redis
def test_what_another_relay_does_not_carry_is_told(
    sim: Simulator, stream: UpbitStream, redis_server: RedisServer
) -> None:
    with (
        Relay(stream, redis_server.url) as relay,
        Listener(redis_server) as listener,
        closing(open_sink(redis_server.url)) as sink,
    ):
        sink.open()
        now = time.time_ns() // 1_000_000
        told = msgspec.json.encode(report(now - 60_000, now + 60_000, BTC))
        sink.report("other", told)
        tickers(relay, stream, *CODES)
        sim.reset()
        eventually(lambda: listener.codes("ticker"))
        assert listener.codes("ticker") == {"KRW-ETH"}


@needs_redis
def test_a_gap_of_codes_that_were_added_later_is_told(
    sim: Simulator, stream: UpbitStream, redis_server: RedisServer
) -> None:
    with Relay(stream, redis_server.url) as relay, Listener(redis_server) as listener:
        subscription = stream.ticker("KRW-BTC")
        relay.publish(subscription)
        subscription.add("KRW-ETH")
        assert "2 lanes" in repr(relay)
        eventually(lambda: relay.stats.published >= 2)
        sim.reset()
        eventually(lambda: listener.codes("ticker") == {*CODES})


@needs_redis
def test_what_the_broker_did_not_get_nobody_covers(
    sim: Simulator, stream: UpbitStream, redis_server: RedisServer
) -> None:
    with (
        Relay(stream, redis_server.url, buffer=2) as relay,
        closing(open_sink(redis_server.url)) as sink,
    ):
        tickers(relay, stream, *CODES)
        redis_server.kill()
        eventually(lambda: not relay.stats.connected)
        for _ in range(10):
            sim.burst(2, CODES)
        eventually(lambda: relay.stats.dropped)
        redis_server.start()
        sink.open()
        now = time.time_ns() // 1_000_000
        sink.report("other", msgspec.json.encode(report(1, now + 60_000, BTC, ETH)))
        eventually(lambda: relay.stats.connected)
        with redis_server.client() as client:
            eventually(
                lambda: any(b'"ticker"' in row[b"n"] for _, row in client.xrange("upbit:notices"))
            )


class Reports:
    """What a relay reports to a broker; a context manager."""

    def __init__(self, server: Broker, relay: Relay) -> None:
        self._relay = relay
        self._sink = open_sink(server.url)
        self._sink.open()

    @property
    def newest(self) -> PublisherReport:
        """The last one."""
        reports = notices.read_reports(self._sink.report("me", b"{}"))
        return reports.get(self._relay.name) or report(0, 0)

    def __enter__(self) -> Reports:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._sink.close()


def test_what_a_callback_before_the_relay_still_has_is_not_reported_as_sent(
    sim: Simulator, stream: UpbitStream, broker: Broker
) -> None:
    gated = GatedCallback()
    gated.release.set()
    with Relay(stream, broker.url) as relay, Reports(broker, relay) as reports:
        trades = stream.trade("KRW-BTC", callback=gated)
        relay.publish(trades, stream.trade("KRW-ETH"))
        eventually(lambda: relay.stats.published == 2)
        eventually(lambda: reports.newest.whole_until > 0)
        gated.release.clear()
        sim.burst(1, ["KRW-BTC"])
        eventually(lambda: trades.latest["KRW-BTC"].sequential_id == sim.ledger("KRW-BTC")[-1])
        eventually(lambda: trades.stats.queued == 0)  # killed now, it would never be published
        received = trades.latest["KRW-BTC"].received_at // 1_000_000
        for n in range(3, 6):
            sim.burst(1, ["KRW-ETH"])
            eventually(lambda: reports.newest.published == n)  # noqa: B023
            assert 0 < reports.newest.whole_until <= received
        gated.release.set()
        eventually(lambda: reports.newest.whole_until > received)


@needs_redis
def test_what_is_held_back_while_older_ones_are_fetched_is_not_reported_as_sent(
    sim: Simulator, stream: UpbitStream, redis_server: RedisServer
) -> None:
    with Relay(stream, redis_server.url) as relay, Reports(redis_server, relay) as reports:
        relay.publish(stream.trade("KRW-BTC"), stream.ticker("KRW-ETH"))
        eventually(lambda: relay.stats.published == 2)
        eventually(lambda: reports.newest.whole_until > 0)
        sim.stall_rest()
        sim.reset()
        sim.burst(1, ["KRW-BTC"])
        sim.wait_for_subscription("trade", "KRW-BTC")
        sim.burst(1, ["KRW-BTC"])
        (line,) = stream._engine.leased[0].lines
        eventually(lambda: not line.settled)
        sim.burst(1, ["KRW-ETH"])
        held = time.time_ns() // 1_000_000
        eventually(lambda: reports.newest.published >= 3)
        before = reports.newest.published
        sim.burst(1, ["KRW-ETH"])
        eventually(lambda: reports.newest.published > before)
        assert reports.newest.whole_until < held
        sim.stall_rest(0)
        eventually(lambda: reports.newest.whole_until > held)


@needs_redis
def report_of(relay: Relay, sink: Sink) -> PublisherReport:
    """The last one of that relay."""
    reports = notices.read_reports(sink.report("me", b"{}"))
    return reports.get(relay.name) or report(0, 0)


def test_a_report_says_what_it_carries_and_since_when(
    sim: Simulator, stream: UpbitStream, redis_server: RedisServer
) -> None:
    with (
        Relay(stream, redis_server.url) as relay,
        closing(open_sink(redis_server.url)) as sink,
    ):
        sink.open()

        told = partial(report_of, relay, sink)
        subscription = stream.ticker("KRW-BTC")
        relay.publish(subscription)
        eventually(lambda: told().carries == {"ticker": frozenset({"KRW-BTC"})})
        first = told()
        assert 0 < first.whole_since <= first.whole_until + 1000
        eventually(lambda: told().whole_until > first.whole_until)
        assert told().whole_since == first.whole_since
        # With another code it has everything only from then on.
        subscription.add("KRW-ETH")
        eventually(lambda: told().carries == {"ticker": frozenset(CODES)})
        assert told().whole_since > first.whole_since
        sim.refuse()
        sim.reset()
        eventually(lambda: told().whole_since == 0)
        sim.accept()


def test_a_subscription_that_was_closed_holds_up_no_report(
    sim: Simulator, stream: UpbitStream, redis_server: RedisServer
) -> None:
    with (
        Relay(stream, redis_server.url) as relay,
        closing(open_sink(redis_server.url)) as sink,
    ):
        sink.open()

        told = partial(report_of, relay, sink)
        stays, goes = stream.trade("KRW-BTC"), stream.trade("KRW-ETH")
        relay.publish(stays, goes)
        eventually(lambda: relay.stats.published == 2)
        goes.close()
        eventually(lambda: told().carries == {"trade": frozenset({"KRW-BTC"})})
        closed_at = time.time_ns() // 1_000_000
        eventually(lambda: told().whole_until > closed_at)
