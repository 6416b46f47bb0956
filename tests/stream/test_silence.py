"""Codes that the exchange does not know: it is silent about them, and the person is told."""

from __future__ import annotations

import pytest

from tests.conftest import eventually, our_threads
from upbit_stream import SilentCodesWarning, StreamConfig, UpbitStream, UpbitStreamError
from upbit_stream.connection import router
from upbit_stream.simulator import Simulator


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    # The span, not the behaviour: ten seconds are ten seconds.
    monkeypatch.setattr(router, "_SILENCE", 1.0)


def test_silent_codes_are_told_with_the_nearest_one(sim: Simulator, config: StreamConfig) -> None:
    told: list[UpbitStreamError] = []
    with UpbitStream(config=config) as stream:
        stream.on_error(told.append)
        wrong = stream.ticker(["KRW-BTC", "KRW-BTCC", "USDT-NOPE", "BTC-XRP"])
        right = stream.trade("KRW-BTC")
        eventually(lambda: told)
        (warning,) = told
        assert isinstance(warning, SilentCodesWarning)
        assert warning.type == "ticker"
        assert warning.codes == ("KRW-BTCC", "USDT-NOPE", "BTC-XRP")
        assert warning.suggestions == {
            "KRW-BTCC": "KRW-BTC",
            "USDT-NOPE": None,
            "BTC-XRP": "KRW-XRP",
        }
        assert "KRW-BTCC (it is not traded; did you mean KRW-BTC?)" in str(warning)
        assert list(wrong.missing) == ["KRW-BTCC", "USDT-NOPE", "BTC-XRP"]
        assert right.missing == ()
        wrong.remove("USDT-NOPE")
        assert list(wrong.missing) == ["KRW-BTCC", "BTC-XRP"]
        # Each is told once, also after a reconnect, by which time another one is.
        sim.reset()
        eventually(lambda: len(sim.handshakes) == 2)
        stream.ticker("KRW-NEVER")
        eventually(lambda: len(told) == 2)
        assert isinstance(told[1], SilentCodesWarning)
        assert told[1].codes == ("KRW-NEVER",)
    assert our_threads() == []


def test_a_code_that_speaks_later_is_missing_no_more(sim: Simulator, config: StreamConfig) -> None:
    with UpbitStream(config=config) as stream:
        subscription = stream.trade(["KRW-BTC", "KRW-NEW"])
        eventually(lambda: subscription.missing == ("KRW-NEW",))
        sim.send_raw(b'{"ty":"trade","cd":"KRW-NEW","st":"REALTIME","tp":1.0,"sid":1}')
        eventually(lambda: subscription.missing == ())


def test_without_a_market_list_the_warning_says_so() -> None:
    with Simulator(rate=0) as sim:
        told: list[UpbitStreamError] = []
        sim.fail_rest(500, 5)
        with UpbitStream(config=StreamConfig(url=sim.url)) as stream:
            stream.on_error(told.append)
            stream.ticker(["KRW-BTC", "KRW-NOPE"])
            eventually(lambda: told)
            assert "KRW-NOPE (is it traded? the market list could not be had)" in str(told[0])


def test_a_market_list_that_does_not_come_holds_up_nobody() -> None:
    with Simulator(rate=0) as sim:
        sim.stall_rest()
        told: list[UpbitStreamError] = []
        with UpbitStream(config=StreamConfig(url=sim.url)) as stream:
            stream.on_error(told.append)
            subscription = stream.ticker(["KRW-BTC", "KRW-NOPE"])
            eventually(lambda: any("lookup" in name for name in our_threads()))
            sim.trade("KRW-BTC")
            eventually(lambda: subscription.stats.received >= 2)
            assert stream.close()
        assert our_threads() == []


def test_a_quiet_code_that_has_answered_is_not_missing(
    sim: Simulator, config: StreamConfig
) -> None:
    with UpbitStream(config=config) as stream:
        told: list[UpbitStreamError] = []
        stream.on_error(told.append)
        quiet = stream.trade("KRW-BTC")
        live = stream.trade("KRW-BTC", snapshot=False)
        wrong = stream.trade("KRW-NOPE")
        eventually(lambda: told)
        assert wrong.missing == ("KRW-NOPE",)
        assert quiet.missing == live.missing == ()
