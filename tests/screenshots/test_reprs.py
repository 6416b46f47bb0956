"""Pictures of what values show of themselves: light and dark, English and Korean."""

from __future__ import annotations

import pytest

from tests.screenshots.lab import DARK, IMAGES, LIGHT, Laboratory
from upbit_stream.simulator import Simulator

pytestmark = [pytest.mark.screenshots, pytest.mark.timeout(300)]

CELLS = [
    """
from upbit_stream import UpbitStream
stream = UpbitStream()
stream.ticker(["KRW-BTC", "KRW-ETH", "KRW-XRP"], callback=lambda ticker: None)
book = stream.orderbook("KRW-BTC", callback=lambda book: None)
stream.run(3)
stream
""",
    "stream.health()",
    "book.latest['KRW-BTC']",
    """
from upbit_stream import WebSocketDiagnostics
WebSocketDiagnostics(codes=["KRW-BTC", "KRW-ETH"]).run_connection_test(5)
""",
]


@pytest.mark.parametrize(
    ("suffix", "theme", "language"),
    [("", LIGHT, "C.UTF-8"), (".ko", DARK, "ko_KR.UTF-8")],
    ids=["light English", "dark Korean"],
)
def test_values(lab: Laboratory, suffix: str, theme: str, language: str) -> None:
    with Simulator() as sim:
        environ = {"UPBIT_STREAM_URL": sim.url, "UPBIT_REST_URL": sim.rest_url, "LANG": language}
        shown = lab.run(CELLS, environ, theme=theme, width=680)
        for cell, name in enumerate(("stream", "health", "orderbook", "diagnose")):
            shown.photograph(cell, IMAGES / f"notebook-{name}{suffix}.png")
        assert ("정상" in shown.output(1).inner_text()) == (suffix == ".ko")
        shown.close()
