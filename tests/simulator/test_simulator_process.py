"""The simulator as a process of its own, over TLS, and without its extra."""

from __future__ import annotations

import io
import json
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
import urllib3

from tests.process import SimulatorProcess
from tests.simulator.client import PATIENCE, Client, Connect, Start
from upbit_stream.simulator import Simulator
from upbit_stream.simulator.__main__ import main
from upbit_stream.simulator.control import choose_codes, obey, run_simulator, server_tls


@pytest.fixture
def process() -> Iterator[SimulatorProcess]:
    options = ("--rate", "0", "--codes", "5", "--timing", "instant")
    process = SimulatorProcess(*options, stderr=subprocess.PIPE)
    yield process
    _, problems = process.process.communicate(timeout=PATIENCE)
    assert problems == ""
    assert process.process.returncode == 0


class Elsewhere:
    """Looks like a simulator to the client fixture."""

    def __init__(self, url: str) -> None:
        self.url = url


def test_a_process_that_is_told_what_to_do(process: SimulatorProcess, client: Connect) -> None:
    codes = process.ask("codes")["result"]
    assert codes == ["KRW-BTC", "KRW-ETH", "KRW-XRP", "KRW-SOL", "KRW-DOGE"]
    socket: Client = client(Elsewhere(process.url))  # type: ignore[arg-type]
    socket.ask({"type": "trade", "codes": codes, "is_only_realtime": True})
    assert process.ask("wait_for_subscription", type="trade", count=1)["result"] is True
    assert process.ask("burst", count=3000, codes=codes) == {"ok": True, "result": None}
    got = [frame["sequential_id"] for frame in socket.read_many(3000)]
    totals = process.ask("totals")["result"]
    assert sum(total["count"] for total in totals.values()) == 3000
    assert sum(total["sum"] for total in totals.values()) == sum(got)
    assert process.ask("ledger", code="KRW-BTC")["result"] == got[::5]
    stats = process.ask("stats", id=7)
    assert stats["id"] == 7
    assert stats["result"]["trades"] == 3000
    assert process.ask("requests")["result"][0]["parsed"][1]["type"] == "trade"
    assert process.ask("close", code=1001)["result"] == 1
    assert socket.end() == ([], 1001)
    refused = process.ask("explode")
    assert refused["ok"] is False
    assert "choose one of" in refused["error"]


def test_commands_in_this_process(sim: Simulator) -> None:
    lines = ['{"do":"trade","code":"KRW-BTC","price":1000000}', "", "nonsense", '{"do":"rate"}',
             '{"do":"rate","value":2.5}', '{"do":"stop","id":"x"}', '{"do":"url"}']  # fmt: skip
    answers = io.StringIO()
    obey(sim, io.StringIO("\n".join(lines)), answers)
    results = [json.loads(line) for line in answers.getvalue().splitlines()]
    assert [result["ok"] for result in results] == [True, False, True, True, True]
    assert results[0]["result"] == sim.ledger("KRW-BTC")[0]
    assert "JSONDecodeError" in results[1]["error"]
    assert (results[2]["result"], results[3]["result"]) == (0, 2.5)
    assert results[4] == {"id": "x", "ok": True, "result": None}


def test_main_ends_with_its_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO('{"do":"port"}\n'))
    main(["--rate", "0", "--no-limits", "--codes", "KRW-BTC,KRW-ETH"])
    where, answer = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert where["port"] == answer["result"]
    assert where["url"] == f"ws://127.0.0.1:{where['port']}/websocket/v1"
    assert where["rest_url"] == f"http://127.0.0.1:{where['port']}/v1"


def test_ctrl_c_ends_it() -> None:
    def interrupt(sim: Simulator) -> None:
        raise KeyboardInterrupt

    sim = Simulator(rate=0)
    run_simulator(sim, ready=interrupt)
    with pytest.raises(RuntimeError, match="not running"):
        sim.connections  # noqa: B018


def test_codes_as_text() -> None:
    assert len(choose_codes(None)) == 20
    assert len(choose_codes("855")) == 855
    assert choose_codes("KRW-BTC, KRW-ETH") == ["KRW-BTC", "KRW-ETH"]


def test_tls(start: Start, client: Connect, tmp_path: Path) -> None:
    authority = trustme.CA()
    bundle = tmp_path / "server.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(bundle))
    assert server_tls(None, None) is None
    sim = start(ssl_context=server_tls(str(bundle), None))
    assert sim.url.startswith("wss://")
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    socket = client(sim, ssl=trusting)
    socket.ask({"type": "trade", "codes": ["KRW-BTC"]})
    assert socket.read()["code"] == "KRW-BTC"
    with urllib3.PoolManager(ssl_context=trusting) as pool:
        assert pool.request("GET", f"{sim.rest_url}/market/all").status == 200
    sim.burst(2000, ["KRW-BTC"])
    assert [frame["sequential_id"] for frame in socket.read_many(2000)] == sim.ledger("KRW-BTC")
    sim.reset()
    assert socket.end() == ([], None)
    sim.restart()
    assert client(sim, ssl=trusting).barrier() == []


def test_without_its_extra_it_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['websockets'] = None\n"
        "try:\n    import upbit_stream.simulator\n"
        "except ImportError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert 'pip install "upbit-stream[simulator]"' in done.stdout
