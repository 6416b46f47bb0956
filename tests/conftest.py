"""What all tests share: a simulator, a configuration for it, and a look for what stays behind."""

from __future__ import annotations

import gc
import os
import signal
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator

import psutil
import pytest
import trustme
from hypothesis import HealthCheck, settings

from upbit_stream import StreamConfig, Trade
from upbit_stream.simulator import DEFAULT_KEYS, Simulator

((ACCESS_KEY, SECRET_KEY),) = DEFAULT_KEYS.items()

# A loaded machine is slow, and that is no failure. CI tries the same examples every time.
settings.register_profile(
    "loaded",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
)
settings.load_profile("loaded")


def pytest_configure() -> None:
    """Keep what is compiled, even if the environment says not to: each of the hundreds of programs
    that the tests start would compile the package again.
    """
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones first, so that nobody waits for them at the end; last, and on one worker, those
    that measure time. Without ``-n`` the order is all that this changes.
    """

    def turn(item: pytest.Item) -> int:
        if item.get_closest_marker("alone") is not None:
            item.add_marker(pytest.mark.xdist_group("alone"))
            return 2
        return 0 if item.get_closest_marker("long") is not None else 1

    items.sort(key=turn)


#: Seconds after which a wait on a condition has failed. Long, because a loaded machine is slow;
#: a test that passes does not wait for it.
PATIENCE = 20.0


def eventually(condition: Callable[[], object], patience: float = PATIENCE) -> None:
    """Wait until ``condition()`` is true; fails when it does not come true."""
    deadline = time.monotonic() + patience
    tick = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"did not come true within {patience} s"
        tick.wait(0.005)


class GatedCallback:
    """A callback that collects events, each only once ``release`` is set."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.seen: list[Trade] = []

    def __call__(self, trade: Trade) -> None:
        self.release.wait(60)
        self.seen.append(trade)


def our_threads() -> list[str]:
    """The names of the package's threads that run at this moment."""
    return sorted(
        thread.name
        for thread in threading.enumerate()
        if thread.name.startswith("upbit-") and not thread.name.startswith("upbit-simulator")
    )


def open_sockets() -> int:
    """The sockets of this process to other ends, listening ones aside."""
    return len([c for c in psutil.Process().net_connections() if c.status != "LISTEN"])


def descriptors() -> int:
    """The open descriptors (on Windows: handles) of this process."""
    process = psutil.Process()
    count = getattr(process, "num_handles" if psutil.WINDOWS else "num_fds")
    return int(count())


@pytest.fixture(autouse=True)
def nothing_stays_behind() -> Iterator[None]:
    """Every test ends without a thread of the package."""
    yield
    if our_threads():
        gc.collect()
        eventually(lambda: not our_threads(), 5.0)


@pytest.fixture
def sim() -> Iterator[Simulator]:
    """A simulator whose market stands still: trades come when the test asks for them."""
    with Simulator(rate=0) as simulator:
        yield simulator


@pytest.fixture
def config(sim: Simulator) -> StreamConfig:
    """The configuration for that simulator."""
    return StreamConfig(url=sim.url, rest_url=sim.rest_url)


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """Trusted by nobody who was not told of it."""
    return trustme.CA()


@pytest.fixture(scope="session")
def server_context(authority: trustme.CA) -> ssl.SSLContext:
    """TLS of a server with a certificate of that authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture(scope="session")
def client_context(authority: trustme.CA) -> ssl.SSLContext:
    """TLS of a client that trusts it."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture
def ctrl_c_is_not_ignored() -> Iterator[None]:
    """Children inherit an ignored signal, and tests in the background of a script have that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
