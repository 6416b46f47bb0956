"""What stands below the live view: the state, the health, a few figures."""

from __future__ import annotations

from typing import Any

from upbit_stream.connection.states import ConnectionState
from upbit_stream.engine import Engine
from upbit_stream.notebook import figures
from upbit_stream.notebook.words import say

__all__ = ["foot_of"]

_TONES = {ConnectionState.CONNECTED: "good", ConnectionState.ERROR: "bad"}


def foot_of(engine: Engine, *, stopped: bool) -> dict[str, Any]:
    """The words of the foot, and their tones."""
    health, state = engine.monitor.health(), engine.state
    healthy = health.is_healthy()
    told = [
        f"{health.messages_per_second:,.0f} {say('messages/s')}",
        f"{say('ping')} {figures.milliseconds(health.ping_latency)}",
        f"{say('reconnects')} {health.reconnects:,}",
        f"{say('dropped')} {health.dropped:,}",
    ]
    foot = {
        "state": say(state.value),
        "state_tone": _TONES.get(state, ""),
        "health": say("healthy") if healthy else say("not healthy"),
        "health_tone": "good" if healthy else "bad",
        "facts": " · ".join(told),
        "problem": "; ".join(health.problems),
        "over": stopped or health.closed,
    }
    if stopped:
        foot.update(state=say("stopped"), state_tone="over")
    if health.closed:  # as it was meant to be: nothing to say of its health
        foot.update(state=say("closed"), state_tone="over", health="", problem="")
    return foot
