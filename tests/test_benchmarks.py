"""The benchmark runs, and compares what it says. Not how fast anything is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from benchmarks.frames import CODES, payloads
from upbit_stream import Ticker, WireFormat
from upbit_stream.protocol.decoding import Decoder


def test_it_ends_with_a_table() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--rounds", "1", "--messages", "3000"],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        encoding="utf-8",
        timeout=100,
        check=True,
    )
    for peer in ("the limit loop", "websocket-client + json"):
        shape = rf"^\| {re.escape(peer)} \| (\d+\.\d\d) × .* \| (\d+\.\d\d) ×"
        row = re.search(shape, done.stdout, re.MULTILINE)
        assert row is not None, done.stdout
        assert float(row[1]) > 0 < float(row[2])


def test_what_is_sent_is_what_the_exchange_sends() -> None:
    long, short = payloads(short_keys=False), payloads(short_keys=True)
    assert 850 < len(long[0]) < 950  # a real one has 921
    decoded = Decoder(WireFormat.DEFAULT).decode_all(long)
    assert decoded == Decoder(WireFormat.SIMPLE).decode_all(short)
    assert [event.code for event in decoded if isinstance(event, Ticker)] == list(CODES)
