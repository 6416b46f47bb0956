"""How long to wait before the next attempt, as tenacity's values."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING

from upbit_stream.config import ReconnectPolicy, reconnect_delay
from upbit_stream.connection.causes import ErrorStrategy, Verdict, judge

if TYPE_CHECKING:
    from tenacity import RetryCallState, Retrying

__all__ = ["delay_after_loss", "retrying"]


def retrying(
    policy: ReconnectPolicy,
    *,
    sleep: Callable[[float], None],
    tell: Callable[[Verdict, float], None],
    attempts_before: int = 0,
) -> Retrying:
    """A retrier for making a connection; raises the last attempt's own exception at its end.

    ``sleep`` takes seconds and may raise to end the whole; ``tell`` is given each failure's
    verdict and the seconds until the next attempt. ``attempts_before`` counts the delays of
    this outage that were already waited.
    """
    # When it is needed: it would be a tenth of the time that importing this package takes.
    import tenacity

    def wait(state: RetryCallState) -> float:
        # The first failed attempt of an outage is followed by delay 0, and so on. Even a cause
        # that is "at once" waits here: at once is meant for a loss, not for a row of failures.
        number = attempts_before + state.attempt_number - 1
        # Or what the exchange told us to wait, if that is longer.
        return max(
            reconnect_delay(policy, number, random.uniform(-1, 1)), _verdict(state).wait_at_least
        )

    return tenacity.Retrying(
        retry=tenacity.retry_if_exception(
            lambda error: (
                isinstance(error, Exception) and judge(error).strategy is not ErrorStrategy.NO_RETRY
            )
        ),
        wait=wait,
        stop=tenacity.stop_never
        if policy.max_attempts is None
        else tenacity.stop_after_attempt(policy.max_attempts),
        sleep=sleep,
        before_sleep=lambda state: tell(_verdict(state), state.upcoming_sleep),
        reraise=True,
    )


def delay_after_loss(policy: ReconnectPolicy, verdict: Verdict, since_reconnect: float) -> float:
    """Seconds between a loss and the first attempt, ``since_reconnect`` seconds after the last."""
    delay = verdict.wait_at_least
    if verdict.strategy is ErrorStrategy.RETRY_WITH_BACKOFF:
        delay = max(delay, reconnect_delay(policy, 0, random.uniform(-1, 1)))
    return max(delay, policy.min_interval - since_reconnect)


def _verdict(state: RetryCallState) -> Verdict:
    assert state.outcome is not None
    error = state.outcome.exception()
    assert error is not None
    return judge(error)
