"""How a command ends: exit codes, one sentence, no traceback, whenever it is interrupted."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator

import pytest
import trustme

from tests.cli.conftest import Call, Start
from tests.cli.program import environment
from tests.conftest import PATIENCE
from upbit_stream import __version__
from upbit_stream.simulator import Simulator


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["watch"], ["KRW-BTC", "--demo"]),
        (["watch", "krw-btc"], ["'krw-btc'", "Did you mean 'KRW-BTC'?"]),
        (["watch", "KRW-BTC", "BTC-KRW", "--demo"], ["'BTC-KRW'", "Did you mean 'KRW-BTC'?"]),
        (["watch", "KRW-BTC", "-t", "tickers"], ["'tickers'", "did you mean 'ticker'?"]),
        (["watch", "KRW-BTC", "-t", "candle.2m"], ["'candle.2m'", "candle.240m"]),
        (["watch", "KRW-BTC", "-t", "orderbook", "--depth", "7"], ["depth=7", "15"]),
        (["watch", "KRW-BTC", "--depth", "7"], ["depth=7", "15"]),
        (["watch", "KRW-BTC", "--region", "jp"], ["'jp'", "'kr'"]),
        (["watch", "KRW-BTC", "--seconds", "-1"], ["--seconds -1"]),
        (["watch", "KRW-BTC", "--seconds", "nan"], ["--seconds nan"]),
        (["simulate", "--codes", "BTC-KRW"], ["'BTC-KRW'"]),
        (["simulate", "--codes", "0"], ["empty"]),
        (["simulate", "--port", "99999"], ["--port 99999", "65535"]),
        (["simulate", "--rate", "-1"], ["rate=-1"]),
        (["simulate", "--tls-key", "key.pem"], ["--tls-cert"]),
        (["simulate", "--tls-cert", __file__], ["cannot serve TLS", "PEM"]),
        (["simulate", "--replay", "no/such/file"], ["no/such/file"]),
        (["simulate", "--replay", __file__], ["is no recording"]),
    ],
)
def test_wrong_usage_is_one_sentence_and_exit_code_2(
    call: Call, arguments: list[str], parts: list[str]
) -> None:
    exit_code, out, told = call(*arguments)
    assert (exit_code, out) == (2, "")
    assert told.startswith("upbit-stream: ")
    assert told.count("\n") == 1
    for part in parts:
        assert part in told


def test_a_url_that_is_none_is_wrong_usage(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPBIT_STREAM_URL", "localhost:8765")
    exit_code, out, told = call("watch", "KRW-BTC")
    assert (exit_code, out) == (2, "")
    assert told.count("\n") == 1
    assert "UPBIT_STREAM_URL='localhost:8765'" in told


@pytest.mark.parametrize(
    "arguments", [["watch", "--nonsense"], ["simulate", "--port", "many"], ["nonsense"]]
)
def test_what_typer_finds_wrong_has_exit_code_2_too(call: Call, arguments: list[str]) -> None:
    exit_code, out, told = call(*arguments)
    assert (exit_code, out) == (2, "")
    assert told.startswith("upbit-stream: ")
    assert told.count("\n") == 1
    assert '--help" shows what there is' in told


def test_without_a_network_it_says_what_to_do(start: Start) -> None:
    program = start("watch", "KRW-BTC", UPBIT_STREAM_URL="ws://127.0.0.1:1/websocket/v1")
    told = program.err.wait_for(lambda text: "doctor" in text).splitlines()
    assert [("trying again" in line) for line in told[:3]] == [True] * 3
    hints = [line for line in told if '"upbit-stream watch --demo" needs no network' in line]
    assert len(hints) == 1
    program.interrupt()
    # Whoever ends it knows that nothing came.
    assert program.exit_code() == 0


def test_nothing_in_all_the_time_is_exit_code_1(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UPBIT_STREAM_URL", "ws://127.0.0.1:1/websocket/v1")
    exit_code, out, told = call("watch", "KRW-BTC", "--seconds", "0.05")
    assert (exit_code, out) == (1, "")
    assert told.splitlines()[-1].startswith("upbit-stream: nothing has come; ")
    assert '"upbit-stream doctor" says what is wrong' in told.splitlines()[-1]


def test_the_version(start: Start) -> None:
    program = start("--version")
    assert program.out.all() == f"upbit-stream {__version__}\n"
    assert program.exit_code() == 0


@pytest.mark.parametrize(
    "command", [(), *((name,) for name in ("watch", "record", "replay", "markets", "doctor",
                                           "simulate"))]
)  # fmt: skip
def test_help_has_examples(command: tuple[str, ...], call: Call) -> None:
    exit_code, out, told = call(*command, "--help")
    assert (exit_code, told) == (0, "")
    assert out.count("\n  upbit-stream ") >= 3


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_without_the_extra_it_says_what_to_install(missing: str) -> None:
    program = f"""
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {missing!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
from upbit_stream.cli import main
sys.exit(main(["watch", "--demo"]))
"""
    ended = run(program)
    assert ended.returncode == 1
    assert ended.stderr == (
        f"upbit-stream: the command line needs the package {missing}: "
        'pip install "upbit-stream[cli]"\n'
    )


def test_without_websockets_the_demo_says_what_to_install() -> None:
    ended = run(
        "import sys; sys.modules['websockets'] = None\n"
        "from upbit_stream.cli import main\n"
        "sys.exit(main(['watch', '--demo']))"
    )
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert 'pip install "upbit-stream[simulator]"' in ended.stderr


def run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (sys.executable, "-c", program),
        capture_output=True,
        text=True,
        env=environment(),
        timeout=PATIENCE,
        check=False,
    )


# What ends a running command.


@pytest.fixture
def mute_server() -> Iterator[socket.socket]:
    """Accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE)
        yield server


def test_ctrl_c_while_connecting(start: Start, mute_server: socket.socket) -> None:
    port = mute_server.getsockname()[1]
    program = start("watch", "KRW-BTC", UPBIT_STREAM_URL=f"ws://127.0.0.1:{port}/websocket/v1")
    with mute_server.accept()[0]:
        # The upgrade request stays without an answer.
        program.interrupt()
        assert program.exit_code() == 0
    assert program.err.all() == ""


def test_ctrl_c_while_trying_again(start: Start) -> None:
    # Bound, but nobody listens: refused, and nobody else can take the port.
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"ws://127.0.0.1:{bound.getsockname()[1]}/websocket/v1"
        program = start("watch", "KRW-BTC", UPBIT_STREAM_URL=url)
        program.err.wait_for(lambda text: text.count("trying again") >= 2)
        program.interrupt()
        assert program.exit_code() == 0
    for line in program.err.all().splitlines():
        assert line.startswith(f"upbit-stream: public-1 ({url}): the connection was refused; try")


def test_two_ctrl_c_are_one(start: Start, sim: Simulator) -> None:
    program = start("watch", "KRW-BTC", UPBIT_STREAM_URL=sim.url)
    program.out.wait_for(lambda text: "\n" in text)
    program.interrupt()
    program.interrupt()
    assert program.exit_code() == 0
    assert program.err.all() == ""
    assert sim.wait_for(lambda: not sim.connections)


# Unbuffered (python -u, usual in containers) a signal may end a write halfway.
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_ctrl_c_during_a_burst_ends_with_a_whole_line(start: Start, unbuffered: str) -> None:
    with Simulator(rate=20_000) as simulator:
        program = start("watch", *simulator.codes, "-t", "trade", "--json",
                        UPBIT_STREAM_URL=simulator.url, PYTHONUNBUFFERED=unbuffered)  # fmt: skip
        program.out.wait_for(lambda text: text.count("\n") > 2000)
        program.interrupt()
        assert program.exit_code() == 0
    assert program.err.all() == ""
    assert program.out.all().endswith("}\n")


def test_a_wrong_address_is_one_sentence_and_exit_code_1(
    call: Call, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UPBIT_STREAM_URL", f"{sim.url}/nowhere")
    exit_code, out, told = call("watch", "KRW-BTC")
    assert (exit_code, out) == (1, "")
    assert told.startswith("upbit-stream: ")
    assert told.count("\n") == 1
    assert "404" in told


def test_a_certificate_that_nobody_trusts_is_one_sentence(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with Simulator(rate=0, ssl_context=context) as simulator:
        monkeypatch.setenv("UPBIT_STREAM_URL", simulator.url)
        exit_code, out, told = call("watch", "KRW-BTC")
    assert (exit_code, out) == (1, "")
    assert told.count("\n") == 1
    assert "certificate" in told
