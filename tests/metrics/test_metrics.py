"""A stream's metrics, asked over HTTP as Prometheus does."""

from __future__ import annotations

import dataclasses
import gc
import json
import os
import re
import socket
import subprocess
import sys
import textwrap
import threading
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import PATIENCE, GatedCallback, eventually, our_threads
from upbit_stream import ReconnectPolicy, StreamClosedError, StreamConfig, UpbitStream
from upbit_stream.connection.traffic import RECONNECT_KINDS
from upbit_stream.metrics import dashboard
from upbit_stream.metrics.relay import RelayCollector
from upbit_stream.metrics.server import MetricsServer
from upbit_stream.relay import Relay
from upbit_stream.simulator import Simulator

PREFIX = "upbit_stream_"
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def fetch(port: int) -> Samples:
    """Every sample, by its name and labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    return {
        (sample.name.removeprefix(PREFIX), frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def one(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, frozenset(labels.items())]


def test_what_is_told_is_what_the_stream_knows(config: StreamConfig, sim: Simulator) -> None:
    config = dataclasses.replace(config, ping_interval=0.05, ping_timeout=2.0)
    slow = GatedCallback()

    def newest() -> int:
        return sim.trades("KRW-BTC")[-1].timestamp

    with UpbitStream(config=config) as stream:
        port = stream.metrics.start_http_server()
        trades = stream.trade(["KRW-BTC", "KRW-ETH"], lambda trade: None)
        queued = stream.trade("KRW-BTC", slow, queue_size=10)
        failing = stream.ticker("KRW-BTC", lambda ticker: 1 / 0)
        eventually(lambda: stream.stats.messages == 3 and stream.stats.received == 4)
        sim.burst(100, codes=["KRW-BTC"])
        eventually(lambda: queued.stats.dropped == 90)
        eventually(lambda: failing.latest["KRW-BTC"].trade_timestamp == newest())
        eventually(lambda: failing.stats.errors == failing.stats.received > 1)
        eventually(lambda: stream.health().ping_latency is not None)
        before, health = stream.stats, stream.health()
        samples = fetch(port)
        for name, value in {
            "messages_total": before.messages,
            "received_bytes_total": before.bytes,
            "events_received_total": before.received,
            "events_dropped_total": 90,
            "callback_errors_total": failing.stats.errors,
            "queued_events": before.queued,
            "undecodable_messages_total": 0,
            "duplicate_trades_total": 0,
            "late_trades_total": 0,
            "backfilled_events_total": 0,
        }.items():
            assert one(samples, name) == pytest.approx(value, abs=200 if "bytes" in name else 0)
        of_queued = {"type": "trade", "subscription": "2"}
        assert one(samples, "subscription_events_received_total", **of_queued) == 101
        assert one(samples, "subscription_events_dropped_total", **of_queued) == 90
        assert one(samples, "subscription_queue_size", **of_queued) == 10
        assert one(samples, "subscription_queued_events", **of_queued) == queued.stats.queued
        assert one(samples, "subscription_codes", type="trade", subscription="1") == 2
        errors = one(samples, "subscription_callback_errors_total", type="ticker", subscription="1")
        assert errors == failing.stats.errors
        came_at = one(
            samples, "subscription_last_event_timestamp_seconds", type="trade", subscription="1"
        )
        assert came_at == pytest.approx(trades.latest["KRW-BTC"].received_at / 1e9, abs=0.5)
        # Base units, bounded labels.
        latency = one(samples, "connection_ping_latency_seconds", connection="public-1")
        assert 0 < latency < 2.0
        assert health.rss is not None
        assert one(samples, "process_resident_memory_bytes") == pytest.approx(health.rss, rel=0.3)
        assert one(samples, "healthy") == 0  # so many callbacks raised
        assert one(samples, "state", state="connected") == 1
        assert one(samples, "state", state="reconnecting") == 0
        assert one(samples, "connection_state", connection="public-1", state="connected") == 1
        slow.release.set()


def test_losses_are_told_by_their_cause(config: StreamConfig, sim: Simulator) -> None:
    config = dataclasses.replace(config, reconnect=ReconnectPolicy(min_interval=0.01))
    with UpbitStream(config=config) as stream:
        port = stream.metrics.start_http_server()
        trades = stream.trade("KRW-BTC", lambda trade: None)
        stream.ticker("KRW-BTC", lambda ticker: None)
        eventually(lambda: trades.latest)
        zeros = fetch(port)
        assert all(one(zeros, "reconnects_total", cause=kind) == 0 for kind in RECONNECT_KINDS)
        assert one(zeros, "gaps_total", type="trade", recovered="false") == 0

        def lose(fault: Callable[[], object]) -> None:
            reconnects = stream.stats.reconnects
            sim.refuse()
            fault()
            sim.burst(5, codes=["KRW-BTC"])
            sim.accept()
            eventually(lambda: stream.stats.reconnects == reconnects + 1)
            eventually(lambda: trades.latest["KRW-BTC"].sequential_id == sim.ledger("KRW-BTC")[-1])

        lose(lambda: sim.close(1012))
        lose(sim.reset)
        lose(sim.eof)
        eventually(lambda: stream.stats.gaps_recovered["trade"] == 3)
        eventually(lambda: stream.stats.gaps_unrecovered["ticker"] == 3)
        samples = fetch(port)
        causes = {kind: one(samples, "reconnects_total", cause=kind) for kind in RECONNECT_KINDS}
        assert {kind: count for kind, count in causes.items() if count} == {"closed": 1, "lost": 2}
        assert one(samples, "connection_reconnects_total", connection="public-1") == 3
        assert one(samples, "gaps_total", type="trade", recovered="true") == 3
        assert one(samples, "gaps_total", type="trade", recovered="false") == 0
        assert one(samples, "gaps_total", type="ticker", recovered="false") == 3
        assert one(samples, "backfilled_events_total") == 15


def test_labels_do_not_grow_with_what_comes_and_goes(config: StreamConfig, sim: Simulator) -> None:
    with UpbitStream(config=config) as stream:
        port = stream.metrics.start_http_server()
        stream.ticker("KRW-BTC", lambda ticker: None)
        labels = set()
        for _ in range(5):
            passing = stream.trade("KRW-BTC", lambda trade: None)
            staying = stream.orderbook("KRW-BTC", lambda book: None, overflow="block")
            samples = fetch(port)
            labels |= {one for _, those in samples for one in those}
            passing.close()
            staying.close()  # and with it a connection of its own
            counted = one(samples, "events_received_total")
            assert counted <= one(fetch(port), "events_received_total")  # it never goes back
    assert {value for name, value in labels if name == "subscription"} == {"1"}
    assert {value for name, value in labels if name == "connection"} == {"public-1", "public-2"}


def test_the_server_ends_with_the_stream(config: StreamConfig) -> None:
    with UpbitStream(config=config) as stream:
        port = stream.metrics.start_http_server()
        assert "upbit-metrics" in "".join(our_threads())
        assert fetch(port)
        assert stream.metrics.start_http_server() == port  # a cell that is run again
        other = stream.metrics.start_http_server(addr="127.0.0.2")
        assert (other, stream.metrics.start_http_server(addr="127.0.0.2")) == (other, other)
        assert stream.close()
    assert not [name for name in our_threads() if "metrics" in name]
    with pytest.raises(OSError, match="refused"):
        fetch(port)
    with socket.create_server(("127.0.0.1", port)), pytest.raises(StreamClosedError):
        stream.metrics.start_http_server()
    assert one(read(stream.metrics.registry), "state", state="disconnected") == 1


def read(registry: CollectorRegistry) -> Samples:
    return {
        (sample.name.removeprefix(PREFIX), frozenset(sample.labels.items())): sample.value
        for family in registry.collect()
        for sample in family.samples
    }


def test_the_server_ends_with_a_stream_that_nobody_has_any_more(config: StreamConfig) -> None:
    stream = UpbitStream(config=config)  # not even started
    port = stream.metrics.start_http_server()
    assert one(fetch(port), "state", state="disconnected") == 1
    del stream
    gc.collect()
    eventually(lambda: not our_threads())
    with pytest.raises(OSError, match="refused"):
        fetch(port)


@pytest.mark.alone
def test_a_client_that_says_nothing_holds_up_neither_the_next_nor_the_end(
    config: StreamConfig,
) -> None:
    with UpbitStream(config=config) as stream:
        port = stream.metrics.start_http_server()
        with socket.create_connection(("127.0.0.1", port)):
            assert fetch(port)  # as soon as that one has used up its time
        began = time.monotonic()
        with socket.create_connection(("127.0.0.1", port)) as mute:
            mute.settimeout(10)
            time.sleep(0.3)  # in which it is accepted
            assert stream.close(1.0)
            assert mute.recv(1) == b""  # it was hung up on
        assert time.monotonic() - began < 2.0  # and not only when its time was over


def test_a_client_that_drips_holds_up_the_next_one_no_longer(config: StreamConfig) -> None:
    with UpbitStream(config=config) as stream:
        port = stream.metrics.start_http_server()
        over = threading.Event()

        def drip() -> None:
            with socket.create_connection(("127.0.0.1", port)) as client, suppress(OSError):
                client.sendall(b"GET /metrics HTTP/1.1\r\nX: ")
                dripping.set()
                while not over.wait(0.2):
                    client.sendall(b"a")

        dripping = threading.Event()
        thread = threading.Thread(target=drip)
        thread.start()
        assert dripping.wait(PATIENCE)
        try:
            assert fetch(port)
        finally:
            over.set()
            thread.join()


def test_a_client_that_is_accepted_at_the_end_is_hung_up_on() -> None:
    server = MetricsServer(CollectorRegistry(), "127.0.0.1", 0)
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as client:
        client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        server.end()
        # What the thread may be at, when it has just looked.
        server._server.handle_request()
        with suppress(ConnectionResetError):
            assert client.recv(1) == b""
    server.disown()


def test_a_port_that_is_taken(config: StreamConfig) -> None:
    stream = UpbitStream(config=config)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"127.0.0.1:{port} .*port 0 takes one that is free"):
            stream.metrics.start_http_server(port)
    assert stream.metrics.start_http_server(port) == port
    stream.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_the_child_of_a_fork_listens_no_more() -> None:
    script = """
        import os, socket
        from upbit_stream import StreamConfig, UpbitStream
        stream = UpbitStream(config=StreamConfig(url="ws://127.0.0.1:9/websocket/v1"))
        port = stream.metrics.start_http_server()
        told, tell = os.pipe()
        if os.fork() == 0:
            os.read(told, 1)  # until the parent has closed
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                os._exit(1)
            except ConnectionRefusedError:
                os._exit(7)
        stream.close()
        os.write(tell, b"x")
        print(os.waitstatus_to_exitcode(os.wait()[1]))
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "7\n"


def test_a_registry_of_ones_own(config: StreamConfig) -> None:
    registry = CollectorRegistry()
    with UpbitStream(config=config, region="sg") as stream:
        assert stream.metrics.registry is stream.metrics.registry
        registry.register(stream.metrics.collector())
        samples = read(registry)
        (build,) = [dict(labels) for name, labels in samples if name == "build_info"]
        assert build["region"] == "sg"
        with pytest.raises(ValueError, match="Duplicated"):
            registry.register(stream.metrics.collector())


def test_without_the_package_it_says_what_to_install() -> None:
    script = """
        import sys
        sys.modules["prometheus_client"] = None
        from upbit_stream import UpbitStream
        stream = UpbitStream()
        for ask in (stream.metrics.start_http_server, stream.metrics.collector):
            try:
                ask()
            except ImportError as error:
                print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 2
    assert all('pip install "upbit-stream[prometheus]"' in line for line in lines)


# The dashboard, and what the documentation says.


@pytest.fixture(scope="module")
def exported() -> dict[str, set[str]]:
    """The labels of each metric's name, as Prometheus has them. (``instance`` and ``job`` are its
    own.)
    """
    with Simulator(rate=0) as sim:
        config = StreamConfig(
            url=sim.url, rest_url=sim.rest_url, ping_interval=0.05, ping_timeout=2.0
        )
        with UpbitStream(config=config) as stream:
            trades = stream.trade("KRW-BTC", lambda trade: 1 / 0)
            eventually(lambda: trades.latest and trades.stats.errors)
            eventually(lambda: stream.health().last_error_time is not None)
            eventually(lambda: stream.health().latency_p99 is not None)
            eventually(lambda: stream.health().last_message_age is not None)
            names: dict[str, set[str]] = {}
            for name, labels in read(stream.metrics.registry):
                names.setdefault(PREFIX + name, set()).update(label for label, _ in labels)
            # What only a stream that reads from a broker has.
            for family in stream.metrics.registry.collect():
                if not family.samples:
                    names.setdefault(family.name, set(getattr(family, "_labelnames", ())))
            with Relay(stream, "redis://127.0.0.1:1") as relay:
                registry = CollectorRegistry()
                registry.register(RelayCollector(relay))
                for name, _ in read(registry):
                    names.setdefault(PREFIX + name, set())
    return {name: {*labels, "instance", "job"} for name, labels in names.items()}


QUERIES = [
    pytest.param(target["expr"], id=f"{panel['title']} {target['refId']}")
    for panel in json.loads(dashboard())["panels"]
    for target in panel.get("targets", ())
]


@pytest.mark.parametrize("query", QUERIES)
def test_each_query_of_the_dashboard_asks_for_what_is_exported(
    query: str, exported: dict[str, set[str]]
) -> None:
    selectors = re.findall(r"(\w+)\{([^}]*)\}", query)
    assert selectors
    assert query.count("{") == query.count("}") == len(selectors)
    assert query.count("(") == query.count(")")
    asked: set[str] = set()
    for name, matchers in selectors:
        assert name in exported
        labels = re.findall(r'(\w+)=~?"', matchers)
        assert "instance" in labels
        assert set(labels) <= exported[name]
        asked |= exported[name]
        # A counter is asked how fast it grows, and nothing else is.
        before = query[: query.index(f"{name}{{")]
        assert before.endswith(("rate(", "increase(")) == name.endswith("_total")
    for group in re.findall(r"by \(([^)]*)\)", query):
        assert set(group.split(", ")) <= asked


def test_the_dashboard_can_be_imported(exported: dict[str, set[str]]) -> None:
    board = json.loads(dashboard())
    panels: list[dict[str, Any]] = board["panels"]
    assert board["schemaVersion"] >= 36
    assert board["id"] is None  # Grafana gives it one
    ids = [panel["id"] for panel in panels]
    assert len(set(ids)) == len(ids)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not taken & cells
        assert all(x < 24 for x, _ in cells)
        taken |= cells
        if panel["type"] != "row":
            assert panel["description"]
            assert panel["datasource"]["uid"] == "${datasource}"
            assert {target["datasource"]["uid"] for target in panel["targets"]} == {"${datasource}"}
    # Every legend names labels that there are.
    for panel in panels:
        for target in panel.get("targets", ()):
            names = re.findall(r"(\w+)\{", target["expr"])
            labels = set().union(*(exported[name] for name in names))
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= labels
    variables = {one["name"] for one in board["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", dashboard())) - {"__rate_interval", "__range", "__all"}
    assert used == variables


@pytest.mark.parametrize("name", ["metrics.md", "metrics.ko.md"])
def test_the_documentation_names_every_metric(name: str, exported: dict[str, set[str]]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "guide" / name).read_text("utf-8")
    assert set(re.findall(r"\bupbit_stream_\w+", page)) >= set(exported)
    assert set(re.findall(r"\bupbit_stream_\w+", page)) - {"upbit_stream_"} <= set(exported)
