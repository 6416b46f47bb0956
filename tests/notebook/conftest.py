"""What the tests with a kernel share: one kernel, one market."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import eventually
from tests.notebook.kernel import Kernel
from upbit_stream.simulator import Simulator

# What a notebook begins with, and what its threads are counted with.
SETUP = """
import gc, threading
from upbit_stream import StreamConfig, UpbitStream

def threads():
    return sorted(one.name for one in threading.enumerate() if one.name.startswith("upbit-"))
"""

# Every stream is closed, and what lingers, too; nothing of a test is left for the next.
CLEAN = """
for _name, _value in list(globals().items()):
    if isinstance(_value, UpbitStream):
        del globals()[_name]
from upbit_stream.endings import _engines
for _engine in list(_engines):
    _engine.close(3)
from upbit_stream.connection.pool import default_pool
default_pool().close_idle()
import sys
if "ipywidgets" in sys.modules:
    sys.modules["ipywidgets"].Widget.close_all()
import time
while any("upbit-live" in name for name in threads()):
    time.sleep(0.01)
"""


@pytest.fixture(scope="module")
def market() -> Iterator[Simulator]:
    """A simulator whose market stands still."""
    with Simulator(rate=0) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def kernel_of_module(
    market: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Kernel]:
    environ = {"UPBIT_STREAM_URL": market.url, "UPBIT_REST_URL": market.rest_url, "LANG": "C.UTF-8"}
    with Kernel(environ, tmp_path_factory.mktemp("kernel")) as kernel:
        kernel.run(SETUP)
        yield kernel


@pytest.fixture
def kernel(kernel_of_module: Kernel, market: Simulator) -> Iterator[Kernel]:
    """A kernel whose streams go to ``market``. Afterwards they are closed."""
    yield kernel_of_module
    kernel_of_module.run(CLEAN)
    eventually(lambda: not market.connections)


class Trader:
    """Trades KRW-BTC, each time at another price, once someone is subscribed."""

    def __init__(self, market: Simulator) -> None:
        self._market = market
        self._price = 100_000_000

    def __call__(self) -> str:
        """One trade; what a callback prints of it that prints its price as a whole number.

        It comes once, be it as the snapshot or as what follows it.
        """
        self._market.wait_for_subscription("trade", "KRW-BTC")
        self._price += 1000
        self._market.trade("KRW-BTC", price=self._price)
        return f"{self._price}\n"


@pytest.fixture(scope="module")
def trade(market: Simulator) -> Trader:
    """Have someone trade KRW-BTC."""
    return Trader(market)
