"""Recorded frames, sent again."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from tests.simulator.client import Connect, Start
from upbit_stream.simulator import Limits
from upbit_stream.simulator.replay import Replay

RECORDING = Path(__file__).parent.parent / "data" / "frames.jsonl"
RECORDED = [json.loads(line) for line in RECORDING.read_text(encoding="utf-8").splitlines()]


def recorded(wire_format: str, key: str, kind: str) -> list[str]:
    return [
        line["frame"]
        for line in RECORDED
        if line["format"] == wire_format and f'"{key}":"{kind}"' in line["frame"]
    ]


def test_frames_of_the_same_format_are_sent_as_they_are(start: Start, client: Connect) -> None:
    sim = start(replay=RECORDING)
    socket = client(sim)
    socket.ask({"type": "trade", "codes": ["KRW-BTC", "KRW-ETH"]}, format="DEFAULT")
    frames = recorded("DEFAULT", "type", "trade")
    assert len(frames) == 3
    assert [socket.raw() for _ in frames] == [frame.encode() for frame in frames]
    assert socket.barrier() == []


def test_other_formats_keep_every_digit(start: Start, client: Connect) -> None:
    sim = start(replay=RECORDING)
    socket = client(sim)
    socket.ask({"type": "orderbook", "codes": ["KRW-BTC"]}, format="SIMPLE")
    first, second, third, fourth = (socket.raw() for _ in range(4))
    assert b'"obu":[{"ap":1.16539E8,"bp":1.16538E8,"as":0.02054761,' in bytes(first)  # type: ignore[arg-type]
    assert second == recorded("SIMPLE", "ty", "orderbook")[0].encode()
    assert b'"ap":148961000.0,' in bytes(third)  # type: ignore[arg-type]
    assert json.loads(fourth)["tms"] == 1751854413122


def test_the_old_key_of_the_market(start: Start, client: Connect) -> None:
    sim = start(replay=RECORDING)
    socket = client(sim)
    request = {"type": "trade", "codes": ["BTC-BCH"]}
    socket.ask(request, format="SIMPLE")
    raw = socket.read()
    assert raw["mk"] == "BTC-BCH"
    assert "ty" not in raw
    socket.ask(request, format="DEFAULT")
    frame = socket.read()
    assert frame["code"] == "BTC-BCH"
    assert frame["trade_price"] == Decimal("0.09601999")


def test_private_and_info_frames(start: Start, client: Connect) -> None:
    sim = start(replay=RECORDING)
    private = client(sim, "private")
    private.ask({"type": "myOrder"}, {"type": "myAsset"}, {"type": "announcement"})
    order, asset, notice = private.read_many(3)
    assert order["identifier"] == "test-1"
    assert asset["assets"][0]["balance"] == Decimal("1386929.37231066771348207123")
    assert notice["category"] == "trade"
    info = client(sim, "info")
    macd = {"type": "macd", "params": {"fast": 12, "slow": 26, "signal_period": 9}}
    part = {"codes": ["KRW-BTC"], "timeframe": "5m", "indicators": [macd]}
    info.ask({"type": "indicator", **part}, format="SIMPLE_LIST")
    frames = [frame for (frame,) in info.read_many(4)]
    assert [frame["ind"] for frame in frames] == ["rsi", "moving_average", "macd", "macd"]
    assert frames[1]["p"] == {"t": "SMA", "p": 20}
    assert frames[2]["v"] == frames[3]["v"]


def test_every_recorded_frame_survives_the_way_through_all_formats(
    start: Start, client: Connect
) -> None:
    sim = start(replay=RECORDING, limits=Limits.off())
    codes = ["KRW-BTC", "KRW-ETH", "BTC-BCH"]
    kinds = ["ticker", "trade", "orderbook", "candle.1s", "candle.1m", "candle.15m"]
    parts = [{"type": kind, "codes": codes} for kind in kinds]
    asked = [(kind, code) for kind in kinds for code in codes]
    count = len(Replay(RECORDING, None).select(asked))
    assert count == 14
    seen = []
    for wire_format in ("DEFAULT", "JSON_LIST"):
        socket = client(sim)
        # Markets that were not recorded for a type are made up, but have nothing to tell yet.
        socket.ask(*({**part, "is_only_realtime": True} for part in parts), format=wire_format)
        frames = socket.read_many(count)
        seen.append([frame[0] if isinstance(frame, list) else frame for frame in frames])
        assert socket.barrier() == []
    assert seen[0] == seen[1]


def test_lines_and_speed(start: Start, client: Connect) -> None:
    def trade(milliseconds: int) -> dict[str, Any]:
        return {"type": "trade", "code": "KRW-BTC", "timestamp": milliseconds, "extra": [1, 2]}

    lines: list[Any] = [
        json.dumps(trade(1000)),
        json.dumps([trade(1200)]).encode(),
        {"frame": json.dumps(trade(1400)), "source": "here"},
        trade(1600),
        '{"status":"UP"}',
    ]
    sim = start(replay=lines, replay_speed=2.0)
    socket = client(sim)
    begun = monotonic()
    socket.ask({"type": "trade", "codes": ["KRW-BTC"]})
    assert [frame["timestamp"] for frame in socket.read_many(4)] == [1000, 1200, 1400, 1600]
    assert monotonic() - begun >= 0.3
    assert socket.barrier() == []


def test_a_next_request_takes_the_rest_back(start: Start, client: Connect) -> None:
    lines = [
        {"type": "trade", "code": "KRW-BTC", "timestamp": 0},
        {"type": "trade", "code": "KRW-BTC", "timestamp": 3_600_000},
    ]
    sim = start(replay=lines, replay_speed=1.0)
    socket = client(sim)
    socket.ask({"type": "trade", "codes": ["KRW-BTC"]})
    assert socket.read()["timestamp"] == 0
    socket.ask({"type": "ticker", "codes": ["KRW-ETH"]})
    assert socket.read()["code"] == "KRW-ETH"


def test_a_speed_that_is_none(start: Start) -> None:
    with pytest.raises(ValueError, match="replay_speed"):
        start(replay=[], replay_speed=0)
