"""A simulator as a process of its own, told what to do line by line.

Each line in is a JSON object: ``{"do": "burst", "count": 1000}``. ``do`` is the name of a method
or property of :class:`~upbit_stream.simulator.Simulator`, the rest are its arguments. Each line out
is the answer: ``{"ok": true, "result": ...}`` or ``{"ok": false, "error": "..."}``. An ``id``
is sent back as it came. ``{"do": "stop"}``, or the end of the input, ends the process.
"""

from __future__ import annotations

import dataclasses
import json
import ssl
import threading
from collections.abc import Callable, Sequence
from typing import Any, TextIO

from upbit_stream.simulator.faults import Faults
from upbit_stream.simulator.listing import DEFAULT_CODES, all_codes
from upbit_stream.simulator.simulator import Simulator

__all__ = ["choose_codes", "obey", "run_simulator", "server_tls"]

_METHODS = {name for name in vars(Faults) if not name.startswith("_")} | {
    "trade", "burst", "ledger", "totals", "trades", "emit", "close_candle", "subscriptions",
    "forget", "wait_for_subscription",
}  # fmt: skip
_PROPERTIES = {
    "url", "rest_url", "port", "codes", "rate", "connections", "handshakes", "requests",
    "errors", "closed", "rest_calls", "stats",
}  # fmt: skip

# How often a wait without end looks up, so that Ctrl-C works on Windows too.
_LOOK_UP = 0.5


def run_simulator(
    simulator: Simulator,
    *,
    ready: Callable[[Simulator], object] | None = None,
    commands: TextIO | None = None,
    answers: TextIO | None = None,
) -> None:
    """Serve until Ctrl-C, or until ``commands`` (lines as above) end.

    ``ready`` is called once the simulator listens. Answers go to ``answers``.
    """
    try:
        with simulator:
            if ready is not None:
                ready(simulator)
            if commands is None:
                forever = threading.Event()
                while not forever.wait(_LOOK_UP):
                    pass
            else:
                obey(simulator, commands, answers)
    except KeyboardInterrupt:
        pass


def obey(simulator: Simulator, commands: TextIO, answers: TextIO | None) -> None:
    """Do what each line says, until there are no more."""
    for line in commands:
        if not line.strip():
            continue
        answer, stop = _answer(simulator, line)
        if answers is not None:
            answers.write(json.dumps(answer, default=_plain, separators=(",", ":")) + "\n")
            answers.flush()
        if stop:
            return


def _answer(simulator: Simulator, line: str) -> tuple[dict[str, Any], bool]:
    head: dict[str, Any] = {}
    try:
        command = json.loads(line)
        name = command.pop("do")
        if "id" in command:
            head["id"] = command.pop("id")
        if name == "stop":
            return {**head, "ok": True, "result": None}, True
        return {**head, "ok": True, "result": _perform(simulator, name, command)}, False
    except Exception as error:
        # Whatever is wrong with a command is for whoever sent it.
        return {**head, "ok": False, "error": f"{type(error).__name__}: {error}"}, False


def _perform(simulator: Simulator, name: str, arguments: dict[str, Any]) -> Any:
    if name == "rate" and arguments:
        simulator.rate = arguments["value"]
        return simulator.rate
    if name in _PROPERTIES:
        return getattr(simulator, name)
    if name in _METHODS:
        return getattr(simulator, name)(**arguments)
    known = ", ".join(sorted(_METHODS | _PROPERTIES))
    raise ValueError(f"do={name!r}: choose one of {known}, stop")


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return str(value)


def choose_codes(text: str | None) -> Sequence[str]:
    """What ``--codes`` means: a number of markets, or their codes with commas between."""
    if not text:
        return DEFAULT_CODES
    if text.isdigit():
        return all_codes(int(text))
    return [code.strip() for code in text.split(",") if code.strip()]


def server_tls(certificate: str | None, key: str | None) -> ssl.SSLContext | None:
    """TLS settings for a certificate file (and its key, where that is in another file)."""
    if certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    return context
