"""The connection test: a healthy run, each stage that fails for real, and what a run notices."""

from __future__ import annotations

import json
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.conftest import eventually, our_threads
from upbit_stream import (
    DiagnosticsReport,
    InvalidCodeError,
    StreamClosedError,
    StreamConfig,
    UpbitStream,
    WebSocketDiagnostics,
)
from upbit_stream.monitoring.report import Stage, StageStatus
from upbit_stream.simulator import Simulator
from upbit_stream.simulator.listing import all_codes

PARTS = ("connectivity", "latency", "throughput", "stability", "snapshots")
STAGES = ["DNS", "TCP", "TLS", "upgrade", "first data"]
ACCESS = "ACCESSKEYOFTHETEST0123456789ABCDEFGHIJKL"
SECRET = "SECRETKEYOFTHETEST0123456789abcdefghijkl"

# Long enough for a ping and its pong on each of the three connections.
RUN = 1.2


@pytest.fixture(autouse=True)
def nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "UPBIT_STREAM_URL", "UPBIT_REST_URL"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(autouse=True)
def nothing_is_left_at_once() -> Iterator[None]:
    yield
    assert our_threads() == []
    assert logging.getLogger("upbit_stream").filters == []


def unmet(report: DiagnosticsReport) -> set[str]:
    return {criterion.name for criterion in report.verdict if not criterion.met}


def at(what: str, action: Callable[[], object]) -> Callable[[str, float], None]:
    """Progress that does something once, as soon as the test does ``what``."""
    done: list[str] = []

    def progress(doing: str, part: float) -> None:
        if doing == what and not done:
            done.append(doing)
            action()

    return progress


@pytest.mark.alone
def test_a_healthy_run(server_context: ssl.SSLContext, client_context: ssl.SSLContext) -> None:
    told: list[tuple[str, float]] = []
    with Simulator(rate=300, codes=all_codes(150), ssl_context=server_context) as sim:
        diagnostics = WebSocketDiagnostics(sim.url, config=StreamConfig(ssl_context=client_context))
        report = diagnostics.run_connection_test(RUN, lambda *one: told.append(one))
        assert sim.wait_for(lambda: not sim.connections)
        # Within the limits: nothing was refused.
        assert {handshake.status for handshake in sim.handshakes} == {101}
        assert not sim.errors
    assert our_threads() == []

    assert unmet(report) == set()
    assert report.healthy
    stages = report.connectivity.stages
    assert [stage.name for stage in stages] == STAGES
    assert all(stage.status is StageStatus.PASSED for stage in stages)
    assert all(stage.milliseconds is not None and stage.milliseconds > 0 for stage in stages)

    latency = report.latency
    # One each second on each of three connections.
    assert 3 <= latency.count <= 9
    assert latency.min is not None
    assert latency.p50 is not None
    assert latency.p95 is not None
    assert latency.p99 is not None
    assert 0 < latency.min <= latency.p50 <= latency.p95 <= latency.p99 < 1000

    total, by_type = report.throughput.total, report.throughput.by_type
    assert total is not None
    assert report.throughput.seconds == pytest.approx(RUN, abs=0.5)
    assert set(by_type) == {"ticker", "trade", "orderbook"}
    assert total.messages == pytest.approx(sum(rate.messages for rate in by_type.values()))
    assert total.bytes == pytest.approx(sum(rate.bytes for rate in by_type.values()))
    # Rows of a book take more room than a trade.
    size = {type_: rate.bytes / rate.messages for type_, rate in by_type.items()}
    assert 50 < size["trade"] < size["ticker"] < size["orderbook"] < 10_000

    assert [one.codes for one in report.snapshots.times] == [1, 10, 100]
    assert report.snapshots.source == "market list"
    for one in report.snapshots.times:
        assert one.answered == one.codes
        assert one.first is not None
        assert one.all is not None
        assert 0 < one.first <= one.all
    # Asked for at once, not after a time for further wishes (250 ms).
    assert min(one.first or 0 for one in report.snapshots.times) < 240
    # The simulator sends the second half of a hundred snapshots later than the first.
    last = report.snapshots.times[-1]
    assert last.first != last.all

    silence, silences = report.stability.longest_silence, report.stability.silence_by_type
    assert silence is not None
    assert 0 < silence <= min(silences.values())
    assert set(silences) == set(by_type)
    memory = report.stability.memory
    assert memory is not None
    assert memory.start > 10e6
    growth = memory.slope * report.throughput.seconds / memory.start
    assert memory.growth == pytest.approx(growth, rel=0.1)
    assert report.observed is None

    parts = [part for _, part in told]
    assert parts == sorted(parts)
    assert (parts[0], told[-1]) == (0.0, ("done", 1.0))


def test_the_report_as_json_and_text_of_a_quiet_market_without_a_list(sim: Simulator) -> None:
    sim.fail_rest(503, count=100)
    diagnostics = WebSocketDiagnostics(sim.url, codes=["KRW-ETH", "KRW-BTC"])
    report = diagnostics.run_connection_test(0.4)
    told = json.loads(report.to_json())
    assert told == json.loads(json.dumps(report.to_dict()))
    assert set(PARTS) | {"healthy", "verdict", "url", "codes", "began", "observed"} == set(told)
    assert told["healthy"] is report.healthy
    assert told["codes"] == ["KRW-ETH", "KRW-BTC"]
    assert told["connectivity"]["passed"] is True
    assert [stage["name"] for stage in told["connectivity"]["stages"]] == STAGES
    assert set(told["verdict"][0]) == {
        *("name", "figure", "relation", "limit", "unit", "met", "outcome")
    }
    text = str(report)
    assert text.startswith(f"{sim.url}: ")
    for part in PARTS:
        assert f"\n{part}\n" in text
    for criterion in report.verdict:
        assert f"  {criterion.name} " in text
    # Without the market list the codes of the test have to do.
    assert report.snapshots.source == "test codes"
    assert [(one.codes, one.answered) for one in report.snapshots.times] == [(1, 1), (2, 2)]
    # The snapshots were all that came, and what they cause is over when the run begins.
    assert report.stability.silent_types == ()
    assert report.throughput.total is not None
    assert report.throughput.total.messages == 0


# What fails to connect.


def fail(url: str, **settings: Any) -> Stage:
    """The stage that fails; those before it have passed, and nothing behind it was tried."""
    config = StreamConfig(url=url, **{"connect_timeout": 5.0, **settings})
    report = WebSocketDiagnostics(config=config).run_connection_test(5.0)
    failed = report.connectivity.failure
    assert failed is not None
    assert not report.healthy
    assert not report.connectivity.passed
    place = STAGES.index(failed.name)
    stages = report.connectivity.stages
    assert [stage.name for stage in stages] == STAGES
    for stage in stages[:place]:
        used = stage.name != "TLS" or url.startswith("wss:")
        assert stage.status is (StageStatus.PASSED if used else StageStatus.NOT_USED)
    assert all(stage.status is StageStatus.NOT_REACHED for stage in stages[place + 1 :])
    assert report.throughput.total is None
    assert report.latency.count == 0
    assert all(not criterion.met for criterion in report.verdict)
    assert failed.explanation is not None
    assert "\n" not in failed.explanation
    assert failed.explanation in str(report)
    # Nobody knows of what was not measured.
    unknown = [criterion.figure is None for criterion in report.verdict]
    assert any(unknown)
    assert [one["outcome"] == "not measured" for one in report.to_dict()["verdict"]] == unknown
    verdict = str(report).partition("\nverdict\n")[2].splitlines()
    assert [line.startswith("  not measured  ") for line in verdict] == unknown
    assert [line.startswith("  NOT MET  ") for line in verdict] == [not one for one in unknown]
    assert json.loads(report.to_json())["healthy"] is False
    return failed


def explained(stage: Stage, name: str, *words: str) -> None:
    assert stage.name == name
    for word in words:
        assert word in (stage.explanation or "")


def test_a_name_that_does_not_exist() -> None:
    failed = fail("wss://nowhere.invalid/websocket/v1")
    explained(failed, "DNS", "nowhere.invalid:443", "could not be resolved", "; check the host")


@pytest.fixture
def closed_port() -> Iterator[int]:
    """Bound, but nobody listens: refused, and nobody else can take it."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def test_a_port_that_nobody_serves(closed_port: int) -> None:
    failed = fail(f"ws://127.0.0.1:{closed_port}/websocket/v1")
    explained(failed, "TCP", f"127.0.0.1:{closed_port}", "was refused", "that the server runs")


def test_a_proxy_that_does_not_answer(closed_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://somebody:{SECRET}@127.0.0.1:{closed_port}")
    failed = fail("ws://somewhere.invalid/websocket/v1")
    explained(failed, "TCP", f"the proxy 127.0.0.1:{closed_port}", "was refused")
    assert SECRET not in repr(failed)


def test_a_certificate_that_nobody_trusts(server_context: ssl.SSLContext) -> None:
    with Simulator(rate=0, ssl_context=server_context) as sim:
        explained(fail(sim.url), "TLS", "certificate was not accepted", "StreamConfig(ssl_context=")


def test_tls_where_there_is_none(sim: Simulator) -> None:
    failed = fail(sim.url.replace("ws:", "wss:"))
    explained(failed, "TLS", "TLS handshake failed", "check that this port serves TLS")


def test_no_tls_where_there_is_some(server_context: ssl.SSLContext) -> None:
    with Simulator(rate=0, ssl_context=server_context) as sim:
        explained(fail(sim.url.replace("wss:", "ws:")), "upgrade", "with wss://")


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "needs no keys"),
        (403, "no firewall or proxy refuses this address"),
        (404, "check the URL"),
        (418, "wait 0.5 s"),
        (429, "wait a minute"),
        (503, "look for its announcements"),
    ],
)
def test_an_upgrade_that_is_refused(sim: Simulator, status: int, words: str) -> None:
    headers = {"Retry-After": "0.5"} if status == 418 else None
    sim.fail_handshakes(status, headers=headers)
    explained(fail(sim.url), "upgrade", f"HTTP {status}", words)
    assert len(sim.handshakes) == 1


def test_a_ban_is_kept_by_the_next_test(sim: Simulator) -> None:
    sim.fail_handshakes(418, headers={"Retry-After": "0.7"}, count=1)
    fail(sim.url)
    began = time.monotonic()
    sim.fail_handshakes(404)
    fail(sim.url)
    assert time.monotonic() - began > 0.5


def test_an_upgrade_that_is_never_answered(sim: Simulator) -> None:
    sim.stall_handshakes()
    began = time.monotonic()
    failed = fail(sim.url, connect_timeout=0.3)
    assert time.monotonic() - began < 3
    explained(failed, "upgrade", "timed out", "did not answer", "connect_timeout")
    assert failed.milliseconds == pytest.approx(300, abs=290)
    # The time was not only counted, it was kept.
    assert failed.milliseconds is not None
    assert failed.milliseconds > 250


def test_a_server_that_says_nothing(sim: Simulator) -> None:
    sim.mute(future=True)
    failed = fail(sim.url, connect_timeout=0.3)
    explained(failed, "first data", "stands, but no ticker of KRW-BTC", "within 0.3 s", "traded")


def test_a_request_that_is_refused(sim: Simulator) -> None:
    sim.refuse_requests(type="ticker")
    explained(fail(sim.url), "first data", "INVALID_PARAM", "check the codes")


# What happens meanwhile.


def test_reconnects() -> None:
    with Simulator(rate=100) as sim:
        diagnostics = WebSocketDiagnostics(sim.url)
        report = diagnostics.run_connection_test(RUN, at("observing", sim.reset))
    stability = report.stability
    assert stability.reconnects == 3
    assert len(stability.causes) == 3
    assert all("the connection dropped (1006" in cause for cause in stability.causes)
    assert "reconnects" in unmet(report)
    assert not report.healthy
    assert "dropped (1006" in str(report)
    assert stability.ended == ()


# What is fetched over REST takes its time, and is told when it is there.
@pytest.mark.parametrize(("backfill", "seconds"), [(True, 6.0), (False, 3.0)])
def test_gaps(sim: Simulator, backfill: bool, seconds: float) -> None:
    def trouble() -> None:
        sim.refuse()
        sim.reset()
        for _ in range(5):
            sim.trade("KRW-BTC")
        sim.accept()

    diagnostics = WebSocketDiagnostics(sim.url, config=StreamConfig(backfill=backfill))
    report = diagnostics.run_connection_test(seconds, at("observing", trouble))
    (gap,) = [one for one in report.stability.gaps if one.startswith("trade ")]
    assert gap in str(report)
    assert ("5 events of" in gap) is backfill
    assert report.stability.unrepaired == (0 if backfill else 1)
    assert ("gaps with trades that are missing" in unmet(report)) is not backfill
    # Tickers and order books missed something, too, and no worse than that.
    assert report.stability.unrepaired <= len(report.stability.gaps)


def test_a_slow_line_and_frames_that_cannot_be_decoded() -> None:
    def trouble() -> None:
        sim.send_raw(b"this is not JSON")
        sim.slow_down(delay=0.25)

    with Simulator(rate=100) as sim:
        diagnostics = WebSocketDiagnostics(sim.url)
        report = diagnostics.run_connection_test(RUN + 0.3, at("observing", trouble))
    assert report.latency.p50 is not None
    assert report.latency.p50 >= 250
    assert report.stability.undecodable == 3
    assert {"ping latency, median", "undecodable frames"} <= unmet(report)
    assert report.stability.reconnects == 0
    assert not report.healthy


def test_a_given_stream_that_is_lost_while_those_of_the_test_are_mute() -> None:
    with Simulator(rate=200) as sim, UpbitStream(config=StreamConfig(url=sim.url)) as stream:
        subscription = stream.trade(sim.codes, callback=lambda trade: None)
        eventually(lambda: subscription.stats.received > 20)
        # Lost before the test: not its matter.
        sim.eof()
        eventually(lambda: stream.stats.reconnects == 1 and stream.wait_connected(0.1))
        (given,) = sim.connections

        def trouble() -> None:
            others = [number for number in sim.connections if number != given]
            assert len(others) == 3
            for number in others:
                sim.mute(number)
            sim.close(1012, connection=given)

        diagnostics = WebSocketDiagnostics(stream, codes=sim.codes[:2])
        report = diagnostics.run_connection_test(RUN, at("observing", trouble))
        assert report.url == sim.url
        assert not subscription.closed
        assert subscription.codes == sim.codes
        messages = stream.stats.messages

    observed = report.observed
    assert observed is not None
    assert observed.reconnects == 1
    assert len(observed.causes) == 1
    assert "1012" in observed.causes[0]
    assert 0 < observed.messages < messages
    assert (observed.dropped, observed.undecodable, observed.errors) == (0, 0, 0)
    assert "reconnects of the given stream" in unmet(report)
    assert "\ngiven stream\n" in str(report)
    # The streams of the test were mute, but not lost: their pings were answered.
    assert report.stability.reconnects == 0
    assert report.stability.causes == ()
    assert report.stability.longest_silence == pytest.approx(RUN, abs=0.4)
    assert report.latency.count >= 3


# Ending early.


def test_cancelling_while_streams_run(sim: Simulator) -> None:
    diagnostics = WebSocketDiagnostics(sim.url)
    with pytest.raises(StreamClosedError, match="cancelled"):
        diagnostics.run_connection_test(60, at("observing", diagnostics.cancel))
    assert our_threads() == []
    with pytest.raises(StreamClosedError):
        diagnostics.run_connection_test(1)


def test_cancelling_while_snapshots_are_awaited(sim: Simulator) -> None:
    diagnostics = WebSocketDiagnostics(sim.url)
    timer = threading.Timer(0.3, diagnostics.cancel)

    def fall_silent() -> None:
        sim.mute()
        timer.start()

    progress = at("snapshots of 1 code", fall_silent)
    began = time.monotonic()
    with pytest.raises(StreamClosedError, match="cancelled"):
        diagnostics.run_connection_test(60, progress)
    # Five seconds are what a snapshot may take.
    assert time.monotonic() - began < 5
    timer.join()


def test_cancelling_while_connecting(sim: Simulator) -> None:
    sim.stall_handshakes()
    diagnostics = WebSocketDiagnostics(sim.url)
    began = time.monotonic()
    with pytest.raises(StreamClosedError, match="cancelled"):
        diagnostics.run_connection_test(60, at("connecting: upgrade", diagnostics.cancel))
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("doing", ["connecting: upgrade", "snapshots"])
def test_what_progress_raises_ends_the_test(sim: Simulator, doing: str) -> None:
    if doing.startswith("connecting"):
        sim.stall_handshakes()

    def give_up() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        WebSocketDiagnostics(sim.url).run_connection_test(60, at(doing, give_up))


# What goes in.


def test_nothing_secret_is_shown(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPBIT_ACCESS_KEY", ACCESS)
    monkeypatch.setenv("UPBIT_SECRET_KEY", SECRET)
    sim.fail_handshakes(404)
    with pytest.raises(ValueError, match="names a user") as raised:
        WebSocketDiagnostics(sim.url.replace("ws://", f"ws://somebody:{SECRET}@"))
    assert SECRET not in str(raised.value)
    report = WebSocketDiagnostics(sim.url).run_connection_test(1)
    assert report.connectivity.failure is not None
    for text in (report.to_json(), str(report), repr(report)):
        assert SECRET not in text
        assert ACCESS not in text


def test_the_address_is_that_of_the_environment(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    sim.fail_handshakes(404)
    monkeypatch.setenv("UPBIT_STREAM_URL", sim.url)
    report = WebSocketDiagnostics(region="sg").run_connection_test(1)
    assert report.url == sim.url
    assert report.codes == ("SGD-BTC", "SGD-ETH", "SGD-XRP")


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"target": "http://127.0.0.1/v1"}, ValueError, "ws://"),
        ({"target": 5}, TypeError, "target=5"),
        ({"region": "jp"}, ValueError, "'jp'"),
        ({"codes": "BTC-KRW"}, InvalidCodeError, "KRW-BTC"),
        ({"codes": []}, InvalidCodeError, "empty"),
        ({"config": "fast"}, TypeError, "config='fast'"),
    ],
)
def test_wrong_input(arguments: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        WebSocketDiagnostics(**arguments)


def test_a_stream_has_its_own_configuration(config: StreamConfig) -> None:
    with pytest.raises(ValueError, match="one of them"):
        WebSocketDiagnostics(UpbitStream(config=config), config=config)


@pytest.mark.parametrize("seconds", [0, -1, float("inf"), float("nan")])
def test_impossible_durations(sim: Simulator, seconds: float) -> None:
    with pytest.raises(ValueError, match="seconds="):
        WebSocketDiagnostics(sim.url).run_connection_test(seconds)
    for wrong in ("5", True, None):
        with pytest.raises(TypeError, match="seconds="):
            WebSocketDiagnostics(sim.url).run_connection_test(wrong)  # type: ignore[arg-type]
