"""Recorded frames, sent again to whoever subscribes to what they are about.

A frame goes out as it was recorded to a client that reads the same format. For another format its
keys are exchanged; the numbers keep their spelling, to the last digit.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from os import PathLike
from typing import Any, NamedTuple

import msgspec

from upbit_stream.protocol.wire_format import WireFormat
from upbit_stream.recording.reading import read_lines
from upbit_stream.simulator.frames import frame
from upbit_stream.simulator.keys import NESTED, SHORT

__all__ = ["Recorded", "Replay", "ReplaySource"]

#: A recording of :class:`~upbit_stream.recording.Recorder`, a file with one frame (or one object
#: with a "frame") in each line, or such lines.
ReplaySource = str | PathLike[str] | Iterable[str | bytes | Mapping[str, Any]]

_Raw = dict[str, msgspec.Raw]


@dataclass(frozen=True)
class Recorded:
    """One recorded message."""

    kind: str
    #: None for what belongs to no market.
    code: str | None
    #: When it came, in milliseconds since the epoch; when that was not recorded, the exchange's
    #: timestamp; 0 where the frame does not say.
    timestamp: float
    text: str
    wire_format: WireFormat
    #: Long names and the JSON of their values.
    fields: dict[str, str]

    def written(self, wire_format: WireFormat) -> bytes:
        """The frame for a client that reads this format."""
        if wire_format is self.wire_format:
            return frame(self.text.encode())
        short = SHORT[self.kind.partition(".")[0]] if wire_format.short_keys else {}
        parts = []
        for name, value in self.fields.items():
            table = NESTED.get(name)
            if wire_format.short_keys and table is not None and value[0] in "[{":
                value = _renamed(value, table)
            parts.append(f"{json.dumps(short.get(name, name))}:{value}")
        text = "{" + ",".join(parts) + "}"
        return frame((f"[{text}]" if wire_format.is_list else text).encode())


class Moment(NamedTuple):
    """What is sent together, so many seconds after the beginning."""

    delay: float
    recorded: list[Recorded]


class Replay:
    """All recorded messages, by what they are about."""

    def __init__(self, source: ReplaySource, speed: float | None) -> None:
        if speed is not None and speed <= 0:
            raise ValueError(f"replay_speed={speed!r}: a factor above 0, or None for all at once")
        #: How many times faster than recorded; None: all at once.
        self.speed = speed
        self._recorded = [one for line in _lines(source) for one in _read(line)]
        self._known = {(one.kind, one.code) for one in self._recorded}

    def __contains__(self, stream: object) -> bool:
        return stream in self._known

    def select(self, wanted: Iterable[tuple[str, str | None]]) -> list[Recorded]:
        """The messages about these (type, code), in the order of the recording.

        A type whose messages belong to no market is asked for with None.
        """
        keys = set(wanted)
        return [one for one in self._recorded if (one.kind, one.code) in keys]

    def schedule(self, wanted: Iterable[tuple[str, str | None]]) -> list[Moment]:
        """When to send what of the messages about these (type, code).

        They keep their order, whatever their times are: of several markets and of recordings of
        several connections these are not sorted.
        """
        recorded = self.select(wanted)
        if not recorded or self.speed is None:
            return [Moment(0.0, recorded)] if recorded else []
        first, moments = recorded[0].timestamp, [Moment(0.0, [])]
        for one in recorded:
            delay = (one.timestamp - first) / 1000 / self.speed
            if delay > moments[-1].delay:
                moments.append(Moment(delay, []))
            moments[-1].recorded.append(one)
        return moments

    def codes_of(self, kind: str) -> set[str | None]:
        """The codes that this type was recorded for."""
        return {code for known, code in self._known if known == kind}


def _lines(source: ReplaySource) -> Iterator[str | bytes | Mapping[str, Any]]:
    if isinstance(source, (str, PathLike)):
        yield from read_lines(source)
    else:
        yield from source


def _read(line: str | bytes | Mapping[str, Any]) -> Iterator[Recorded]:
    text = line if isinstance(line, Mapping) else msgspec.json.decode(line)
    if isinstance(text, Mapping) and isinstance(text.get("frame"), str):
        raw: str = text["frame"]
    elif isinstance(line, Mapping):
        raw = json.dumps(line, ensure_ascii=False, separators=(",", ":"))
    else:
        raw = line.decode() if isinstance(line, bytes) else line
    raw = raw.strip()
    listed = raw.startswith("[")
    messages = msgspec.json.decode(raw, type=list[_Raw]) if listed else [_decode(raw)]
    for message in messages:
        recorded = _recorded(message, raw, listed=listed)
        if recorded is not None:
            yield recorded


def _decode(raw: str) -> _Raw:
    return msgspec.json.decode(raw, type=_Raw)


def _recorded(message: _Raw, raw: str, *, listed: bool) -> Recorded | None:
    short = not ({"type", "code", "timestamp"} & set(message))
    kind = _text(message, "ty" if short else "type") or _guess(message)
    # Answers and errors are not about anything that can be subscribed to.
    if kind is None or kind.partition(".")[0] not in SHORT:
        return None
    # What a recorder has added is not on the wire.
    received_at = message.pop("received_at", None)
    if received_at is not None:
        raw = _object(message, {})
    fields = _long_names(kind, message) if short else {k: _json(v) for k, v in message.items()}
    timestamp = fields.get("timestamp", "0")
    moment = float(int(timestamp) if timestamp.isdigit() else 0)
    if received_at is not None:
        moment = int(_json(received_at)) / 1e6
    style = {
        (False, False): WireFormat.DEFAULT,
        (True, False): WireFormat.SIMPLE,
        (False, True): WireFormat.JSON_LIST,
        (True, True): WireFormat.SIMPLE_LIST,
    }
    return Recorded(
        kind=kind,
        code=json.loads(fields.get("code", "null")),
        timestamp=moment,
        text=raw,
        wire_format=style[short, listed],
        fields=fields,
    )


def _long_names(kind: str, message: _Raw) -> dict[str, str]:
    # Frames of 2018 call the market "mk".
    long = {key: name for name, key in SHORT[kind.partition(".")[0]].items()} | {"mk": "code"}
    fields = {}
    for key, value in message.items():
        name = long.get(key, key)
        text = _json(value)
        table = NESTED.get(name)
        if table is not None and text[0] in "[{":
            text = _renamed(text, {inner: outer for outer, inner in table.items()})
        fields[name] = text
    return fields


def _renamed(text: str, names: Mapping[str, str]) -> str:
    if text[0] == "[":
        inner = msgspec.json.decode(text, type=list[_Raw])
        return "[" + ",".join(_object(one, names) for one in inner) + "]"
    return _object(msgspec.json.decode(text, type=_Raw), names)


def _object(message: _Raw, names: Mapping[str, str]) -> str:
    parts = (f"{json.dumps(names.get(key, key))}:{_json(value)}" for key, value in message.items())
    return "{" + ",".join(parts) + "}"


def _json(value: msgspec.Raw) -> str:
    return bytes(value).decode()


def _text(message: _Raw, key: str) -> str | None:
    value = json.loads(bytes(message[key])) if key in message else None
    return value if isinstance(value, str) else None


def _guess(message: _Raw) -> str | None:
    if "sid" in message or "sequential_id" in message:
        return "trade"
    if "obu" in message or "orderbook_units" in message:
        return "orderbook"
    return None
