"""One slow or failing callback harms nobody else."""

from __future__ import annotations

import logging
import threading

import pytest

from tests.conftest import eventually
from upbit_stream import CallbackError, StreamConfig, Trade, UpbitStream, UpbitStreamError
from upbit_stream.simulator import Simulator


def test_a_sleeping_and_a_raising_callback_do_not_delay_a_third(
    config: StreamConfig, sim: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    release = threading.Event()
    errors: list[UpbitStreamError] = []
    good: list[Trade] = []
    with UpbitStream(config=config) as stream:
        stream.on_error(errors.append)
        sleeping = stream.trade("KRW-BTC", callback=lambda trade: release.wait(60))
        raising = stream.trade("KRW-BTC")
        fine = stream.trade("KRW-BTC", callback=good.append)

        @raising
        def fails(trade: Trade) -> None:
            raise ZeroDivisionError("on purpose")

        eventually(lambda: len(good) == 1)
        sim.burst(999, codes=["KRW-BTC"])
        eventually(lambda: len(good) == 1000)
        eventually(lambda: len(errors) == 1000)

        assert fine.stats.delivered == 1000
        assert raising.stats.errors == raising.stats.delivered == 1000
        # The first event is still in its callback; all the others wait.
        assert sleeping.stats.received == 1000
        eventually(lambda: sleeping.stats.delivered == 1)
        release.set()
        eventually(lambda: sleeping.stats.delivered == 1000)

    error = errors[0]
    assert isinstance(error, CallbackError)
    assert isinstance(error.__cause__, ZeroDivisionError)
    assert error.event == good[0]
    assert "fails" in str(error)
    assert error.callback is fails
    # Logged with its traceback, but a thousand times the same is told once (a second).
    logged = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert 1 <= len(logged) < 20
    assert logged[0].exc_info is not None
    assert "ZeroDivisionError: on purpose" in caplog.text


def test_the_second_callback_of_a_subscription_is_called_though_the_first_raises(
    config: StreamConfig, sim: Simulator
) -> None:
    seen: list[Trade] = []
    with UpbitStream(config=config) as stream:
        subscription = stream.trade("KRW-BTC", callback=lambda trade: 1 / 0)
        subscription(seen.append)
        eventually(lambda: seen)


def test_sys_exit_in_a_callback_does_not_end_the_stream(
    config: StreamConfig, sim: Simulator
) -> None:
    seen: list[Trade] = []

    def leave(trade: Trade) -> None:
        seen.append(trade)
        raise SystemExit

    with UpbitStream(config=config) as stream:
        stream.trade("KRW-BTC", callback=leave)
        eventually(lambda: len(seen) == 1)
        sim.burst(4, codes=["KRW-BTC"])
        eventually(lambda: len(seen) == 5)


def test_a_failing_handler_does_not_stop_the_others(
    config: StreamConfig, sim: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    states: list[object] = []
    with UpbitStream(config=config) as stream:
        stream.on_state(lambda state: 1 / 0)
        stream.on_state(states.append)
        stream.trade("KRW-BTC")
        eventually(lambda: len(states) == 2)
    assert "on_state handler" in caplog.text
