"""``upbit-stream doctor``: what it finds, what it advises, and what it keeps to itself."""

from __future__ import annotations

import json
import re
import ssl
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.cli.conftest import Call
from tests.conftest import our_threads
from upbit_stream.cli.checks.network import clock_difference
from upbit_stream.cli.checks.settings import check_settings
from upbit_stream.cli.checks.software import satisfies
from upbit_stream.cli.texts import CATALOGUES, speaking, text
from upbit_stream.simulator import Simulator


def checks(out: str) -> dict[str, dict[str, Any]]:
    """The findings by what they are about."""
    return {one["id"]: one for one in json.loads(out)["checks"]}


def test_a_machine_that_is_fit(call: Call) -> None:
    exit_code, out, told = call("doctor", "--demo")
    assert (exit_code, told) == (0, "upbit-stream: simulated data, not the exchange's\n")
    assert "\x1b" not in out
    for heading in ("Software", "Machine", "Environment", "Terminal", "Network"):
        assert f"\n{heading}\n" in f"\n{out}"
    assert "\n  ok first data " in out
    assert "\n  ok clock              +0.0 s against the server's\n" in out
    assert "\n  ok msgspec " in out
    assert out.rstrip().endswith("upbit-stream diagnose")
    assert our_threads() == []


def test_json_says_the_same_with_stable_names(call: Call) -> None:
    exit_code, out, _ = call("doctor", "--demo", "--json")
    assert exit_code == 0
    assert out.count("\n") == 1
    assert json.loads(out)["healthy"] is True
    found = checks(out)
    assert set(found) >= {
        "software.python", "software.websocket-client", "software.[cli]", "software.[redis]",
        "software.[nats]", "machine.memory",
        "machine.processors", "settings.keys", "terminal.encoding", "network.proxy",
        "network.DNS", "network.first data", "network.rest", "network.clock",
    }  # fmt: skip
    assert found["network.TLS"]["status"] == "note"


def test_offline_asks_nobody(call: Call, sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPBIT_STREAM_URL", sim.url)
    exit_code, out, _ = call("doctor", "--offline", "--json")
    assert exit_code == 0
    assert not any(name.startswith("network") for name in checks(out))
    assert sim.handshakes == []
    assert sim.rest_calls == []


def test_secrets_stay_secret(call: Call, sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = ("very-secret-access", "very-secret-secret")
    monkeypatch.setenv("UPBIT_ACCESS_KEY", secrets[0])
    monkeypatch.setenv("UPBIT_SECRET_KEY", secrets[1])
    monkeypatch.setenv("UPBIT_STREAM_URL", sim.url)
    for options in ((), ("--json",)):
        _, out, told = call("doctor", *options)
        assert "UPBIT_ACCESS_KEY" in out
        assert "UPBIT_STREAM_URL" in out
        for secret in secrets:
            assert secret not in out + told
    # A URL with a user is refused, and not repeated.
    monkeypatch.setenv("UPBIT_STREAM_URL", sim.url.replace("//", "//hidden-user:hidden-word@"))
    exit_code, out, told = call("doctor")
    assert exit_code == 2
    assert "UPBIT_STREAM_URL names a user" in told
    assert "hidden" not in out + told


def test_a_server_that_refuses(call: Call, sim: Simulator) -> None:
    sim.fail_handshakes(503)
    sim.fail_rest(500)
    exit_code, out, _ = call("doctor", "--url", sim.url)
    assert exit_code == 1
    (failed,) = re.findall(r"\n  X  upgrade            (.*)\n *(.*)\n", out)
    assert "HTTP 503" in failed[0]
    # The advice is told once there, and once more at the end.
    assert ";" not in failed[0]
    assert out.count(failed[1]) == 2
    assert "not reached" in out
    assert "\n  X  REST               HTTP 500" in out
    assert "This machine is NOT fit. Failed: 2" in out
    steps = out[out.index("NOT fit") :]
    assert "\n  1. the exchange, or what stands before it, is in trouble" in steps
    assert "\n  2. check that this machine may reach the exchange's HTTPS" in steps


def test_advice_is_in_one_language(call: Call) -> None:
    with speaking("ko"):
        _, out, _ = call("doctor", "--url", "ws://127.0.0.1:1/websocket/v1")
    assert "\n  X  TCP                127.0.0.1:1: the connection was refused\n" in out
    assert "check the host" not in out
    assert out.count(text("advice.TCP")) == 0
    assert out.count(CATALOGUES["ko"]["advice.TCP"]) == 2


def test_nobody_there(call: Call) -> None:
    exit_code, out, _ = call("doctor", "--url", "ws://127.0.0.1:1/websocket/v1", "--json")
    assert exit_code == 1
    found = checks(out)
    assert found["network.TCP"]["status"] == "fail"
    assert "the connection was refused" in found["network.TCP"]["told"]
    assert found["network.rest"]["status"] == "fail"
    assert "network.clock" not in found


@pytest.mark.parametrize(
    ("ahead", "status"), [(0, "ok"), (30, "warn"), (-30, "warn"), (3600, "fail"), (-3600, "fail")]
)
def test_a_clock_that_is_wrong(call: Call, ahead: float, status: str) -> None:
    with Simulator(rate=0, clock=lambda: time.time() - ahead) as simulator:
        exit_code, out, _ = call("doctor", "--url", simulator.url, "--json")
    found = checks(out)["network.clock"]
    assert found["status"] == status
    seconds, _, words = found["told"].partition(" ")
    # The server tells whole seconds.
    assert abs(float(seconds) - ahead) < 1.1
    assert words == "s against the server's"
    assert exit_code == (1 if status == "fail" else 0)
    assert bool(found["advice"]) == (status != "ok")


@pytest.mark.parametrize(
    ("date", "ours", "difference"),
    [
        # Its header says nothing of the fraction.
        ("Thu, 01 Jan 1970 00:01:40 GMT", 100.0, 0.0),
        ("Thu, 01 Jan 1970 00:01:40 GMT", 100.9, 0.0),
        ("Thu, 01 Jan 1970 00:01:40 GMT", 103.5, 2.5),
        ("Thu, 01 Jan 1970 00:01:40 GMT", 97.5, -2.5),
        ("yesterday", 100.0, None),
        (None, 100.0, None),
    ],
)
def test_the_difference_of_clocks(date: str | None, ours: float, difference: float | None) -> None:
    assert clock_difference(date, ours) == difference


@pytest.mark.parametrize(("days", "status"), [(90, "ok"), (3, "warn")])
def test_the_certificate(
    call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, days: int, status: str
) -> None:
    authority = trustme.CA(organization_name="Trust of the Test")
    end = datetime.now(timezone.utc) + timedelta(days=days, hours=12)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", not_after=end).configure_cert(context)
    trusted = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(trusted)
    with Simulator(rate=0, ssl_context=context) as simulator:
        # Without it nobody trusts that certificate.
        exit_code, out, _ = call("doctor", "--url", simulator.url, "--json")
        assert exit_code == 1
        found = checks(out)
        assert found["network.TLS"]["status"] == found["network.certificate"]["status"] == "fail"
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        exit_code, out, _ = call("doctor", "--url", simulator.url, "--json")
    found = checks(out)
    assert exit_code == 0
    assert found["network.certificate"]["status"] == status
    told = found["network.certificate"]["told"]
    assert told == f"TLSv1.3, by Trust of the Test, {days} days left"
    assert found["network.rest"]["status"] == "ok"
    assert found["settings.SSL_CERT_FILE"]["status"] == "note"


def test_a_proxy_is_named_and_its_user_is_not(
    call: Call, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", "http://somebody:hidden-word@127.0.0.1:1")
    _, out, _ = call("doctor", "--url", sim.url.replace("127.0.0.1", "127.0.0.2"), "--json")
    found = checks(out)["network.proxy"]
    assert found["status"] == "note"
    assert found["told"] == "127.0.0.1:1"
    assert "no_proxy" in found["advice"]
    assert "hidden-word" not in out


def test_settings_that_contradict_themselves(tmp_path: Path) -> None:
    found = {
        check.name: check
        for check in check_settings(
            {
                "UPBIT_ACCESS_KEY": "a",
                "SSL_CERT_FILE": str(tmp_path / "none"),
                "SSL_CERT_DIR": str(tmp_path),
            }
        )
    }
    assert found["keys"].status == "warn"
    assert "UPBIT_SECRET_KEY is missing" in str(found["keys"].advice)
    assert (found["SSL_CERT_FILE"].status, found["SSL_CERT_DIR"].status) == ("fail", "note")
    # Its name stands before it.
    assert found["SSL_CERT_DIR"].told == "set"
    assert [check.status for check in check_settings({})] == ["note"]


@pytest.mark.parametrize(
    ("version", "demand", "fits"),
    [
        ("1.9.2", ">=1.9.2,<2", True),
        ("1.10", ">=1.9.2,<2", True),
        ("2.0", ">=1.9.2,<2", False),
        ("2", "<2.0.0", False),
        ("7.0.0.post1", ">=7.0", True),
        ("6.9", ">=7.0", False),
        ("1.0", "", True),
        ("1.0", "!=1.0", False),
        ("1.0", "==1.0.0", True),
        ("1.0", "<=1.0,>0.9", True),
        ("1.0", "~=1.0", True),
    ],
)
def test_versions(version: str, demand: str, fits: bool) -> None:
    assert satisfies(version, demand) is fits


def test_wrong_usage(call: Call) -> None:
    for arguments in (["--demo", "--url", "ws://127.0.0.1:1/websocket/v1"], ["--region", "jp"],
                      ["--url", "localhost"]):  # fmt: skip
        exit_code, _, told = call("doctor", *arguments)
        assert exit_code == 2
        assert told.splitlines()[-1].startswith("upbit-stream: ")
