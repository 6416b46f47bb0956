"""Asking REST: a server that drips its answer is not waited for beyond the time for all of it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.conftest import eventually
from upbit_stream.recovery import rest as asking
from upbit_stream.recovery.rest import RestClient, RestFailed


class Dripping:
    """Answers every connection a byte at a time, and never comes to the end."""

    def __init__(self, begin: bytes, drop: bytes) -> None:
        self._begin, self._drop = begin, drop
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"
        self.answering = threading.Event()
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        with suppress(OSError):
            while not self._over.is_set():
                peer, _ = self._listener.accept()
                thread = threading.Thread(target=self._answer, args=(peer,))
                self._threads.append(thread)
                thread.start()

    def _answer(self, peer: socket.socket) -> None:
        with peer, suppress(OSError):
            peer.recv(4096)
            peer.sendall(self._begin)
            while not self._over.wait(0.05):
                peer.sendall(self._drop)
                self.answering.set()

    def end(self) -> None:
        self._over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(20)
            assert not thread.is_alive()


@pytest.fixture(params=[(b"HTTP/1.1 200 OK\r\nX: ", b"y"), (b"HTTP/1.1 200 OK\r\n\r\n", b" ")],
                ids=["headers", "body"])  # fmt: skip
def dripping(request: pytest.FixtureRequest) -> Iterator[Dripping]:
    server = Dripping(*request.param)
    yield server
    server.end()


class Asking:
    """A thread that asks, and what came of it."""

    def __init__(self, rest: RestClient, seconds: float) -> None:
        self.told: list[str] = []
        self._rest = rest
        self._deadline = time.monotonic() + seconds
        self.thread = threading.Thread(target=self._ask)
        self.thread.start()

    def _ask(self) -> None:
        try:
            self._rest.get("/market/all", {}, group="market", deadline=self._deadline)
        except RestFailed as error:
            self.told.append(str(error))


def test_closing_does_not_wait_for_it(dripping: Dripping) -> None:
    rest = RestClient(dripping.url)
    asked = Asking(rest, 60)
    assert dripping.answering.wait(20)
    rest.cancel()
    asked.thread.join(20)
    assert not asked.thread.is_alive()
    assert asked.told == ["the stream was closed"]


def test_an_answer_has_a_time_limit_as_a_whole(
    dripping: Dripping, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "_WHOLE", 0.3)
    rest = RestClient(dripping.url)
    asked = Asking(rest, 1.0)

    def ended() -> bool:
        rest.look(time.monotonic())
        return not asked.thread.is_alive()

    eventually(ended)
    (told,) = asked.told
    assert told.startswith("/market/all")
    rest.cancel()


def test_what_is_asked_while_it_is_cancelled_ends_as_well(dripping: Dripping) -> None:
    rest = RestClient(dripping.url)
    rest.cancel()
    asked = Asking(rest, 60)
    asked.thread.join(20)
    assert not asked.thread.is_alive()
    assert len(asked.told) == 1
