"""Questions with one answer: a snapshot, and what the exchange believes to be subscribed."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

from upbit_stream.config import OverflowPolicy
from upbit_stream.delivery.channel import Channel
from upbit_stream.delivery.notices import NoticeKind
from upbit_stream.engine import Engine
from upbit_stream.errors import ConnectionFailedError, StreamClosedError, SubscriptionError
from upbit_stream.events import Event
from upbit_stream.protocol.codes import name_some
from upbit_stream.protocol.demands import Demand
from upbit_stream.workers import LOOK_AROUND

__all__ = ["ask_list", "take_snapshots"]

_log = logging.getLogger("upbit_stream")


def take_snapshots(engine: Engine, demand: Demand, timeout: float) -> dict[str, Any]:
    """The snapshots that ``demand`` asks for, by code, in the order of its codes.

    Raises ``TimeoutError`` when not one has come within ``timeout`` seconds, and what ends a
    subscription. Of the codes that do not answer, ``on_error`` is told.
    """
    deadline = time.monotonic() + timeout
    channel: Channel[Event] = engine.subscribe(
        demand, queue_size=len(demand.codes), overflow=OverflowPolicy.LATEST
    )
    channel.iterate()
    answers: dict[str, Event] = {}
    try:
        engine.start_if_new()
        while len(answers) < len(demand.codes):
            events = channel.take(len(demand.codes), deadline)
            if not events:
                break
            for event in events:
                answers.setdefault(event.code, event)
    finally:
        engine.unsubscribe(channel)
    silent = [code for code in demand.codes if code not in answers]
    if silent:
        if channel.error is not None:
            raise channel.error.with_traceback(None)
        if engine.closing:
            raise StreamClosedError("the stream was closed before the snapshot came")
        text = f"no {demand.type} snapshot of {name_some(silent, 10)} within {timeout:g} s"
        if not answers:
            raise TimeoutError(f"{text} (state: {engine.state.value})")
        _log.warning("%s", text)
        engine.notices.post(NoticeKind.ERROR, SubscriptionError(text))
    return {code: answers[code] for code in demand.codes if code in answers}


def ask_list(engine: Engine, timeout: float) -> dict[str, list[dict[str, Any]]]:
    """What the exchange believes to be subscribed, by endpoint; see
    :meth:`~upbit_stream.stream.UpbitStream.list_subscriptions`.
    """
    deadline = time.monotonic() + timeout
    engine.start_if_new()
    lists: dict[str, list[dict[str, Any]]] = {}
    for connection, inquiry in engine.inquire():
        while not inquiry.wait(min(LOOK_AROUND, max(0.0, deadline - time.monotonic()))):
            if time.monotonic() >= deadline:
                raise TimeoutError(
                    f"{connection.name} ({connection.state.value}) has not told its list within "
                    f"{timeout:g} s"
                )
        if inquiry.rows is None:
            if engine.closing:
                raise StreamClosedError("the stream was closed before the answer came")
            if connection.error is not None:
                raise ConnectionFailedError(
                    f"{connection.name} has ended: {connection.error}"
                ) from connection.error
            continue  # closed in the meantime, because nobody needs it any more
        rows: list[Mapping[str, Any]] = list(inquiry.rows)
        lists.setdefault(connection.endpoint.value, []).extend(dict(row) for row in rows)
    return lists
