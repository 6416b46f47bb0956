"""The pictures of the documentation: real commands in a real terminal, drawn by a browser.

``pytest -m screenshots tests/cli`` writes them to ``docs/images``.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.conftest import StartInTmux
from tests.cli.picturing import CHROMIUM, DARK, LIGHT, Look, draw_png, page_of
from tests.cli.tmux import Tmux, needs_tmux

pytestmark = [
    pytest.mark.screenshots,
    needs_tmux,
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium"),
]

IMAGES = Path(__file__).parents[2] / "docs" / "images"
# Bytes: a page has several of them.
MOST = 150_000

LOCALES = {"en": "C.UTF-8", "ko": "ko_KR.UTF-8"}
SIZES = {"80": (80, 24), "140": (140, 36)}


def take(terminal: Tmux, name: str, place: Path, look: Look = DARK) -> None:
    """Draw what stands there."""
    IMAGES.mkdir(exist_ok=True)
    path = IMAGES / f"terminal-{name}.png"
    screen = re.sub(r"\n\S*\[0\]\s*$", "", terminal.text(styled=True))
    draw_png(*page_of(screen, look), path, place)
    assert 5_000 < path.stat().st_size < MOST


@pytest.mark.parametrize(
    ("view", "language", "size", "wanted"),
    [
        ("watch", "en", "80", "KRW-PEPE"),
        ("watch", "ko", "140", "KRW-PEPE"),
        ("orderbook", "en", "140", "of it bids"),
        ("orderbook", "ko", "80", "매수 비중"),
        ("trades", "en", "80", "sell"),
        ("trades", "ko", "140", "매도"),
        ("candles", "en", "140", "Close"),
        ("candles", "ko", "80", "종가"),
    ],
)
def test_a_view(
    start_in_tmux: StartInTmux, tmp_path: Path, view: str, language: str, size: str, wanted: str
) -> None:
    types = {"watch": "ticker", "orderbook": "orderbook", "trades": "trade",
             "candles": "candle.15m"}  # fmt: skip
    width, height = SIZES[size]
    terminal = start_in_tmux(
        "watch", "--demo", "--type", types[view], width=width, height=height,
        LC_ALL=LOCALES[language],
    )  # fmt: skip
    connected = {"en": "connected", "ko": "연결됨"}[language]
    waiting = {"en": "waiting", "ko": "기다리는 중"}[language]
    terminal.wait_for(connected, wanted, "0:04", without=waiting)
    take(terminal, f"{view}-{language}-{size}", tmp_path)
    terminal.press("q")
    assert terminal.exit_code() == 0


@pytest.mark.parametrize(
    ("command", "language", "size", "look", "wanted"),
    [
        ("diagnose", "en", "80", DARK, "Verdict"),
        ("diagnose", "ko", "140", DARK, "판정"),
        ("doctor", "en", "140", LIGHT, "This machine is"),
        ("doctor", "ko", "80", LIGHT, "이 컴퓨터는"),
    ],
)
def test_a_report(
    start_in_tmux: StartInTmux, tmp_path: Path, command: str, language: str, size: str, look: Look,
    wanted: str,
) -> None:  # fmt: skip
    options = ("--seconds", "5") if command == "diagnose" else ()
    # No variables of this machine, which nobody else has.
    program = ("env", "-u", "SSL_CERT_FILE", "-u", "SSL_CERT_DIR", "upbit-stream")
    terminal = start_in_tmux(
        command, "--demo", *options, program=program, width=int(size), height=60,
        LC_ALL=LOCALES[language],
    )  # fmt: skip
    terminal.wait_for(wanted)
    assert terminal.exit_code() == 0, terminal.text()
    # Without the notice that the data are simulated, which the page says.
    take(terminal, f"{command}-{language}-{size}", tmp_path, look)
