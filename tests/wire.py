"""Frames as text, in all four formats, with the spelling of every number kept."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from upbit_stream import (
    Announcement,
    Candle,
    Event,
    Indicator,
    IndicatorSignal,
    MyAsset,
    MyOrder,
    Orderbook,
    Ticker,
    Trade,
)
from upbit_stream.protocol.endpoints import Endpoint

DATA = Path(__file__).parent / "data"
KEYS: dict[str, dict[str, str]] = json.loads((DATA / "keys.json").read_text("utf-8"))
#: The table of what is inside a field.
NESTED = {
    "orderbook_units": KEYS["orderbook_unit"],
    "assets": KEYS["asset"],
    "params": KEYS["params"],
    "event_params": KEYS["event_params"],
    "value": KEYS["value"],
}
UNIT_KEYS = NESTED["orderbook_units"]
STREAMS = (
    "ticker", "trade", "orderbook", "candle",
    "myOrder", "myAsset", "announcement", "indicator", "indicator_signal",
)  # fmt: skip
FORMATS = ("DEFAULT", "SIMPLE", "JSON_LIST", "SIMPLE_LIST")


#: What each stream decodes to, and where it comes from.
CLASSES: dict[str, type[Event]] = {
    "ticker": Ticker,
    "trade": Trade,
    "orderbook": Orderbook,
    "candle": Candle,
    "myOrder": MyOrder,
    "myAsset": MyAsset,
    "announcement": Announcement,
    "indicator": Indicator,
    "indicator_signal": IndicatorSignal,
}
ENDPOINTS = {
    **dict.fromkeys(("myOrder", "myAsset", "announcement"), Endpoint.PRIVATE),
    **dict.fromkeys(("indicator", "indicator_signal"), Endpoint.INFO),
}


class Number(str):
    """A JSON number as it was spelled."""

    __slots__ = ()


class Frame(NamedTuple):
    """A frame of the corpus: its long-keyed content, numbers as :class:`Number`."""

    source: str
    stream: str
    content: dict[str, Any]


def stream_of(type_: str) -> str:
    """The stream's name in the key tables."""
    return type_.partition(".")[0]


def read_corpus() -> list[Frame]:
    """The frames that are events."""
    frames = []
    for line in (DATA / "frames.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        parsed = json.loads(row["frame"], parse_float=Number, parse_int=Number)
        content = parsed[0] if isinstance(parsed, list) else parsed
        if "mk" in content:  # 2018: no type, another name for the code
            content = {"ty": "trade", "cd": content.pop("mk"), **content}
        type_ = content.get("type", content.get("ty"))
        if type_ is not None and stream_of(type_) in STREAMS:
            frames.append(Frame(row["source"], stream_of(type_), lengthen(content)))
    return frames


def lengthen(content: dict[str, Any]) -> dict[str, Any]:
    """``content`` with the long keys."""
    keys = KEYS[stream_of(str(content.get("type", content.get("ty"))))]
    long = {short: name for name, short in keys.items()}
    renamed = {long.get(key, key): value for key, value in content.items()}
    for name, table in NESTED.items():
        if name in renamed:
            renamed[name] = _inside(renamed[name], {short: key for key, short in table.items()})
    return renamed


def write(content: dict[str, Any], wire_format: str) -> str:
    """Long-keyed ``content`` as the text of a frame in ``wire_format``."""
    if wire_format.startswith("SIMPLE"):
        keys = KEYS[stream_of(content["type"])]
        content = {
            keys.get(key, key): _inside(value, NESTED[key])
            if key in NESTED and key in keys
            else value
            for key, value in content.items()
        }
    text = _dump(content)
    return f"[{text}]" if wire_format.endswith("LIST") else text


def _inside(value: Any, renaming: dict[str, str]) -> Any:
    if isinstance(value, list):
        return [_inside(one, renaming) for one in value]
    if isinstance(value, dict):
        return {renaming.get(key, key): one for key, one in value.items()}
    return value


def _dump(value: Any) -> str:
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k)}:{_dump(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_dump, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def same_number(got: Any, spelled: Number, numbers: str) -> bool:
    """Whether ``got`` is exactly what was spelled: as the nearest float, or digit by digit."""
    if isinstance(got, int) and not isinstance(got, bool):
        return got == int(spelled)
    if numbers == "float":
        return isinstance(got, float) and got == float(spelled)
    want = Decimal(spelled)
    if not isinstance(got, Decimal) or got != want:
        return False
    # Every digit, also trailing zeros; but the sign of a zero is no digit.
    return got.as_tuple()[1:] == want.as_tuple()[1:]


def differences(event: Any, content: dict[str, Any], numbers: str) -> list[str]:
    """What ``event`` says otherwise than ``content``; fields unknown to the event are no matter."""
    wrong = []
    for name in type(event).__struct_fields__:
        if name == "received_at":
            continue
        got: Any = getattr(event, name)
        want: Any = content.get(name)
        if isinstance(want, dict) and name in NESTED:
            wrong += [f"{name}.{one}" for one in differences(got, want, numbers)]
        elif isinstance(want, list):
            if len(got) != len(want):
                wrong.append(f"{name}: {len(got)} rows, not {len(want)}")
            for row, (one, wanted) in enumerate(zip(got, want, strict=False)):
                wrong += [f"{name} {row} {this}" for this in differences(one, wanted, numbers)]
        elif isinstance(want, Number):
            if not same_number(got, want, numbers):
                wrong.append(f"{name}: {got!r}, not {want}")
        elif got != want:
            wrong.append(f"{name}: {got!r}, not {want!r}")
    return wrong
