"""The messages that are sent to Upbit.

A request replaces the connection's whole list, so there is always exactly one to send: the
union of what every subscription wants (see :mod:`~upbit_stream.protocol.demands`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from upbit_stream.protocol.wire_format import WireFormat

__all__ = [
    "TypeRequest",
    "combinations",
    "listed_codes",
    "same_list",
    "with_snapshots",
    "write_list_request",
    "write_request",
]


class TypeRequest(msgspec.Struct, frozen=True):
    """One type object of a request.

    ``codes`` are spelled as on the wire (``KRW-BTC.15``); None: the type is asked for without
    codes. ``fields`` are the object's further fields.
    """

    type: str
    codes: tuple[str, ...] | None
    fields: Mapping[str, Any] = msgspec.field(default_factory=dict)

    def to_wire(self) -> dict[str, Any]:
        """The object as it stands in the request."""
        codes = {} if self.codes is None else {"codes": list(self.codes)}
        return {"type": self.type, **codes, **self.fields}


def with_snapshots(
    requests: Iterable[TypeRequest], concerned: Callable[[str], bool]
) -> tuple[TypeRequest, ...]:
    """``requests``, those of ``concerned`` types with snapshots, whether they ask for them or
    not.
    """
    return tuple(
        msgspec.structs.replace(
            request,
            fields={
                name: value for name, value in request.fields.items() if name != "is_only_realtime"
            },
        )
        if concerned(request.type)
        else request
        for request in requests
    )


def combinations(requests: Iterable[TypeRequest]) -> int:
    """Codes × indicators, over all type objects: what the exchange puts a cap on."""
    return sum(
        len(request.codes or ()) * len(request.fields.get("indicators", ())) for request in requests
    )


def write_request(requests: Sequence[TypeRequest], *, ticket: str, wire_format: WireFormat) -> str:
    """The text of the message that makes ``requests`` the connection's whole list."""
    return _write(ticket, [request.to_wire() for request in requests], wire_format)


def write_list_request(*, ticket: str, wire_format: WireFormat) -> str:
    """The text of the message that asks what the connection's list is.

    With the format of the running streams: they would change theirs to it.
    """
    return _write(ticket, [{"method": "LIST_SUBSCRIPTIONS"}], wire_format)


def _write(ticket: str, objects: Sequence[Mapping[str, Any]], wire_format: WireFormat) -> str:
    message = [{"ticket": ticket}, *objects, {"format": wire_format.value}]
    return msgspec.json.encode(message).decode()


def same_list(requests: Iterable[TypeRequest], rows: Iterable[Mapping[str, Any]]) -> bool:
    """Whether the exchange's answer to ``LIST_SUBSCRIPTIONS`` says what was asked for.

    Types, codes and levels are compared, in any order: what else it may state is not known of
    every type. A row without codes covers every code of its type.
    """
    wanted = _contents(request.to_wire() for request in requests)
    listed = _contents(rows)
    return wanted.keys() == listed.keys() and all(
        not listed[kind] or listed[kind] == codes for kind, codes in wanted.items()
    )


def listed_codes(rows: Iterable[Mapping[str, Any]]) -> set[tuple[str, str]]:
    """Every (type, code) in an answer to ``LIST_SUBSCRIPTIONS``."""
    return {(kind, code) for (kind, _), codes in _contents(rows).items() for code in codes}


def _contents(rows: Iterable[Mapping[str, Any]]) -> dict[tuple[str, float], set[str]]:
    contents: dict[tuple[str, float], set[str]] = {}
    for row in rows:
        codes = contents.setdefault((str(row.get("type")), float(row.get("level") or 0)), set())
        codes.update(str(code).partition(".")[0] for code in row.get("codes") or ())
    return contents
