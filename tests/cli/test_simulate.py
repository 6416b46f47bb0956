"""The simulator as a process: it says where it is, serves a watch, and ends cleanly."""

from __future__ import annotations

import json
import re
import socket
import urllib.request
from pathlib import Path

import trustme

from tests.cli.conftest import Call, Start
from tests.cli.program import Program
from tests.conftest import ACCESS_KEY, SECRET_KEY


def shown(program: Program) -> dict[str, str]:
    """The settings of the line that is to be copied."""
    text = program.out.wait_for(lambda text: "python first.py\n" in text)
    lines = [line for line in text.splitlines() if "upbit-stream watch KRW-BTC" in line]
    settings = dict(re.findall(r'(?:\$env:)?([A-Z_]+)="?([^\s";]+)', lines[0]))
    # A program of one's own gets the same.
    assert text.splitlines()[-1] == lines[0].partition("upbit-stream")[0] + "python first.py"
    assert settings["UPBIT_STREAM_URL"] in text.splitlines()[2]
    return settings


def ended_quietly(program: Program) -> None:
    assert program.exit_code() == 0
    assert program.err.all() == ""


def test_it_serves_what_it_says(start: Start) -> None:
    server = start("simulate", "--codes", "3", "--rate", "50", "--seed", "7")
    settings = shown(server)
    text = server.out.text
    assert text.startswith("A simulated Upbit is running: 3 codes, 50 trades a second.")
    rest = re.search(r"REST +(http://127\.0\.0\.1:\d+/v1)\n", text)
    assert rest is not None
    assert f"UPBIT_ACCESS_KEY={ACCESS_KEY}\n" in text
    assert f"UPBIT_SECRET_KEY={SECRET_KEY}\n" in text
    with urllib.request.urlopen(f"{rest[1]}/market/all") as answer:
        assert len(json.load(answer)) == 3
    watch = start("watch", "KRW-BTC", "KRW-ETH", "-t", "trade", "--json", **settings)
    watch.out.wait_for(lambda text: text.count("\n") > 10)
    watch.interrupt()
    ended_quietly(watch)
    server.interrupt()
    ended_quietly(server)
    # The port is free again.
    port = int(settings["UPBIT_STREAM_URL"].split(":")[2].split("/")[0])
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))


def test_seconds_end_it(call: Call) -> None:
    exit_code, out, told = call("simulate", "--seconds", "0.1", "--realistic", "--codes", "KRW-BTC")
    assert (exit_code, told) == (0, "")
    assert "1 code, " in out


def test_json_says_where_it_is(call: Call) -> None:
    exit_code, out, told = call("simulate", "--seconds", "0.1", "--json", "--codes", "2")
    assert (exit_code, told) == (0, "")
    assert json.loads(out) | {"url": "", "rest_url": ""} == {
        "url": "",
        "rest_url": "",
        "access_key": ACCESS_KEY,
        "secret_key": SECRET_KEY,
        "codes": ["KRW-BTC", "KRW-ETH"],
        "rate": 100.0,
    }


def test_a_port_in_use_is_one_sentence(call: Call) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        exit_code, out, told = call("simulate", "--port", str(port))
    assert (exit_code, out) == (1, "")
    assert told == (
        f"upbit-stream: port {port} of 127.0.0.1 is in use by another program; "
        "choose another --port, 0 finds a free one\n"
    )


def test_with_tls_the_line_to_copy_trusts_the_certificate(start: Start, tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    # The server's certificate and, in the same file, who issued it.
    for blob in issued.cert_chain_pems:
        blob.write_to_path(certificate, append=True)
    authority.cert_pem.write_to_path(certificate, append=True)
    issued.private_key_pem.write_to_path(key)
    server = start("simulate", "--tls-cert", str(certificate), "--tls-key", str(key))
    settings = shown(server)
    assert settings["UPBIT_STREAM_URL"].startswith("wss://")
    watch = start("watch", "KRW-BTC", "--json", **settings)
    watch.out.wait_for(lambda text: "\n" in text)
    watch.interrupt()
    ended_quietly(watch)
    server.interrupt()
    ended_quietly(server)


def test_it_replays_a_recording(start: Start, tmp_path: Path) -> None:
    recording = tmp_path / "frames.jsonl"
    frame = {"type": "trade", "code": "KRW-BTC", "trade_price": 1234.5, "trade_volume": 2.0,
             "sequential_id": 77, "timestamp": 1, "stream_type": "SNAPSHOT"}  # fmt: skip
    recording.write_text(json.dumps(frame) + "\n", encoding="utf-8")
    server = start("simulate", "--replay", str(recording))
    watch = start("watch", "KRW-BTC", "-t", "trade", "--json", **shown(server))
    text = watch.out.wait_for(lambda text: "\n" in text)
    assert json.loads(text.splitlines()[0])["trade_price"] == 1234.5
    for program in (watch, server):
        program.interrupt()
        ended_quietly(program)
