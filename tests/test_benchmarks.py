"""The benchmarks run, and compare what they say. Not how fast anything is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from benchmarks import losses, recovery
from benchmarks.findings import Finding
from benchmarks.frames import codes, payloads
from benchmarks.job import Job, Kind
from benchmarks.laboratory import Laboratory
from upbit_stream import Event, WireFormat
from upbit_stream.protocol.decoding import Decoder

INSTALLED = ("upbit_stream", "the limit", "websocket-client + json", "websockets + json")


def test_it_ends_with_a_table(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "--here", "--rounds", "1", "--scale", "0.005"]
    done = subprocess.run(
        [*command, "--only", "variants", "--output", str(tmp_path)],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        encoding="utf-8",
        timeout=100,
        check=True,
    )
    assert (tmp_path / "results.md").read_text("utf-8") in done.stdout
    for row in ("SIMPLE", "TLS", "10 subscriptions", "100 subscriptions", "855 codes"):
        shape = rf"^\| throughput, {row} against .* \| (\d+\.\d\d) × .* \|"
        found = re.search(shape, done.stdout, re.MULTILINE)
        assert found is not None, done.stdout
        assert float(found[1]) > 0


@pytest.mark.parametrize("measure", ["throughput", "latency"])
def test_every_client_that_is_here_is_measured(measure: str) -> None:
    with Laboratory() as laboratory:
        for client in INSTALLED:
            if client == "the limit" and measure != "throughput":
                continue  # it only counts
            rate = 2000 if measure in ("cpu", "latency") else 0
            job = Job(client=client, measure=measure, messages=1000, rate=rate)
            assert all(value > 0 for value in laboratory.measure(job).values())


@pytest.mark.parametrize("kind", get_args(Kind))
def test_what_is_sent_is_what_the_exchange_sends(kind: Kind) -> None:
    decoded = Decoder(WireFormat.DEFAULT).decode_all(payloads(kind, "DEFAULT", 200))
    assert decoded == Decoder(WireFormat.SIMPLE).decode_all(payloads(kind, "SIMPLE", 200))
    told = [event.code for event in decoded if isinstance(event, Event)]
    assert told == [*codes(200)] * 5


def test_recovery_is_measured() -> None:
    assert 0 < (recovery.measure("upbit_stream", "reset") or 0) < 10
    assert 0 < (recovery.tls_failing_once() or 0) < 10


def test_a_client_that_does_not_recover_is_not_waited_for_ever() -> None:
    assert recovery.measure("upbit_stream", "half-open", patience=0.1) is None


def test_a_missed_target_is_marked() -> None:
    assert Finding("", [0.9, 0.8, 0.7], 0.85).verdict == "**missed**"
    assert Finding("", [0.9, 0.86, 0.7], 0.85).verdict == "met"
    assert Finding("", [1.4, 1.6, 1.7], 1.5, "≤").verdict == "**missed**"
    assert Finding("", [1.0]).verdict == ""


def test_losses_are_measured() -> None:
    outcome = losses.measure("upbit_stream", 1)
    assert outcome.verdict.trades > 0
    assert outcome.ended == outcome.hung == 0
