"""A recording, replayed by the simulator: a client receives what was recorded."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from tests.cli.conftest import Start
from tests.cli.conftest import start as start  # the fixture
from tests.cli.test_simulate import ended_quietly, shown
from tests.conftest import eventually
from tests.recording.conftest import NAMES, corpus
from upbit_stream import Event, Recorder, StreamConfig, UpbitStream, read_recording
from upbit_stream.protocol.decoding import Decoder
from upbit_stream.protocol.wire_format import WireFormat
from upbit_stream.simulator import Simulator
from upbit_stream.simulator.replay import Replay

CODES = ["KRW-BTC", "KRW-ETH"]


def watch(
    sim: Simulator, numbers: Literal["float", "decimal"], callback: Callable[[Event], object]
) -> UpbitStream:
    config = StreamConfig(url=sim.url, rest_url=sim.rest_url, numbers=numbers)
    stream = UpbitStream(config=config)
    for subscribe in (stream.trade, stream.ticker, stream.orderbook):
        subscribe(CODES, callback=callback)
    return stream


def record(path: Path, numbers: Literal["float", "decimal"]) -> list[Event]:
    recorder = Recorder(path, rotate_bytes=5000, flush_interval=0.1)
    with Simulator(rate=500, codes=CODES) as sim, recorder, watch(sim, numbers, recorder):
        eventually(lambda: recorder.stats.recorded > 600)
    return list(read_recording(path))


def by_stream(events: list[Event]) -> dict[tuple[str, str], list[Event]]:
    streams: dict[tuple[str, str], list[Event]] = {}
    for event in events:
        streams.setdefault((event.type, event.code), []).append(event)
    return streams


@pytest.mark.parametrize("numbers", ["float", "decimal"])
@pytest.mark.parametrize("name", NAMES)
def test_what_a_client_receives_equals_the_recording(
    tmp_path: Path, name: str, numbers: Literal["float", "decimal"]
) -> None:
    recorded = record(tmp_path / name, numbers)
    assert (tmp_path / name.replace("events.", "events.0002.")).exists()
    seen: list[Event] = []
    with Simulator(rate=0, codes=CODES, replay=tmp_path / name) as sim:
        begun = time.time_ns()
        with watch(sim, numbers, seen.append):
            eventually(lambda: len(seen) >= len(recorded))
    # Each subscription has its thread, so that only the order of each stream is certain.
    assert by_stream(seen) == by_stream(recorded)
    # When they came is told anew.
    assert all(event.received_at >= begun for event in seen)


@pytest.mark.parametrize("name", NAMES)
def test_on_the_wire_is_only_what_the_exchange_sends(tmp_path: Path, name: str) -> None:
    """Also of a Parquet file that is not made yet, whose journal has decimals as texts."""
    trade = next(event for event in corpus("decimal") if event.type == "trade")
    with Recorder(tmp_path / name) as recorder:
        recorder(trade)
        recorder.flush()
        (before,) = Replay(tmp_path / name, None).select([("trade", trade.code)])
    (after,) = Replay(tmp_path / name, None).select([("trade", trade.code)])
    for recorded in (before, after):
        for wire_format in WireFormat:
            frame = recorded.written(wire_format)
            assert b"received_at" not in frame
            payload = frame[frame.index(b"{") :].removesuffix(b"]")
            decoded = Decoder(WireFormat(wire_format), "decimal").decode_all(
                [b"[" + payload + b"]" if wire_format.is_list else payload]
            )
            assert decoded == [trade]
            number = str(trade.to_dict()["trade_price"]).encode()
            assert b'":' + number + b"," in payload


def test_moments_keep_the_order_of_the_recording() -> None:
    def line(number: int, milliseconds: int) -> dict[str, object]:
        return {"type": "trade", "code": "KRW-BTC", "sequential_id": number,
                "received_at": milliseconds * 1_000_000}  # fmt: skip

    times = (1000, 1200, 1100, 1200, 1400, 1400)
    replay = Replay([line(number, one) for number, one in enumerate(times)], 2.0)
    moments = replay.schedule([("trade", "KRW-BTC")])
    assert [moment.delay for moment in moments] == pytest.approx([0.0, 0.1, 0.2])
    order = [one.fields["sequential_id"] for moment in moments for one in moment.recorded]
    assert order == ["0", "1", "2", "3", "4", "5"]
    assert replay.schedule([("ticker", "KRW-BTC")]) == []


def test_at_a_speed_it_takes_its_time_and_keeps_its_order(tmp_path: Path) -> None:
    path = tmp_path / NAMES[1]
    recorded = record(path, "float")
    length = (recorded[-1].received_at - recorded[0].received_at) / 1e9
    seen: list[Event] = []
    sim = Simulator(rate=0, codes=CODES, replay=path, replay_speed=4.0)
    with sim, watch(sim, "float", seen.append):
        eventually(lambda: seen)
        begun = time.monotonic()
        eventually(lambda: len(seen) >= len(recorded))
        lasted = time.monotonic() - begun
    assert by_stream(seen) == by_stream(recorded)
    assert lasted > length / 4 - 0.2


def test_the_command_replays_it(tmp_path: Path, start: Start) -> None:
    path = tmp_path / NAMES[2]
    record(path, "float")
    server = start("simulate", "--rate", "0", "--replay", str(path))
    seen: list[Event] = []
    config = StreamConfig(url=shown(server)["UPBIT_STREAM_URL"])
    wanted = [event for event in read_recording(path) if event.type == "trade"]
    with UpbitStream(config=config) as stream:
        stream.trade(CODES, callback=seen.append)
        eventually(lambda: len(seen) >= len(wanted))
    assert seen == wanted
    server.interrupt()
    ended_quietly(server)
