"""What values show of themselves: complete, escaped, in the language of the locale."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timezone
from decimal import Decimal
from html.parser import HTMLParser

import pytest

from tests.conftest import eventually
from tests.wire import CLASSES, read_corpus, write
from upbit_stream import (
    Announcement,
    ConnectionHealth,
    Event,
    Orderbook,
    StreamConfig,
    Ticker,
    UpbitStream,
    WebSocketDiagnostics,
)
from upbit_stream.connection.states import ConnectionState
from upbit_stream.notebook import figures
from upbit_stream.notebook.words import is_korean
from upbit_stream.protocol.decoding import Decoder
from upbit_stream.protocol.wire_format import WireFormat
from upbit_stream.simulator import Simulator

NASTY = "<img src=x onerror=alert(1)>&\"'"


class Page(HTMLParser):
    """The texts of HTML that is well formed; every element must be closed in its turn."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # All that there is of style is in the elements themselves.
        assert {name for name, _ in attrs} <= {"style"}
        self.tags.add(tag)
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data + "\n"


def shown(value: object) -> Page:
    """What a notebook would show of it."""
    html = value._repr_html_()  # type: ignore[attr-defined]
    assert isinstance(html, str)
    return Page(html)


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")


def corpus() -> Iterator[Event]:
    decoder = Decoder(WireFormat.DEFAULT, "float")
    for one in read_corpus():
        (event,) = decoder.decode_all([write(one.content, "DEFAULT").encode()])
        assert isinstance(event, Event)
        yield event


def test_every_kind_of_event() -> None:
    kinds = set()
    for event in corpus():
        page = shown(event)
        kinds.add(type(event)._public)
        assert event.type in page.text
        for name, value in event.to_dict().items():
            if value is not None and name not in ("orderbook_units", "assets"):
                assert name in page.text
    assert kinds == set(CLASSES.values())


@pytest.mark.parametrize("numbers", ["float", "decimal"])
def test_prices_are_written_for_people(numbers: str) -> None:
    text = (
        '{"type":"ticker","code":"KRW-BTC","trade_price":116545000.0,"signed_change_rate":-0.0123}'
    )
    (event,) = Decoder(WireFormat.DEFAULT, numbers).decode_all([text.encode()])  # type: ignore[arg-type]
    page = shown(event)
    assert "116,545,000\n" in page.text
    assert "-1.23%" in page.text


def test_a_book_without_padding() -> None:
    (book,) = Decoder(WireFormat.DEFAULT, "float").decode_all(
        [
            b'{"type":"orderbook","code":"KRW-BTC","orderbook_units":['
            b'{"ask_price":2000,"bid_price":1000,"ask_size":1,"bid_size":2},'
            b'{"ask_price":0,"bid_price":999,"ask_size":0,"bid_size":3}]}'
        ]
    )
    assert isinstance(book, Orderbook)
    page = shown(book)
    assert page.text.count("ask\n") == 1
    assert page.text.count("bid\n") == 2


def test_an_empty_event() -> None:
    for kind in CLASSES.values():
        shown(kind())


def test_whatever_the_exchange_sends_is_escaped() -> None:
    page = shown(Announcement(title=NASTY, category=NASTY, url=NASTY, code=NASTY))
    assert NASTY in page.text
    assert "img" not in page.tags
    assert "img" not in shown(Ticker(code=NASTY, stream_type=NASTY)).tags  # type: ignore[arg-type]


def test_health_says_what_is_wrong() -> None:
    page = shown(ConnectionHealth(state=ConnectionState.RECONNECTING, ping_latency=250.0))
    assert "not healthy" in page.text
    assert "it is reconnecting" in page.text
    assert "a ping took 250 ms" in page.text


def test_a_stream_and_its_subscriptions(config: StreamConfig, sim: Simulator) -> None:
    with UpbitStream(config=config) as stream:
        assert "nothing is subscribed" in shown(stream).text
        trades = stream.trade([f"KRW-C{number:02}" for number in range(30)], lambda trade: None)
        books = stream.orderbook("KRW-BTC")
        page = shown(trades)
        assert "<lambda>" in page.text
        assert "… +22" in page.text
        assert stream.wait_connected(10)
        eventually(lambda: books.stats.received)
        page = shown(stream)
        assert "connected\n" in page.text
        assert "orderbook KRW-BTC" in page.text
        assert sim.url in page.text
    for over in (trades, stream, stream.health()):
        assert "closed" in shown(over).text
        html = over._repr_html_()
        assert "#75829a" in html  # grey: no fault, and no warning
        assert "#d6455d" not in html
        assert "#b7791f" not in html


def test_no_key_is_shown(config: StreamConfig) -> None:
    stream = UpbitStream(config=config, access_key="the-access-key", secret_key="the-secret" * 8)
    assert "the-" not in shown(stream).text
    assert stream.close()


def test_a_report(config: StreamConfig) -> None:
    report = WebSocketDiagnostics(codes=["KRW-BTC"], config=config).run_connection_test(0.5)
    page = shown(report)
    for criterion in report.verdict:
        assert criterion.name in page.text
    assert "throughput" in page.text


@pytest.mark.parametrize(
    ("locale", "unknown", "failed"),
    [("C.UTF-8", "not measured", "not met"), ("ko_KR.UTF-8", "측정 못 함", "미충족")],
)
def test_a_report_of_a_failure_says_why(
    monkeypatch: pytest.MonkeyPatch, locale: str, unknown: str, failed: str
) -> None:
    monkeypatch.setenv("LC_ALL", locale)
    config = StreamConfig(url="ws://127.0.0.1:9/websocket/v1")
    report = WebSocketDiagnostics(codes=["KRW-BTC"], config=config).run_connection_test(0.5)
    page = shown(report)
    assert report.connectivity.failure is not None
    assert str(report.connectivity.failure.explanation) in page.text
    # One stage has failed; of what was not measured nobody knows.
    lines = page.text.splitlines()
    assert (lines.count(unknown), lines.count(failed)) == (len(report.verdict) - 1, 1)


def test_korean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "ko_KR.UTF-8")
    page = shown(ConnectionHealth())
    assert "정상" in page.text
    assert "healthy" not in page.text


@pytest.mark.parametrize(
    ("environ", "korean"),
    [
        ({"LANG": "ko_KR.UTF-8"}, True),
        ({"LANG": "ko_KR.UTF-8", "LC_ALL": "en_US.UTF-8"}, False),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "ko_KR"}, True),
        ({"LANG": "C"}, False),
    ],
)
def test_whose_locale_is_korean(environ: dict[str, str], korean: bool) -> None:
    assert is_korean(environ) == korean


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (116_545_000.0, "116,545,000"), (12.3, "12.30"), (0.00001234, "0.00001234")],
)
def test_prices(value: float | None, text: str) -> None:
    assert figures.price(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.5, "0.5"), (12.3456, "12.346"), (1234.5, "1,234.5"), (2.5e9, "2.50B")]
)
def test_amounts(value: float, text: str) -> None:
    assert figures.amount(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (5.04, "5.0 s"), (65, "1 min 5 s"), (7260, "2 h 1 min")]
)
def test_ages(value: float | None, text: str) -> None:
    assert figures.seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.5, "0.5"),
        (345_678.0, "345,678.0"),
        (2_423_456.0, "242만"),
        (1.286e10, "128.60억"),
        (Decimal(5_740_000_000_000), "5.74조"),
    ],
)
def test_amounts_in_korean(
    value: float | Decimal, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "ko_KR.UTF-8")
    assert figures.amount(value) == text  # type: ignore[arg-type]


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="no zone can be chosen")
@pytest.mark.parametrize(
    ("zone", "text"),
    [
        ("KST-9", "2026-11-26 09:00:00 KST"),
        ("UTC0", "2026-11-26 00:00:00 UTC"),
        ("<+0530>-5:30", "2026-11-26 05:30:00 UTC+0530"),
    ],
)
def test_a_time_says_its_zone(zone: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        with monkeypatch.context() as patch:
            patch.setenv("TZ", zone)
            time.tzset()
            moment = datetime(2026, 11, 26, tzinfo=timezone.utc)
            assert figures.clock(moment) == text
            book = Orderbook(timestamp=int(moment.timestamp() * 1000))
            assert text in shown(book).text
    finally:
        time.tzset()
