"""``upbit-stream markets``: searched by code and name; and what the shell proposes."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.cli.conftest import Call, StartInTmux
from tests.cli.tmux import needs_tmux
from upbit_stream.cli.commands.markets import Market, matching
from upbit_stream.cli.completing import complete_code, complete_type, remember_codes
from upbit_stream.recovery.rest import RestClient
from upbit_stream.simulator import Simulator
from upbit_stream.simulator.listing import DEFAULT_CODES


def test_a_line_for_each_market(
    call: Call, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UPBIT_STREAM_URL", sim.url)
    exit_code, out, told = call("markets")
    assert (exit_code, told) == (0, "")
    assert [line.split()[0] for line in out.splitlines()] == list(DEFAULT_CODES)
    assert out.splitlines()[0].split() == ["KRW-BTC", "비트코인", "Bitcoin"]
    (call_,) = sim.rest_calls
    assert (call_.path, call_.query) == ("/v1/market/all", {"is_details": "true"})
    exit_code, out, _ = call("markets", "코인", "cash", "--json")
    assert exit_code == 0
    assert [json.loads(line) for line in out.splitlines()] == [
        {
            "market": "KRW-BCH",
            "korean_name": "비트코인캐시",
            "english_name": "Bitcoin Cash",
            "cautions": [],
        }
    ]
    exit_code, out, told = call("markets", "nonsense", "--quote", "USDT")
    assert (exit_code, out) == (1, "")
    assert told == ("upbit-stream: none of 20 markets has 'nonsense USDT' in its code or name\n")


def test_what_the_exchange_warns_of(call: Call, sim: Simulator) -> None:
    body = json.dumps(
        [
            {"market": "KRW-A", "korean_name": "에이", "english_name": "A",
             "market_event": {"warning": True, "caution": {"PRICE_FLUCTUATIONS": True,
                                                           "TRADING_VOLUME_SOARING": False}}},
            {"market": "KRW-B"},
        ]
    )  # fmt: skip
    sim.fail_rest(200, body=body)
    _, out, _ = call("markets", "--url", sim.url)
    assert out.splitlines() == ["KRW-A  에이         A             WARNING, PRICE_FLUCTUATIONS",
                                "KRW-B"]  # fmt: skip


def test_a_server_that_is_not_there(call: Call) -> None:
    exit_code, out, told = call("markets", "--url", "ws://127.0.0.1:1/websocket/v1")
    assert (exit_code, out) == (1, "")
    assert told.startswith("upbit-stream: the market list cannot be had: ")
    assert '"upbit-stream doctor" looks why' in told
    assert told.count("\n") == 1
    exit_code, _, told = call("markets", "--demo", "--url", "ws://127.0.0.1:1/websocket/v1")
    assert (exit_code, told) == (2, "upbit-stream: --demo and --url: choose one of them\n")
    exit_code, _, told = call("markets", "--region", "jp")
    assert exit_code == 2


def test_searching() -> None:
    listed = [
        Market("KRW-BTC", "비트코인", "Bitcoin"), Market("BTC-ETH", "이더리움", "Ethereum"),
        Market("KRW-ETH", "이더리움", "Ethereum"), Market("USDT-BTC", "비트코인", "Bitcoin"),
    ]  # fmt: skip

    def found(*words: str, quote: str | None = None) -> list[str]:
        return [one.market for one in matching(listed, words, quote)]

    assert found() == ["KRW-BTC", "BTC-ETH", "KRW-ETH", "USDT-BTC"]
    # Those of the coin itself come first.
    assert found("btc") == ["KRW-BTC", "USDT-BTC", "BTC-ETH"]
    assert found("비트") == found("BITCOIN") == ["KRW-BTC", "USDT-BTC"]
    assert found("eth", quote="krw") == ["KRW-ETH"]
    assert found("비트", "eth") == []


@needs_tmux
def test_on_a_terminal_the_names_stand_below_each_other(start_in_tmux: StartInTmux) -> None:
    terminal = start_in_tmux("markets", "--demo", "bit", LC_ALL="ko_KR.UTF-8")
    terminal.wait_for("마켓 20개 중 2개")
    assert terminal.exit_code() == 0
    assert terminal.lines()[1:-1] == [
        "코드     한글 이름     영문 이름",
        "KRW-BTC  비트코인      Bitcoin",
        "KRW-BCH  비트코인캐시  Bitcoin Cash",
        "마켓 20개 중 2개",
    ]


def test_the_simulator_lists_as_the_exchange_does(sim: Simulator) -> None:
    rest = RestClient(sim.rest_url)
    body = rest.get("/market/all", {"is_details": "true"}, group="market",
                    deadline=time.monotonic() + 20)  # fmt: skip
    rest.cancel()
    first = json.loads(body)[0]
    assert set(first) == {"market", "korean_name", "english_name", "market_event"}
    assert set(first["market_event"]) == {"warning", "caution"}
    assert set(first["market_event"]["caution"].values()) == {False}
    assert len(first["market_event"]["caution"]) == 5


# Completion.


def test_codes_of_the_last_list_are_proposed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "cache"))
    # Before there was any list, well-known ones.
    assert "KRW-BTC" in complete_code("KRW-B")
    remember_codes(["KRW-BTC", "KRW-NEW"])
    assert complete_code("KRW-N") == ["KRW-NEW"]
    (file,) = (tmp_path / "cache" / "upbit-stream").iterdir()
    file.write_text("{", encoding="utf-8")
    assert "KRW-BTC" in complete_code("KRW-B")
    # Where nothing can be written nothing is.
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    monkeypatch.setenv("LOCALAPPDATA", str(blocked))
    remember_codes(["KRW-NEW"])


def test_types_are_proposed() -> None:
    assert complete_type("candle.1") == ["candle.1s", "candle.1m", "candle.10m", "candle.15m"]


@pytest.mark.parametrize(
    ("words", "proposed"),
    [
        ("upbit-stream di", ["diagnose"]),
        ("upbit-stream watch --type ord", ["orderbook"]),
        ("upbit-stream watch --region s", ["sg"]),
        ("upbit-stream record --format z", ["zstd"]),
        ("upbit-stream watch KRW-BT", ["KRW-BTC"]),
        ("upbit-stream markets --quote U", ["USDT"]),
        ("upbit-stream watch --sec", ["--seconds"]),
    ],
)
def test_bash_is_told(
    call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: str, proposed: list[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("_UPBIT_STREAM_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(words.count(" ")))
    exit_code, out, _ = call()
    assert exit_code == 0
    assert out.split() == proposed


def test_the_script_for_a_shell(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_UPBIT_STREAM_COMPLETE", "source_zsh")
    exit_code, out, _ = call()
    assert exit_code == 0
    assert "#compdef upbit-stream" in out
