"""Frames that no server should send: what a broken proxy, a bug or a cut cable leaves behind."""

from __future__ import annotations

from upbit_stream.simulator.frames import BINARY, CLOSE, TEXT, frame

__all__ = ["GARBAGE"]

_PING = 0x9
_MASK = b"\x01\x02\x03\x04"


def _masked(payload: bytes) -> bytes:
    mixed = bytes(byte ^ _MASK[place % 4] for place, byte in enumerate(payload))
    return bytes((0x80 | BINARY, 0x80 | len(payload))) + _MASK + mixed


#: Name → bytes on the wire.
GARBAGE: dict[str, bytes] = {
    # Opcode 3 is reserved.
    "opcode": frame(b"{}", 0x3),
    # RSV2 without an extension that means anything by it.
    "rsv": bytes((0xA0 | BINARY, 2)) + b"{}",
    "masked": _masked(b"{}"),
    "utf8": frame(b'{"type":"\xff\xfe"}', TEXT),
    "utf8_binary": frame(b'{"type":"\xff\xfe"}'),
    # Valid frames, but no JSON that anybody documents.
    "json": frame(b'{"type":"trade","code":"KRW-BTC","trade_pri'),
    "empty": frame(b""),
    "not_json": frame(b"<html><body>502 Bad Gateway</body></html>"),
    "number": frame(b"42"),
    "null_fields": frame(b'{"type":null,"code":null}'),
    # Headers that promise more than anybody would send, one of them negative.
    "length": bytes((0x80 | BINARY, 127)) + (2**62).to_bytes(8, "big"),
    "negative_length": bytes((0x80 | BINARY, 127)) + b"\xff" * 8,
    # Control frames must be whole and short.
    "fragmented_control": bytes((_PING, 0)),
    "long_control": bytes((0x80 | _PING, 126)) + (200).to_bytes(2, "big") + b"x" * 200,
    "continuation": bytes((0x80, 2)) + b"{}",
    "interleaved": bytes((BINARY, 1)) + b"{" + frame(b"{}"),
    # Close frames with a code that is reserved, that is none, and with half a code.
    "close_code": frame((1005).to_bytes(2, "big"), CLOSE),
    "close_code_unknown": frame((999).to_bytes(2, "big"), CLOSE),
    "close_short": frame(b"\x03", CLOSE),
    "close_utf8": frame((1000).to_bytes(2, "big") + b"\xff\xfe", CLOSE),
    "bytes": b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",
}
