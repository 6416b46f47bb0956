"""Every frame of the corpus, over a real socket, in all four formats."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from tests.conftest import ACCESS_KEY, SECRET_KEY, eventually
from tests.wire import CLASSES, ENDPOINTS, FORMATS, differences, read_corpus, write
from upbit_stream import (
    DecodingError,
    Event,
    Macd,
    MovingAverage,
    Rsi,
    StreamConfig,
    Subscription,
    UpbitStream,
    UpbitStreamError,
)
from upbit_stream.protocol.endpoints import Endpoint
from upbit_stream.simulator import Simulator

CORPUS = read_corpus()
CODES = sorted({frame.content["code"] for frame in CORPUS if "code" in frame.content})


def subscribe_all(stream: UpbitStream) -> dict[str, Subscription[Any]]:
    """Everything of the corpus, realtime only: the market's own snapshots stay away."""
    units = {f.content["type"] for f in CORPUS if f.stream == "candle"}
    return {
        "ticker": stream.ticker(CODES, snapshot=False),
        "trade": stream.trade(CODES, snapshot=False),
        "orderbook": stream.orderbook(CODES, snapshot=False),
        **{
            unit: stream.candle(CODES, unit=unit.partition(".")[2], snapshot=False)
            for unit in units
        },
        "myOrder": stream.my_order(),
        "myAsset": stream.my_asset(),
        "announcement": stream.announcement(include_body=True),
        "indicator": stream.indicator(
            "KRW-BTC", [Rsi(14), MovingAverage("SMA", 20), Macd(12, 26, 9)], timeframe="5m"
        ),
        "indicator_signal": stream.indicator_signal(
            "KRW-ARB", MovingAverage("SMA", 5).crosses_above(), timeframe="5m"
        ),
    }


@pytest.mark.parametrize("numbers", ["float", "decimal"])
@pytest.mark.parametrize("wire_format", FORMATS)
def test_every_frame_of_the_corpus_arrives_as_its_event(
    sim: Simulator, wire_format: Any, numbers: Literal["float", "decimal"]
) -> None:
    config = StreamConfig(url=sim.url, wire_format=wire_format, numbers=numbers)
    with UpbitStream(access_key=ACCESS_KEY, secret_key=SECRET_KEY, config=config) as stream:
        subscriptions = subscribe_all(stream)
        eventually(lambda: len(sim.requests) == 3)
        for frame in CORPUS:
            # A snapshot that nobody waits for would be held back, rightly.
            content = {**frame.content, "stream_type": "REALTIME"}
            endpoint = ENDPOINTS.get(frame.stream, Endpoint.PUBLIC).value
            assert sim.send_raw(write(content, wire_format).encode(), connection=endpoint) == 1
            event = subscriptions[content["type"]].get(timeout=10)
            assert isinstance(event, CLASSES[frame.stream])
            assert differences(event, content, numbers) == []


def test_snapshots_of_the_corpus_arrive_as_snapshots() -> None:
    # Codes that the simulator's market does not know: it is silent about them.
    with Simulator(rate=0, codes=["KRW-XRP"]) as sim:
        config = StreamConfig(url=sim.url, numbers="decimal")
        with UpbitStream(config=config) as stream:
            trades = stream.trade(CODES)
            eventually(lambda: sim.requests)
            frames = [f for f in CORPUS if f.stream == "trade"]
            first = {frame.content["code"]: frame for frame in reversed(frames)}
            for frame in first.values():
                sim.send_raw(write(frame.content, "SIMPLE").encode())
                event = trades.get(timeout=10)
                assert event.stream_type == "SNAPSHOT"
                assert differences(event, frame.content, "decimal") == []


def test_the_old_frame_without_a_type_arrives(sim: Simulator) -> None:
    with UpbitStream(config=StreamConfig(url=sim.url)) as stream:
        trades = stream.trade("BTC-BCH", snapshot=False)
        eventually(lambda: sim.requests)
        sim.send_raw(
            b'{"mk":"BTC-BCH","tms":1523531745481,"tp":0.09601999,"sid":15235317454810000}'
        )
        event = trades.get(timeout=10)
        assert (event.code, event.trade_price) == ("BTC-BCH", 0.09601999)


def test_all_formats_and_a_market_agree() -> None:
    """The same seed tells the same story in each format."""
    stories: list[list[Event]] = []
    for wire_format in FORMATS:
        with Simulator(rate=0, seed=5, clock=lambda: 1_790_000_000.0) as sim:
            config = StreamConfig(url=sim.url, wire_format=wire_format, numbers="decimal")  # type: ignore[arg-type]
            with UpbitStream(config=config) as stream:
                trades = stream.trade("KRW-BTC")
                story: list[Event] = [trades.get(timeout=10)]
                sim.burst(50, codes=["KRW-BTC"])
                story += [trades.get(timeout=10) for _ in range(50)]
                stories.append(story)
    assert all(story == stories[0] for story in stories[1:])


GARBAGE_JSON = [
    b'{"ty":"trade"}',
    b"",
    b"{",
    b"\xff\xfe\xfd",
    b"nonsense",
    b"[1,2]",
    b'{"ty":"trade","cd":5}',
]


def test_frames_that_cannot_be_decoded_are_told_and_do_no_harm(
    sim: Simulator, config: StreamConfig
) -> None:
    errors: list[UpbitStreamError] = []
    with UpbitStream(config=config) as stream:
        stream.on_error(errors.append)
        trades = stream.trade("KRW-BTC")
        assert trades.get(timeout=10).stream_type == "SNAPSHOT"
        for payload in GARBAGE_JSON:
            sim.send_raw(payload)
        sim.send_raw(b'{"ty":"somethingNew","cd":"KRW-BTC"}')
        sim.send_raw(b'{"ty":"somethingNew","cd":"KRW-ETH"}')
        sim.send_raw(b'{"status":"UP"}')
        newest = sim.trade("KRW-BTC")
        assert trades.get(timeout=10).sequential_id == newest
        eventually(lambda: len(errors) == len(GARBAGE_JSON) + 1)
        assert all(isinstance(error, DecodingError) for error in errors)
        assert "somethingNew" in str(errors[-1])
        assert stream.stats.unknown == 2
        assert stream.stats.undecodable == len(GARBAGE_JSON)
        assert stream.stats.reconnects == 0
