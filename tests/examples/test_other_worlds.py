"""Examples that hand events to other threads, to an event loop, to a recording: all of them."""

from __future__ import annotations

import asyncio
import json
import re
import runpy
import threading
import urllib.request
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import psutil
import pytest

from tests.conftest import eventually
from tests.examples.conftest import Run
from tests.examples.script import EXAMPLES, Script
from upbit_stream import StreamConfig, Trade, UpbitStream, read_recording
from upbit_stream.simulator import Simulator

CODES = ("KRW-BTC", "KRW-ETH", "KRW-XRP")


#: With output that takes its time, so that something waits when it is interrupted.
SLOW_CONSUMER = """
import builtins, runpy, sys, time

def slow_print(text):
    time.sleep(0.001)
    sys.stdout.write(text + "\\n")

builtins.print = slow_print
runpy.run_path({path!r}, run_name="__main__")
"""


def test_an_event_loop_gets_every_trade_in_order(sim: Simulator, run: Run, tmp_path: Path) -> None:
    slow = tmp_path / "slow_consumer.py"
    slow.write_text(SLOW_CONSUMER.format(path=str(EXAMPLES / "with_asyncio.py")))
    script = run(sim, slow)
    # The snapshots.
    script.out.wait_for(lambda text: all(re.search(rf"{code} \d", text) for code in CODES[:2]))
    sim.burst(2000, CODES[:2])
    script.out.wait_for(lambda text: text.count("\n") > 500)
    script.interrupt()
    assert script.process.wait(20) == 0
    assert script.err.all() == ""
    for code in CODES[:2]:
        got = re.findall(rf"^{code} \d.*$", script.out.all(), re.M)
        assert got[1:] == [
            f"{code} {row.volume / 10**8:.8f} at {row.price / 10**8:,.0f}"
            for row in sim.trades(code)
        ]


def test_no_more_than_a_few_events_wait_in_the_loop(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("UPBIT_STREAM_URL", sim.url)
    monkeypatch.setattr("sys.argv", ["with_asyncio.py", "0"])
    bridge: Any = runpy.run_path(str(EXAMPLES / "with_asyncio.py"))["Bridge"]
    assert "KRW-BTC is at" in capsys.readouterr().out
    seen: list[int] = []
    waiting: list[int] = []

    async def main(stream: UpbitStream) -> None:
        trades = bridge(limit=10)
        subscription = stream.trade("KRW-BTC", callback=trades)
        async for trade in trades:
            seen.append(trade.sequential_id)
            waiting.append(trades.events.qsize())
            if len(seen) == 1:  # the snapshot
                await asyncio.to_thread(sim.burst, 2000, ["KRW-BTC"])
            if len(seen) == 2:  # the loop is busy, and the events wait where they should
                eventually(lambda: subscription.stats.received == 2001)
            if len(seen) == 2001:
                break

    with UpbitStream(config=StreamConfig(url=sim.url)) as stream:
        asyncio.run(main(stream))
    assert seen[1:] == sim.ledger("KRW-BTC")
    assert 5 <= max(waiting) <= 10


def test_each_thread_gets_every_trade_of_its_market(sim: Simulator, run: Run) -> None:
    script = run(sim, "threads.py")
    for code in CODES:
        assert sim.wait_for_subscription("trade", code, timeout=20)
    before = {code: sim.trades(code, history=True)[-1] for code in CODES}
    wait_until_idle(script)  # it has had its snapshots
    sim.burst(3000, CODES)
    wait_until_idle(script)
    script.interrupt()
    assert script.process.wait(20) == 0
    told = dict(re.findall(r"^(KRW-\w+): (\d+\.\d{8}) traded", script.out.all(), re.M))
    for code in CODES:
        rows = [before[code], *sim.trades(code)]  # the first is the snapshot
        assert float(told[code]) == pytest.approx(sum(row.volume for row in rows) / 10**8)


def wait_until_idle(script: Script) -> None:
    """Wait until a process has done what there was to do."""
    process, pause = psutil.Process(script.process.pid), threading.Event()

    def idle() -> bool:
        before = sum(process.cpu_times()[:2])
        pause.wait(0.3)
        return sum(process.cpu_times()[:2]) - before < 0.02

    eventually(idle)


def test_a_recording_is_the_same_market_again(sim: Simulator, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "kept.jsonl.zst"
    script = run(sim, "record_replay.py", "100", str(path))
    assert sim.wait_for_subscription("trade", "KRW-ETH", timeout=20)
    eventually(lambda: path.exists() and len(list(read_recording(path))) == 2)  # the snapshots
    sim.burst(100, CODES[:2])
    sim.reset()
    sim.burst(100, CODES[:2])
    eventually(lambda: len(list(read_recording(path))) == 202)
    script.interrupt()
    assert script.process.wait(20) == 0
    out = script.out.all()
    assert re.search(
        r"^202 events .*, 0 lost, traded: (.*)\nreplayed in .*, traded: \1$", out, re.M
    )
    for code in CODES[:2]:
        events = [event for event in read_recording(path) if isinstance(event, Trade)]
        ids = [event.sequential_id for event in events if event.code == code]
        assert ids[1:] == sim.ledger(code)


def test_operators_can_ask_how_it_is(sim: Simulator, run: Run) -> None:
    script = run(sim, "health_endpoint.py", "100", "0")
    text = script.out.wait_for(lambda text: text.endswith("/\n"))
    url = text.split()[-1]

    def ask() -> tuple[int, dict[str, Any]]:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return answer.status, json.load(answer)
        except HTTPError as error:
            with error:
                return error.code, json.load(error)

    eventually(lambda: ask()[0] == 200)
    told = ask()[1]
    assert (told["healthy"], told["state"], told["problems"]) == (True, "connected", [])
    sim.refuse()
    sim.reset()
    eventually(lambda: ask()[0] == 503)
    status, told = ask()
    assert (status, told["healthy"], told["state"]) == (503, False, "reconnecting")
    assert "it is reconnecting" in told["problems"]
    sim.accept()
    eventually(lambda: ask()[1]["state"] == "connected")
    script.interrupt()
    assert script.process.wait(20) == 0
