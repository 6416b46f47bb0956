"""What ``upbit-stream doctor`` does when a server takes its time."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from tests.conftest import eventually, our_threads
from upbit_stream import StreamConfig
from upbit_stream.cli.checks import network
from upbit_stream.cli.checks.check import Check
from upbit_stream.cli.checks.network import check_network
from upbit_stream.cli.failures import RunFailed
from upbit_stream.simulator import Simulator


def looked_at(
    sim: Simulator, rest_url: str, pause: Callable[[float], None] = time.sleep
) -> dict[str, Check]:
    config = StreamConfig(url=sim.url, rest_url=rest_url)
    return {one.name: one for one in check_network(sim.url, rest_url, config, ("KRW-BTC",), pause)}


def test_an_answer_that_drips_is_not_waited_for(sim: Simulator) -> None:
    over = threading.Event()

    def drip(server: socket.socket) -> None:
        client, _ = server.accept()
        with client, suppress(OSError):
            client.recv(65536)
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n")
            until = time.monotonic() + 5
            while not over.wait(0.1) and time.monotonic() < until:
                client.sendall(b" ")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip, args=(server,))
        thread.start()
        found = looked_at(sim, f"http://127.0.0.1:{server.getsockname()[1]}/v1")
        over.set()
        thread.join()
    assert found["rest"].status == "ok"
    assert found["clock"].told == "the server does not tell its time"


def test_ctrl_c_is_not_waited_for_by_a_server(sim: Simulator) -> None:
    sim.stall_rest()

    def pause(seconds: float) -> None:
        time.sleep(seconds)
        if our_threads() == ["upbit-doctor-rest"]:
            raise RunFailed

    with pytest.raises(RunFailed):
        looked_at(sim, sim.rest_url, pause)
    sim.stop()
    eventually(lambda: not our_threads())


def test_a_look_has_its_time(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "_WHOLE", 0.3)
    sim.stall_rest()
    found = looked_at(sim, sim.rest_url)
    assert (found["rest"].status, found["rest"].told) == ("fail", "timed out")
    assert "clock" not in found
    sim.stop()
    eventually(lambda: not our_threads())
