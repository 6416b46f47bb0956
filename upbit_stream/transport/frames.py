"""Messages out of a stream of bytes: RFC 6455, section 5, without a socket.

A `FrameReader` owns one buffer. Whoever has the bytes puts them straight into it (`room()`) and
then asks for every message that is complete (`messages()`), so that the price of a system call
and of a method call is paid once for hundreds of frames.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

FIN: Final = 0x80
RESERVED_BITS: Final = 0x70
MASKED: Final = 0x80

CONTINUATION: Final = 0x0
TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA
OPCODES: Final = frozenset((CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG))

# The header of the usual frame, read as one number: final, binary, unmasked, its length (which is
# what is above this) in the last two bytes.
HEADER_SIZE: Final = 4
USUAL_HEADER: Final = (FIN | BINARY) << 24 | 126 << 16
LONGEST_USUAL: Final = 0xFFFF
read_header: Final = struct.Struct("!I").unpack_from

# Close codes, section 7.4.1.
NORMAL_CLOSURE: Final = 1000
PROTOCOL_ERROR: Final = 1002
NO_STATUS_RECEIVED: Final = 1005  # never in a frame: the close frame had no code
ABNORMAL_CLOSURE: Final = 1006  # never in a frame: there was no close frame
INVALID_PAYLOAD: Final = 1007
MESSAGE_TOO_BIG: Final = 1009

SMALLEST_BUFFER: Final = 64 * 1024
LARGEST_BUFFER: Final = 256 * 1024  # larger ones were measured: no faster


class Ending(NamedTuple):
    """Why no message can follow: the peer's close frame, or its violation of the protocol."""

    code: int
    """Of the close frame (1005 when it had none), or the one that the violation calls for."""
    reason: str
    violation: bool


class Violation(Exception):
    """The peer broke the protocol. Stays inside this module: outside it is an `Ending`."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


def is_valid_close_code(code: int) -> bool:
    """Whether `code` may stand in a close frame (section 7.4 and the IANA registry)."""
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999


class FrameReader:
    """Cuts the frames of a server out of a buffer and joins them to messages.

    Per read::

        received = sock.recv_into(reader.room())
        for message in reader.messages(received): ...

    and then a look at `controls` and `ending`. No violation raises: it becomes the `ending`, after
    the messages that were complete before it.

    `max_message_size` is in bytes, and judged from the headers, before a payload is waited for.
    `buffer_size` is what the buffer starts with (bytes, 16 or more); a buffer that a read filled
    is doubled, up to 256 KiB, and a single frame gets what it needs, for as long as it needs it.
    """

    def __init__(self, max_message_size: int, buffer_size: int = SMALLEST_BUFFER) -> None:
        self.controls: list[tuple[int, bytes]] = []
        """The pings and pongs, as (opcode, payload), in order. The caller empties it."""
        self.ending: Ending | None = None
        """Set by the close frame or a violation; what follows it in the buffer is never read."""
        self._max_message_size = max_message_size
        self._buffer_size = buffer_size
        self._allocate(buffer_size)
        self._start = 0  # of the first frame that is not complete
        self._end = 0  # of what was received
        self._frame_size = 0  # of that first frame, header included; 0: not known yet
        self._fragments: bytearray | None = None  # of a message whose last frame is still to come
        self._fragments_are_text = False

    def room(self) -> memoryview:
        """The free part of the buffer, never empty. From now on the last messages are invalid."""
        start = self._start
        tail = self._view[start : self._end]
        self._start, self._end = 0, len(tail)
        size = max(self._buffer_size, self._frame_size)
        if size != len(self._view):
            # A new one, not a resized one: a bytearray with views on it cannot be resized.
            self._allocate(size)
            self._view[: len(tail)] = tail
        elif start:
            self._view[: len(tail)] = tail
        return self._view[len(tail) :]

    def _allocate(self, size: int) -> None:
        # Behind what is filled there is always a header's worth to read.
        self._buffer = bytearray(size + HEADER_SIZE)
        self._view = memoryview(self._buffer)[:size]

    def messages(self, received: int) -> list[memoryview]:
        """Every message that `received` more bytes completed, as views into the buffer.

        They are valid until the next `room()`: decode or copy what is to last. Text messages are
        checked to be UTF-8 and given as bytes too.
        """
        # The hot path of the whole package: local names, and nothing called for the usual frame (a
        # whole binary message of 126 to 65535 bytes, unmasked) but the two that are the work. Any
        # other costs a method call, and is the better for it: one place where the rules are
        # checked.
        buffer = self._buffer
        view = self._view
        start = self._start
        end = self._end = self._end + received
        longest = self._longest_usual()
        messages: list[memoryview] = []
        append = messages.append
        if end == len(view) and self._buffer_size < LARGEST_BUFFER:
            self._buffer_size = min(2 * self._buffer_size, LARGEST_BUFFER)
        self._frame_size = 0
        try:
            while end - start >= 2:
                (header,) = read_header(buffer, start)
                if 0 <= header - USUAL_HEADER <= longest:
                    payload = start + HEADER_SIZE
                    stop = payload + header - USUAL_HEADER
                    if stop > end:
                        if payload <= end:
                            self._frame_size = stop - start
                        break
                    append(view[payload:stop])
                else:
                    stop = self._unusual_frame(start, end, messages)
                    if stop == start or self.ending is not None:
                        break
                    longest = self._longest_usual()
                start = stop
        except Violation as violation:
            self.ending = Ending(violation.code, violation.reason, violation=True)
        except UnicodeDecodeError:
            self.ending = Ending(INVALID_PAYLOAD, "text that is not UTF-8", violation=True)
        self._start = start
        return messages

    def _longest_usual(self) -> int:
        """Up to which length a usual frame is a message as it stands; inside a fragmented message
        (-1) none is.
        """
        return -1 if self._fragments is not None else min(LONGEST_USUAL, self._max_message_size)

    def _unusual_frame(self, start: int, end: int, messages: list[memoryview]) -> int:
        """Take the frame at `start`, of any kind; where it stops, or `start` if it is incomplete.

        Raises `Violation` as soon as the header shows one, and `UnicodeDecodeError`.
        """
        buffer = self._buffer
        fin, opcode = buffer[start] & FIN, buffer[start] & 0x0F
        length = buffer[start + 1]
        self._check_header(buffer[start], length)

        payload = start + 2
        if length >= 126:
            payload += 2 if length == 126 else 8
            if payload > end:
                return start
            length = int.from_bytes(buffer[start + 2 : payload], "big")
            if length >= 1 << 63:
                raise Violation(PROTOCOL_ERROR, "a length of more than 63 bits")
        if opcode < CLOSE and len(self._fragments or b"") + length > self._max_message_size:
            raise too_big(self._max_message_size)
        stop = payload + length
        if stop > end:
            self._frame_size = stop - start
            return start

        content = self._view[payload:stop]
        if opcode == CLOSE:
            self.ending = parse_close(bytes(content))
        elif opcode > CLOSE:
            self.controls.append((opcode, bytes(content)))
        elif fin and self._fragments is None:
            if opcode == TEXT:
                check_utf8(content)
            messages.append(content)
        else:
            self._add_fragment(opcode, content, messages, last=bool(fin))
        return stop

    def _check_header(self, first: int, second: int) -> None:
        """Everything that the first two bytes of a frame can have wrong (section 5.2)."""
        opcode = first & 0x0F
        if first & RESERVED_BITS:
            raise Violation(PROTOCOL_ERROR, "a reserved bit is set")
        if opcode not in OPCODES:
            raise Violation(PROTOCOL_ERROR, f"reserved opcode {opcode:#x}")
        if second & MASKED:
            raise Violation(PROTOCOL_ERROR, "a masked frame from a server")
        if opcode >= CLOSE:
            if not first & FIN:
                raise Violation(PROTOCOL_ERROR, "a fragmented control frame")
            if second > 125:
                raise Violation(PROTOCOL_ERROR, "a control frame of more than 125 bytes")
        elif opcode == CONTINUATION and self._fragments is None:
            raise Violation(PROTOCOL_ERROR, "a continuation of nothing")
        elif opcode != CONTINUATION and self._fragments is not None:
            raise Violation(PROTOCOL_ERROR, "a new message inside a fragmented one")

    def _add_fragment(
        self, opcode: int, content: memoryview, messages: list[memoryview], *, last: bool
    ) -> None:
        if self._fragments is None:
            self._fragments = bytearray()
            self._fragments_are_text = opcode == TEXT
        self._fragments += content
        if last:
            message, self._fragments = memoryview(self._fragments), None
            if self._fragments_are_text:
                check_utf8(message)
            messages.append(message)


def check_utf8(text: memoryview) -> None:
    """Raises UnicodeDecodeError. Decoding is the fastest check there is."""
    str(text, "utf-8")


def parse_close(payload: bytes) -> Ending:
    """Read a close frame's payload (section 5.5.1). Raises `Violation`, `UnicodeDecodeError`."""
    if not payload:
        return Ending(NO_STATUS_RECEIVED, "", violation=False)
    if len(payload) == 1:
        raise Violation(PROTOCOL_ERROR, "a close frame with half a code")
    code = int.from_bytes(payload[:2], "big")
    if not is_valid_close_code(code):
        raise Violation(PROTOCOL_ERROR, f"close code {code}, which no frame may carry")
    return Ending(code, payload[2:].decode("utf-8"), violation=False)


def too_big(max_message_size: int) -> Violation:
    """The violation of a message longer than `max_message_size` bytes."""
    return Violation(MESSAGE_TOO_BIG, f"a message of more than {max_message_size} bytes")
