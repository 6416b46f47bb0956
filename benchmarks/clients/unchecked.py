"""upbit_stream without a look at whether a trade came before: what that look costs."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.clients import Callback, ours
from benchmarks.job import Job
from upbit_stream.recovery import recovery


def consume(job: Job, callbacks: Sequence[Callback]) -> None:
    """All of the SDK, but that live events go on as they come. In this process only."""
    recovery.Recovery.sink = _straight  # type: ignore[assignment, method-assign]
    ours.consume(job, callbacks)


def _straight(_: recovery.Recovery, type_: str, code: str, deliver: recovery.Sink) -> recovery.Sink:
    return deliver
