"""Every text in the source that is raised, told, or logged as a warning has a next step."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.test_errors_teach import STEP

PACKAGE = Path(__file__).parent.parent / "upbit_stream"

#: Exceptions that never reach a person as they are: those behind them speak of them.
_INSIDE = {
    "ConnectTimeout", "ConnectionAbortedError", "ConnectionClosed", "Interrupted", "KeyError",
    "MarketListUnavailable", "NoData", "NotImplementedError", "PongOverdue", "Replaced",
    "RestFailed", "ServerError", "ServerRefused", "Violation", "_Abandoned", "_GivenUp",
    "_NoAnswer", "WebSocketBadStatusException", "WebSocketTimeoutException", "AttributeError",
    "StopIteration", "FileNotFoundError",
}  # fmt: skip
#: Texts that are a part of one, or made of parts that the tests above look at.
_PARTS = {
    # Of a repair, or of a frame: what is told names them.
    "a JSON object was expected, not …",
    "a message without a type",
    # Ends the client that is too slow; nobody reads it.
    "the request takes too long",
    "… (… times more since it was shown)",
    "… is not what that field holds",
    "a line is no event; it begins with …",
    "… has … of … events",
    # The parts have the step.
    "… … can be ……",
    "an event is not recorded in …: …",
    "… needs the keys of an account, and there is no …: give UpbitStream(access_key=…, ",
    "… (state: …); …",
    "nothing has come of … …; …",
    "… has ended: …",
    "…: the keys were not accepted; …",
    "…: …; this connection has ended for good",
    "… is not a market code: ….…",
    "…=… is not what that field holds",
    "no … event within … s (state: …); …",
    "the handshake has used up its time",
    "not a close code that can be sent: …",
    "…; …",
    "…",
}


def _texts() -> Iterator[tuple[str, str]]:
    """Where it is, and each text that is raised, told or logged as a warning or worse."""
    for path in sorted(PACKAGE.rglob("*.py")):
        place = path.relative_to(PACKAGE)
        if place.parts[0] in ("simulator", "cli"):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and node.args and _tells(node):
                text = _template(node.args[0])
                if text is not None:
                    yield f"{place}:{node.lineno}", text


def _tells(node: ast.Call) -> bool:
    name = str(getattr(node.func, "attr", None) or getattr(node.func, "id", ""))
    if name in ("warning", "error", "exception", "critical"):
        return getattr(getattr(node.func, "value", None), "id", "") == "_log"
    return bool(re.search(r"(Error|Warning)$", name)) and name not in _INSIDE


def _template(node: ast.expr) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.sub(r"%(\.\d+)?[srgfd]", "…", node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values
        )
    return None


def test_every_text_of_the_source() -> None:
    lessons = list(_texts())
    assert len(lessons) > 100
    silent = []
    for place, text in lessons:
        print(f"  {place}: {text}")
        if text not in _PARTS and not re.fullmatch(r"[…: ()]*", text) and not STEP.search(text):
            silent.append(f"{place}: {text}")
    assert silent == []
