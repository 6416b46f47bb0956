"""A health as text for people: the verdict first, then what is wrong, then the figures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from upbit_stream.monitoring.health import ConnectionHealth

__all__ = ["write_health"]

# Reconnects, and connections, that are shown.
_CAUSES = 3
_CONNECTIONS = 8


def write_health(health: ConnectionHealth) -> str:
    """The health of a stream or of a connection, over some lines."""
    problems = () if health.closed else health.problems
    verdict = "closed" if health.closed else "NOT healthy" if problems else "healthy"
    rows = list(_rows(health))
    width = max(len(label) for label, _ in rows)
    return "\n".join(
        (
            f"{health.name}: {verdict}",
            *(f"  - {problem}" for problem in problems),
            *(f"  {label:{width}}  {told}" for label, told in rows),
        )
    )


def _rows(health: ConnectionHealth) -> Iterator[tuple[str, str]]:
    yield "state", "closed" if health.closed else health.state.value
    if health.ping_latency is None:
        yield "ping", "none answered yet"
    else:
        spread = f"median {_ms(health.latency_p50)}, p99 {_ms(health.latency_p99)}"
        yield "ping", f"{_ms(health.ping_latency)} (ten minutes: {spread})"
    yield "messages", _messages(health)
    if health.lag is not None:
        yield "lag", f"{_ms(health.lag)} behind the publisher"
    yield "reconnects", f"{health.reconnects:,} ({health.reconnection_frequency:.2f} a minute)"
    for loss in health.recent_reconnects[: -_CAUSES - 1 : -1]:
        yield "", f"{loss.at.astimezone():%H:%M:%S}  {loss.cause}"
    if health.last_error_time is not None:
        yield "last error", f"{health.last_error_time.astimezone():%Y-%m-%d %H:%M:%S}"
    if health.rss is not None or health.connections:  # of a stream, not of one connection
        yield "events", f"{health.queued:,} wait, {health.dropped:,} dropped"
        yield "callbacks", f"{health.callback_errors:,} calls raised"
    if health.rss is not None:
        yield "memory", f"{health.rss / 1e6:,.1f} MB"
    for one in health.connections[:_CONNECTIONS]:
        ping = "no ping yet" if one.ping_latency is None else f"ping {_ms(one.ping_latency)}"
        told = f"{one.state.value}, {ping}, {one.messages_per_second:,.1f} messages/s"
        yield one.name, f"{told}, reconnects: {one.reconnects:,}"
    if (more := len(health.connections) - _CONNECTIONS) > 0:
        yield "", f"and {more} more connections"


def _messages(health: ConnectionHealth) -> str:
    if health.last_message_age is None:
        return "none yet"
    return (
        f"{health.messages_per_second:,.1f}/s, the newest {health.last_message_age:,.0f} s ago; "
        f"{health.message_success_rate:.1%} did what they should"
    )


def _ms(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.1f} ms" if value < 10 else f"{value:,.0f} ms"
