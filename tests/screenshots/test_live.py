"""The live view in a real browser: pictures of it, and that it rests when nobody sees it."""

from __future__ import annotations

import pytest

from tests.conftest import eventually
from tests.screenshots.lab import DARK, IMAGES, LIGHT, Laboratory, Shown
from upbit_stream.simulator import Simulator

pytestmark = [pytest.mark.screenshots, pytest.mark.timeout(300)]

LIVE = """
from upbit_stream import UpbitStream
stream = UpbitStream()
view = stream.live(["KRW-BTC", "KRW-ETH", "KRW-XRP", "KRW-SOL", "KRW-DOGE"])
view
"""
# What the kernel does, told by a cell whose output the browser shows.
THREADS = """
import threading, time
from IPython.display import display
told = display("", display_id=True)
def tell():
    while True:
        names = [one.name for one in threading.enumerate() if one.name.startswith("upbit-live")]
        told.update(" ".join(names) or "-")
        time.sleep(0.2)
threading.Thread(target=tell, daemon=True).start()
"""


def prices(shown: Shown) -> list[str]:
    return list(shown.output(0).locator(".upbit-live td:nth-child(2)").all_inner_texts())


@pytest.mark.parametrize(
    ("suffix", "theme", "language"),
    [("", LIGHT, "C.UTF-8"), (".ko", DARK, "ko_KR.UTF-8")],
    ids=["light English", "dark Korean"],
)
def test_live(lab: Laboratory, suffix: str, theme: str, language: str) -> None:
    with Simulator(rate=200) as sim:
        environ = {"UPBIT_STREAM_URL": sim.url, "UPBIT_REST_URL": sim.rest_url, "LANG": language}
        shown = lab.run([LIVE], environ, theme=theme, width=820)
        line = shown.output(0).locator(".upbit-live polyline").first
        # Some of a minute, so that the lines can be seen.
        eventually(lambda: (line.get_attribute("points") or "").count(",") >= 25, 60.0)
        before = prices(shown)
        assert len(before) == 5
        eventually(lambda: prices(shown) != before)
        shown.photograph(0, IMAGES / f"notebook-live{suffix}.png")
        shown.output(0).get_by_role("button").click()
        words = {"": "stopped", ".ko": "정지됨"}
        eventually(lambda: words[suffix] in shown.output(0).inner_text())
        shown.close()


def test_it_rests_when_it_is_not_seen(lab: Laboratory) -> None:
    with Simulator(rate=50) as sim:
        environ = {"UPBIT_STREAM_URL": sim.url, "UPBIT_REST_URL": sim.rest_url}
        shown = lab.run([LIVE, THREADS], environ)
        told = shown.output(1).first
        eventually(lambda: "upbit-live" in told.inner_text())
        shown.output(0).first.evaluate("node => node.style.display = 'none'")
        eventually(lambda: told.inner_text().strip("' \n") == "-")
        shown.output(0).first.evaluate("node => node.style.display = ''")
        eventually(lambda: "upbit-live" in told.inner_text())
        shown.close()


def test_it_is_drawn_while_a_cell_runs(lab: Laboratory) -> None:
    with Simulator(rate=50) as sim:
        environ = {"UPBIT_STREAM_URL": sim.url, "UPBIT_REST_URL": sim.rest_url}
        shown = lab.open([LIVE, "stream.run(8); print('ran')"], environ)
        shown.begin()
        eventually(lambda: len(prices(shown)) == 5, 60.0)
        for _ in range(3):
            before = prices(shown)
            eventually(lambda before=before: prices(shown) != before)  # type: ignore[misc]
        assert shown.output(1).count() == 0
        # The kernel hears of the button when the cell has ended.
        shown.output(0).get_by_role("button").click()
        eventually(lambda: "stopped" in shown.output(0).inner_text())
        shown.close()


@pytest.mark.parametrize(
    "wait", ["stream.run(60)", "import time; time.sleep(60)"], ids=["our own", "any other"]
)
def test_the_button_acts_while_a_cell_runs(lab: Laboratory, wait: str) -> None:
    """Of any other cell: in this JupyterLab with this kernel, which have a channel for widgets."""
    with Simulator(rate=50) as sim:
        environ = {"UPBIT_STREAM_URL": sim.url, "UPBIT_REST_URL": sim.rest_url}
        shown = lab.open([LIVE, f"{wait}; print('ran')"], environ)
        shown.begin()
        eventually(lambda: len(prices(shown)) == 5, 60.0)
        before = prices(shown)
        eventually(lambda: prices(shown) != before)
        shown.output(0).get_by_role("button").click()
        eventually(lambda: "stopped" in shown.output(0).inner_text(), 10.0)
        prompt = shown.page.locator(".jp-Notebook .jp-CodeCell .jp-InputPrompt").nth(2)
        assert "*" in prompt.inner_text()  # it runs
        shown.close()
